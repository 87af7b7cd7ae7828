"""Agreement, held-out density and the verdict."""

import math

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import CohortParcellation
from neuroparcel.inference.stages import TrainingHistory
from neuroparcel.parcellation.agreement import adjusted_rand, area_agreement, session_agreement
from neuroparcel.parcellation.heldout import HeldOutDensity
from neuroparcel.parcellation.observations import anchor_warnings
from neuroparcel.parcellation.verdict import NetworkUse, judge

BETTER, WORSE = HeldOutDensity(-1.0, -2.0, -0.5), HeldOutDensity(-2.0, -1.0, -0.5)


def use_of(subject, data=None):
    """Subjects one after the other."""
    use = NetworkUse()
    found = parcellation(subject, data)
    for name in found.subjects:
        use.add(found.of_subject(name))
    return use


def parcellation(subject, data=None):
    axis = BrainAxis.from_vertices(
        "fsLR", {"CORTEX_LEFT": range(subject.shape[1])}, {"CORTEX_LEFT": 99}
    )
    return CohortParcellation(
        axis,
        ("Network1", "Network2"),
        ("a", "b"),
        ("1",),
        subject[0],
        subject,
        subject[:, None],
        data,
    )


def history(losses, steps_between=40):
    n = steps_between * len(losses)
    return TrainingHistory(
        step=np.arange(n),
        stage=("posterior",) * n,
        objective=("reverse-kl",) * n,
        loss=np.zeros(n),
        validation_step=np.arange(steps_between - 1, n, steps_between),
        validation_loss=np.asarray(losses, dtype=float),
    )


@pytest.fixture
def even():
    halves = np.full((2, 6, 2), 0.4, np.float32)
    halves[:, :3, 0] = halves[:, 3:, 1] = 0.6
    return use_of(halves)


def test_a_flat_loss_has_converged(even):
    verdict = judge(history([3.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.99]), even, BETTER)
    assert verdict.good
    assert verdict.messages[0].startswith("converged")


def test_a_falling_loss_has_not(even):
    verdict = judge(history([8.0, 7, 6, 5, 4, 3, 2, 1]), even, BETTER)
    assert not verdict.converged
    assert "NOT CONVERGED" in verdict.messages[0]
    assert "--steps" in verdict.messages[0]


def test_a_short_training_is_not_judged(even):
    verdict = judge(history([1.0] * 8, steps_between=4), even, BETTER)
    assert not verdict.converged
    assert not verdict.good
    assert "NOT JUDGED" in verdict.warnings[0]


def test_a_loss_that_fell_until_the_rate_did_has_not_converged(even):
    verdict = judge(history([8.0, 7, 6, 5, 4, 3, 3, 3]), even, BETTER)
    assert not verdict.converged


def test_a_network_that_wins_no_vertex_is_dead():
    weak = np.full((2, 6, 2), 0.3, np.float32)
    weak[..., 0] = 0.7
    assert judge(None, use_of(weak), BETTER).dead_networks == ("Network2",)


def test_a_network_without_vertices_is_dead():
    lopsided = np.zeros((2, 6, 2), np.float32)
    lopsided[..., 0] = 1
    verdict = judge(None, use_of(lopsided), BETTER)
    assert verdict.dead_networks == ("Network2",)
    assert not verdict.good


def test_the_prior_does_not_keep_a_network_alive():
    """Network 2 wins the vertices that have no data in either subject."""
    halves = np.full((2, 6, 2), 0.4, np.float32)
    halves[:, :3, 0] = halves[:, 3:, 1] = 0.6
    data = np.zeros((2, 1, 6), bool)
    data[..., :3] = True
    assert use_of(halves).dead == ()
    assert use_of(halves, data).dead == ("Network2",)


def test_worse_than_kmeans_is_said(even):
    assert "NO BETTER than pooled k-means" in judge(None, even, WORSE).messages[-1]
    assert not judge(None, even, WORSE).good


def test_inference_without_training_says_nothing_of_convergence(even):
    verdict = judge(None, even, BETTER)
    assert math.isnan(verdict.gain)
    assert verdict.good
    assert not any("onverged" in m for m in verdict.messages)


def test_agreement_within_and_between():
    one, other = np.array([1, 1, 1, 2, 2, 2]), np.array([1, 2, 1, 2, 1, 2])
    labels = np.stack([np.stack([one, one]), np.stack([other, other])])
    found = session_agreement(labels)
    assert found["within_subject"] == 1
    assert found["between_subjects"] < 0.2


def test_agreement_leaves_out_missing_sessions():
    one = np.array([1, 1, 2, 2])
    labels = np.stack([np.stack([one, one]), np.stack([one, 0 * one])])
    assert session_agreement(labels) == {"within_subject": 1.0, "between_subjects": 1.0}
    assert session_agreement(labels[:, :1]) == {}


def test_subjects_of_large_cohorts_are_compared_with_the_next_ones():
    """Every other subject is alike: 8 of the next 16; all pairs would give 14 of 29."""
    one, other = np.array([1, 1, 2, 2]), np.array([1, 2, 1, 2])
    labels = np.stack([np.stack([one, one] if n % 2 else [other, other]) for n in range(30)])
    unlike = adjusted_rand(one, other)
    assert session_agreement(labels)["between_subjects"] == pytest.approx((1 + unlike) / 2)


@pytest.mark.parametrize("n_networks", [2, 9])
def test_the_adjusted_rand_index_is_that_of_scikit_learn(n_networks):
    rng = np.random.default_rng(n_networks)
    first, second = rng.integers(0, n_networks + 1, (2, 300), dtype=np.int16)
    both = (first > 0) & (second > 0)
    expected = adjusted_rand_score(first[both], second[both])
    assert adjusted_rand(first, second) == pytest.approx(expected, abs=1e-12)
    assert adjusted_rand(first, 0 * first) is None


def test_maps_that_are_not_divided_do_not_agree():
    whole, halves = np.array([1, 1, 1, 1]), np.array([1, 1, 2, 2])
    assert adjusted_rand(whole, 2 * whole) is None
    assert adjusted_rand(whole, halves) == 0
    assert session_agreement(np.stack([[whole, whole], [whole, whole]])) == {}


def test_many_more_areas_than_networks_are_not_compared():
    labels, areas = np.repeat([1, 2], 11), [str(number) for number in np.repeat(range(11), 2)]
    assert area_agreement(labels, areas) is None
    assert area_agreement(labels[:20], areas[:20]) is not None


def test_agreement_with_areas_needs_two():
    labels = np.array([1, 1, 2, 2])
    assert area_agreement(labels, ["44", "44", "45", "45"]) == 1
    assert area_agreement(labels, ["44"] * 4) is None


def test_anchors_that_tell_subjects_apart_are_warned_of():
    even = np.tile([1, 2], 10)
    apart = np.stack([np.ones((2, 20), int), np.full((2, 20), 2)])
    assert anchor_warnings(np.tile(even, (2, 2, 1)), ("a", "b"), ("1", "2")) == ()
    (warning,) = anchor_warnings(apart, ("a", "b"), ("1", "2"))
    assert "4 of 4 sessions (first: a, 1)" in warning
    missing = apart.copy()
    missing[1, 1] = 0
    assert "3 of 3 sessions" in anchor_warnings(missing, ("a", "b"), ("1", "2"))[0]
