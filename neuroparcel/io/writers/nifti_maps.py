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
from neuroparcel.io.writers.maps import DATA_MASK, DATA_MASK_SAYS, NamedFile, voxel_columns
from neuroparcel.io.writers.nifti_writer import NiftiWriter
from neuroparcel.types import FloatArray

_LABELS = "dseg.nii.gz"
_PROBABILITIES = "probseg.nii.gz"
_ENTROPY = "stat-entropy_boldmap.nii.gz"
_DATA = f"{DATA_MASK}.nii.gz"
# The voxels of the grayordinates of fs_LR lie in the volume of this name (fMRIPrep's
# documentation of its outputs, "CIFTI grayordinates").
_VOLUME_OF = {"fsLR": "MNI152NLin6Asym"}
# What a damaged gzip stream makes zlib and nibabel raise.
_DAMAGED = (OSError, EOFError, ValueError, zlib.error)


class NiftiMaps:
    """Maps on voxels; see :class:`~.maps.ParcellationMaps`.

    The volumes have the grid of the region's axis. Outside the region the label is 0, and
    probabilities, entropy and the mask of data are NaN.

    Parameters
    ----------
    axis : BrainAxis
        The region, voxels only.
    """

    def __init__(self, axis: BrainAxis) -> None:
        self.axis = axis
        self._space = _VOLUME_OF.get(axis.space, axis.space)
        self._writer = NiftiWriter(replace(axis, space=self._space))

    @property
    def stem(self) -> str:
        """Space."""
        return f"space-{self._space}"

    @property
    def row(self) -> str:
        """What a row is."""
        return "voxels"

    def places(self) -> dict[str, Sequence[Any]]:
        """Voxel indices and millimetres."""
        return {name: values.tolist() for name, values in voxel_columns(self.axis).items()}

    def write(self, file: NamedFile, soft: SoftParcellation) -> dict[Path, dict[str, Any]]:
        """Write four ``.nii.gz``; the sidecar of the probabilities names their volumes."""
        return {
            self._writer.labels(file(_LABELS), soft.labels): {},
            self._writer.maps(file(_PROBABILITIES), soft.probabilities): {
                "LabelMap": [*soft.networks]
            },
            self._writer.maps(file(_ENTROPY), soft.entropy): {},
            self._writer.maps(file(_DATA), soft.has_data.astype(np.float32)): {**DATA_MASK_SAYS},
        }

    def read(self, file: NamedFile, networks: tuple[str, ...]) -> SoftParcellation:
        """Read probabilities and mask.

        FileFormatError if a file is missing or has another shape, SpaceError if it lies
        elsewhere than the region.
        """
        probabilities = self._values(file(_PROBABILITIES), (len(networks),))
        data = self._values(file(_DATA), ()) == 1
        return SoftParcellation(self.axis, networks, probabilities, data)

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
