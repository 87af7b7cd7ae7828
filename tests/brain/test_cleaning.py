from __future__ import annotations

import numpy as np
import pytest

from neuroparcel.brain.cleaning import ORDER, Cleaning, RunCleaner
from neuroparcel.errors import ConnectomeError, OptionError

N_FRAMES = 240
TR = 0.8


def noise(n_rows: int = 6, seed: int = 0) -> np.ndarray:
    series = np.random.default_rng(seed).normal(size=(n_rows, N_FRAMES))
    return (100 + 3 * series).astype(np.float32)


def cleaner(**given) -> RunCleaner:
    beside = {
        key: given.pop(key) for key in ("confounds_table", "keep", "global_mean") if key in given
    }
    return RunCleaner(
        Cleaning(**given),
        N_FRAMES,
        TR,
        beside.get("confounds_table"),
        beside.get("keep"),
        beside.get("global_mean"),
    )


def sine(hertz: float, n_frames: int = N_FRAMES) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * TR * np.arange(n_frames)).astype(np.float32)


def test_nothing_is_done_unless_asked_for():
    series = noise()
    assert cleaner().clean(series) is series
    assert Cleaning().steps == ()


def test_steps_are_named_in_their_order():
    everything = Cleaning(True, True, (0.01, 0.1), "all", True, True)
    assert everything.steps == ORDER


def test_z_score():
    cleaned = cleaner(z_score=True).clean(noise())
    np.testing.assert_allclose(cleaned.mean(axis=1), 0, atol=1e-4)
    np.testing.assert_allclose(cleaned.std(axis=1), 1, atol=1e-4)


def test_detrend_removes_exactly_a_line():
    series = noise()
    line = np.linspace(-40, 70, N_FRAMES, dtype=np.float32)
    plain, tilted = (cleaner(detrend=True).clean(s) for s in (series, series + line))
    np.testing.assert_allclose(plain, tilted, atol=2e-3)
    from scipy.signal import detrend

    np.testing.assert_allclose(plain, detrend(series.astype(np.float64), axis=1), atol=2e-3)


def test_band_pass_keeps_the_band_and_nothing_else():
    inside, below, above = (sine(hertz, 2000) for hertz in (0.05, 0.005, 0.3))
    clean = RunCleaner(Cleaning(band_pass=(0.02, 0.1)), 2000, TR).clean
    middle = slice(500, -500)  # the ends of a filtered series depend on its padding
    np.testing.assert_allclose(clean(inside[None])[0, middle], inside[middle], atol=1e-3)
    assert np.abs(clean(above[None])[0, middle]).max() < 1e-3
    assert np.abs(clean(below[None])[0, middle]).max() < 1e-3


@pytest.mark.parametrize("band", [(0, 0.1), (0.02, np.inf), (0.02, 0.1)])
def test_band_pass_is_the_filter_of_nilearn(band):
    from nilearn.signal import butterworth

    series = noise(seed=1)
    low, high = band[0] or None, band[1] if np.isfinite(band[1]) else None
    centred = series.astype(np.float64) - series.mean(axis=1, keepdims=True, dtype=np.float64)
    expected = butterworth(centred.T, 1 / TR, low_pass=high, high_pass=low, order=5).T
    middle = slice(40, -40)
    cleaned = cleaner(band_pass=band).clean(series)
    np.testing.assert_allclose(cleaned[:, middle], expected[:, middle], atol=0.02)


def test_confounds_are_regressed_out():
    rng = np.random.default_rng(2)
    table = rng.normal(size=(N_FRAMES, 4))
    series = noise(seed=3) + (rng.normal(size=(6, 4)) @ table.T).astype(np.float32)
    cleaned = cleaner(confounds="all", confounds_table=table).clean(series)
    np.testing.assert_allclose(cleaned @ table / N_FRAMES, 0, atol=1e-4)
    design = np.column_stack([np.ones(N_FRAMES), table])
    fitted = design @ np.linalg.lstsq(design, series.T.astype(np.float64), rcond=None)[0]
    np.testing.assert_allclose(cleaned, series - fitted.T, atol=1e-3)


def test_confounds_are_filtered_as_the_data_so_that_nothing_comes_back():
    """Regressing raw confounds after the filter would bring high frequencies back."""
    table = np.random.default_rng(4).normal(size=(N_FRAMES, 6))
    given = {"band_pass": (0.02, 0.1), "confounds": "all", "confounds_table": table}
    power = np.abs(np.fft.rfft(cleaner(**given).clean(noise(seed=5)), axis=1)) ** 2
    frequency = np.fft.rfftfreq(N_FRAMES, TR)
    assert power[:, frequency > 0.2].sum() < 1e-3 * power.sum()


