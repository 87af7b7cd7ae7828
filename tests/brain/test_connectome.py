from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuroparcel.brain import connectome
from neuroparcel.errors import ConnectomeError


def test_counts_and_missing_sessions(cohort):
    assert (cohort.n_subjects, cohort.n_sessions, cohort.n_vertices, cohort.n_targets) == (
        3,
        2,
        20,
        12,
    )
    np.testing.assert_array_equal(cohort.present, [[True, True], [True, False], [True, True]])


def test_select_keeps_names_and_arrays_together(cohort):
    chosen = cohort.select(subjects=["s2", "s0"], sessions=["ses-1"])
    assert (chosen.subjects, chosen.sessions) == (("s2", "s0"), ("ses-1",))
    for row, subject in enumerate([2, 0]):
        np.testing.assert_array_equal(chosen.profiles[row, 0], cohort.profiles[subject, 1])


def test_select_refuses_unknown_names_and_empty_subjects(cohort):
    with pytest.raises(ConnectomeError, match="no subject 's9'"):
        cohort.select(subjects=["s9"])
    with pytest.raises(ConnectomeError, match="Subject s1 has no valid profile"):
        cohort.select(sessions=["ses-1"])


@pytest.mark.parametrize("factor", [2.0, -1.0, np.nan])
def test_profiles_off_the_positive_sphere_are_refused(cohort, factor):
    profiles = cohort.profiles.copy()
    profiles[2, 1, 3] *= factor
    with pytest.raises(ConnectomeError, match="subject s2, session ses-1"):
        replace(cohort, profiles=profiles)


def test_shapes_and_names_must_agree(cohort):
    with pytest.raises(ConnectomeError, match="do not match"):
        replace(cohort, subjects=("s0", "s1"))
    with pytest.raises(ConnectomeError, match="subject names, each only once"):
        replace(cohort, subjects=("s0", "s0", "s1"))


def test_signed_profiles_are_unit_vectors_of_any_sign(signed_cohort):
    assert signed_cohort.select(["s0"]).signed
    with pytest.raises(ConnectomeError, match="not positive vectors of unit norm"):
        replace(signed_cohort, signed=False)
    with pytest.raises(ConnectomeError, match="s0, session ses-0 are not vectors of unit norm"):
        replace(signed_cohort, profiles=2 * signed_cohort.profiles)


def test_strength_is_kept_by_select_and_checked(signed_cohort):
    strength = np.arange(120, dtype=np.float32).reshape(3, 2, 20)
    cohort = replace(signed_cohort, strength=strength)
    chosen = cohort.select(subjects=["s2", "s0"], sessions=["ses-1"])
    np.testing.assert_array_equal(chosen.strength, strength[[2, 0], 1:])
    assert signed_cohort.strength is None
    assert signed_cohort.select(["s0"]).strength is None
    with pytest.raises(ConnectomeError, match=r"Strengths of shape \(3, 2\) do not match"):
        replace(cohort, strength=strength[..., 0])


@pytest.mark.parametrize("value", [-0.5, np.nan, np.inf])
def test_strengths_are_finite_and_not_negative(signed_cohort, value):
    strength = np.ones((3, 2, 20), np.float32)
    strength[2, 1, 3] = value
    message = rf"vertex 3 of subject s2, session ses-1 is {value}; strengths are finite"
    with pytest.raises(ConnectomeError, match=message):
        replace(signed_cohort, strength=strength)


def test_a_small_cohort_is_its_own_sample(cohort):
    np.testing.assert_array_equal(cohort.sample.profiles, cohort.profiles[cohort.valid])
    np.testing.assert_array_equal(cohort.sample.vertex, np.nonzero(cohort.valid)[2])
    np.testing.assert_array_equal(cohort.pooled(), cohort.sample.profiles)
    assert cohort.sample is cohort.sample


def test_a_sample_is_spread_evenly(monkeypatch, cohort):
    """33 of 99 rows: every third, of living vertices only."""
    valid = cohort.valid.copy()
    valid[0, 0, 4] = False
    monkeypatch.setattr(connectome, "_SAMPLE_ROWS", 33)
    sample = replace(cohort, valid=valid).sample
    rows = np.argwhere(valid)[::3]
    np.testing.assert_array_equal(sample.profiles, cohort.profiles[tuple(rows.T)])
    np.testing.assert_array_equal(sample.vertex, rows[:, 2])
