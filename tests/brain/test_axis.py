from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import SpaceError


@pytest.mark.parametrize("rows", [[0, 1, 2], [6, 3, 0], [5], [], list(range(7))])
def test_rows_of_inverts_restrict(axis, rows):
    np.testing.assert_array_equal(axis.rows_of(axis.restrict(rows)), rows)


def test_restrict_takes_a_mask(axis):
    assert axis.restrict(axis.is_surface) == axis.restrict([0, 1, 2, 3, 4])
    assert set(axis.restrict([3]).mesh_size) == {"CORTEX_RIGHT"}


def test_rows_of_finds_the_same_places_in_another_order(axis):
    order = np.array([4, 6, 1, 0, 3, 5, 2])
    shuffled = axis.restrict(order)
    assert shuffled != axis
    assert shuffled.restrict(shuffled.rows_of(axis)) == axis


def test_structures_and_their_rows(axis):
    assert axis.structures == ("CORTEX_LEFT", "CORTEX_RIGHT", "THALAMUS_LEFT")
    np.testing.assert_array_equal(axis.rows_in("CORTEX_RIGHT"), [3, 4])


def test_expand_puts_values_on_the_mesh_and_back(axis):
    values = np.arange(14.0).reshape(2, 7)
    mesh = axis.expand(values, "CORTEX_RIGHT")
    assert mesh.shape == (2, 6)
    np.testing.assert_array_equal(mesh[:, [1, 4]], values[:, [3, 4]])
    assert np.isnan(np.delete(mesh, [1, 4], axis=1)).all()


def test_expand_keeps_labels_integer(axis):
    mesh = axis.expand(np.arange(7, dtype=np.int32), "CORTEX_LEFT", fill=0)
    assert np.issubdtype(mesh.dtype, np.integer)
    np.testing.assert_array_equal(mesh, [0, 0, 1, 2, 0])


def test_equality_counts_rows_meshes_and_volume(axis):
    assert axis == replace(axis)
    assert axis != replace(axis, mesh_size={"CORTEX_LEFT": 5, "CORTEX_RIGHT": 7})
    assert axis != replace(axis, affine=2 * np.eye(4))
    assert axis != "axis"


def test_arrays_cannot_be_changed_in_place(axis):
    with pytest.raises(ValueError, match="read-only"):
        axis.vertex[0] = 4


def test_missing_vertices_are_counted_and_named(axis):
    with pytest.raises(SpaceError, match=r"1 of 3 rows of CORTEX_LEFT are missing \(first: 2\)"):
        axis.restrict([0, 2, 3]).rows_of(axis)


def test_missing_structure_is_named(axis):
    with pytest.raises(SpaceError, match="THALAMUS_LEFT is missing"):
        axis.restrict([0, 1, 2, 3, 4]).rows_of(axis)


def test_another_mesh_is_refused(axis):
    finer = BrainAxis.from_vertices("fsLR", {"CORTEX_LEFT": [0]}, {"CORTEX_LEFT": 500})
    with pytest.raises(SpaceError, match="mesh of 5 vertices, where 500 are expected"):
        axis.rows_of(finer)


def test_another_volume_is_refused(axis):
    moved = replace(axis.restrict([5]), affine=2 * np.eye(4))
    with pytest.raises(SpaceError, match="THALAMUS_LEFT lies on another volume grid"):
        axis.rows_of(moved)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vertex": [0, 2, 3, 1, 4, -1]}, "7 structure names has 6 vertices"),
        ({"vertex": [0, 2, 5, 1, 4, -1, -1]}, "do not fit its mesh of 5"),
        ({"vertex": [0, 2, 2, 1, 4, -1, -1]}, "same place in CORTEX_LEFT twice"),
        ({"vertex": [0, 2, 3, 1, 4, 7, -1]}, "mesh size of THALAMUS_LEFT"),
        ({"voxel": [[-1] * 3] * 5 + [[1, 1, 9]] * 2}, "outside the volume"),
        ({"affine": None}, "needs an affine"),
    ],
)
def test_malformed_axes_are_refused(axis, changes, message):
    with pytest.raises(SpaceError, match=message):
        replace(axis, **changes)


def test_expand_refuses_what_is_not_on_the_axis(axis):
    with pytest.raises(SpaceError, match=r"shape \(3,\) do not lie on an axis of 7"):
        axis.expand(np.zeros(3), "CORTEX_LEFT")
    with pytest.raises(SpaceError, match="THALAMUS_LEFT is not a surface"):
        axis.expand(np.zeros(7), "THALAMUS_LEFT")


def test_other_names_of_nodes_are_told_from_another_order():
    mine = BrainAxis.from_nodes(["n10", "n0", "n1"])
    message = (
        "The 3 nodes have the same names in another order than the 3 expected: number 1 is "
        "'n10', not 'n0'"
    )
    with pytest.raises(SpaceError, match=message):
        mine.rows_of(BrainAxis.from_nodes(["n0", "n1", "n10"]))
    with pytest.raises(SpaceError, match="nodes have other names than the 3 expected: number 3 is"):
        mine.rows_of(BrainAxis.from_nodes(["n10", "n0", "n2"]))
