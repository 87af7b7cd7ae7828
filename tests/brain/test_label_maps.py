"""Many pairs of label maps at once agree with pairs taken one by one."""

from __future__ import annotations

import numpy as np
import pytest

from neuroparcel.brain import label_maps
from neuroparcel.brain.contingency import adjusted_rand_of, contingency, dice_of
from neuroparcel.brain.label_maps import (
    adjusted_rands,
    contingencies,
    contingencies_of_pairs,
    dices,
)
from neuroparcel.errors import SpaceError

N_NETWORKS = 4


def make_maps(seed: int = 0, n_maps: int = 9, n_vertices: int = 30) -> np.ndarray:
    """Random labels, some of none; the last maps are undivided, empty, and all different."""
    maps = np.random.default_rng(seed).integers(0, N_NETWORKS + 1, (n_maps, n_vertices))
    maps[-1] = 0
    maps[-1, :N_NETWORKS] = np.arange(1, N_NETWORKS + 1)
    maps[-2] = 0
    maps[-3] = 2
    return maps.astype(np.uint8)


MAPS = make_maps()
PAIRS = np.stack(np.triu_indices(len(MAPS)), axis=1)


@pytest.fixture(params=[1, 70, 2**17])
def counts(request, monkeypatch) -> np.ndarray:
    """Counted a pair, a few, and all at a time."""
    monkeypatch.setattr(label_maps, "_CHUNK", request.param)
    return contingencies_of_pairs(MAPS, PAIRS, N_NETWORKS)


def test_counts_are_those_of_each_pair(counts):
    expected = [contingency(MAPS[i], MAPS[j], N_NETWORKS, N_NETWORKS) for i, j in PAIRS]
    np.testing.assert_array_equal(counts, expected)
    both = contingencies(MAPS[PAIRS[:, 0]], MAPS[PAIRS[:, 1]], N_NETWORKS)
    np.testing.assert_array_equal(both, expected)
    assert both.dtype == counts.dtype == np.int64


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int64])
def test_one_map_is_compared_with_each(dtype):
    maps = MAPS.astype(dtype)
    expected = [contingency(one, MAPS[0], N_NETWORKS, N_NETWORKS) for one in MAPS]
    np.testing.assert_array_equal(contingencies(maps, maps[0], N_NETWORKS), expected)


def test_indices_are_those_of_each_pair(counts):
    expected = [adjusted_rand_of(one) for one in counts]
    assert None in expected
    assert 1.0 in expected
    np.testing.assert_array_equal(adjusted_rands(counts), np.array(expected, dtype=float))


def test_dice_is_of_networks_of_the_same_number(counts):
    found = dices(counts)
    for one, coefficients in zip(counts, found, strict=True):
        is_there = (one.sum(axis=0) + one.sum(axis=1)) > 0
        np.testing.assert_array_equal(coefficients[is_there], dice_of(one).diagonal()[is_there])
        assert np.isnan(coefficients[~is_there]).all()
    assert np.isnan(found).any()
    swapped = dices(counts[:, [1, 0, 2, 3]])
    assert not np.array_equal(swapped[:, :2], found[:, :2], equal_nan=True)


def test_no_pairs_have_no_counts():
    counts = contingencies_of_pairs(MAPS, np.empty((0, 2), int), N_NETWORKS)
    assert counts.shape == (0, N_NETWORKS, N_NETWORKS)
    assert (adjusted_rands(counts).shape, dices(counts).shape) == ((0,), (0, N_NETWORKS))


def test_labels_that_there_are_not_would_count_elsewhere():
    for wrong in (N_NETWORKS + 1, -1):
        maps = MAPS.astype(int)
        maps[3, 5] = wrong
        with pytest.raises(SpaceError, match=f"label {wrong}, where there are 4 networks"):
            contingencies(MAPS, maps, N_NETWORKS)


def test_maps_of_other_lengths_are_refused():
    with pytest.raises(SpaceError, match=r"shapes \(9, 30\) and \(9, 29\) cannot be compared"):
        contingencies(MAPS, MAPS[:, 1:], N_NETWORKS)
