"""The neighbours of the rows of an axis on the meshes that the package knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.neighbours import neighbours_of
from neuroparcel.brain.subdivision import fsaverage_faces
from neuroparcel.io.meshes import Hemisphere, load_mesh
from neuroparcel.types import IntArray

if TYPE_CHECKING:
    from scipy import sparse

_HEMISPHERE_OF: dict[str, Hemisphere] = {"CORTEX_LEFT": "left", "CORTEX_RIGHT": "right"}
_FSLR_32K = 32492
_FSAVERAGE = "fsaverage"
_LEVEL_OF_FSAVERAGE = {10 * 4**level + 2: level for level in range(3, 8)}
_SHARED_SIZE = 163842  # of fsaverage and of fs_LR 164k, whose triangles are others


def load_neighbours(axis: BrainAxis) -> sparse.csr_array | None:
    """Mean over the neighbours of each row; nothing is downloaded.

    Known are the cortical meshes of fs_LR 32k and of fsaverage3 to fsaverage7, by their sizes
    (the 163,842 vertices of fsaverage only where the axis names that space, as fs_LR 164k has as
    many), and voxels of any volume.

    Parameters
    ----------
    axis : BrainAxis
        Places of the rows.

    Returns
    -------
    (row, row) sparse array of float32, or None
        See :func:`~neuroparcel.brain.neighbours.neighbours_of`. None if neighbours are not known:
        the rows are nodes, or some of them lie on another mesh.
    """
    if axis.is_nodes:
        return None
    faces_of = {name: _faces(axis, name) for name in axis.mesh_size}
    known = {name: faces for name, faces in faces_of.items() if faces is not None}
    return neighbours_of(axis, known) if len(known) == len(faces_of) else None


def _faces(axis: BrainAxis, structure: str) -> IntArray | None:
    """Triangles of the mesh of one structure, if it is a known one."""
    size = axis.mesh_size[structure]
    if structure not in _HEMISPHERE_OF:
        return None
    if size == _FSLR_32K:
        return load_mesh("sphere", _HEMISPHERE_OF[structure])[1]
    if size not in _LEVEL_OF_FSAVERAGE or (size == _SHARED_SIZE and axis.space != _FSAVERAGE):
        return None
    return fsaverage_faces(_LEVEL_OF_FSAVERAGE[size])
