"""Networks of one parcellation are told apart by those of another."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from neuroparcel.brain.matching import best_pairs, profile_correlations


def test_correlations_are_of_what_networks_do_not_share() -> None:
    rng = np.random.default_rng(1)
    shared = 10 * rng.uniform(size=20)
    first, second = rng.normal(size=(3, 20)) + shared, rng.normal(size=(4, 20)) + shared
    common = second.mean(0)
    expected = np.corrcoef(first - common, second - common)[:3, 3:]
    found = profile_correlations(first, second)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert found.max() < 0.7
    assert np.corrcoef(first, second).min() > 0.8


def test_a_profile_that_is_the_common_one_is_like_none() -> None:
    second = np.random.default_rng(2).normal(size=(2, 9))
    found = profile_correlations(second.mean(0, keepdims=True), second)
    np.testing.assert_array_equal(found, 0)


def test_pairs_have_the_largest_sum_of_all() -> None:
    scores = np.random.default_rng(2).uniform(size=(3, 5))
    rows, columns = best_pairs(scores)
    best = max(sum(scores[i, j] for i, j in enumerate(way)) for way in permutations(range(5), 3))
    assert scores[rows, columns].sum() == pytest.approx(best)
    assert sorted(rows) == [0, 1, 2]
    assert len(set(columns)) == 3


def test_scores_that_are_too_small_make_no_pair_and_decide_nothing() -> None:
    scores = np.array([[0.5, 0.45], [0.19, 0.0]])
    assert [found.tolist() for found in best_pairs(scores)] == [[0, 1], [1, 0]]
    assert [found.tolist() for found in best_pairs(scores, least=0.2)] == [[0], [0]]
