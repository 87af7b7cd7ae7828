"""Spherical k-means: the classical parcellation, and the anchor of the hierarchical one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neuroparcel.errors import ConnectomeError, OptionError
from neuroparcel.types import FloatArray, IntArray

_MANY_ROWS = 25_000  # of which all starts would take a minute
_SEARCH_ROWS = 10_000  # starts are then tried on so many, or 200 a cluster
_SEARCH_ROWS_A_CLUSTER = 200
_SEARCH_ITERATIONS = 20  # after which the order of the starts hardly changes
_MOVING = 1e-3  # share of many rows that may still change cluster when iterations end


def spherical_kmeans(
    profiles: FloatArray,
    n_clusters: int,
    seed: int,
    n_init: int = 10,
    *,
    position: npt.ArrayLike | None = None,
    max_iterations: int = 100,
) -> tuple[IntArray, FloatArray]:
    """Cluster unit vectors so that the cosine of each with its centre is largest in sum.

    Of more than 25,000 rows the starts are tried on 10,000 (or 200 a cluster), evenly spaced,
    for 20 iterations, and the best goes on with all rows until fewer than one in 1,000 changes
    its cluster.

    Parameters
    ----------
    profiles : (row, target) array of float
        Rows of unit norm.
    n_clusters : int
        Number of clusters, at most the number of rows.
    seed : int
        Seed of the starting centres; the same seed gives the same result.
    n_init : int, default 10
        Starts, the best of which is kept.
    position : (row,) array of float, optional
        What clusters are numbered by: the cluster with the least mean position is number
        0. The row index if not given; give the vertex when rows of several sessions are
        pooled.
    max_iterations : int, default 100
        Upper bound on the iterations of a start.

    Returns
    -------
    labels : (row,) array of int
        Cluster of each row, from 0.
    centres : (cluster, target) array of float
        Unit norm.

    Raises
    ------
    OptionError
        If there are more clusters than distinct rows, or fewer than 1.
    ConnectomeError
        If a row is not of unit norm.

    References
    ----------
    I. S. Dhillon and D. S. Modha (2001), Concept decompositions for large sparse text data
    using clustering, Machine Learning 42, 143-175.

    Examples
    --------
    >>> labels, centres = spherical_kmeans(np.eye(3)[[0, 0, 2, 2]], n_clusters=2, seed=0)
    >>> labels
    array([0, 0, 1, 1])
    """
    from sklearn.cluster import kmeans_plusplus

    if not 1 <= n_clusters <= len(profiles):
        raise OptionError(
            f"{n_clusters} networks asked for among {len(profiles)} vertices.",
            "Ask for at least 1 network and at most as many as there are vertices.",
        )
    if not np.allclose(np.linalg.norm(profiles, axis=1), 1, atol=1e-3):
        raise ConnectomeError("Spherical k-means needs rows of unit norm.")
    few = _search_rows(profiles, n_clusters)
    seeds = np.random.default_rng(seed).integers(2**31, size=n_init)
    starts = [kmeans_plusplus(few, n_clusters, random_state=int(s))[0] for s in seeds]
    is_search = len(few) < len(profiles)
    n_iterations = min(max_iterations, _SEARCH_ITERATIONS) if is_search else max_iterations
    runs = [_lloyd(few, _unit(start), n_iterations) for start in starts]
    centres = max(runs, key=lambda run: run[1])[0]
    if is_search:
        centres, _ = _lloyd(profiles, centres, max_iterations, _MOVING)
    place = np.arange(len(profiles)) if position is None else np.asarray(position)
    labels, centres = _number(profiles, centres, place)
    if np.bincount(labels, minlength=n_clusters).min() == 0:
        _check_distinct(profiles, n_clusters)
    return labels, centres


def nearest_centre(profiles: FloatArray, centres: FloatArray) -> IntArray:
    """Number of the centre with the largest cosine.

    Parameters
    ----------
    profiles : (..., target) array of float
    centres : (cluster, target) array of float

    Returns
    -------
    (...,) array of int
    """
    return np.asarray((profiles @ centres.T).argmax(axis=-1))


def _search_rows(profiles: FloatArray, n_clusters: int) -> FloatArray:
    """Evenly spaced rows, or all where they are few."""
    n_rows = max(_SEARCH_ROWS, _SEARCH_ROWS_A_CLUSTER * n_clusters)
    if len(profiles) <= max(n_rows, _MANY_ROWS):
        return profiles
    return profiles[np.arange(n_rows) * len(profiles) // n_rows]


def _check_distinct(profiles: FloatArray, n_clusters: int) -> None:
    """Say so if a cluster stays empty because too many rows are the same."""
    n_distinct = len(np.unique(profiles, axis=0))
    if n_distinct < n_clusters:
        raise OptionError(
            f"{n_clusters} networks asked for among {n_distinct} distinct profiles.",
            "Ask for fewer networks, or look at what makes the profiles alike.",
        )


def _lloyd(
    profiles: FloatArray, centres: FloatArray, max_iterations: int, moving: float = 0.0
) -> tuple[FloatArray, float]:
    """Alternate assignment and means until this share moves at most; centres, mean cosine."""
    members = np.zeros((len(centres), len(profiles)), bool)
    for _ in range(max_iterations):
        cosine = centres @ profiles.T
        previous, members = members, _members(cosine)
        # A row that moves leaves one cluster and joins another.
        if np.count_nonzero(previous != members) <= 2 * moving * len(profiles):
            break
        centres = _means(profiles, members, cosine)
    return centres, float((centres @ profiles.T).max(axis=0).mean())


def _members(cosine: FloatArray) -> npt.NDArray[np.bool_]:
    """Which cluster (cluster, row) has the largest cosine; of several equal ones the first."""
    members = cosine == cosine.max(axis=0)  # clusters first: many times faster than argmax
    if np.count_nonzero(members) > len(members.T):
        members = np.arange(len(members))[:, None] == cosine.argmax(axis=0)
    return members


def _means(profiles: FloatArray, members: npt.NDArray[np.bool_], cosine: FloatArray) -> FloatArray:
    """Mean direction of each cluster; an empty one takes over the worst fitted row."""
    empty = np.flatnonzero(~members.any(axis=1))
    fit = cosine.max(axis=0) if len(empty) else cosine
    for cluster in empty:
        worst = fit.argmin()
        members[:, worst], fit[worst] = False, np.inf
        members[cluster, worst] = True
    return _unit(members.astype(profiles.dtype) @ profiles)


def _number(
    profiles: FloatArray, centres: FloatArray, place: npt.NDArray[np.generic]
) -> tuple[IntArray, FloatArray]:
    """Number the clusters by the mean position of their rows."""
    labels = nearest_centre(profiles, centres)
    counts = np.maximum(np.bincount(labels, minlength=len(centres)), 1)
    order = np.argsort(np.bincount(labels, place, len(centres)) / counts, kind="stable")
    return np.argsort(order)[labels], centres[order]


def _unit(rows: FloatArray) -> FloatArray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
