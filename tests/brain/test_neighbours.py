from __future__ import annotations

import numpy as np
import pytest

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.neighbours import neighbours_of
from neuroparcel.errors import SpaceError

LEFT = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 4, 1]])  # a pyramid without its base
RIGHT = np.array([[0, 1, 2], [2, 1, 3], [2, 3, 4], [3, 4, 5]])  # a strip
FACES = {"CORTEX_LEFT": LEFT, "CORTEX_RIGHT": RIGHT}


def voxels(places: np.ndarray, structure: np.ndarray | str = "THALAMUS_LEFT") -> BrainAxis:
    n = len(places)
    names = np.broadcast_to(structure, n)
    return BrainAxis("MNI", names, np.full(n, -1), places, {}, np.eye(4), (9, 9, 9))


def grid(n: int) -> np.ndarray:
    return np.argwhere(np.ones((n, n, n), bool))


def test_edges_and_faces_join_rows(axis):
    """Vertices 0, 2, 3 of the left, 1 and 4 of the right, and two voxels side by side."""
    matrix = neighbours_of(axis, FACES)
    assert matrix.dtype == np.float32
    expected = np.zeros((7, 7))
    expected[0, [1, 2]] = expected[1, [0, 2]] = expected[2, [0, 1]] = 0.5
    expected[5, 6] = expected[6, 5] = 1
    np.testing.assert_array_equal(matrix.toarray(), expected)


def test_order_of_rows_does_not_matter(axis):
    order = np.random.default_rng(0).permutation(len(axis))
    expected = neighbours_of(axis, FACES)[order][:, order]
    np.testing.assert_array_equal(
        neighbours_of(axis.restrict(order), FACES).toarray(), expected.toarray()
    )


def test_voxels_have_three_to_six_neighbours():
    places = grid(3)
    matrix = neighbours_of(voxels(places + 6), {})
    apart = np.abs(places[:, None] - places).sum(axis=-1)
    np.testing.assert_array_equal(matrix.toarray() > 0, apart == 1)
    centre = 1 + (places == 1).sum(axis=1)  # corner, edge, face, middle
    np.testing.assert_array_equal(np.diff(matrix.indptr), 2 + centre)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-6)


def test_voxels_of_two_structures_are_neighbours():
    places = grid(2)
    structure = np.where(places[:, 0] == 0, "PUTAMEN_LEFT", "PALLIDUM_LEFT")
    np.testing.assert_array_equal(
        neighbours_of(voxels(places, structure), {}).toarray(),
        neighbours_of(voxels(places), {}).toarray(),
    )


def test_rows_alone_are_empty():
    matrix = neighbours_of(voxels(np.array([[0, 0, 0], [1, 1, 0], [8, 8, 8]])), {})
    assert matrix.shape == (3, 3)
    assert matrix.nnz == 0


def test_nodes_lie_nowhere():
    assert neighbours_of(BrainAxis.from_nodes(["a", "b"]), {}) is None


def test_triangles_must_be_those_of_the_mesh(axis):
    with pytest.raises(SpaceError, match="The triangles of CORTEX_RIGHT are not given"):
        neighbours_of(axis, {"CORTEX_LEFT": LEFT})
    with pytest.raises(SpaceError, match="of CORTEX_RIGHT join 5 vertices; its mesh has 6"):
        neighbours_of(axis, {"CORTEX_LEFT": LEFT, "CORTEX_RIGHT": LEFT})
