from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuroparcel.brain.atlas import Atlas, Label, Targets, targets_of_atlas
from neuroparcel.errors import AtlasError, SpaceError

RED = (1.0, 0.0, 0.0, 1.0)


@pytest.fixture
def atlas(axis) -> Atlas:
    labels = (Label(1, "a", RED), Label(4, "b", RED), Label(5, "c", RED), Label(9, "none", RED))
    return Atlas("toy", axis, np.array([1, 1, 4, 0, 5, 5, 5]), labels)


def test_region_joins_labels_in_the_order_of_the_axis(atlas, axis):
    region = atlas.region(["b", "a"], name="ba")
    assert (region.name, region.n_vertices, region.labels) == ("ba", 3, ("b", "a"))
    assert region.axis == axis.restrict([0, 1, 2])
    assert region.label_of_vertex.tolist() == ["a", "a", "b"]
    assert atlas.region(["a", "b"]).name == "a,b"


def test_unknown_label_suggests_a_near_one(atlas):
    labels = (Label(1, "L_44", RED), Label(4, "b", RED), Label(5, "c", RED))
    renamed = replace(atlas, labels=labels)
    with pytest.raises(AtlasError, match=r"no label 'L44'\. Did you mean L_44"):
        renamed.region(["L44"])


def test_a_label_named_twice_is_refused(atlas):
    with pytest.raises(AtlasError, match="region b,a,b names the label b more than once"):
        atlas.region(["b", "a", "b"])


def test_region_without_vertices_is_refused(atlas):
    with pytest.raises(AtlasError, match="region none has no vertices"):
        atlas.region(["none"])


def test_atlas_checks_its_keys(atlas, axis):
    with pytest.raises(AtlasError, match=r"no label for the keys \[7\]"):
        replace(atlas, keys=np.array([1, 1, 4, 0, 5, 5, 7]))
    with pytest.raises(SpaceError, match="6 keys on an axis of 7 rows"):
        replace(atlas, keys=np.ones(6))


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (Label(4, "a", RED), "two labels called 'a', the keys 1 and 4"),
        (Label(1, "b", RED), "two labels of the key 1, 'a' and 'b'"),
    ],
)
def test_a_table_that_is_ambiguous_is_refused(atlas, second, message):
    labels = (Label(1, "a", RED), second)
    with pytest.raises(AtlasError, match=message):
        replace(atlas, keys=np.where(atlas.keys == 1, 1, 0), labels=labels)


def test_labels_that_rows_carry_and_how_many(atlas, axis):
    assert [label.name for label in atlas.present] == ["a", "b", "c"]
    assert atlas.sizes().tolist() == [2, 1, 3, 0]
    sides = [atlas.sizes(structure) for structure in axis.structures]
    assert sum(sides).tolist() == [2, 1, 3, 0]
    first = axis.structures[0]
    assert atlas.sizes(first).sum() == np.count_nonzero(atlas.keys[axis.rows_in(first)])


@pytest.mark.parametrize(
    ("rgba", "hexadecimal"),
    [((1, 0, 0.5, 1), "#ff0080"), ((0.2, 0.4, 0.6, 0), "#336699"), ((1.2, -1, 0, 1), "#ff0000")],
)
def test_colours_of_labels(rgba, hexadecimal):
    assert Label.of(1, "a", rgba).hex == hexadecimal


def test_each_label_present_is_a_target(atlas):
    targets = targets_of_atlas(atlas)
    assert targets.names == ("a", "b", "c")
    assert targets.assignment.tolist() == [0, 0, 1, 2, 2, 2]


def test_average_is_the_mean_over_a_target(atlas):
    targets = targets_of_atlas(atlas)
    series = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    expected = [series[:2].mean(0), series[2], series[3:].mean(0)]
    np.testing.assert_allclose(targets.average(series), expected, atol=1e-6)


def test_average_leaves_out_rows_that_are_not_finite(atlas):
    targets = targets_of_atlas(atlas)
    series = np.arange(24, dtype=np.float32).reshape(6, 4)
    series[0, 2] = np.nan
    series[2] = np.inf
    averaged = targets.average(series)
    np.testing.assert_array_equal(averaged[0], series[1])
    assert np.isnan(averaged[1]).all()
    np.testing.assert_array_equal(averaged[2], series[3:].mean(axis=0))


def test_average_refuses_other_rows(atlas):
    with pytest.raises(SpaceError, match=r"shape \(7, 4\) do not lie on the 6 rows"):
        targets_of_atlas(atlas).average(np.zeros((7, 4)))


@pytest.mark.parametrize(
    ("assignment", "names", "message"),
    [
        ([0, 1, 1], ("x", "y"), "has 2 targets; a profile needs at least 3"),
        ([0, 1, 1], ("x", "y", "z"), "Target z of mine has no vertices"),
    ],
)
def test_target_sets_that_make_no_profile_are_refused(axis, assignment, names, message):
    with pytest.raises(AtlasError, match=message):
        Targets("mine", axis.restrict([0, 1, 2]), np.array(assignment), names)
