"""Parcellations of voxels as NIfTI volumes."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.errors import FileFormatError, SpaceError
from neuroparcel.io.formats.nifti_header import read_nifti_header
from neuroparcel.io.writers.maps import (
    AGREEMENT,
    DATA,
    ENTROPY,
    LABELS,
    MARGIN,
    PROBABILITIES,
    MapKind,
    NamedFile,
    voxel_columns,
)
from neuroparcel.io.writers.metadata import VOLUME_OF
from neuroparcel.io.writers.nifti_writer import NiftiWriter
from neuroparcel.types import BoolArray, FloatArray

# What a damaged gzip stream makes zlib and nibabel raise.
_DAMAGED = (OSError, EOFError, ValueError, zlib.error)


class NiftiMaps:
    """Maps on voxels; see :class:`~.maps.ParcellationMaps`.

    The volumes have the grid of the region's axis. Outside the region the label is 0, and
    all other maps are NaN.

    Parameters
    ----------
    axis : BrainAxis
        The region, voxels only.
    """

    def __init__(self, axis: BrainAxis) -> None:
        self.axis = axis
        self._space = VOLUME_OF.get(axis.space, axis.space)
        self._writer = NiftiWriter(replace(axis, space=self._space))

    @property
    def stem(self) -> str:
        """Space."""
        return f"space-{self._space}"

    @property
    def row(self) -> str:
        """What a row is."""
        return "voxels"

    @property
    def probabilities(self) -> str:
        """Ending of the file of probabilities."""
        return f"{PROBABILITIES.ending}.nii.gz"

    def places(self) -> dict[str, Sequence[Any]]:
        """Voxel indices and millimetres."""
        return {name: values.tolist() for name, values in voxel_columns(self.axis).items()}

    def write(self, file: NamedFile, soft: SoftParcellation) -> dict[Path, dict[str, Any]]:
        """Write five ``.nii.gz``; the sidecar of the probabilities names their volumes."""
        volumes = {"LabelMap": [*soft.networks]}
        return {
            self._writer.labels(_file(file, LABELS), soft.labels): LABELS.says,
            self._maps(file, PROBABILITIES, soft.probabilities): {**PROBABILITIES.says, **volumes},
            self._maps(file, ENTROPY, soft.entropy): ENTROPY.says,
            self._maps(file, MARGIN, soft.margin): MARGIN.says,
            self._maps(file, DATA, soft.has_data): {**DATA.says, "Type": "ROI"},
        }

    def write_agreement(self, file: NamedFile, agreement: FloatArray) -> dict[Path, dict[str, Any]]:
        """Write one more ``.nii.gz``."""
        return {self._maps(file, AGREEMENT, agreement): AGREEMENT.says}

    def read(self, file: NamedFile, networks: tuple[str, ...]) -> SoftParcellation:
        """Read probabilities and mask.

        FileFormatError if a file is missing or has another shape, SpaceError if it lies
        elsewhere than the region.
        """
        probabilities = self._values(_file(file, PROBABILITIES), (len(networks),))
        data = self._values(_file(file, DATA), ()) == 1
        return SoftParcellation(self.axis, networks, probabilities, data)

    def _maps(self, file: NamedFile, kind: MapKind, values: FloatArray | BoolArray) -> Path:
        return self._writer.maps(_file(file, kind), np.asarray(values, np.float32))

    def _values(self, path: Path, n_maps: tuple[int, ...]) -> FloatArray:
        """Values of the region's voxels, (row, *n_maps) float32."""
        import nibabel as nib

        header = read_nifti_header(path)
        expected = (*(self.axis.volume_shape or ()), *n_maps)
        if header.shape != expected:
            raise FileFormatError(f"{path} has the shape {header.shape}, not {expected}.")
        affine = self.axis.affine
        if affine is None or not np.allclose(header.affine, affine, atol=1e-4):
            raise SpaceError(f"{path} has another affine than the region it belongs to.")
        try:
            values = np.asanyarray(nib.Nifti1Image.from_filename(path).dataobj)
        except _DAMAGED as error:
            raise FileFormatError(f"{path} is truncated or damaged ({error}).") from error
        return np.asarray(values[tuple(self.axis.voxel.T)], dtype=np.float32)


def _file(file: NamedFile, kind: MapKind) -> Path:
    return file(f"{kind.ending}.nii.gz")
