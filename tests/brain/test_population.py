"""The population's parcellation, from subjects one after the other."""

from __future__ import annotations

import numpy as np
import pytest

from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.brain.population import PopulationMean
from neuroparcel.errors import ConnectomeError


def mean_of(softs: list[SoftParcellation]) -> PopulationMean:
    population = PopulationMean()
    for soft in softs:
        population.add(soft)
    return population


@pytest.fixture
def softs(axis) -> list[SoftParcellation]:
    """Three subjects; row 0 has data in all, row 1 in the second, row 2 in nobody."""
    rng = np.random.default_rng(0)
    found = []
    for data in ([1, 0, 0], [1, 1, 0], [1, 0, 0]):
        p = rng.dirichlet([1, 1, 1], 3).astype(np.float32)
        mask = np.array(data, dtype=bool)
        found.append(SoftParcellation(axis.restrict([0, 1, 2]), ("a", "b", "c"), p, mask))
    return found


def test_only_data_count_where_there_are_any(softs):
    population = mean_of(softs)
    soft, p = population.result(), np.stack([one.probabilities for one in softs])
    np.testing.assert_allclose(soft.probabilities[0], p[:, 0].mean(0), rtol=1e-6)
    np.testing.assert_allclose(soft.probabilities[1], p[1, 1], rtol=1e-6)
    assert population.n_with_data.tolist() == [3, 1, 0]


def test_without_any_it_is_the_mean_prior_and_marked(softs):
    soft = mean_of(softs).result()
    expected = np.mean([one.probabilities[2] for one in softs], axis=0)
    np.testing.assert_allclose(soft.probabilities[2], expected, rtol=1e-6)
    assert soft.has_data.tolist() == [True, True, False]
    assert soft.n_prior_only == 1


def test_what_nobody_knows_stays_unknown(axis):
    nothing = np.full((2, 2), np.nan, np.float32)
    known = np.array([[0.5, 0.5], [np.nan, np.nan]], np.float32)
    softs = [
        SoftParcellation(axis.restrict([0, 1]), ("a", "b"), p) for p in (nothing, known, known)
    ]
    soft = mean_of(softs).result()
    np.testing.assert_array_equal(soft.probabilities, known)
    assert soft.labels.tolist() == [1, 0]


def test_nobody_is_no_population():
    with pytest.raises(ConnectomeError, match="at least one subject"):
        PopulationMean().result()
