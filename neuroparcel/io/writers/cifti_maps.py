"""Parcellations of surfaces, with or without voxels, as CIFTI-2 files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.errors import FileFormatError, SpaceError
from neuroparcel.io.formats.cifti import read_cifti
from neuroparcel.io.formats.cifti_header import STRUCTURE_PREFIX
from neuroparcel.io.meshes import load_cortex_axis
from neuroparcel.io.writers.cifti_writer import CiftiWriter
from neuroparcel.io.writers.maps import (
    DATA_MASK,
    DATA_MASK_SAYS,
    NO_VALUE,
    NamedFile,
    network_labels,
    voxel_columns,
)
from neuroparcel.types import BoolArray, FloatArray, IntArray

_LABELS = "dseg.dlabel.nii"
_PROBABILITIES = "probseg.dscalar.nii"
_ENTROPY = "stat-entropy_boldmap.dscalar.nii"
_DATA = f"{DATA_MASK}.dscalar.nii"
_HEMISPHERES = {"CORTEX_LEFT": "L", "CORTEX_RIGHT": "R"}
# The standard grayordinate spaces are named by all their rows (templateflow's tpl-fsLR).
_GRAYORDINATES = {91282: "91k", 170494: "170k"}


class CiftiMaps:
    """Maps on vertices, and perhaps voxels; see :class:`~.maps.ParcellationMaps`.

    Parameters
    ----------
    axis : BrainAxis
        The region.
    full_axis : BrainAxis
        The rows of the maps, such as the whole cortex. Outside the region the label is 0,
        and probabilities, entropy and the mask of data are NaN.

    Raises
    ------
    SpaceError
        If `full_axis` lacks rows of the region, or CIFTI has no word for a structure.
    """

    def __init__(self, axis: BrainAxis, full_axis: BrainAxis) -> None:
        _check_structures(full_axis)
        self.axis = axis
        self._rows = full_axis.rows_of(axis)
        self._writer = CiftiWriter(full_axis)

    @property
    def stem(self) -> str:
        """Space, and density in thousands of vertices or grayordinates."""
        full_axis = self._writer.axis
        thousands = f"{round(max(full_axis.mesh_size.values()) / 1000)}k"
        density = _GRAYORDINATES.get(len(full_axis), thousands)
        return f"space-{full_axis.space}_den-{density}"

    @property
    def row(self) -> str:
        """What a row is."""
        return "vertices" if self._is_cortex else "grayordinates"

    def places(self) -> dict[str, Sequence[Any]]:
        """Hemisphere and vertex; of grayordinates the structure, and voxel and millimetres."""
        axis = self.axis
        if self._is_cortex:
            hemisphere = [_HEMISPHERES[structure] for structure in axis.structure.tolist()]
            return {"hemisphere": hemisphere, "vertex": axis.vertex.tolist()}
        on_surface = axis.is_surface
        vertex = np.where(on_surface, axis.vertex.astype(str), NO_VALUE)
        columns: dict[str, Sequence[Any]] = {
            "structure": axis.structure.tolist(),
            "vertex": vertex.tolist(),
        }
        if on_surface.all():
            return columns
        for name, values in voxel_columns(axis).items():
            columns[name] = np.where(on_surface, NO_VALUE, values).tolist()
        return columns

    def write(self, file: NamedFile, soft: SoftParcellation) -> dict[Path, dict[str, Any]]:
        """Write ``.dlabel.nii`` and three ``.dscalar.nii``."""
        n_rows = len(self._writer.axis)
        keys = np.zeros(n_rows, dtype=np.int32)
        keys[self._rows] = soft.labels
        probabilities = {
            network: _spread(soft.probabilities[:, number], n_rows, self._rows)
            for number, network in enumerate(soft.networks)
        }
        entropy = {"entropy": _spread(soft.entropy, n_rows, self._rows)}
        data = {"data": _spread(soft.has_data, n_rows, self._rows)}
        labels = network_labels(soft.networks, soft.colours)
        return {
            self._writer.dlabel(file(_LABELS), {"networks": keys}, labels): {},
            self._writer.dscalar(file(_PROBABILITIES), probabilities): {},
            self._writer.dscalar(file(_ENTROPY), entropy): {},
            self._writer.dscalar(file(_DATA), data): {**DATA_MASK_SAYS},
        }

    def read(self, file: NamedFile, networks: tuple[str, ...]) -> SoftParcellation:
        """Read probabilities and mask; FileFormatError if the maps have other names."""
        probabilities = self._maps(file(_PROBABILITIES), networks)
        data = self._maps(file(_DATA), ("data",))[:, 0] == 1
        return SoftParcellation(self.axis, networks, probabilities, data)

    def _maps(self, path: Path, names: tuple[str, ...]) -> FloatArray:
        """Maps of these names on the region, (row, map) float32."""
        matrix = read_cifti(path)
        if matrix.names != names:
            raise FileFormatError(f"{path} has the maps {matrix.names}, not {names}.")
        return matrix.read(matrix.axis.rows_of(self.axis))

    @cached_property
    def _is_cortex(self) -> bool:
        return set(self.axis.structures) <= set(_HEMISPHERES) and bool(self.axis.is_surface.all())


def whole_surfaces(axis: BrainAxis) -> BrainAxis:
    """The rows of maps that show a region of surfaces where it lies.

    The fs_LR 32k cortex of both hemispheres if it holds the region's vertices; otherwise all
    vertices of the meshes that the region touches. Voxels of the region follow.

    Parameters
    ----------
    axis : BrainAxis
        The region, with vertices.

    Returns
    -------
    BrainAxis
        Holds every row of the region.
    """
    vertices = axis.restrict(axis.is_surface)
    cortex = load_cortex_axis()
    surfaces = cortex if _holds(cortex, vertices) else _whole_meshes(vertices)
    if axis.is_surface.all():
        return surfaces
    # CIFTI keeps each structure in one piece.
    voxels = [axis.rows_in(name)[~axis.is_surface[axis.rows_in(name)]] for name in axis.structures]
    return _joined(surfaces, axis.restrict(np.concatenate(voxels)))


def _spread(values: FloatArray | BoolArray, n_rows: int, rows: IntArray) -> FloatArray:
    """Values of some rows on all rows of an axis, NaN elsewhere; shape (row,), float32."""
    everywhere = np.full(n_rows, np.nan, dtype=np.float32)
    everywhere[rows] = values
    return everywhere


def _check_structures(axis: BrainAxis) -> None:
    from nibabel.cifti2 import CIFTI_BRAIN_STRUCTURES

    unknown = [n for n in axis.structures if STRUCTURE_PREFIX + n not in CIFTI_BRAIN_STRUCTURES]
    if unknown:
        raise SpaceError(
            f"CIFTI has no structure called {unknown[0]}, so no map of it can be written.",
            "Use the words of CIFTI-2, such as CORTEX_LEFT, THALAMUS_LEFT or OTHER.",
        )


def _holds(cortex: BrainAxis, vertices: BrainAxis) -> bool:
    same_meshes = vertices.mesh_size.items() <= cortex.mesh_size.items()
    return same_meshes and bool((cortex.find(vertices) >= 0).all())


def _whole_meshes(vertices: BrainAxis) -> BrainAxis:
    sizes = {name: vertices.mesh_size[name] for name in sorted(vertices.structures)}
    every = {name: np.arange(size) for name, size in sizes.items()}
    return BrainAxis.from_vertices(vertices.space, every, sizes)


def _joined(surfaces: BrainAxis, voxels: BrainAxis) -> BrainAxis:
    return BrainAxis(
        surfaces.space,
        np.concatenate([surfaces.structure, voxels.structure]),
        np.concatenate([surfaces.vertex, voxels.vertex]),
        np.concatenate([surfaces.voxel, voxels.voxel]),
        surfaces.mesh_size,
        voxels.affine,
        voxels.volume_shape,
    )
