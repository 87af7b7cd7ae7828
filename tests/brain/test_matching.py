"""Networks of one parcellation are told apart by those of another."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from neuroparcel.brain.matching import best_pairs, profile_correlations


def test_correlations_are_numpys_and_of_constant_profiles_zero() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(3, 20)), rng.normal(size=(4, 20))
    second[2] = 0.3
    found = profile_correlations(first, second)
    keep = [0, 1, 3]
    expected = np.corrcoef(first, second[keep])[:3, 3:]
    np.testing.assert_allclose(found[:, keep], expected, atol=1e-12)
    np.testing.assert_array_equal(found[:, 2], 0)


def test_pairs_have_the_largest_sum_of_all() -> None:
    scores = np.random.default_rng(2).uniform(size=(3, 5))
    rows, columns = best_pairs(scores)
    best = max(sum(scores[i, j] for i, j in enumerate(way)) for way in permutations(range(5), 3))
    assert scores[rows, columns].sum() == pytest.approx(best)
    assert sorted(rows) == [0, 1, 2]
    assert len(set(columns)) == 3
