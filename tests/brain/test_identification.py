"""Identification by labels: worked by hand, and held to loops over subjects."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from neuroparcel.brain import identification
from neuroparcel.brain.identification import (
    closest,
    identification_of,
    squared_distances,
    wilson_interval,
)

NAN = np.nan


def soft(seed: int, n_subjects: int = 4, n_vertices: int = 11) -> np.ndarray:
    rng = np.random.default_rng(seed)
    labels = rng.dirichlet([0.5, 0.5, 0.5], size=(n_subjects, n_vertices)).astype(np.float32)
    labels[rng.random((n_subjects, n_vertices)) < 0.2] = NAN
    return labels


def test_the_distance_is_a_mean_over_the_vertices_where_both_have_data(monkeypatch):
    first, second = soft(0), soft(1, 3)
    expected = [
        [np.nanmean(np.square(one - other).sum(axis=-1)) for other in second] for one in first
    ]
    np.testing.assert_allclose(squared_distances(first, second), expected, rtol=1e-5)
    monkeypatch.setattr(identification, "_AT_ONCE", 24)  # two vertices
    np.testing.assert_allclose(squared_distances(first, second), expected, rtol=1e-5)


def test_distances_are_between_0_and_2():
    certain = np.eye(3, dtype=np.float32)[[[0, 0, 1], [1, 2, 2]]]
    np.testing.assert_array_equal(squared_distances(certain, certain), [[0, 2], [2, 0]])
    nowhere = np.full((1, 3, 3), NAN)
    np.testing.assert_array_equal(squared_distances(certain, nowhere), [[NAN], [NAN]])


def test_the_closest_of_a_row_and_of_a_column_worked_by_hand():
    """The first is found from both sides, the second ties on both, the third on one."""
    distances = np.array([[1, 5, 9], [4, 4, 9], [3, 4, 3]])
    expected = [[1, 0, 0], [0.25, 0.5, 0], [0.25, 0.25, 0.75]]
    np.testing.assert_allclose(closest(distances), expected)


def test_pairs_without_a_distance_are_nobodys_closest():
    distances = np.array([[NAN, 5, 9], [4, 1, 9], [3, 4, 2.5]])
    found = closest(np.stack([distances, distances.T]))
    np.testing.assert_array_equal(found[0], found[1].T)
    np.testing.assert_array_equal(found[0], [[NAN, 0.5, 0], [0, 1, 0], [0.5, 0, 1]])


def rate_by_hand(distances: np.ndarray, members: np.ndarray) -> float:
    found = [i for i in sorted(set(members.tolist())) if not np.isnan(distances[i, i])]
    hits = []
    for i in found:
        for table in (distances, distances.T):
            nearest = [j for j in found if table[i, j] == min(table[i, k] for k in found)]
            hits.append((i in nearest) / len(nearest))
    return float(np.mean(hits)) if len(found) > 1 else NAN


def test_rates_within_sub_populations_agree_with_loops(monkeypatch):
    """Drawn with replacement among 9 of which two lack a session; distances that tie."""
    rng = np.random.default_rng(0)
    distances = rng.integers(0, 6, (9, 9)).astype(np.float32)
    distances[[2, 7]] = distances[:, [2, 7]] = NAN
    members = np.concatenate([rng.integers(0, 9, (60, 4)), [[2, 2, 7, 3], [1, 1, 1, 1]]])
    expected = [rate_by_hand(distances, row) for row in members]
    assert np.isnan(expected[-2:]).all()
    np.testing.assert_allclose(identification_of(distances, members), expected)
    monkeypatch.setattr(identification, "_AT_ONCE", 16 * 7)
    np.testing.assert_allclose(identification_of(distances, members), expected)


def test_among_everyone_the_rate_is_that_of_the_cohort():
    distances = np.random.default_rng(0).random((6, 6))
    found = identification_of(distances, np.arange(6)[None])
    assert found == pytest.approx([np.diag(closest(distances)).mean()])


@pytest.mark.parametrize("n_found", [0, 3, 10])
def test_wilsons_interval(n_found):
    expected = binomtest(n_found, 10).proportion_ci(method="wilson")
    assert wilson_interval(n_found / 10, 10) == pytest.approx((expected.low, expected.high))
