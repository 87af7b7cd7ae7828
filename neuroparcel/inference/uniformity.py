"""Are ranks uniform? Tests and bands for integers in 0, ..., n_ranks - 1."""

from __future__ import annotations

import numpy as np

from neuroparcel.types import FloatArray, IntArray

_N_BAND_SIMULATIONS = 2000  # the 5 % quantile of as many is known to half a per cent


def chi_square_p_values(ranks: IntArray, n_ranks: int, n_bins: int) -> FloatArray:
    """Chi-square test of uniformity over the first axis.

    Parameters
    ----------
    ranks : ndarray of int, shape (simulation, ...)
    n_ranks : int
        Number of possible ranks, a multiple of ``n_bins``.
    n_bins : int

    Returns
    -------
    ndarray, shape (...)
    """
    from scipy.stats import chi2

    bins = ranks // (n_ranks // n_bins)
    counts = np.stack([(bins == number).sum(axis=0) for number in range(n_bins)])
    expected = len(ranks) / n_bins
    statistic = ((counts - expected) ** 2 / expected).sum(axis=0)
    return np.asarray(chi2.sf(statistic, n_bins - 1))


def holm(p_values: FloatArray) -> FloatArray:
    """Holm's correction of p values (test,) for their number; NaN stays and does not count.

    It holds whatever the dependence between the tests.

    References
    ----------
    Holm, A simple sequentially rejective multiple test procedure, Scandinavian
    Journal of Statistics 6, 1979.

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, 0.03])).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values)[: np.count_nonzero(~np.isnan(p_values))]
    factors = np.arange(len(order), 0, -1)
    corrected = np.full(p_values.shape, np.nan)
    corrected[order] = np.minimum(1, np.maximum.accumulate(factors * p_values[order]))
    return corrected


def central_cover(ranks: IntArray, n_ranks: int, level: float) -> FloatArray:
    """Whether ranks lie in the central interval that holds the share ``level``.

    A rank stands for one of ``n_ranks`` equal cells of (0, 1); a cell that the
    interval cuts counts by its share inside, so that uniform ranks are covered
    at exactly ``level``, whatever the number of draws.
    """
    lower, upper = n_ranks * (1 - level) / 2, n_ranks * (1 + level) / 2
    cells = np.arange(n_ranks)
    inside = np.minimum(cells + 1, upper) - np.maximum(cells, lower)
    return np.asarray(np.clip(inside, 0, 1)[ranks])


def ecdf_difference(ranks: IntArray, n_ranks: int) -> FloatArray:
    """Share of ranks below i less the expected i / n_ranks, for i = 1, ..., n_ranks - 1.

    Parameters
    ----------
    ranks : ndarray of int, shape (simulation,)

    Returns
    -------
    ndarray, shape (n_ranks - 1,)
    """
    counts = np.bincount(ranks, minlength=n_ranks)[:-1]
    return np.cumsum(counts) / len(ranks) - _grid(n_ranks)


def simultaneous_band(
    n_simulations: int, n_ranks: int, probability: float = 0.95, seed: int = 0
) -> tuple[FloatArray, FloatArray]:
    """Band that the whole ECDF difference of uniform ranks stays in, with a probability.

    Pointwise the number of ranks below i is binomial; the pointwise level is set
    so that the share ``probability`` of simulated sets of ranks never leaves.

    Returns
    -------
    lower, upper : ndarray, shape (n_ranks - 1,)
        For i as in :func:`ecdf_difference`.

    References
    ----------
    Säilynoja, Bürkner and Vehtari, Graphical test for discrete uniformity and its
    applications in goodness-of-fit evaluation and multiple sample comparison,
    Statistics and Computing 32, 2022, section 2.
    """
    from scipy.stats import binom

    grid = _grid(n_ranks)
    random = np.random.default_rng(seed)
    even = np.full(n_ranks, 1 / n_ranks)
    counts = random.multinomial(n_simulations, even, size=_N_BAND_SIMULATIONS)
    below = np.cumsum(counts[:, :-1], axis=1)
    tails = np.minimum(
        binom.cdf(below, n_simulations, grid), binom.sf(below - 1, n_simulations, grid)
    )
    tail = np.quantile(tails.min(axis=1), 1 - probability)
    lower = binom.ppf(tail, n_simulations, grid) / n_simulations - grid
    upper = binom.isf(tail, n_simulations, grid) / n_simulations - grid
    return lower, upper


def _grid(n_ranks: int) -> FloatArray:
    return np.arange(1, n_ranks) / n_ranks
