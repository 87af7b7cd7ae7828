"""Cleaning of time series before they are correlated: every step off unless asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuroparcel.errors import ConnectomeError, OptionError
from neuroparcel.types import BoolArray, FloatArray

ORDER = ("z-score", "detrend", "band-pass", "confounds", "censor", "global-signal")
"""The steps, in the order in which they are applied."""

_BUTTERWORTH_ORDER = 5  # nilearn's; twice that, as the filter runs forwards and backwards
_EXPLAINED = 1e-5  # what float32 leaves of a signal that the steps have removed altogether
_NOT_CENTRED = 1e-6  # a deviation this small beside the signal is float32 rounding


@dataclass(frozen=True)
class Cleaning:
    """Which steps to take; they are applied in the order of the parameters.

    Parameters
    ----------
    z_score : bool, default False
        Centre each row and divide it by its standard deviation.
    detrend : bool, default False
        Remove a straight line.
    band_pass : (float, float), optional
        Lowest and highest frequency kept, in Hz; 0 or infinity leaves an end open. A
        Butterworth filter of order 5, run forwards and backwards, so that no phase is shifted.
    confounds : str, optional
        Nuisance signals to regress out: a strategy of nilearn (``"simple"``, ...), names of
        columns, or ``"all"``; see :mod:`neuroparcel.io.nuisance.censoring`.
    censor : bool, default False
        Drop the frames that the recording's censor file marks.
    global_signal : bool, default False
        Regress out the mean over all rows of the file.

    Raises
    ------
    OptionError
        If the band is empty or not positive.

    Notes
    -----
    Nuisance signals are detrended and filtered as the data are, so that their regression does
    not bring back what the filter took out (Lindquist et al. 2019).

    References
    ----------
    M. A. Lindquist et al. (2019), Modular preprocessing pipelines can reintroduce artifacts
    into fMRI data, Human Brain Mapping 40, 2358-2376.
    """

    z_score: bool = False
    detrend: bool = False
    band_pass: tuple[float, float] | None = None
    confounds: str | None = None
    censor: bool = False
    global_signal: bool = False

    def __post_init__(self) -> None:
        if self.band_pass is None:
            return
        low, high = self.band_pass
        if not 0 <= low < high or (low == 0 and np.isinf(high)):
            raise OptionError(
                f"The band from {low:g} to {high:g} Hz is empty or no band.",
                "Give two rising frequencies in Hz, such as 0.01,0.08.",
            )

    @property
    def steps(self) -> tuple[str, ...]:
        """Names of the steps that are taken, in their order."""
        wanted = (
            self.z_score,
            self.detrend,
            self.band_pass is not None,
            self.confounds is not None,
            self.censor,
            self.global_signal,
        )
        return tuple(name for name, on in zip(ORDER, wanted, strict=True) if on)


@dataclass(frozen=True, eq=False)
class RunCleaner:
    """The steps, with what they need to know of one run.

    Parameters
    ----------
    cleaning : Cleaning
    n_frames : int
    tr : float, optional
        Seconds from frame to frame; the band-pass needs it.
    confounds : (frame, confound) array of float, optional
        Nuisance signals.
    keep : (frame,) array of bool, optional
        Frames that survive censoring.
    global_signal : (kept frame,) array of float, optional
        Mean signal, cleaned by the steps before; see :meth:`mean_of`.

    Raises
    ------
    ConnectomeError
        If a step lacks what it needs, or lengths disagree.
    """

    cleaning: Cleaning
    n_frames: int
    tr: float | None = None
    confounds: FloatArray | None = None
    keep: BoolArray | None = None
    global_signal: FloatArray | None = None

    def __post_init__(self) -> None:
        if self.cleaning.band_pass is not None:
            self._check_band()
        if self.confounds is not None:
            self._check_confounds(self.confounds)
        if self.keep is not None and len(self.keep) != self.n_frames:
            raise ConnectomeError(
                f"{len(self.keep)} frames are marked as kept or censored, but the recording has "
                f"{self.n_frames}."
            )

    @property
    def n_kept(self) -> int:
        """Frames left after censoring."""
        return self.n_frames if self.keep is None else int(self.keep.sum())

    def clean(self, series: FloatArray) -> FloatArray:
        """Apply the steps.

        Parameters
        ----------
        series : (row, frame) array of float32
            Not changed in place.

        Returns
        -------
        (row, kept frame) array of float32
            NaN in rows that carry no signal: constant, not finite, or explained altogether by
            the confounds.
        """
        if not self.cleaning.steps:
            return series
        cleaned = self._before_global(series)
        if self.global_signal is None:
            return cleaned
        return _without(cleaned, self.global_signal[:, None])

    def mean_of(self, series: FloatArray) -> tuple[FloatArray, int]:
        """Sum over the rows that carry a signal, cleaned by all steps before the global signal.

        Returns
        -------
        total : (kept frame,) array of float64
        n_rows : int
            Number of rows in the sum, so that blocks of rows can be joined.
        """
        cleaned = self._before_global(series)
        usable = np.isfinite(cleaned).all(axis=1)
        return cleaned[usable].sum(axis=0, dtype=np.float64), int(usable.sum())

    @property
    def _only_censors(self) -> bool:
        return not set(self.cleaning.steps) - {"censor", "global-signal"}

    def _before_global(self, series: FloatArray) -> FloatArray:
        if self._only_censors:  # then what a censored frame holds does not matter
            return _centred(series if self.keep is None else series[:, self.keep])
        cleaned = _centred(series)
        if self.cleaning.z_score:
            deviation = cleaned.std(axis=1, keepdims=True)
            cleaned = cleaned / np.where(deviation > 0, deviation, 1)
        cleaned = self._in_time(cleaned)
        if self.confounds is not None:
            nuisance = np.nan_to_num(self._in_time(self.confounds.T)).T
            cleaned = _without(cleaned, nuisance)
        return cleaned if self.keep is None else cleaned[:, self.keep]

    def _in_time(self, series: FloatArray) -> FloatArray:
        """Detrend and filter, (row, frame)."""
        if self.cleaning.detrend:
            time = np.linspace(-1, 1, series.shape[1], dtype=np.float32)
            series = _without(series, time[:, None])
        if self.cleaning.band_pass is None:
            return series
        assert self.tr is not None  # checked when made
        sections = _butterworth(self.cleaning.band_pass, 1 / self.tr)
        from scipy import signal  # takes a second, which others need not wait

        filtered = signal.sosfiltfilt(sections, series, axis=1)
        return np.asarray(filtered, dtype=np.float32)

    def _check_band(self) -> None:
        if self.tr is None:
            raise ConnectomeError(
                "A band-pass needs the repetition time (TR), which the file does not give.",
                "Use a file with a TR, or leave --band-pass away.",
            )
        assert self.cleaning.band_pass is not None
        low, high = self.cleaning.band_pass
        nyquist = 0.5 / self.tr
        if low >= nyquist or (np.isfinite(high) and high >= nyquist):
            raise ConnectomeError(
                f"The band {low:g} to {high:g} Hz passes the highest frequency of a TR of "
                f"{self.tr:g} s, {nyquist:.3g} Hz.",
                "Lower the ends of --band-pass.",
            )
        sections = _butterworth(self.cleaning.band_pass, 1 / self.tr)
        needed = 3 * (2 * len(sections) + 1)  # what sosfiltfilt pads with
        if self.n_frames <= needed:
            raise ConnectomeError(
                f"{self.n_frames} frames are too few for the band-pass, which needs more than "
                f"{needed}.",
                "Take the recording off the list, or leave --band-pass away.",
            )

    def _check_confounds(self, confounds: FloatArray) -> None:
        if len(confounds) != self.n_frames:
            raise ConnectomeError(
                f"The confounds have {len(confounds)} rows, but the recording has "
                f"{self.n_frames} frames."
            )
        if not np.isfinite(confounds).all():
            raise ConnectomeError("The confounds hold values that are not finite.")
        if confounds.shape[1] >= self._n_degrees - 2:
            filtered = "" if self.cleaning.band_pass is None else ", once the band-pass is applied"
            n = confounds.shape[1]
            raise ConnectomeError(
                f"{n} confounds leave nothing of {self.n_frames} frames{filtered}.",
                "Choose fewer confounds, or a wider band.",
            )

    @property
    def _n_degrees(self) -> float:
        """Degrees of freedom that the band-pass leaves: its share of all frequencies."""
        if self.cleaning.band_pass is None:
            return self.n_frames
        assert self.tr is not None  # checked before
        nyquist = 0.5 / self.tr
        low, high = self.cleaning.band_pass
        return self.n_frames * (min(high, nyquist) - low) / nyquist


def _butterworth(band: tuple[float, float], frequency: float) -> FloatArray:
    """Second-order sections of the filter for a sampling frequency in Hz."""
    from scipy import signal

    low, high = band
    ends: float | tuple[float, float]
    if low == 0:
        kind, ends = "lowpass", high
    elif np.isinf(high):
        kind, ends = "highpass", low
    else:
        kind, ends = "bandpass", (low, high)
    sections = signal.butter(_BUTTERWORTH_ORDER, ends, kind, output="sos", fs=frequency)
    return np.asarray(sections)


def _centred(series: FloatArray) -> FloatArray:
    """Rows centred, as a new array; NaN where constant."""
    mean = series.mean(axis=1, keepdims=True, dtype=np.float64)
    centred = series - mean.astype(np.float32)
    deviation = np.linalg.norm(centred, axis=1)
    constant = deviation <= _NOT_CENTRED * np.linalg.norm(series, axis=1)
    centred[constant] = np.nan
    return centred


def _without(series: FloatArray, nuisance: FloatArray) -> FloatArray:
    """Residuals of rows regressed on nuisance signals and a constant; NaN where none is left.

    Parameters
    ----------
    series : (row, frame) array
    nuisance : (frame, signal) array
    """
    from scipy import linalg

    design = np.column_stack([np.ones(len(nuisance)), nuisance]).astype(np.float64)
    design /= np.maximum(np.linalg.norm(design, axis=0), np.finfo(np.float64).tiny)
    basis = linalg.orth(design).astype(series.dtype)
    before = np.linalg.norm(series, axis=1)
    residual = series - (series @ basis) @ basis.T
    residual[np.linalg.norm(residual, axis=1) <= _EXPLAINED * before] = np.nan
    return residual
