"""Time series to connectivity profiles on the unit sphere, or its positive part."""

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

# What is added to a correlation, and the least that is left: twice (1 + r) / 2, as the norm
# becomes 1 anyway.
_OFFSETS: dict[str, tuple[float, float]] = {"shift": (1, 2 * FLOOR), "clip": (0, FLOOR)}

MAX_STRENGTH = 3.0
"""Largest signal strength of a vertex, in means of its session, see :func:`signal_strength`."""

_BLOCK = 1024  # rows that are worked on at a time, so that they stay in the cache

_CONSTANT = 1e-6  # a deviation this small beside the signal is float32 rounding
_LARGEST_R = np.float32(
    1 - 1e-6
)  # arctanh is finite below 1; a vertex that is its own target has r = 1


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
    return correlate_unit(standardise(series), standardise(target_series))


def correlate_unit(rows: FloatArray, targets: FloatArray) -> FloatArray:
    """Correlations of series that :func:`standardise` has made, (row, target) in [-1, 1]."""
    product = rows @ targets.T
    return np.clip(product, -1, 1, out=product)


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
    combined = np.empty(runs[0][0].shape, np.float32)
    for start in range(0, len(combined), _BLOCK):
        rows = slice(start, start + _BLOCK)
        combined[rows] = _combine([(correlation[rows], n) for correlation, n in runs])
    return combined


def _combine(runs: Sequence[tuple[FloatArray, int]]) -> FloatArray:
    total = np.zeros(runs[0][0].shape, np.float32)
    weight: FloatArray | float = 0.0
    for correlation, n_frames in runs:
        twice_z = _twice_fisher_z(correlation)
        if np.isfinite(np.sum(twice_z)):
            weight = weight + n_frames
        else:
            known = np.isfinite(twice_z)
            twice_z = np.where(known, twice_z, np.float32(0))
            weight = weight + np.where(known, np.float32(n_frames), np.float32(0))
        twice_z *= n_frames
        total += twice_z
    with np.errstate(invalid="ignore"):  # known in no run: 0 / 0 is NaN, as it should be
        total /= np.multiply(weight, 2, dtype=np.float32)
    return np.tanh(total, out=total)


def _twice_fisher_z(correlation: FloatArray) -> FloatArray:
    """2 artanh r as a logarithm, which numpy takes several times faster, as a new array."""
    r = np.clip(correlation, -_LARGEST_R, _LARGEST_R, dtype=np.float32)
    ratio = 1 + r
    ratio /= np.subtract(1, r, out=r)
    return np.log(ratio, out=ratio)


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
    if method not in _OFFSETS:
        raise OptionError(
            f"Unknown treatment of negative correlations: {method!r}.", "Use 'shift' or 'clip'."
        )
    offset, floor = _OFFSETS[method]
    positive = np.add(correlation, offset, dtype=np.float32)
    np.maximum(positive, floor, out=positive)
    norm: FloatArray = _norms(positive)
    alive = np.asarray(np.isfinite(norm))
    if not alive.all():  # a dead row is NaN throughout, a dead target in some entries
        alive = np.asarray(np.isfinite(positive).any(axis=1))
        np.nan_to_num(positive, copy=False, nan=max(offset, floor))
        norm = _norms(positive)
    positive /= norm[:, None]
    positive[~alive] = 0
    return positive, alive


def to_signed_sphere(values: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Centre each row over its entries and give it unit norm: signs stay.

    The product of two such rows is the correlation of what they were made from.

    Parameters
    ----------
    values : (row, target) array of float
        NaN as in :func:`to_positive_sphere`; in a row that lives it counts as 0.

    Returns
    -------
    profiles : (row, target) array of float32
        Unit norm and mean 0 where alive; zeros in dead rows.
    alive : (row,) array of bool
        Rows that have a profile. One whose entries are all the same has none, as it points
        nowhere.

    References
    ----------
    R. Kong et al. (2019), Spatial topography of individual-specific cortical networks predicts
    human cognition, personality, and emotion, Cerebral Cortex 29, 2533-2551.
    """
    known = np.isfinite(values)
    if not known.all():
        dead = ~known.any(axis=1, keepdims=True)
        values = np.where(known, values, np.where(dead, np.float32(np.nan), np.float32(0)))
    profiles = standardise(values)
    alive = np.asarray(np.isfinite(profiles[:, 0]))
    profiles[~alive] = 0
    return profiles, alive


def signal_strength(values: FloatArray, alive: BoolArray) -> FloatArray:
    r"""How much signal each row has, beside the mean of its session.

    .. math:: s_v = \min\Bigl(3, \; \frac{\lVert x_v - \bar x_v \rVert}
                    {\operatorname{mean}_u \lVert x_u - \bar x_u \rVert}\Bigr)

    It is what :func:`to_signed_sphere` takes away. If :math:`x \sim N(a \mu, \sigma^2 I)` with
    :math:`\lVert\mu\rVert = 1`, the direction of :math:`x` given its norm is von Mises-Fisher
    around :math:`\mu` with the concentration :math:`a \lVert x \rVert / \sigma^2`: a vertex of
    twice the norm says twice as much of its network. Norms of maps have heavy tails, and
    without a bound a few vertices would outvote all others.

    Parameters
    ----------
    values : (row, target) array of float
        NaN as in :func:`to_signed_sphere`. The unit does not matter.
    alive : (row,) array of bool
        Rows that have a profile; the mean is taken over them.

    Returns
    -------
    (row,) array of float32
        Between 0 and 3; 0 where not alive.

    References
    ----------
    K. V. Mardia, P. E. Jupp (2000), Directional Statistics, section 9.3.
    """
    norm = np.zeros(len(values))
    for start in range(0, len(values), _BLOCK):
        rows = slice(start, start + _BLOCK)
        block = values[rows].astype(np.float64)
        block[~np.isfinite(block)] = 0
        norm[rows] = _norms(block - block.mean(axis=1, keepdims=True))
    norm[~alive] = 0
    mean = norm.sum() / max(int(alive.sum()), 1)
    return np.minimum(norm / (mean or 1), MAX_STRENGTH).astype(np.float32)


def standardise(series: FloatArray) -> FloatArray:
    """Centre each row and give it unit norm, so that products of rows are correlations.

    Parameters
    ----------
    series : (row, frame) array of float

    Returns
    -------
    (row, frame) array of float32
        NaN in rows that are constant, or not finite throughout.
    """
    mean: FloatArray = np.mean(series, axis=1, keepdims=True, dtype=np.float64)
    mean[~np.isfinite(mean)] = np.nan  # one frame that is not finite makes the whole row so
    centred = np.subtract(series, mean, dtype=np.result_type(series, np.float32))
    norm = _norms(centred)[:, None]
    whole = np.hypot(norm, mean * np.sqrt(series.shape[1]))
    lives = norm > _CONSTANT * whole
    centred /= np.where(lives, norm, np.nan).astype(centred.dtype)
    return centred.astype(np.float32, copy=False)


def _norms(rows: FloatArray) -> FloatArray:
    return np.sqrt(np.einsum("ij,ij->i", rows, rows))
