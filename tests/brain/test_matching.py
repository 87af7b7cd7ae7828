"""Networks of one parcellation are told apart by those of another."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from neuroparcel.brain.matching import best_pairs, dice_matrix, profile_correlations
from neuroparcel.errors import SpaceError


def test_dice_counts_vertices_that_both_maps_label() -> None:
    first, second = np.array([1, 1, 1, 2, 2, 0]), np.array([2, 2, 1, 1, 0, 1])
    found = dice_matrix(first, second, 3, 2)
    # Of the four vertices that both label, 1 has three and 2 one; of the other 1 has two, 2 two.
    np.testing.assert_allclose(found, [[2 / 5, 4 / 5], [2 / 3, 0], [0, 0]])


def test_dice_of_a_map_with_itself_is_one() -> None:
    labels = np.random.default_rng(0).integers(0, 6, 500)
    np.testing.assert_array_equal(dice_matrix(labels, labels, 5, 5), np.eye(5))


def test_maps_of_different_length_are_refused() -> None:
    with pytest.raises(SpaceError, match="Maps of 3 and 2 vertices"):
        dice_matrix(np.ones(3, int), np.ones(2, int), 1, 1)


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
