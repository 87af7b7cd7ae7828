"""Which rows of a brain axis lie next to each other: along the mesh, or in the volume."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import sparse

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import SpaceError
from neuroparcel.types import IntArray

_NOWHERE = -1


def neighbours_of(axis: BrainAxis, faces_of: Mapping[str, IntArray]) -> sparse.csr_array | None:
    """Mean over the neighbours of each row, as a matrix.

    Vertices are neighbours if an edge of their mesh joins them, voxels if they share a face,
    whichever structures of the volume they are in: structures touch, and their borders are drawn
    by convention. Places that are no rows of the axis, such as the medial wall, are nobody's
    neighbours.

    Parameters
    ----------
    axis : BrainAxis
        Places of the rows.
    faces_of : mapping of str to (face, 3) array of int
        Triangles of the mesh of each surface structure of the axis.

    Returns
    -------
    (row, row) sparse array of float32, or None
        Entry (i, j) is one over the number of neighbours of i if j is one of them, else 0; a row
        without neighbours is empty. None for nodes, which lie nowhere.

    Raises
    ------
    SpaceError
        If a surface has no triangles, or they belong to a mesh of another size.

    Examples
    --------
    >>> axis = BrainAxis.from_vertices("fsLR", {"CORTEX_LEFT": [1, 2, 3]}, {"CORTEX_LEFT": 4})
    >>> neighbours_of(axis, {"CORTEX_LEFT": np.array([[0, 1, 2], [0, 2, 3]])}).toarray()
    array([[0. , 1. , 0. ],
           [0.5, 0. , 0.5],
           [0. , 1. , 0. ]], dtype=float32)
    """
    if axis.is_nodes:
        return None
    pairs = [_along_edges(axis, name, faces_of) for name in axis.mesh_size]
    if not axis.is_surface.all():
        pairs.append(_across_faces(axis))
    return _averaging(np.concatenate([*pairs, np.empty((0, 2), np.int64)]), len(axis))


def _along_edges(axis: BrainAxis, name: str, faces_of: Mapping[str, IntArray]) -> IntArray:
    """Rows that an edge of the mesh of one structure joins, (edge, 2), some more than once."""
    if name not in faces_of:
        raise SpaceError(f"The triangles of {name} are not given.")
    faces, size = faces_of[name], axis.mesh_size[name]
    if faces.max() + 1 != size:
        raise SpaceError(
            f"The triangles of {name} join {faces.max() + 1} vertices; its mesh has {size}."
        )
    rows = axis.rows_in(name)
    row_of = np.full(size, _NOWHERE)
    row_of[axis.vertex[rows]] = rows
    pairs = row_of[faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)]
    return pairs[(pairs != _NOWHERE).all(axis=1)]


def _across_faces(axis: BrainAxis) -> IntArray:
    """Rows of voxels that share a face, (pair, 2), each once."""
    rows = np.flatnonzero(~axis.is_surface)
    voxel = axis.voxel[rows] - axis.voxel[rows].min(axis=0)
    row_at = np.full(voxel.max(axis=0) + 2, _NOWHERE)  # one plane more, for steps off the end
    row_at[tuple(voxel.T)] = rows
    pairs = np.concatenate(
        [np.column_stack([rows, row_at[tuple((voxel + step).T)]]) for step in np.eye(3, dtype=int)]
    )
    return pairs[(pairs != _NOWHERE).all(axis=1)]


def _averaging(pairs: IntArray, n_rows: int) -> sparse.csr_array:
    """Pairs of neighbours, in either order and any number of times, to rows that sum to 1."""
    first, second = np.concatenate([pairs, pairs[:, ::-1]]).T
    times = np.ones(len(first), np.float32)
    matrix = sparse.csr_array((times, (first, second)), shape=(n_rows, n_rows))
    matrix.sum_duplicates()
    degree = np.diff(matrix.indptr)
    matrix.data = np.repeat(1 / np.maximum(degree, 1), degree).astype(np.float32)
    return matrix
