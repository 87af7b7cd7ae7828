"""Agreement of two labellings: worked by hand, held to scikit-learn, and the laws of a metric."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from neuroparcel.brain.contingency import (
    Information,
    adjusted_rand,
    adjusted_rand_of,
    contingency,
    dice_of,
    information,
)
from neuroparcel.errors import SpaceError

FIRST = np.array([1, 1, 1, 2, 2, 2])
SECOND = np.array([1, 1, 2, 2, 2, 2])

labellings = (
    st.integers(2, 12)
    .flatmap(lambda n: st.tuples(*[st.lists(st.integers(1, 4), min_size=n, max_size=n)] * 3))
    .map(lambda lists: [np.array(one) for one in lists])
)


def told(first: np.ndarray, second: np.ndarray) -> Information:
    found = information(contingency(first, second))
    assert found is not None
    return found


def test_worked_by_hand():
    """Of 15 pairs of vertices 4 share both labels, 6 the first and 7 the second."""
    counts = contingency(FIRST, SECOND)
    np.testing.assert_array_equal(counts, [[2, 1], [0, 3]])
    expected = 6 * 7 / 15
    assert adjusted_rand_of(counts) == pytest.approx((4 - expected) / (6.5 - expected))
    found = told(FIRST, SECOND)
    mutual, second = log(3) / 2 - log(2) / 3, log(3) - 2 * log(2) / 3
    assert (found.first, found.second) == pytest.approx((log(2), second))
    assert found.mutual == pytest.approx(mutual)
    assert found.normalised == pytest.approx(2 * mutual / (log(2) + second))
    assert found.variation == pytest.approx(log(2))
    np.testing.assert_allclose(dice_of(counts), [[4 / 5, 2 / 7], [0, 6 / 7]])


def test_equal_maps():
    counts = contingency(FIRST, FIRST)
    found = told(FIRST, FIRST)
    assert adjusted_rand_of(counts) == 1
    assert (found.normalised, found.variation) == (1, 0)
    np.testing.assert_array_equal(dice_of(counts), np.eye(2))


def test_vertices_that_lack_a_label_do_not_count():
    first, second = np.append(FIRST, [0, 1, 0]), np.append(SECOND, [2, 0, 0])
    np.testing.assert_array_equal(contingency(first, second), contingency(FIRST, SECOND))
    assert contingency(first, second, 4, 3).shape == (4, 3)


def test_nothing_is_said_of_nothing():
    empty = contingency(0 * FIRST, SECOND)
    assert (adjusted_rand_of(empty), information(empty)) == (None, None)
    undivided = told(np.ones(3, int), np.ones(3, int))
    assert (undivided.normalised, undivided.variation) == (None, 0)


def test_maps_of_other_lengths_are_refused():
    with pytest.raises(SpaceError, match="Maps of 6 and 5 vertices cannot be compared"):
        contingency(FIRST, SECOND[:5])


@settings(max_examples=15)
@given(labellings)
def test_as_scikit_learn_has_it(three):
    first, second, _ = three
    assume(max(first.max() - first.min(), second.max() - second.min()) > 0)
    assert adjusted_rand(first, second) == pytest.approx(adjusted_rand_score(first, second))
    assert told(first, second).normalised == pytest.approx(
        normalized_mutual_info_score(first, second), abs=1e-12
    )


@settings(max_examples=10)
@given(labellings, st.permutations(range(1, 5)))
def test_names_of_labels_do_not_matter(three, order):
    first, second, _ = three
    renamed = np.array(order)[second - 1]
    assert adjusted_rand(first, renamed) == adjusted_rand(first, second)
    assert told(first, renamed).variation == pytest.approx(told(first, second).variation)


@settings(max_examples=25)
@given(labellings)
def test_variation_of_information_is_a_metric(three):
    a, b, c = three
    ab, ba, bc, ac = (told(*two).variation for two in ((a, b), (b, a), (b, c), (a, c)))
    assert ab == pytest.approx(ba)
    assert ac <= ab + bc + 1e-9
    is_renamed = len(set(zip(a, b, strict=True))) == len(set(a)) == len(set(b))
    assert (ab < 1e-9) == is_renamed