def test_a_constant_confound_and_a_line_change_nothing():
    line = np.linspace(0, 1, N_FRAMES)
    table = np.column_stack([np.ones(N_FRAMES), line])
    series = noise(seed=6)
    without = cleaner(detrend=True).clean(series)
    both = cleaner(detrend=True, confounds="all", confounds_table=table).clean(series)
    np.testing.assert_allclose(both, without, atol=1e-3)


def test_censored_frames_are_dropped_and_may_hold_anything():
    keep = np.ones(N_FRAMES, bool)
    keep[10:20] = False
    series = noise(seed=7)
    spoilt = series.copy()
    spoilt[:, 10:20] = np.nan
    runs = cleaner(censor=True, keep=keep)
    assert runs.n_kept == N_FRAMES - 10
    expected = series[:, keep] - series[:, keep].mean(axis=1, keepdims=True)
    np.testing.assert_allclose(runs.clean(spoilt), expected, atol=1e-4)


def test_global_signal_is_the_mean_of_all_rows_and_leaves_no_trace():
    series = noise(40, seed=8) + 2 * sine(0.03)
    plain = cleaner(global_signal=True)
    halves = [plain.mean_of(series[rows]) for rows in (slice(0, 13), slice(13, 40))]
    mean = sum(total for total, _ in halves) / sum(n for _, n in halves)
    centred = series - series.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(mean, centred.mean(axis=0), atol=1e-3)
    cleaned = cleaner(global_signal=True, global_mean=mean).clean(series)
    np.testing.assert_allclose(cleaned @ mean / N_FRAMES, 0, atol=1e-3)


@pytest.mark.parametrize(
    "steps", [{"z_score": True}, {"detrend": True}, {"band_pass": (0.02, 0.1)}]
)
def test_dead_rows_stay_dead(steps):
    series = noise()
    series[1], series[2, 50] = 7, np.nan
    cleaned = cleaner(**steps).clean(series)
    np.testing.assert_array_equal(np.isnan(cleaned).any(axis=1), [0, 1, 1, 0, 0, 0])


def test_rows_that_the_confounds_explain_carry_no_signal():
    table = np.random.default_rng(9).normal(size=(N_FRAMES, 2))
    series = noise()
    series[4] = 5 + 3 * table[:, 0]
    cleaned = cleaner(confounds="all", confounds_table=table).clean(series)
    np.testing.assert_array_equal(np.isnan(cleaned).any(axis=1), [0, 0, 0, 0, 1, 0])


@pytest.mark.parametrize("band", [(0.1, 0.01), (-1, 0.1), (0, np.inf), (0.1, 0.1)])
def test_bands_that_are_none(band):
    with pytest.raises(OptionError, match="empty or no band"):
        Cleaning(band_pass=band)


@pytest.mark.parametrize(
    ("tr", "n_frames", "band", "message"),
    [
        (None, 100, (0.01, 0.1), "needs the repetition time"),
        (2.0, 100, (0.01, 0.3), "passes the highest frequency of a TR of 2 s, 0.25 Hz"),
        (2.0, 20, (0.01, 0.1), "20 frames are too few for the band-pass"),
    ],
)
def test_band_pass_needs_a_tr_and_frames(tr, n_frames, band, message):
    with pytest.raises(ConnectomeError, match=message):
        RunCleaner(Cleaning(band_pass=band), n_frames, tr)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (np.zeros((10, 2)), "confounds have 10 rows, but the recording has 240"),
        (np.full((N_FRAMES, 2), np.nan), "not finite"),
        (np.zeros((N_FRAMES, 239)), "239 confounds leave nothing of 240 frames"),
    ],
)
def test_confounds_must_fit(table, message):
    with pytest.raises(ConnectomeError, match=message):
        cleaner(confounds="all", confounds_table=table)


def test_censoring_must_fit():
    with pytest.raises(ConnectomeError, match="12 frames are marked"):
        cleaner(censor=True, keep=np.ones(12, bool))


def test_a_band_leaves_fewer_degrees_of_freedom_for_confounds():
    """A tenth of 240 frames is less than 30 confounds use up."""
    table = np.random.default_rng(10).normal(size=(N_FRAMES, 30))
    given = {"confounds": "all", "confounds_table": table}
    assert np.isfinite(cleaner(band_pass=(0.01, 0.3), **given).clean(noise())).all()
    with pytest.raises(ConnectomeError, match="30 confounds leave nothing of 240 frames, once the"):
        cleaner(band_pass=(0.02, 0.08), **given)
