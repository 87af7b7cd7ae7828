"""Points spread evenly over a sphere: a subdivided icosahedron."""

from __future__ import annotations

import numpy as np
from scipy.spatial import ConvexHull, cKDTree

from neuroparcel.types import FloatArray, IntArray

_GOLDEN = (1 + 5**0.5) / 2


def icosphere(frequency: int) -> FloatArray:
    """Vertices of an icosahedron whose edges are cut into `frequency` parts.

    Parameters
    ----------
    frequency : int
        Parts of each edge, at least 1.

    Returns
    -------
    (point, 3) array of float
        ``10 * frequency**2 + 2`` points of unit norm.

    Examples
    --------
    >>> icosphere(9).shape
    (812, 3)
    """
    corners = _icosahedron()
    faces = corners[ConvexHull(corners).simplices]  # (face, corner, 3)
    i, j = np.meshgrid(np.arange(frequency + 1), np.arange(frequency + 1), indexing="ij")
    inside = i + j <= frequency
    weights = np.column_stack([i[inside], j[inside], (frequency - i - j)[inside]]) / frequency
    points = np.einsum("wc,fcx->fwx", weights, faces).reshape(-1, 3)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    # Neighbouring faces share the points of their edge.
    _, first = np.unique(points.round(9) + 0.0, axis=0, return_index=True)
    return points[np.sort(first)]


def nearest_points(points: FloatArray, wanted: FloatArray) -> IntArray:
    """Index of the point nearest to each wanted direction, both taken on the unit sphere.

    Parameters
    ----------
    points : (point, 3) array of float
        Such as the vertices of a spherical mesh of any radius about the origin.
    wanted : (direction, 3) array of float

    Returns
    -------
    (direction,) array of int
    """
    tree = cKDTree(points / np.linalg.norm(points, axis=1, keepdims=True))
    _, index = tree.query(wanted / np.linalg.norm(wanted, axis=1, keepdims=True))
    return np.asarray(index)


def _icosahedron() -> FloatArray:
    """The 12 corners, cyclic permutations of (0, +-1, +-golden ratio)."""
    signs = np.array([(a, b) for a in (-1, 1) for b in (-_GOLDEN, _GOLDEN)])
    corners = np.column_stack([np.zeros(4), signs])
    return np.concatenate([np.roll(corners, shift, axis=1) for shift in range(3)])
