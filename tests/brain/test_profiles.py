from __future__ import annotations

import numpy as np
import pytest
from scipy.special import i0e, i1e

from neuroparcel.brain.profiles import (
    FLOOR,
    combine_runs,
    correlate,
    signal_strength,
    standardise,
    to_positive_sphere,
    to_signed_sphere,
)
from neuroparcel.errors import ConnectomeError, OptionError


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("n_frames", [3, 29, 400])
def test_correlate_equals_numpy(rng, n_frames):
    series = 10_000 + 100 * rng.normal(size=(7, n_frames))  # a mean as large as in HCP files
    targets = rng.normal(size=(4, n_frames))
    expected = np.corrcoef(series, targets)[:7, 7:]
    np.testing.assert_allclose(correlate(series, targets), expected, atol=1e-6)


def test_correlate_does_not_see_shift_and_scale(rng):
    series, targets = rng.normal(size=(2, 5, 30))
    np.testing.assert_allclose(
        correlate(3 * series + 8, targets), correlate(series, targets), atol=1e-6
    )


@pytest.mark.parametrize("value", [0.0, 0.1, 1e4, np.nan])
def test_dead_rows_and_targets_are_nan(rng, value):
    series, targets = rng.normal(size=(2, 4, 20)).astype(np.float32)
    series[1] = targets[2] = value
    found = correlate(series, targets)
    assert np.isnan(found[1]).all()
    assert np.isnan(found[:, 2]).all()
    assert np.isfinite(np.delete(np.delete(found, 1, 0), 2, 1)).all()
    np.testing.assert_array_equal(
        np.isnan(standardise(series)).all(axis=1), [False, True, False, False]
    )


def test_a_single_nan_frame_kills_a_row(rng):
    series = rng.normal(size=(3, 20))
    series[2, 7] = np.nan
    np.testing.assert_array_equal(np.isnan(standardise(series)).all(axis=1), [False, False, True])


def test_correlate_refuses_too_few_frames(rng):
    with pytest.raises(ConnectomeError, match="2 time points; a correlation needs at least 3"):
        correlate(rng.normal(size=(4, 2)), rng.normal(size=(5, 2)))
    with pytest.raises(ConnectomeError, match="8 frames and targets 9"):
        correlate(rng.normal(size=(4, 8)), rng.normal(size=(5, 9)))


def test_runs_combine_in_fishers_z_weighted_by_frames(rng):
    first, second = rng.uniform(-0.9, 0.9, size=(2, 5, 6))
    expected = np.tanh((100 * np.arctanh(first) + 300 * np.arctanh(second)) / 400)
    np.testing.assert_allclose(combine_runs([(first, 100), (second, 300)]), expected, atol=1e-6)


def test_equal_runs_combine_to_themselves(rng):
    run = correlate(rng.normal(size=(4, 30)), rng.normal(size=(5, 30)))
    np.testing.assert_allclose(combine_runs([(run, 30), (run, 90)]), run, atol=1e-6)


def test_a_row_dead_in_one_run_takes_the_other():
    first, second = np.full((2, 3), 0.5), np.full((2, 3), 0.1)
    first[0] = np.nan
    combined = combine_runs([(first, 10), (second, 10)])
    np.testing.assert_allclose(combined[0], 0.1, atol=1e-6)
    first[:], second[:] = np.nan, np.nan
    assert np.isnan(combine_runs([(first, 10), (second, 10)])).all()


def test_a_vertex_that_is_its_own_target_stays_finite():
    combined = combine_runs([(np.ones((1, 1)), 10), (np.ones((1, 1)), 10)])
    np.testing.assert_allclose(combined, 1, atol=1e-6)


@pytest.mark.parametrize("method", ["shift", "clip"])
def test_profiles_are_positive_and_of_unit_norm(rng, method):
    correlation = rng.uniform(-1, 1, size=(50, 9))
    correlation[0] = -1
    profiles, alive = to_positive_sphere(correlation, method)
    assert profiles.dtype == np.float32
    assert alive.all()
    assert (profiles > 0).all()
    np.testing.assert_allclose(np.linalg.norm(profiles, axis=1), 1, atol=1e-6)


