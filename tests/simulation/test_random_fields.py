"""Smooth fields have the covariance that they promise."""

from __future__ import annotations

import numpy as np
import pytest

from neuroparcel.brain.random_fields import smooth_fields

SCALE = 10.0


@pytest.fixture(scope="module")
def fields() -> np.ndarray:
    """2,000 fields at 0, 5, 10, 20 and 80 mm; each call draws features anew."""
    places = np.array([0, 5, 10, 20, 80], dtype=np.float32)[:, None] * [[1, 0, 0]]
    rng = np.random.default_rng(0)
    draws = [smooth_fields(places.astype(np.float32), 100, SCALE, rng) for _ in range(20)]
    return np.concatenate(draws, axis=1)


def test_variance_is_one_and_mean_zero(fields):
    # 2,000 draws: the standard error of a variance is sqrt(2 / 2000) = 0.03
    np.testing.assert_allclose(fields.var(axis=1), 1, atol=0.12)
    np.testing.assert_allclose(fields.mean(axis=1), 0, atol=0.1)


def test_covariance_falls_as_a_gaussian_of_distance(fields):
    distance = np.array([0, 5, 10, 20, 80])
    expected = np.exp(-(distance**2) / (2 * SCALE**2))
    np.testing.assert_allclose(np.cov(fields)[0], expected, atol=0.12)


def test_same_generator_state_same_field():
    places = np.zeros((3, 3), dtype=np.float32)
    one, two = (smooth_fields(places, 2, SCALE, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert one.dtype == np.float32
