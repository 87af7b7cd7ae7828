"""Parcellations of voxels as NIfTI volumes."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.errors import FileFormatError, SpaceError
from neuroparcel.io.formats.nifti_header import read_nifti_header
from neuroparcel.io.writers.maps import NamedFile, voxel_columns
from neuroparcel.io.writers.nifti_writer import NiftiWriter
from neuroparcel.types import FloatArray

_LABELS = "dseg.nii.gz"
_PROBABILITIES = "probseg.nii.gz"
_ENTROPY = "stat-entropy_boldmap.nii.gz"
# What a damaged gzip stream makes zlib and nibabel raise.
_DAMAGED = (OSError, EOFError, ValueError, zlib.error)


class NiftiMaps:
    """Maps on voxels; see :class:`~.parcellation_maps.ParcellationMaps`.

    The volumes have the grid of the region's axis. Outside the region the label is 0, and
    probabilities and entropy are NaN.

    Parameters
    ----------
    axis : BrainAxis
        The region, voxels only.
    """

    def __init__(self, axis: BrainAxis) -> None:
        self.axis = axis
        self._writer = NiftiWriter(axis)

    @property
    def stem(self) -> str:
        """Space."""
        return f"space-{self.axis.space}"

    @property
    def row(self) -> str:
        """What a row is."""
        return "voxels"

    def places(self) -> dict[str, Sequence[Any]]:
        """Voxel indices and millimetres."""
        return {name: values.tolist() for name, values in voxel_columns(self.axis).items()}

    def write(self, file: NamedFile, soft: SoftParcellation) -> dict[Path, dict[str, Any]]:
        """Write three ``.nii.gz``; the sidecar of the probabilities names their volumes."""
        return {
            self._writer.labels(file(_LABELS), soft.labels): {},
            self._writer.maps(file(_PROBABILITIES), soft.probabilities): {
                "LabelMap": [*soft.networks]
            },
            self._writer.maps(file(_ENTROPY), soft.entropy): {},
        }

    def read(self, file: NamedFile, networks: tuple[str, ...]) -> FloatArray:
        """Read the probabilities; FileFormatError if the file is missing or has another shape.

        SpaceError if it lies elsewhere than the region.
        """
        import nibabel as nib

        path = file(_PROBABILITIES)
        header = read_nifti_header(path)
        expected = (*(self.axis.volume_shape or ()), len(networks))
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
