"""Which network of one parcellation is which of another."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from neuroparcel.types import FloatArray, IntArray

_ROUNDING = 1e-6  # of float32: what deviates less does not


def profile_correlations(first: FloatArray, second: FloatArray) -> FloatArray:
    """How alike the profiles of two sets of networks are, beyond what all networks share.

    Correlation over the targets of the deviations from the second set's mean profile.
    Profiles of positive correlations have most of their shape in common: without this, any
    network is like any other.

    Parameters
    ----------
    first, second : (network, target) array of float
        Over the same targets.

    Returns
    -------
    (first network, second network) array of float
        0 where a profile does not deviate.
    """
    common = second.mean(axis=0)
    scaled = []
    for profiles in (first, second):
        deviation = profiles - common
        deviation = deviation - deviation.mean(axis=1, keepdims=True)
        length = np.linalg.norm(deviation, axis=1, keepdims=True)
        deviates = length > _ROUNDING * np.linalg.norm(profiles, axis=1, keepdims=True)
        scaled.append(np.where(deviates, deviation / np.where(deviates, length, 1), 0))
    return np.asarray(scaled[0] @ scaled[1].T)


def best_pairs(scores: FloatArray, least: float = 0.0) -> tuple[IntArray, IntArray]:
    """Pair rows with columns one to one, so that the sum of the scores is largest.

    Parameters
    ----------
    scores : (row, column) array of float
        If one side has more, some of it stays alone.
    least : float, default 0
        Smaller scores make no pair, and do not decide about others.

    Returns
    -------
    rows, columns : (pair,) array of int
        Rows in ascending order.

    References
    ----------
    H. W. Kuhn (1955), The Hungarian method for the assignment problem, Naval Research
    Logistics Quarterly 2.
    """
    counted = np.where(scores >= least, scores, 0)
    rows, columns = linear_sum_assignment(counted, maximize=True)
    paired = scores[rows, columns] >= least
    return rows[paired], columns[paired]
