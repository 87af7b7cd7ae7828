"""Agreement, held-out density and the verdict."""

import math

import numpy as np
import pytest

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import CohortParcellation
from neuroparcel.inference.stages import TrainingHistory
from neuroparcel.parcellation.agreement import area_agreement, session_agreement
from neuroparcel.parcellation.heldout import HeldOutDensity
from neuroparcel.parcellation.observations import anchor_warnings
from neuroparcel.parcellation.verdict import judge

BETTER, WORSE = HeldOutDensity(-1.0, -2.0, -0.5), HeldOutDensity(-2.0, -1.0, -0.5)


def parcellation(subject):
    axis = BrainAxis.from_vertices(
        "fsLR", {"CORTEX_LEFT": range(subject.shape[1])}, {"CORTEX_LEFT": 99}
    )
    return CohortParcellation(
        axis, ("Network1", "Network2"), ("a", "b"), ("1",), subject[0], subject, subject[:, None]
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
    return parcellation(halves)


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
    assert judge(None, parcellation(weak), BETTER).dead_networks == ("Network2",)


def test_a_network_without_vertices_is_dead():
    lopsided = np.zeros((2, 6, 2), np.float32)
    lopsided[..., 0] = 1
    verdict = judge(None, parcellation(lopsided), BETTER)
    assert verdict.dead_networks == ("Network2",)
    assert not verdict.good


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