def test_shift_keeps_the_order_of_negative_correlations():
    profiles, _ = to_positive_sphere(np.array([[-0.6, -0.2, 0.2, 0.6]]))
    np.testing.assert_allclose(profiles / profiles[:, -1:], [[0.25, 0.5, 0.75, 1.0]], atol=1e-6)


def test_clip_sends_all_of_them_to_the_floor():
    profiles, _ = to_positive_sphere(np.array([[-0.6, -0.2, 0.2, 0.5]]), "clip")
    ratio = profiles / profiles[:, -1:]
    np.testing.assert_allclose(ratio, [[2 * FLOOR, 2 * FLOOR, 0.4, 1.0]], atol=1e-6)


def test_dead_rows_are_zero_and_dead_targets_uncorrelated():
    correlation = np.array([[0.5, np.nan, -0.5], [np.nan, np.nan, np.nan]])
    profiles, alive = to_positive_sphere(correlation)
    np.testing.assert_array_equal(alive, [True, False])
    np.testing.assert_array_equal(profiles[1], 0)
    np.testing.assert_allclose(profiles[0] / profiles[0, 1], [1.5, 1.0, 0.5], atol=1e-6)


def test_unknown_method_is_refused():
    with pytest.raises(OptionError, match="'absolute'"):
        to_positive_sphere(np.zeros((1, 3)), "absolute")


def test_strength_is_the_norm_beside_the_mean_of_the_session():
    """Centred, the rows have norms of 1, 2 and 9 square roots of 2; the mean is 4 of them."""
    values = np.array([[3.0, 5.0], [0.0, np.nan], [7.0, 7.0], [-2.0, 2.0], [10.0, -8.0]])
    values[1] = np.nan
    strength = signal_strength(values, np.array([True, False, False, True, True]))
    assert strength.dtype == np.float32
    np.testing.assert_allclose(strength, [0.25, 0, 0, 0.5, 2.25], rtol=1e-6)


def test_strength_is_at_most_three():
    values = np.array([[1.0, -1.0]] * 9 + [[100.0, -100.0]])
    strength = signal_strength(values, np.ones(10, bool))
    np.testing.assert_allclose(strength, [10 / 109] * 9 + [3], rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_strength_does_not_see_the_unit_or_the_level_of_rows(rng, scale):
    values, alive = rng.normal(size=(2000, 5)), np.ones(2000, bool)
    moved = scale * (values + rng.normal(size=(2000, 1)))
    np.testing.assert_allclose(
        signal_strength(moved, alive), signal_strength(values, alive), rtol=1e-5
    )


def test_a_dead_target_counts_as_zero_in_the_strength(rng):
    values, alive = rng.normal(size=(20, 5)), np.ones(20, bool)
    filled = values.copy()
    values[:, 2], filled[:, 2] = np.nan, 0
    np.testing.assert_array_equal(signal_strength(values, alive), signal_strength(filled, alive))


def test_strength_of_nothing_is_zero():
    np.testing.assert_array_equal(signal_strength(np.ones((3, 4)), np.ones(3, bool)), 0)
    np.testing.assert_array_equal(signal_strength(np.eye(3), np.zeros(3, bool)), 0)


@pytest.mark.parametrize("low", [0.4, 0.8, 1.6])
def test_concentration_of_a_profile_is_in_proportion_to_its_strength(rng, low):
    """Of y ~ N(a v, I) in the plane of centred rows: E[cos | norm] is I1 / I0 of a times norm."""
    a, v = 1.5, np.array([1.0, -1.0, 0.0]) / np.sqrt(2)
    values = a * v + rng.normal(size=(200_000, 3))
    profiles, alive = to_signed_sphere(values)
    strength = signal_strength(values, alive)
    mean_norm = np.linalg.norm(values - values.mean(axis=1, keepdims=True), axis=1).mean()
    chosen = (strength > low) & (strength < low + 0.05)
    cosine = profiles[chosen] @ v
    kappa = a * strength[chosen].mean() * mean_norm
    error = cosine.std() / np.sqrt(len(cosine))
    assert error < 0.01
    assert cosine.mean() == pytest.approx(i1e(kappa) / i0e(kappa), abs=4 * error)
