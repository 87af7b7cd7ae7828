"""Parcellations of surfaces, with or without voxels, as CIFTI-2 files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.errors import FileFormatError
from neuroparcel.io.formats.cifti import read_cifti
from neuroparcel.io.meshes import load_cortex_axis
from neuroparcel.io.writers.cifti_models import check_structures
from neuroparcel.io.writers.cifti_writer import CiftiWriter
from neuroparcel.io.writers.maps import (
    AGREEMENT,
    DATA,
    ENTROPY,
    LABELS,
    MARGIN,
    NO_VALUE,
    PROBABILITIES,
    MapKind,
    NamedFile,
    network_labels,
    voxel_columns,
)
from neuroparcel.types import BoolArray, FloatArray, IntArray

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
        and all other maps are NaN.

    Raises
    ------
    SpaceError
        If `full_axis` lacks rows of the region, or CIFTI has no word for a structure.
    """

    def __init__(self, axis: BrainAxis, full_axis: BrainAxis) -> None:
        check_structures(full_axis)
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

    @property
    def probabilities(self) -> str:
        """Ending of the file of probabilities."""
        return f"{PROBABILITIES.ending}.dscalar.nii"

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
        """Write ``.dlabel.nii`` and four ``.dscalar.nii``."""
        keys = np.zeros(len(self._writer.axis), dtype=np.int32)
        keys[self._rows] = soft.labels
        labels = network_labels(soft.networks, soft.colours)
        path = self._writer.dlabel(_file(file, LABELS, "dlabel"), {LABELS.name: keys}, labels)
        probabilities = dict(zip(soft.networks, soft.probabilities.T, strict=True))
        return {
            path: LABELS.says,
            self._dscalar(file, PROBABILITIES, probabilities): PROBABILITIES.says,
            self._dscalar(file, ENTROPY, {ENTROPY.name: soft.entropy}): ENTROPY.says,
            self._dscalar(file, MARGIN, {MARGIN.name: soft.margin}): MARGIN.says,
            self._dscalar(file, DATA, {DATA.name: soft.has_data}): {**DATA.says, "Type": "ROI"},
        }

    def write_agreement(self, file: NamedFile, agreement: FloatArray) -> dict[Path, dict[str, Any]]:
        """Write one more ``.dscalar.nii``."""
        return {self._dscalar(file, AGREEMENT, {AGREEMENT.name: agreement}): AGREEMENT.says}

    def read(self, file: NamedFile, networks: tuple[str, ...]) -> SoftParcellation:
        """Read probabilities and mask; FileFormatError if the maps have other names."""
        probabilities = self._maps(_file(file, PROBABILITIES), networks)
        data = self._maps(_file(file, DATA), (DATA.name,))[:, 0] == 1
        return SoftParcellation(self.axis, networks, probabilities, data)

    def _dscalar(
        self, file: NamedFile, kind: MapKind, maps: Mapping[str, FloatArray | BoolArray]
    ) -> Path:
        """Write maps of the region's rows, NaN elsewhere."""
        n_rows = len(self._writer.axis)
        spread = {name: _spread(values, n_rows, self._rows) for name, values in maps.items()}
        return self._writer.dscalar(_file(file, kind), spread)

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


def _file(file: NamedFile, kind: MapKind, cifti: str = "dscalar") -> Path:
    return file(f"{kind.ending}.{cifti}.nii")


def _spread(values: FloatArray | BoolArray, n_rows: int, rows: IntArray) -> FloatArray:
    """Values of some rows on all rows of an axis, NaN elsewhere; shape (row,), float32."""
    everywhere = np.full(n_rows, np.nan, dtype=np.float32)
    everywhere[rows] = values
    return everywhere


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
