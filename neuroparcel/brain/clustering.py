"""Spherical k-means: the classical parcellation, and the anchor of the hierarchical one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.cluster import kmeans_plusplus

from neuroparcel.errors import ConnectomeError, OptionError
from neuroparcel.types import FloatArray, IntArray


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
        If there are more clusters than rows, or fewer than 1.
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
    if not 1 <= n_clusters <= len(profiles):
        raise OptionError(
            f"{n_clusters} networks asked for among {len(profiles)} vertices.",
            "Ask for at least 1 network and at most as many as there are vertices.",
        )
    if not np.allclose(np.linalg.norm(profiles, axis=1), 1, atol=1e-3):
        raise ConnectomeError("Spherical k-means needs rows of unit norm.")
    seeds = np.random.default_rng(seed).integers(2**31, size=n_init)
    starts = [kmeans_plusplus(profiles, n_clusters, random_state=int(s))[0] for s in seeds]
    runs = [_lloyd(profiles, _unit(start), max_iterations) for start in starts]
    centres = max(runs, key=lambda run: run[1])[0]
    place = np.arange(len(profiles)) if position is None else np.asarray(position)
    return _number(profiles, centres, place)


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


def _lloyd(
    profiles: FloatArray, centres: FloatArray, max_iterations: int
) -> tuple[FloatArray, float]:
    """Alternate assignment and means until nothing moves; centres and mean cosine."""
    labels = np.full(len(profiles), -1)
    for _ in range(max_iterations):
        cosine = profiles @ centres.T
        previous, labels = labels, cosine.argmax(axis=1)
        if np.array_equal(previous, labels):
            break
        centres = _means(profiles, labels, cosine)
    return centres, float((profiles @ centres.T).max(axis=1).mean())


def _means(profiles: FloatArray, labels: IntArray, cosine: FloatArray) -> FloatArray:
    """Mean direction of each cluster; an empty one takes over the worst fitted row."""
    n_clusters = cosine.shape[1]
    fit = cosine.max(axis=1)
    for cluster in np.flatnonzero(np.bincount(labels, minlength=n_clusters) == 0):
        worst = fit.argmin()
        labels[worst], fit[worst] = cluster, np.inf
    members = np.eye(n_clusters, dtype=profiles.dtype)[labels]
    return _unit(members.T @ profiles)


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
