"""Intraclass correlation: a published table, another formula, and intervals that hold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from neuroparcel.brain import icc
from neuroparcel.brain.icc import ImageReliability, image_reliability
from neuroparcel.brain.stability import VertexEstimate

NAN = np.nan
SHROUT_FLEISS = np.array(  # six targets rated by four judges, table 2 of their paper
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float
)


def of(labels: np.ndarray) -> ImageReliability:
    return image_reliability(labels, np.arange(len(labels)), np.arange(labels.shape[1]))


def images(
    seed: int = 0, n_subjects: int = 7, n_sessions: int = 3, n_vertices: int = 5, noise: float = 0.7
) -> np.ndarray:
    """Subjects differ, sessions have shifts, and there is noise; (.., vertex, 2)."""
    rng = np.random.default_rng(seed)
    subjects = rng.normal(size=(n_subjects, 1, n_vertices, 2))
    sessions = 0.5 * rng.normal(size=(1, n_sessions, n_vertices, 2))
    return subjects + sessions + noise * rng.normal(size=(n_subjects, n_sessions, n_vertices, 2))


def by_covariances(values: np.ndarray) -> tuple[float, float]:
    """ICC(2,1) and ICC(3,1) of (subject, session, place) by covariances between sessions."""
    n_subjects, n_sessions, n_places = values.shape
    between = variance = shifts = 0.0
    for place in range(n_places):
        covariance = np.cov(values[:, :, place].T)
        variance += np.diag(covariance).mean()
        between += covariance[~np.eye(n_sessions, dtype=bool)].mean()
        shifts += values[:, :, place].mean(axis=0).var(ddof=1)
    shift = shifts - (variance - between) / n_subjects
    return between / (variance + shift), between / variance


def test_the_published_table():
    found = of(SHROUT_FLEISS[..., None, None]).image
    assert found.icc2.value == pytest.approx(0.29, abs=0.005)
    assert found.icc3.value == pytest.approx(0.71, abs=0.005)


@pytest.mark.parametrize("n_sessions", [2, 4])
def test_mean_squares_agree_with_covariances_between_sessions(n_sessions):
    values = images(n_sessions=n_sessions)
    found = of(values)
    for n in range(5):
        expected = by_covariances(values[:, :, n])
        assert found.vertices.icc2.value[n] == pytest.approx(expected[0], rel=1e-5)
        assert found.vertices.icc3.value[n] == pytest.approx(expected[1], rel=1e-5)
    for k in range(2):
        expected = by_covariances(values[..., k])
        assert found.networks.icc2.value[k] == pytest.approx(expected[0], rel=1e-5)
        assert found.networks.icc3.value[k] == pytest.approx(expected[1], rel=1e-5)
    expected = by_covariances(values.reshape(7, n_sessions, -1))
    assert (found.image.icc2.value, found.image.icc3.value) == pytest.approx(expected, rel=1e-5)


def test_intervals_leave_out_one_subject_at_a_time():
    values = images()
    found = of(values)

    def scaled(correlation: np.ndarray) -> np.ndarray:
        return np.log((1 + 2 * correlation) / (1 - correlation)) / 2

    for name in ("icc2", "icc3"):
        for level in ("image", "vertices"):
            one = getattr(getattr(found, level), name)
            without = [
                getattr(getattr(of(np.delete(values, i, 0)), level), name).value for i in range(7)
            ]
            spread = np.var(scaled(np.array(without, float)), axis=0) * 6
            half = t.ppf(0.975, 6) * np.sqrt(spread)
            np.testing.assert_allclose(scaled(one.high), scaled(one.value) + half, rtol=1e-3)
            np.testing.assert_allclose(scaled(one.low), scaled(one.value) - half, atol=1e-3)


def test_a_shift_of_a_session_costs_agreement_and_not_consistency():
    values = images()
    shifted = values + np.array([0, 0, 3.0])[None, :, None, None]
    before, after = of(values).image, of(shifted).image
    assert after.icc3.value == pytest.approx(before.icc3.value, rel=1e-5)
    assert after.icc2.value < 0.5 * before.icc2.value


def test_a_vertex_counts_the_subjects_with_data_in_all_sessions():
    values = images()
    expected = of(values[1:])
    values[0, 1, 2] = NAN
    found = of(values).vertices
    for name in ("value", "low", "high"):
        here, there = (getattr(one.icc2, name) for one in (found, expected.vertices))
        assert here[2] == pytest.approx(there[2], rel=1e-5)
        assert here[1] != pytest.approx(there[1], rel=1e-5)


def test_nothing_is_said_of_nothing():
    """Three subjects with data, two, one, and none; and labels that vary by their rounding."""
    values = images(n_subjects=3)
    values[2, 0, 1] = values[1:, 0, 2] = values[:, 1, 3] = NAN
    values[:, :, 4] = np.nextafter(np.float32(1 / 3), np.float32(values[:, :, 4] > 0))
    found = of(values.astype(np.float32)).vertices.icc2
    np.testing.assert_array_equal(np.isnan(found.value), [False, False, True, True, True])
    np.testing.assert_array_equal(np.isnan(found.low), [False, True, True, True, True])
    np.testing.assert_array_equal(np.isnan(found.low), np.isnan(found.high))
    assert np.isfinite(of(values).image.icc2.value)


def test_neither_chunks_nor_where_the_rows_stand_matter(monkeypatch):
    values = images(n_vertices=9)
    rows, columns = np.array([1, 3, 4, 6]), np.array([0, 2])
    expected = of(values[np.ix_(rows, columns)])
    monkeypatch.setattr(icc, "_AT_ONCE", 40)  # two vertices
    found = image_reliability(values, rows, columns)
    for level in ("vertices", "networks", "image"):
        for name in ("icc2", "icc3"):
            one, other = (getattr(getattr(of, level), name) for of in (found, expected))
            for bound in ("value", "low", "high"):
                assert getattr(one, bound).dtype == np.float32
                np.testing.assert_allclose(
                    getattr(one, bound), getattr(other, bound), rtol=1e-5, atol=1e-6
                )


def coverage(estimates: list[VertexEstimate], truth: float, width: float) -> float:
    """Share of the intervals, made this much as wide, that hold the truth."""
    value, low, high = (
        np.array([getattr(one, name) for one in estimates]) for name in ("value", "low", "high")
    )
    above, below = value + width * (high - value), value + width * (low - value)
    return float(((below <= truth) & (truth <= above)).mean())


def test_the_interval_of_an_image_holds_the_truth():
    """400 cohorts of 8: a standard error of 1 %. Half as wide it must fail."""
    found = [of(images(seed, 8, 2, 6, noise=0.5)).image.icc3 for seed in range(400)]
    truth = 1 / (1 + 0.25)
    assert 0.91 < coverage(found, truth, 1.0) < 0.99
    assert coverage(found, truth, 0.5) < 0.8
