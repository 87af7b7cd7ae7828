"""Whether a subject can be told from others by its labels: the rate of identification.

A subject is identified across two sessions if, of all subjects' labels of the other session, its
own are the closest. A random guess among n subjects has a rate of 1 / n.

References
----------
E. S. Finn et al. (2015), Functional connectome fingerprinting: identifying individuals using
patterns of brain connectivity, Nature Neuroscience 18, 1664-1671.
E. B. Wilson (1927), Probable inference, the law of succession, and statistical inference, Journal
of the American Statistical Association 22, 209-212.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from neuroparcel.types import FloatArray, IntArray

_AT_ONCE = 1 << 20  # values in memory at a time
_DIGITS = 12  # equal labels are to be equally far, and rates of 0 and 1 to be bounds
_NORMAL_QUANTILE = 1.959964  # of 0.975


def squared_distances(first: FloatArray, second: FloatArray) -> FloatArray:
    """Mean over the vertices of the squared difference of soft labels, summed over networks.

    Between 0, for the same labels, and 2, for labels that are certain and nowhere the same.

    Parameters
    ----------
    first, second : (subject, vertex, network) array of float
        Of one session and of another; NaN where there is no data.

    Returns
    -------
    (subject of the first, subject of the second) array of float32
        Over the vertices where both have data; NaN where there are none.
    """
    n_vertices, n_networks = first.shape[1:]
    sums = np.zeros((len(first), len(second)))
    n_shared = np.zeros_like(sums)
    step = max(1, _AT_ONCE // (max(len(first), len(second)) * n_networks))
    for start in range(0, n_vertices, step):
        one, ours = _filled(first[:, start : start + step])
        other, theirs = _filled(second[:, start : start + step])
        sums += np.square(one).sum(-1) @ theirs.T + ours @ np.square(other).sum(-1).T
        sums -= 2 * one.reshape(len(one), -1) @ other.reshape(len(other), -1).T
        n_shared += ours @ theirs.T
    mean = np.maximum(sums, 0) / np.where(n_shared > 0, n_shared, np.nan)
    return mean.round(_DIGITS).astype(np.float32)


def _filled(labels: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Labels with 0 where there is no data, and 1 where there is some, (subject, vertex)."""
    has_data = np.asarray(~np.isnan(labels).any(axis=-1))
    filled = np.where(has_data[..., None], labels, 0).astype(np.float64)
    return filled, has_data.astype(np.float64)


def closest(distances: FloatArray) -> FloatArray:
    """How far each subject of one session would be identified as each of the other.

    Parameters
    ----------
    distances : (..., subject, subject) array of float
        NaN where there is none.

    Returns
    -------
    (..., subject, subject) array of float
        1 where the distance is the smallest of its row and of its column, 1/2 where it is that
        of one of them; several that are equally small share. NaN where there is no distance.
        The rate of identification is the mean of the diagonal.
    """
    known = np.where(np.isnan(distances), np.inf, distances)
    shares = [_shares(known, axis) for axis in (-1, -2)]
    return np.where(np.isnan(distances), np.nan, (shares[0] + shares[1]) / 2)


def _shares(distances: FloatArray, axis: int) -> FloatArray:
    smallest = distances == distances.min(axis=axis, keepdims=True)
    return np.asarray(smallest / smallest.sum(axis=axis, keepdims=True))


def identification_of(distances: FloatArray, members: IntArray) -> FloatArray:
    """Rate of identification among the members of each sub-population.

    Parameters
    ----------
    distances : (subject, subject) array of float
        NaN of subjects that lack a session.
    members : (sample, size) array of int
        Rows of the distances. A subject that is drawn twice counts once.

    Returns
    -------
    (sample,) array of float
        NaN where fewer than two subjects have distances.
    """
    n_samples, size = members.shape
    step = max(1, _AT_ONCE // size**2)
    parts = [
        _rates(distances, members[start : start + step]) for start in range(0, n_samples, step)
    ]
    return np.concatenate([np.zeros(0), *parts])


def _rates(distances: FloatArray, members: IntArray) -> FloatArray:
    members = np.sort(members, axis=1)
    counts = ~np.isnan(distances.diagonal())[members]
    counts[:, 1:] &= members[:, 1:] != members[:, :-1]
    among = distances[members[:, :, None], members[:, None, :]]
    both = counts[:, :, None] & counts[:, None, :]
    hits = np.diagonal(closest(np.where(both, among, np.nan)), axis1=1, axis2=2)
    n = counts.sum(axis=1)
    return np.where(n > 1, np.nansum(hits, axis=1) / np.maximum(n, 1), np.nan)


def wilson_interval(rate: float, n: int) -> tuple[float, float]:
    """95 % confidence interval of a rate among n subjects; of some width at 0 and 1 too."""
    squared = _NORMAL_QUANTILE**2
    centre = (rate + squared / (2 * n)) / (1 + squared / n)
    half = _NORMAL_QUANTILE * sqrt(rate * (1 - rate) / n + squared / (4 * n**2)) / (1 + squared / n)
    return round(centre - half, _DIGITS) + 0.0, round(centre + half, _DIGITS)
