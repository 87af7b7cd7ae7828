from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

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
