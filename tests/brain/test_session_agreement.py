"""Adjusted Rand index of sessions: who is compared with whom, and what leaving one out does."""

from __future__ import annotations

import numpy as np
import pytest

from neuroparcel.brain.contingency import adjusted_rand
from neuroparcel.brain.session_agreement import (
    blocks_of,
    hard_labels,
    session_agreements,
    within_and_between,
)
from neuroparcel.parcellation.agreement import session_agreement

NAN = np.nan


def maps(n_subjects: int = 6, n_sessions: int = 3, n_vertices: int = 40) -> np.ndarray:
    """Labels of subjects, of which sessions change a third; some vertices lack data."""
    rng = np.random.default_rng(0)
    labels = np.repeat(rng.integers(1, 5, (n_subjects, 1, n_vertices)), n_sessions, axis=1)
    changed = rng.random(labels.shape) < 0.3
    labels[changed] = rng.integers(0, 5, changed.sum())
    return labels


def test_the_most_probable_network_counts():
    soft = np.array([[0.2, 0.8], [0.6, 0.4], [NAN, NAN]])
    np.testing.assert_array_equal(hard_labels(soft), [2, 1, 0])


def test_each_entry_is_the_index_of_two_sessions_of_a_block():
    labels, blocks = maps(), np.array([0, 1, 0, 1, 0, 1])
    found = session_agreements(labels, blocks, 4)
    for number, (s, t) in enumerate([(0, 1), (0, 2), (1, 2)]):
        for i, j in np.ndindex(6, 6):
            expected = adjusted_rand(labels[i, s], labels[j, t]) if (i - j) % 2 == 0 else NAN
            assert found[number, i, j] == pytest.approx(expected, nan_ok=True)


def test_maps_that_are_not_divided_have_no_index():
    found = session_agreements(np.ones((2, 2, 9), int), blocks_of(2), 3)
    np.testing.assert_array_equal(found, np.full((1, 2, 2), NAN))
    np.testing.assert_array_equal(within_and_between(found), np.full((3, 3), NAN))


def test_means_are_those_that_a_fit_reports():
    labels = maps()
    expected = session_agreement(labels)
    found = within_and_between(session_agreements(labels, blocks_of(6), 4))[0]
    assert found[0] == pytest.approx(expected["within_subject"])
    assert found[1] == pytest.approx(expected["between_subjects"])
    assert found[2] == pytest.approx(expected["within_subject"] - expected["between_subjects"])


def test_leaving_a_subject_out_leaves_all_its_pairs_out():
    agreements = session_agreements(maps(), blocks_of(6), 4)
    agreements[1, 2, 4] = NAN
    found = within_and_between(agreements)
    for i in range(6):
        rest = np.delete(np.delete(agreements, i, axis=1), i, axis=2)
        np.testing.assert_allclose(found[1 + i], within_and_between(rest)[0])


@pytest.mark.parametrize("n_subjects", [2, 17, 18, 40, 300])
def test_blocks_are_small_alike_and_apart(n_subjects):
    blocks = blocks_of(n_subjects)
    sizes = np.bincount(blocks)
    assert sizes.max() <= 17
    assert sizes.max() - sizes.min() <= 1
    assert (len(sizes) == 1) == (n_subjects <= 17)
    assert len(sizes) == 1 or (np.diff(blocks) != 0).all()
