"""Agreement, held-out density and the verdict."""

import math

import numpy as np
import pytest

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import CohortParcellation
from neuroparcel.inference.stages import TrainingHistory
from neuroparcel.parcellation.agreement import area_agreement, session_agreement
from neuroparcel.parcellation.heldout import HeldOutDensity
from neuroparcel.parcellation.verdict import judge

BETTER, WORSE = HeldOutDensity(-1.0, -2.0), HeldOutDensity(-2.0, -1.0)


def parcellation(subject):
    axis = BrainAxis.from_vertices(
        "fsLR", {"CORTEX_LEFT": range(subject.shape[1])}, {"CORTEX_LEFT": 99}
    )
    return CohortParcellation(
        axis, ("Network1", "Network2"), ("a", "b"), ("1",), subject[0], subject, subject[:, None]
    )


def history(losses):
    n = 4 * len(losses)
    return TrainingHistory(
        step=np.arange(n),
        stage=("posterior",) * n,
        objective=("reverse-kl",) * n,
        loss=np.zeros(n),
        validation_step=np.arange(3, n, 4),
        validation_loss=np.asarray(losses, dtype=float),
    )


@pytest.fixture
def even():
    return parcellation(np.full((2, 6, 2), 0.5, np.float32))


def test_a_flat_loss_has_converged(even):
    verdict = judge(history([3.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.99]), even, BETTER)
    assert verdict.good
    assert verdict.messages[0].startswith("converged")


def test_a_falling_loss_has_not(even):
    verdict = judge(history([8.0, 7, 6, 5, 4, 3, 2, 1]), even, BETTER)
    assert not verdict.converged
    assert "NOT CONVERGED" in verdict.messages[0]
    assert "--steps" in verdict.messages[0]


def test_a_network_without_vertices_is_dead():
    lopsided = np.zeros((2, 6, 2), np.float32)
    lopsided[..., 0] = 1
    verdict = judge(None, parcellation(lopsided), BETTER)
    assert verdict.dead_networks == ("Network2",)
    assert not verdict.good


def test_worse_than_kmeans_is_said(even):
    assert "NO BETTER than k-means" in judge(None, even, WORSE).messages[-1]
    assert not judge(None, even, WORSE).good


def test_inference_without_training_says_nothing_of_convergence(even):
    verdict = judge(None, even, BETTER)
    assert math.isnan(verdict.gain)
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
