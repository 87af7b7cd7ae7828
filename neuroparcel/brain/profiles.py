"""Time series to connectivity profiles on the positive part of the unit sphere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from neuroparcel.errors import ConnectomeError, OptionError
from neuroparcel.types import BoolArray, FloatArray

Positive = Literal["shift", "clip"]

FLOOR = 1e-3
"""Least entry of a profile before normalisation, so that its logarithm exists.

With ``"shift"`` only correlations below -0.998 are touched.
"""

MIN_FRAMES = 3
"""Fewer frames leave a correlation no degree of freedom."""

FEW_FRAMES = 20
"""Below this, pure noise has correlations of typical size 1 / sqrt(n - 1) > 0.23."""

_CONSTANT = 1e-6  # a deviation this small beside the signal is float32 rounding
_LARGEST_R = 1 - 1e-7  # arctanh is finite below 1; a vertex that is its own target has r = 1


def correlate(series: FloatArray, target_series: FloatArray) -> FloatArray:
    """Pearson correlation of every row with every target.

    Parameters
    ----------
    series : (row, frame) array of float
        Signals of the rows.
    target_series : (target, frame) array of float
        Signals of the targets.

    Returns
    -------
    (row, target) array of float32
        NaN where the row or the target is constant or not finite.

    Raises
    ------
    ConnectomeError
        If the numbers of frames differ or are below 3.

    Examples
    --------
    >>> correlate(np.array([[1.0, 2.0, 4.0]]), np.array([[2.0, 4.0, 8.0], [0.0, -1.0, -3.0]]))
    array([[ 1., -1.]], dtype=float32)
    """
    if series.shape[1] != target_series.shape[1]:
        raise ConnectomeError(
            f"Rows have {series.shape[1]} frames and targets {target_series.shape[1]}."
        )
    if series.shape[1] < MIN_FRAMES:
        raise ConnectomeError(
            f"{series.shape[1]} time points; a correlation needs at least {MIN_FRAMES}."
        )
    product = _standardise(series) @ _standardise(target_series).T
    return np.clip(product, -1, 1)


def combine_runs(runs: Sequence[tuple[FloatArray, int]]) -> FloatArray:
    r"""Mean correlation over the runs of a session, taken in Fisher's z and weighted by frames.

    .. math:: r = \tanh \frac{\sum_i n_i \, \mathrm{artanh}\, r_i}{\sum_i n_i}

    Parameters
    ----------
    runs : sequence of ((row, target) array, int)
        Correlations of each run and its number of frames. NaN entries of a run are left out
        of the mean; an entry that is NaN in every run stays NaN.

    Returns
    -------
    (row, target) array of float32

    References
    ----------
    R. A. Fisher (1921), On the "probable error" of a coefficient of correlation deduced from
    a small sample, Metron 1, 3-32.
    """
    if not runs:
        raise ConnectomeError("No runs to combine.")
    if len(runs) == 1:
        return runs[0][0]
    total = np.zeros(runs[0][0].shape)
    weight = np.zeros(runs[0][0].shape)
    for correlation, n_frames in runs:
        known = np.isfinite(correlation)
        z = np.arctanh(np.clip(correlation, -_LARGEST_R, _LARGEST_R, dtype=np.float64))
        total += np.where(known, n_frames * z, 0)
        weight += np.where(known, n_frames, 0)
    mean = np.tanh(total / np.where(weight > 0, weight, 1))
    return np.where(weight > 0, mean, np.nan).astype(np.float32)


def to_positive_sphere(
    correlation: FloatArray, method: Positive = "shift"
) -> tuple[FloatArray, BoolArray]:
    """Map correlations to vectors of unit norm with positive entries.

    The link of :mod:`neuroparcel.brain.links` takes logarithms, so every entry must be
    positive. ``"shift"`` keeps the order of all correlations, negative ones included, through
    (1 + r) / 2; ``"clip"`` sets negative ones to the floor. See
    ``docs/decisions/0002-negative-correlations.md``.

    Parameters
    ----------
    correlation : (row, target) array of float
        Correlations. NaN in a whole row marks a dead row. NaN in a whole column (among the
        rows that live) marks a dead target, which counts as uncorrelated (r = 0).
    method : {"shift", "clip"}, default "shift"
        How negative correlations are treated.

    Returns
    -------
    profiles : (row, target) array of float32
        Unit norm and entries > 0 where alive; zeros in dead rows.
    alive : (row,) array of bool
        Rows that have a profile.
    """
    alive = np.asarray(np.isfinite(correlation).any(axis=1))
    known = np.nan_to_num(correlation, nan=0.0)
    positive: FloatArray
    if method == "shift":
        positive = (1 + known) / 2
    elif method == "clip":
        positive = known
    else:
        raise OptionError(
            f"Unknown treatment of negative correlations: {method!r}.", "Use 'shift' or 'clip'."
        )
    positive = np.maximum(positive, FLOOR)
    profiles = positive / np.linalg.norm(positive, axis=1, keepdims=True)
    return np.where(alive[:, None], profiles, 0).astype(np.float32), alive


def is_dead(series: FloatArray) -> BoolArray:
    """Rows that carry no signal: constant, or not finite throughout.

    Parameters
    ----------
    series : (row, frame) array of float

    Returns
    -------
    (row,) array of bool
    """
    return np.isnan(_standardise(series)[:, 0])


def _standardise(series: FloatArray) -> FloatArray:
    """Centre each row and give it unit norm, so that products are correlations; NaN if dead."""
    wide = np.asarray(series, dtype=np.float64)
    finite = np.isfinite(wide).all(axis=1, keepdims=True)
    wide = np.where(finite, wide, 0)
    centred = wide - wide.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(centred, axis=1, keepdims=True)
    lives = finite & (norm > _CONSTANT * np.linalg.norm(wide, axis=1, keepdims=True))
    unit = centred / np.where(lives, norm, 1)
    return np.where(lives, unit, np.nan).astype(np.float32)
