"""How alike the profiles inside a parcel are, and what random parcels would give."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from neuroparcel.errors import OptionError
from neuroparcel.types import FloatArray, IntArray

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST = 2.0  # of an edge whose shortest is 1: borders of random parcels wiggle


def correlation_rows(profiles: FloatArray) -> FloatArray:
    """Profiles as vectors whose inner products are their correlations.

    Parameters
    ----------
    profiles : (vertex, target) array of float

    Returns
    -------
    (vertex, target) array of float
        Rows of mean 0 and norm 1; zeros where a profile is constant.
    """
    centred = profiles - profiles.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(np.divide(centred, norm, out=np.zeros_like(centred), where=norm > 1e-7))


def homogeneity(rows: FloatArray, labels: IntArray) -> float:
    r"""Mean correlation of two profiles of the same parcel, parcels weighted by their size.

    .. math:: \frac{\sum_k n_k h_k}{\sum_k n_k}, \qquad
              h_k = \frac{|\sum_{n \in k} x_n|^2 - \sum_{n \in k} |x_n|^2}{n_k (n_k - 1)}

    Parcels of one vertex have no pair and do not count.

    Parameters
    ----------
    rows : (vertex, target) array of float
        See :func:`correlation_rows`.
    labels : (vertex,) array of int
        Parcels from 1; 0 is left out.

    Returns
    -------
    float
        NaN if no parcel has two vertices.

    References
    ----------
    Gordon et al., Generation and evaluation of a cortical area parcellation from resting-state
    correlations, Cerebral Cortex 2016 (homogeneity, and random parcels as its null).

    Examples
    --------
    >>> homogeneity(np.array([[1.0, 0], [1, 0], [0, 1], [0, 1]]), np.array([1, 1, 2, 2]))
    1.0
    """
    chosen = np.flatnonzero(labels > 0)
    n_vertices, n_parcels = len(chosen), int(labels.max(initial=0))
    place = (labels[chosen] - 1, np.arange(n_vertices))
    members = sparse.csr_array(
        (np.ones(n_vertices, rows.dtype), place), shape=(n_parcels, n_vertices)
    )
    inside = rows[chosen]
    sizes = np.bincount(place[0], minlength=n_parcels).astype(float)
    squares = np.square(members @ inside, dtype=np.float64).sum(axis=1)
    own = members @ np.square(inside, dtype=np.float64).sum(axis=1)
    counted = sizes > 1
    if not counted.any():
        return float("nan")
    found = (squares - own)[counted] / (sizes * (sizes - 1))[counted]
    return float((sizes[counted] * found).sum() / sizes[counted].sum())


def random_parcels(
    n_parcels: int,
    n_vertices: int,
    neighbours: sparse.csr_array | None,
    rng: np.random.Generator,
) -> IntArray:
    """Draw parcels that know nothing of the data.

    On a mesh they grow from vertices drawn at random along edges of random length, so that
    each is in one piece; what no edge reaches joins a parcel at random, one piece at a time.
    Without a mesh, vertices are shuffled into parcels of equal size.

    Parameters
    ----------
    n_parcels, n_vertices : int
    neighbours : (vertex, vertex) sparse array, optional
        Not 0 where an edge joins two vertices.
    rng : numpy.random.Generator

    Returns
    -------
    (vertex,) array of int
        Parcels from 1, each with a vertex.

    Raises
    ------
    OptionError
        If there are fewer vertices than parcels.
    """
    if n_parcels > n_vertices:
        raise OptionError(
            f"{n_parcels} parcels asked for among {n_vertices} vertices.", "Ask for fewer."
        )
    if neighbours is None:
        return np.asarray(rng.permutation(np.arange(n_vertices) % n_parcels) + 1)
    seeds = rng.choice(n_vertices, n_parcels, replace=False)
    edges = sparse.csr_array(neighbours, dtype=np.float64, copy=True)
    edges.data = rng.uniform(1, _LONGEST, len(edges.data))
    _, _, nearest = csgraph.dijkstra(
        edges, directed=False, indices=seeds, min_only=True, return_predecessors=True
    )
    number = np.zeros(n_vertices, np.int64)
    number[seeds] = np.arange(1, n_parcels + 1)
    _, piece = csgraph.connected_components(edges, directed=False)
    elsewhere = rng.integers(1, n_parcels + 1, size=piece.max() + 1)[piece]
    return np.where(nearest >= 0, number[np.maximum(nearest, 0)], elsewhere)


def random_homogeneity(
    rows: FloatArray, valid: IntArray, parcellations: Sequence[IntArray]
) -> float:
    """Mean homogeneity of several parcellations.

    Parameters
    ----------
    rows : (valid vertex, target) array of float
    valid : (valid vertex,) array of int
        The vertex of each row.
    parcellations : sequence of (vertex,) arrays of int
    """
    return float(np.mean([homogeneity(rows, parcels[valid]) for parcels in parcellations]))
