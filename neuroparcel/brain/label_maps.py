"""How far many pairs of label maps agree, counted at once.

What :mod:`neuroparcel.brain.contingency` says of two maps, for the thousands of pairs that
sub-populations of a cohort make.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from neuroparcel.errors import SpaceError
from neuroparcel.types import FloatArray, IntArray

_CHUNK = 2**17  # vertices counted at once: what is made of them stays in a processor's cache


def contingencies(first: IntArray, second: IntArray, n_networks: int) -> IntArray:
    """Count the vertices of each two labels, in each pair of maps.

    Vertices that lack a label in either map do not count.

    Parameters
    ----------
    first, second : (pair, vertex) array of int
        Labels from 1; 0 for none. One map, of shape (vertex,), is compared with each of the
        others.
    n_networks : int
        Labels there are.

    Returns
    -------
    (pair, first network, second network) array of int64

    Raises
    ------
    SpaceError
        If the maps differ in number or length, or have a label that there is not.

    Examples
    --------
    >>> maps = np.array([[1, 1, 2, 0], [2, 2, 2, 2]], dtype=np.uint8)
    >>> contingencies(maps, maps[1], 2).tolist()
    [[[0, 2], [0, 1]], [[0, 0], [0, 4]]]
    """
    try:
        first, second = np.broadcast_arrays(np.atleast_2d(first), np.atleast_2d(second))
    except ValueError as error:
        raise SpaceError(
            f"Maps of shapes {first.shape} and {second.shape} cannot be compared."
        ) from error
    counts = np.empty((len(first), n_networks, n_networks), dtype=np.int64)
    for rows in _chunks(*first.shape):
        counts[rows] = _count(first[rows], second[rows], n_networks)
    return counts


def contingencies_of_pairs(maps: IntArray, pairs: IntArray, n_networks: int) -> IntArray:
    """Count the vertices of each two labels, in pairs of these maps.

    Like :func:`contingencies`, but without a copy of each map for each pair it is in.

    Parameters
    ----------
    maps : (map, vertex) array of int
        Labels from 1; 0 for none.
    pairs : (pair, 2) array of int
        Rows of the maps.
    n_networks : int
        Labels there are.

    Returns
    -------
    (pair, first network, second network) array of int64

    Raises
    ------
    SpaceError
        If the maps have a label that there is not.
    """
    counts = np.empty((len(pairs), n_networks, n_networks), dtype=np.int64)
    for rows in _chunks(len(pairs), maps.shape[1]):
        first, second = pairs[rows].T
        counts[rows] = _count(maps[first], maps[second], n_networks)
    return counts


def adjusted_rands(counts: IntArray) -> FloatArray:
    """Adjusted Rand index of each table of counts.

    Parameters
    ----------
    counts : (pair, first network, second network) array of int

    Returns
    -------
    (pair,) array of float64
        NaN where neither map is divided: such maps agree whatever they show.

    References
    ----------
    L. Hubert and P. Arabie (1985), Comparing partitions, Journal of Classification 2, eq. 5.
    """
    rows, columns = counts.sum(axis=2), counts.sum(axis=1)
    pairs = _n_pairs(counts).sum(axis=1)
    in_one, in_other = _n_pairs(rows), _n_pairs(columns)
    by_chance = in_one * in_other / np.maximum(_n_pairs(rows.sum(axis=1, keepdims=True)), 1)
    most = (in_one + in_other) / 2
    is_equal = most == by_chance  # each vertex is its own network in both
    index = np.where(is_equal, 1, (pairs - by_chance) / np.where(is_equal, 1, most - by_chance))
    n_labels = np.maximum((rows > 0).sum(axis=1), (columns > 0).sum(axis=1))
    return np.where(n_labels > 1, index, np.nan)


def dices(counts: IntArray) -> FloatArray:
    """Dice coefficient of the networks of the same number, 2 |A and B| / (|A| + |B|).

    Parameters
    ----------
    counts : (pair, first network, second network) array of int
        As many networks of both.

    Returns
    -------
    (pair, network) array of float64
        NaN where neither map has the network.

    References
    ----------
    L. R. Dice (1945), Measures of the amount of ecologic association between species, Ecology 26.
    """
    sizes = counts.sum(axis=2) + counts.sum(axis=1)
    shared = np.diagonal(counts, axis1=1, axis2=2)
    return np.where(sizes > 0, 2 * shared / np.maximum(sizes, 1), np.nan)


def _chunks(n_pairs: int, n_vertices: int) -> Iterator[slice]:
    step = max(1, _CHUNK // max(n_vertices, 1))
    return (slice(start, start + step) for start in range(0, n_pairs, step))


def _count(first: IntArray, second: IntArray, n_networks: int) -> IntArray:
    """Counts of a few pairs, by one number for each pair, first and second label."""
    _check_labels(first, n_networks)
    _check_labels(second, n_networks)
    n_codes = n_networks + 1  # with none
    codes = np.arange(len(first), dtype=np.intp)[:, None] * n_codes + first
    codes *= n_codes
    codes += second
    counts = np.bincount(codes.ravel(), minlength=len(first) * n_codes**2)
    return counts.reshape(-1, n_codes, n_codes)[:, 1:, 1:]


def _check_labels(maps: IntArray, n_networks: int) -> None:
    if maps.size and (maps.max() > n_networks or maps.min() < 0):
        wrong = int(maps.max()) if maps.max() > n_networks else int(maps.min())
        raise SpaceError(f"A map has the label {wrong}, where there are {n_networks} networks.")


def _n_pairs(counts: IntArray) -> FloatArray:
    """Number of pairs within groups of these sizes, summed over the last axis."""
    return np.asarray((counts * (counts - 1.0) / 2).sum(axis=-1))
