"""Two maps side by side, by hand: which vertices, which networks, how far apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from neuroparcel.brain.atlas import Atlas, Label
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.colours import network_colours
from neuroparcel.brain.comparison import (
    NetworkMap,
    align,
    difference,
    labels_differ,
    match_by_names,
    match_by_overlap,
    match_by_scores,
    matched_colours,
    measure,
    network_agreement,
)
from neuroparcel.brain.overlap import overlap
from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.errors import AtlasError, SpaceError


def cortex(vertices: Sequence[int], size: int = 32492, space: str = "fsLR") -> BrainAxis:
    return BrainAxis.from_vertices(space, {"CORTEX_LEFT": vertices}, {"CORTEX_LEFT": size})


def hard(labels: Sequence[int], axis: BrainAxis | None = None, name: str = "A") -> NetworkMap:
    n = max(labels)
    names = tuple(f"{name}{k}" for k in range(1, n + 1))
    rows = cortex(range(len(labels))) if axis is None else axis
    return NetworkMap(name, rows, names, network_colours(n), np.array(labels))


def soft(probabilities: Sequence[Sequence[float]], name: str = "A") -> NetworkMap:
    p = np.array(probabilities, np.float32)
    names = tuple(f"{name}{k}" for k in range(1, p.shape[1] + 1))
    return NetworkMap.of_parcellation(name, SoftParcellation(cortex(range(len(p))), names, p))


FIRST = hard([1, 1, 1, 2, 2, 2])
SECOND = hard([2, 2, 1, 1, 1, 3], name="B")  # 2 is 1, 1 is 2, and 3 is nobody's
PAIRS = ((0, 1), (1, 0))


def test_networks_are_matched_by_overlap():
    assert match_by_overlap(FIRST, SECOND) == PAIRS


def test_networks_that_share_nothing_are_not_matched():
    assert match_by_scores(np.array([[0.5, 0.0], [0.9, 0.0]])) == ((1, 0),)
    assert match_by_scores(np.array([[0.5, -0.2], [-0.3, -0.9]])) == ((0, 0),)


def test_networks_are_matched_by_name():
    assert match_by_names(("Visual", "Default", "Limbic"), ("Limbic", "Visual")) == ((0, 1), (2, 0))


def test_agreement_by_hand():
    """Dice 4/5 and 4/6; four of six labels are matched."""
    found = measure(FIRST, SECOND, PAIRS)
    assert found.n_vertices == 6
    assert found.mean_dice == pytest.approx((4 / 5 + 4 / 6) / 2)
    assert found.overlap == pytest.approx(4 / 6)
    rows = network_agreement(FIRST, SECOND, PAIRS)
    assert [(r.first, r.second, r.n_first, r.n_second, r.n_shared) for r in rows] == [
        ("A1", "B2", 3, 2, 2),
        ("A2", "B1", 3, 3, 2),
        (None, "B3", 0, 1, 0),
    ]
    assert rows[2].dice is None
    np.testing.assert_array_equal(labels_differ(FIRST, SECOND, PAIRS), [0, 0, 1, 0, 0, 1])
    np.testing.assert_array_equal(difference(FIRST, SECOND, PAIRS), [0, 0, 1, 0, 0, 1])


def test_equal_maps():
    found = measure(FIRST, FIRST, match_by_overlap(FIRST, FIRST))
    agreed = (found.adjusted_rand, found.normalised_mutual_information, found.mean_dice)
    assert agreed == (1, 1, 1)
    assert (found.variation_of_information, found.overlap) == (0, 1)


def test_the_difference_of_soft_maps_is_their_distance_in_total_variation():
    one = soft([[0.5, 0.3, 0.2], [1, 0, 0], [0.1, 0.1, 0.8]])
    other = soft([[0.3, 0.5, 0.2], [0, 1, 0], [0.1, 0.1, 0.8]], "B")
    aligned = ((0, 0), (1, 1), (2, 2))
    np.testing.assert_allclose(difference(one, other, aligned), [0.2, 1, 0], atol=1e-7)
    # A3 and B3 are now strangers: 0.2, 0 and 0.8 of each lie where the other has nothing.
    np.testing.assert_allclose(difference(one, other, aligned[:2]), [0.4, 1, 0.8], atol=1e-6)
    assert measure(one, other, aligned).overlap == pytest.approx(1 - 1.2 / 3)


def test_of_the_same_networks_it_is_one_less_their_overlap():
    p, q = np.random.default_rng(2).dirichlet(np.ones(4), (2, 50)).astype(np.float32)
    apart = difference(soft(p), soft(q), tuple((k, k) for k in range(4)))
    np.testing.assert_allclose(apart, 1 - overlap(p, q), atol=1e-6)


def test_a_soft_map_meets_a_hard_one():
    one, other = soft([[0.7, 0.3], [0.2, 0.8]]), hard([1, 1], name="B")
    np.testing.assert_allclose(difference(one, other, ((0, 0),)), [0.3, 0.8], atol=1e-6)


def test_it_is_exactly_0_where_the_maps_are_equal():
    p = np.random.default_rng(0).dirichlet(np.ones(5), 300).astype(np.float32)
    one = soft(p)
    assert not difference(one, one, tuple((k, k) for k in range(5))).any()


def test_numbers_of_networks_do_not_matter():
    rng = np.random.default_rng(1)
    p, q = rng.dirichlet(np.ones(4), (2, 200))
    order = rng.permutation(4)
    one, other, shuffled = soft(p), soft(q, "B"), soft(q[:, order], "B")
    pairs, again = match_by_overlap(one, other), match_by_overlap(one, shuffled)
    assert {(i, int(order[j])) for i, j in again} == set(pairs)
    np.testing.assert_allclose(
        difference(one, shuffled, again), difference(one, other, pairs), atol=1e-6
    )
    found, expected = measure(one, shuffled, again), measure(one, other, pairs)
    assert found.adjusted_rand == expected.adjusted_rand
    assert found.overlap == pytest.approx(expected.overlap)


def test_only_vertices_with_a_label_in_both_are_compared():
    first = hard([1, 2, 0, 1], cortex([10, 20, 30, 40]))
    second = hard([2, 1, 1, 1], cortex([40, 30, 20, 50]), "B")
    ours, theirs = align(first, second)
    assert ours.axis == theirs.axis == cortex([20, 40])
    np.testing.assert_array_equal([ours.labels, theirs.labels], [[2, 1], [1, 2]])


def test_vertices_that_have_the_prior_alone_are_not_compared():
    p = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], np.float32)
    data = np.array([True, False, True])
    one = NetworkMap.of_parcellation("A", SoftParcellation(cortex(range(3)), ("x", "y"), p, data))
    np.testing.assert_array_equal(one.labels, [1, 0, 1])
    found = measure(one, hard([1, 1, 1]), ((0, 0),))
    assert found.n_vertices == 2
    assert found.overlap == pytest.approx((0.9 + 0.6) / 2)


def test_a_subject_without_data_agrees_with_nobody():
    nothing = replace(FIRST, labels=0 * FIRST.labels)
    found = measure(nothing, SECOND, PAIRS)
    assert (found.n_vertices, found.adjusted_rand, found.overlap) == (0, None, None)


@pytest.mark.parametrize(
    ("second", "says"),
    [
        (
            hard([1, 2], cortex([0, 1], 10242, "fsaverage"), "B"),
            r"A lies on a mesh of 32,492 vertices \(fsLR\), and B on one of 10,242 \(fsaverage\)",
        ),
        (hard([1, 2], cortex([90, 91]), "B"), "A and B have labels at no common place.*The first "),
        (
            hard([1, 2], BrainAxis.from_nodes(["x", "y"]), "B"),
            "at no common structure.* has 6 vertices of cortex left, the second 2 nodes",
        ),
    ],
    ids=["mesh", "vertices", "nodes"],
)
def test_maps_that_lie_elsewhere_are_refused(second, says):
    with pytest.raises(SpaceError, match=says):
        align(FIRST, second)


def test_meshes_of_one_size_in_two_spaces_are_refused():
    first, second = (hard([1, 2], cortex([0, 1], 163842, space)) for space in ("fsLR", "fsaverage"))
    with pytest.raises(SpaceError, match=r"163,842 vertices \(fsLR\).*163,842 \(fsaverage\)"):
        align(first, second)
    unknown = replace(second, axis=cortex([0, 1], 163842, "unknown"))
    assert len(align(first, unknown)[0].axis) == 2


def test_other_nodes_are_refused_by_name():
    first, second = (
        hard([1, 2], BrainAxis.from_nodes(names)) for names in (["x", "y"], ["x", "z"])
    )
    with pytest.raises(SpaceError, match=r"A and A: The 2 nodes have other names"):
        align(first, second)


def test_networks_of_one_name_cannot_be_told_apart():
    with pytest.raises(AtlasError, match=r"my\.dlabel\.nii has 2 labels called 'Visual'"):
        replace(FIRST, name="my.dlabel.nii", networks=("Visual", "Visual"))


def test_an_atlas_is_numbered_by_its_table():
    labels = tuple(Label(key, name, (0, 0, 0, 1)) for key, name in ((7, "x"), (2, "y"), (9, "z")))
    one = NetworkMap.of_atlas(Atlas("mine", cortex(range(4)), np.array([2, 0, 7, 2]), labels))
    assert one.networks == ("x", "y", "z")
    np.testing.assert_array_equal(one.labels, [2, 0, 1, 2])


def test_matches_share_a_colour_and_strangers_have_their_own():
    colours = matched_colours(FIRST, SECOND, PAIRS)
    assert (colours[1], colours[0]) == FIRST.colours
    assert colours[2] not in FIRST.colours
    alone = matched_colours(FIRST, SECOND, ())
    assert len({*alone, *FIRST.colours}) == 5
