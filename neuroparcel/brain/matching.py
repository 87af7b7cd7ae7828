"""Which network of one parcellation is which of another."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from neuroparcel.errors import SpaceError
from neuroparcel.types import FloatArray, IntArray

_ROUNDING = 1e-6  # of float32: a profile that varies less does not vary


def dice_matrix(first: IntArray, second: IntArray, n_first: int, n_second: int) -> FloatArray:
    """Dice coefficient of each network of one map with each of another.

    2 |A and B| / (|A| + |B|), where vertices that lack a label in either map do not count.

    Parameters
    ----------
    first, second : (vertex,) array of int
        Labels from 1; 0 for none.
    n_first, n_second : int
        Networks of the maps.

    Returns
    -------
    (first network, second network) array of float
        0 where neither has a vertex.

    Raises
    ------
    SpaceError
        If the maps differ in length.

    References
    ----------
    L. R. Dice (1945), Measures of the amount of ecologic association between species,
    Ecology 26.

    Examples
    --------
    >>> dice_matrix(np.array([1, 1, 2, 0]), np.array([1, 2, 2, 2]), 2, 2)
    array([[0.66666667, 0.5       ],
           [0.        , 0.66666667]])
    """
    if first.shape != second.shape:
        raise SpaceError(f"Maps of {len(first)} and {len(second)} vertices cannot be compared.")
    both = (first > 0) & (second > 0)
    cells = (first[both].astype(np.int64) - 1) * n_second + second[both] - 1
    common = np.bincount(cells, minlength=n_first * n_second).reshape(n_first, n_second)
    sizes = common.sum(axis=1)[:, None] + common.sum(axis=0)
    return np.asarray(2 * common / np.maximum(sizes, 1))


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
