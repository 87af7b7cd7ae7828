"""The triangles of fsaverage's meshes: an icosahedron whose faces are cut into four repeatedly.

The surfaces of fsaverage3 to fsaverage7 share one sphere: the first vertices of each are those of
the coarser one, and the others lie on its edges. Which number a vertex has follows from the order
in which the edges were cut, so the triangles need no file.
"""

from __future__ import annotations

import numpy as np

from neuroparcel.types import IntArray

# FreeSurfer's icosahedron, each face from the corner at which cutting it starts.
_ICOSAHEDRON = (
    *((0, 3, 4), (0, 4, 5), (0, 5, 1), (0, 1, 2), (0, 2, 3), (3, 2, 8), (3, 8, 9)),
    *((3, 9, 4), (4, 9, 10), (4, 10, 5), (5, 10, 6), (5, 6, 1), (1, 6, 7), (1, 7, 2)),
    *((2, 7, 8), (8, 11, 9), (9, 11, 10), (10, 11, 6), (6, 11, 7), (7, 11, 8)),
)


def fsaverage_faces(level: int) -> IntArray:
    """Triangles of a mesh of fsaverage, the same in both hemispheres.

    Parameters
    ----------
    level : int
        5 for fsaverage5 (10,242 vertices a hemisphere), 7 for fsaverage itself (163,842); in
        general ``10 * 4**level + 2`` vertices.

    Returns
    -------
    (face, 3) array of int

    References
    ----------
    B. Fischl et al. (1999), High-resolution intersubject averaging and a coordinate system for
    the cortical surface, Human Brain Mapping 8, 272-284.

    Examples
    --------
    >>> fsaverage_faces(5).shape
    (20480, 3)
    """
    faces: IntArray = np.array(_ICOSAHEDRON)
    for _ in range(level):
        faces = subdivide(faces)
    return faces


def subdivide(faces: IntArray) -> IntArray:
    """Cut each triangle into four at the middles of its edges, in FreeSurfer's order.

    Parameters
    ----------
    faces : (face, 3) array of int
        Triangles of a closed surface.

    Returns
    -------
    (4 face, 3) array of int
        Old vertices keep their numbers; the middles are counted on as their edges are met: face
        after face, edge ca before bc before ab. First come the corners a of all faces, then the
        other three triangles of each.
    """
    n_vertices = int(faces.max()) + 1
    edges = np.sort(faces[:, [[2, 0], [1, 2], [0, 1]]], axis=-1).reshape(-1, 2)
    keys = edges[:, 0] * n_vertices + edges[:, 1]
    _, first, edge = np.unique(keys, return_index=True, return_inverse=True)
    met = np.empty(len(first), dtype=np.int64)
    met[np.argsort(first)] = np.arange(len(first))
    a, b, c = faces.T
    ca, bc, ab = (n_vertices + met[edge]).reshape(-1, 3).T
    corners = np.column_stack([a, ab, ca])
    others = np.column_stack([ca, bc, c, ab, bc, ca, ab, b, bc]).reshape(-1, 3)
    return np.concatenate([corners, others])
