"""Vertices, voxels and parcels in the words of CIFTI-2."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.brain.atlas import Targets
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import SpaceError
from neuroparcel.io.formats.cifti_header import STRUCTURE_PREFIX
from neuroparcel.types import IntArray

if TYPE_CHECKING:
    from nibabel.cifti2 import Cifti2BrainModel, Cifti2MatrixIndicesMap, Cifti2Parcel, Cifti2Volume

_ROWS = (1,)  # the dimension of a matrix that has rows
_MILLIMETRES = -3  # as a power of ten of a metre


def check_structures(axis: BrainAxis) -> None:
    """Refuse rows in a structure that CIFTI has no word for.

    Raises
    ------
    SpaceError
    """
    from nibabel.cifti2 import CIFTI_BRAIN_STRUCTURES

    unknown = [n for n in axis.structures if STRUCTURE_PREFIX + n not in CIFTI_BRAIN_STRUCTURES]
    if unknown:
        raise SpaceError(
            f"CIFTI has no structure called {unknown[0]}, so no map of it can be written.",
            "Use the words of CIFTI-2, such as CORTEX_LEFT, THALAMUS_LEFT or OTHER.",
        )


def brain_models(axis: BrainAxis) -> Cifti2MatrixIndicesMap:
    """The index map of dimension 1 where it runs over the rows of an axis.

    nibabel's BrainModelAxis makes the same, but row by row: half a second for a cortex.
    """
    from nibabel.cifti2 import Cifti2MatrixIndicesMap

    check_structures(axis)
    found = Cifti2MatrixIndicesMap(_ROWS, "CIFTI_INDEX_TYPE_BRAIN_MODELS")
    for rows in _stretches(axis.structure):
        if axis.structure[rows[0]] not in axis.mesh_size and found.volume is None:
            found.volume = _volume(axis)
        found.append(_model(axis, rows))
    return found


def parcels(targets: Targets) -> Cifti2MatrixIndicesMap:
    """The index map of dimension 1 where it runs over targets, with their vertices and voxels.

    Names that come more than once are numbered: CIFTI wants different ones.
    """
    from nibabel.cifti2 import Cifti2MatrixIndicesMap, Cifti2Surface

    check_structures(targets.axis)
    found = Cifti2MatrixIndicesMap(_ROWS, "CIFTI_INDEX_TYPE_PARCELS")
    if not targets.axis.is_surface.all():
        found.volume = _volume(targets.axis)
    for structure, size in targets.axis.mesh_size.items():
        found.append(Cifti2Surface(STRUCTURE_PREFIX + structure, size))
    order = np.argsort(targets.assignment, kind="stable")
    starts = np.searchsorted(targets.assignment[order], np.arange(targets.n_targets + 1))
    for number, name in enumerate(_different(targets.names)):
        found.append(_parcel(name, targets.axis, order[starts[number] : starts[number + 1]]))
    return found


def _parcel(name: str, axis: BrainAxis, rows: IntArray) -> Cifti2Parcel:
    from nibabel.cifti2 import Cifti2Parcel, Cifti2Vertices, Cifti2VoxelIndicesIJK

    on_surface = axis.is_surface[rows]
    voxels = Cifti2VoxelIndicesIJK(axis.voxel[rows[~on_surface]].tolist())
    vertices = rows[on_surface]
    return Cifti2Parcel(
        name,
        voxels,
        [
            Cifti2Vertices(
                STRUCTURE_PREFIX + str(structure),
                axis.vertex[vertices[axis.structure[vertices] == structure]].tolist(),
            )
            for structure in np.unique(axis.structure[vertices])
        ],
    )


def _different(names: Sequence[str]) -> list[str]:
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found


def _volume(axis: BrainAxis) -> Cifti2Volume:
    from nibabel.cifti2 import Cifti2TransformationMatrixVoxelIndicesIJKtoXYZ, Cifti2Volume

    affine = Cifti2TransformationMatrixVoxelIndicesIJKtoXYZ(_MILLIMETRES, axis.affine)
    return Cifti2Volume(axis.volume_shape, affine)


def _stretches(structure: np.ndarray) -> list[IntArray]:
    """Rows of each structure that follow one another; none if there are no rows."""
    changes = np.flatnonzero(structure[1:] != structure[:-1]) + 1
    return [rows for rows in np.split(np.arange(len(structure)), changes) if len(rows)]


def _model(axis: BrainAxis, rows: IntArray) -> Cifti2BrainModel:
    from nibabel.cifti2 import Cifti2BrainModel, Cifti2VertexIndices, Cifti2VoxelIndicesIJK

    structure = str(axis.structure[rows[0]])
    place = (int(rows[0]), len(rows))
    if structure in axis.mesh_size:
        vertices = Cifti2VertexIndices(axis.vertex[rows].tolist())
        size = axis.mesh_size[structure]
        return Cifti2BrainModel(
            *(*place, "CIFTI_MODEL_TYPE_SURFACE", STRUCTURE_PREFIX + structure, size),
            vertex_indices=vertices,
        )
    voxels = Cifti2VoxelIndicesIJK(axis.voxel[rows].tolist())
    return Cifti2BrainModel(
        *(*place, "CIFTI_MODEL_TYPE_VOXELS", STRUCTURE_PREFIX + structure),
        voxel_indices_ijk=voxels,
    )
