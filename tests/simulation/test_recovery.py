"""Accuracies against a truth that is known."""

from __future__ import annotations

import numpy as np
import pytest

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.connectome import Cohort
from neuroparcel.brain.parcellation import CohortParcellation
from neuroparcel.brain.recovery import (
    Truth,
    calibration_error,
    label_accuracy,
    parcellation_accuracies,
    reference_accuracies,
)
from neuroparcel.brain.reduction import fit_reduction
from neuroparcel.errors import OptionError, SpaceError

N_VERTICES = 40
TRUE = np.repeat([1, 2], N_VERTICES // 2)


def axis_of(first_vertex: int = 0) -> BrainAxis:
    vertices = {"CORTEX_LEFT": np.arange(first_vertex, first_vertex + N_VERTICES)}
    return BrainAxis.from_vertices("fsLR", vertices, {"CORTEX_LEFT": 100})


@pytest.fixture
def truth() -> Truth:
    """Two subjects; the second one's border lies 5 vertices further on."""
    return Truth(axis_of(), ("a", "b"), 2, TRUE, np.stack([TRUE, np.roll(TRUE, 5).clip(1, 2)]))


def cohort_of(truth: Truth, noise: float) -> Cohort:
    """Profiles of one of two kinds each, by the true label."""
    rng = np.random.default_rng(0)
    centres = rng.random((2, 12)) + 0.2
    kind = np.repeat(truth.subject[:, None] - 1, 2, axis=1)
    profiles = centres[kind] + noise * rng.random((*kind.shape, 12))
    profiles /= np.linalg.norm(profiles, axis=-1, keepdims=True)
    names = tuple(f"target {number}" for number in range(12))
    return Cohort(
        truth.subjects,
        ("one", "two"),
        profiles.astype(np.float32),
        np.ones(kind.shape, dtype=bool),
        truth.axis,
        names,
    )


def parcellation_of(truth: Truth, subjects: tuple[str, ...], labels: np.ndarray):
    one_hot = (labels[..., None] == [1, 2]).astype(np.float32)
    session = np.repeat(one_hot[:, None], 2, axis=1)
    population = (truth.population[:, None] == [1, 2]).astype(np.float32)
    networks, sessions = ("Network 1", "Network 2"), ("one", "two")
    return CohortParcellation(
        truth.axis, networks, subjects, sessions, population, one_hot, session
    )


def test_renaming_networks_does_not_change_accuracy():
    labels = np.array([1, 1, 2, 3, 3, 2])
    renamed = np.array([0, 3, 1, 2])[labels]
    assert label_accuracy(renamed, labels, 3) == 1.0


def test_one_renaming_holds_for_the_whole_array():
    truth = np.array([[1, 1, 2, 2], [1, 1, 2, 2]])
    labels = np.array([[1, 1, 2, 2], [2, 2, 1, 1]])
    assert label_accuracy(labels, truth, 2) == 0.5


def test_a_missing_label_is_wrong():
    assert label_accuracy(np.array([0, 1, 2, 2]), np.array([1, 1, 2, 2]), 2) == 0.75


def test_shapes_must_agree():
    with pytest.raises(SpaceError, match=r"Labels of shape \(3,\) and truth of shape \(4,\)"):
        label_accuracy(np.ones(3, int), np.ones(4, int), 2)


def test_a_calibration_error_is_the_gap_between_confidence_and_accuracy():
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.5, 1, 40_000)
    labels = (rng.random(40_000) > sure).astype(int)
    right = np.stack([sure, 1 - sure], axis=-1)
    # Five bins of 8,000: a standard error of 0.005 each.
    assert calibration_error(right, labels) < 0.01
    odds = (sure / (1 - sure)) ** 3
    too_sure = np.stack([odds, np.ones_like(odds)], axis=-1) / (1 + odds)[:, None]
    gap = (too_sure[:, 0] - sure).mean()
    assert calibration_error(too_sure, labels) == pytest.approx(gap, abs=0.01)
    assert gap > 0.1
    with pytest.raises(SpaceError, match=r"Probabilities of shape \(40000, 2\) and labels"):
        calibration_error(right, labels[:3])


def test_parcellation_is_compared_subject_by_subject(truth):
    flipped = parcellation_of(truth, ("b", "a"), truth.subject[::-1])
    assert parcellation_accuracies(flipped, truth) == {"population": 1.0, "subject": 1.0}
    group_map = parcellation_of(truth, ("a", "b"), np.stack([TRUE, TRUE]))
    assert parcellation_accuracies(group_map, truth)["subject"] < 1


def test_clean_profiles_are_recovered_by_both(truth):
    cohort = cohort_of(truth, noise=0.05)
    accuracy = reference_accuracies(cohort, fit_reduction(cohort), truth)
    assert accuracy == {"kmeans": 1.0, "oracle": 1.0}


def test_noise_costs_accuracy(truth):
    cohort = cohort_of(truth, noise=20.0)
    accuracy = reference_accuracies(cohort, fit_reduction(cohort, variance=0.3), truth)
    assert accuracy["kmeans"] < accuracy["oracle"] <= 1


def test_first_session_decides_a_tie(truth):
    """Session two shows the networks exchanged: labels must be those of session one."""
    clean = cohort_of(truth, noise=0.05)
    profiles = clean.profiles.copy()
    profiles[:, 1] = profiles[:, 1, ::-1]
    exchanged = Cohort(
        clean.subjects, clean.sessions, profiles, clean.valid, clean.axis, clean.targets
    )
    assert reference_accuracies(exchanged, fit_reduction(exchanged), truth)["kmeans"] == 1.0


def test_a_missing_session_does_not_vote(truth):
    clean = cohort_of(truth, noise=0.05)
    profiles, valid = clean.profiles.copy(), clean.valid.copy()
    profiles[0, 0], valid[0, 0] = 0, False
    cohort = Cohort(clean.subjects, clean.sessions, profiles, valid, clean.axis, clean.targets)
    assert reference_accuracies(cohort, fit_reduction(cohort), truth)["kmeans"] == 1.0


def test_an_unknown_subject_is_refused(truth):
    stranger = parcellation_of(truth, ("a", "c"), truth.subject)
    with pytest.raises(OptionError, match="Subject c is not one of the simulated cohort"):
        parcellation_accuracies(stranger, truth)


def test_other_vertices_are_refused(truth):
    elsewhere = Truth(axis_of(10), truth.subjects, 2, truth.population, truth.subject)
    with pytest.raises(SpaceError, match="lie on different vertices"):
        parcellation_accuracies(parcellation_of(truth, ("a", "b"), truth.subject), elsewhere)
    cohort = cohort_of(truth, noise=0.05)
    with pytest.raises(SpaceError, match="lie on different vertices"):
        reference_accuracies(cohort, fit_reduction(cohort), elsewhere)


def test_a_truth_must_fit_its_axis(truth):
    with pytest.raises(SpaceError, match=r"True labels of shape \(3,\) do not lie on 40 vertices"):
        Truth(axis_of(), ("a",), 2, np.ones(3, int), truth.subject[:1])
    with pytest.raises(SpaceError, match="not those of 1 subjects on 40 vertices"):
        Truth(axis_of(), ("a",), 2, truth.population, truth.subject)
    with pytest.raises(OptionError, match="True labels must be networks 1 to 2"):
        Truth(axis_of(), ("a", "b"), 2, truth.population + 1, truth.subject)
