"""Triangles to pixels: which face is seen where, and between which of its corners."""

from __future__ import annotations

import numpy as np

from neuroparcel.types import FloatArray, IntArray

_FACES_AT_ONCE = 512  # bounds the memory of a close-up, where a face covers many pixels
_ON_THE_EDGE = -1e-6  # rounding must not leave a gap between two faces


def rasterise(
    points: FloatArray, depth: FloatArray, faces: IntArray, shape: tuple[int, int]
) -> tuple[IntArray, FloatArray]:
    """Find the nearest face at each pixel and the pixel's barycentric coordinates in it.

    Parameters
    ----------
    points : (vertex, 2) array of float
        Column and row of each vertex in pixels; pixel centres lie at whole numbers.
    depth : (vertex,) array of float
        Larger is nearer.
    faces : (face, 3) array of int
        Corners of the triangles.
    shape : tuple of int
        Rows and columns of the image.

    Returns
    -------
    corners : (row, column, 3) array of int
        Vertices of the face that is seen; -1 where there is none.
    weights : (row, column, 3) array of float32
        What each corner contributes, summing to 1; 0 where there is no face.

    Examples
    --------
    >>> triangle = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]])
    >>> corners, weights = rasterise(triangle, np.zeros(3), np.array([[0, 1, 2]]), (3, 3))
    >>> corners[..., 0] >= 0
    array([[ True,  True,  True],
           [ True,  True, False],
           [ True, False, False]])
    """
    corners = np.full((*shape, 3), -1, dtype=np.int32)
    weights = np.zeros((*shape, 3), dtype=np.float32)
    triangles = points[faces]
    low = np.ceil(triangles.min(axis=1)).astype(np.int64)
    size = np.floor(triangles.max(axis=1)).astype(np.int64) - low + 1
    seen = (size > 0).all(axis=1) & (low < shape[::-1]).all(axis=1) & (low + size > 0).all(axis=1)
    if not seen.any():
        return corners, weights
    order = np.flatnonzero(seen)
    order = order[np.argsort(size[order].prod(axis=1), kind="stable")]  # like sizes together
    found = [
        _inside(triangles[chunk], low[chunk], size[chunk].max(axis=0), shape, chunk)
        for chunk in np.split(order, range(_FACES_AT_ONCE, len(order), _FACES_AT_ONCE))
    ]
    face, pixel, inside_weights = (np.concatenate(parts) for parts in zip(*found, strict=True))
    # Painter's algorithm: of several values assigned to one pixel numpy keeps the last.
    far_to_near = np.argsort(depth[faces].mean(axis=1)[face], kind="stable")
    face, (column, row) = face[far_to_near], pixel[far_to_near].T
    corners[row, column] = faces[face]
    weights[row, column] = inside_weights[far_to_near]
    return corners, weights


def _inside(
    triangles: FloatArray, low: IntArray, box: IntArray, shape: tuple[int, int], faces: IntArray
) -> tuple[IntArray, IntArray, FloatArray]:
    """Pixels inside some triangles, each looked for in a box from its `low` corner.

    Returns the face of each pixel found, its (column, row) and its barycentric coordinates.
    """
    width, height = box
    offsets = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
    pixels = low[:, None] + offsets.reshape(1, -1, 2)
    weights = _barycentric(triangles, pixels)
    inside = (weights >= _ON_THE_EDGE).all(axis=-1)
    inside &= ((pixels >= 0) & (pixels < shape[::-1])).all(axis=-1)
    return faces[np.nonzero(inside)[0]], pixels[inside], weights[inside]


def _barycentric(triangles: FloatArray, pixels: IntArray) -> FloatArray:
    """Barycentric coordinates of (face, pixel, 2) in (face, 3, 2), shape (face, pixel, 3)."""
    origin, along, across = triangles[:, 0], *(triangles[:, k] - triangles[:, 0] for k in (1, 2))
    area = along[:, 0] * across[:, 1] - along[:, 1] * across[:, 0]
    area = np.where(area == 0, np.nan, area)[:, None]  # NaN is never inside
    x, y = np.moveaxis(pixels - origin[:, None], -1, 0)
    second = (x * across[:, None, 1] - y * across[:, None, 0]) / area
    third = (y * along[:, None, 0] - x * along[:, None, 1]) / area
    return np.stack([1 - second - third, second, third], axis=-1)
