"""Which network of one parcellation is which of another."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from neuroparcel.types import FloatArray, IntArray

_ROUNDING = 1e-6  # of float32: a profile that varies less does not vary


def profile_correlations(first: FloatArray, second: FloatArray) -> FloatArray:
    """Pearson correlation of each network's profile with each of another set.

    Parameters
    ----------
    first, second : (network, target) array of float
        Over the same targets.

    Returns
    -------
    (first network, second network) array of float
        0 where a profile is constant.
    """
    scaled = []
    for profiles in (first, second):
        centred = profiles - profiles.mean(axis=1, keepdims=True)
        length = np.linalg.norm(centred, axis=1, keepdims=True)
        varies = length > _ROUNDING * np.linalg.norm(profiles, axis=1, keepdims=True)
        scaled.append(np.where(varies, centred / np.where(varies, length, 1), 0))
    return np.asarray(scaled[0] @ scaled[1].T)


def best_pairs(scores: FloatArray) -> tuple[IntArray, IntArray]:
    """Pair rows with columns one to one, so that the sum of the scores is largest.

    Parameters
    ----------
    scores : (row, column) array of float
        If one side has more, some of it stays alone.

    Returns
    -------
    rows, columns : (pair,) array of int
        Rows in ascending order.

    References
    ----------
    H. W. Kuhn (1955), The Hungarian method for the assignment problem, Naval Research
    Logistics Quarterly 2.
    """
    rows, columns = linear_sum_assignment(scores, maximize=True)
    return rows, columns
