"""NIfTI volumes of values on the voxels of an axis, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from neuroparcel.atomic import atomic_path
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import FileFormatError, SpaceError
from neuroparcel.types import FloatArray, IntArray

_MNI, _ALIGNED = "mni", "aligned"  # NIfTI's words for what space the affine leads to


class NiftiWriter:
    """Writes volumes that share a grid.

    Parameters
    ----------
    axis : BrainAxis
        The voxels that have values, and their grid.

    Raises
    ------
    SpaceError
        If a row is no voxel.
    """

    def __init__(self, axis: BrainAxis) -> None:
        if axis.is_surface.any() or axis.volume_shape is None:
            raise SpaceError("A volume can be written from voxels only.")
        self.axis = axis
        self._shape = axis.volume_shape
        self._code = _MNI if axis.space.startswith("MNI") else _ALIGNED

    def labels(self, path: str | os.PathLike[str], keys: IntArray) -> Path:
        """Write a volume of labels.

        Parameters
        ----------
        path : path-like
            Ends in ``.nii`` or ``.nii.gz``.
        keys : (row,) array of int
            Stored as int32; 0 outside the axis.
        """
        return self._write(path, np.asarray(keys, np.int32), 0, "label")

    def maps(self, path: str | os.PathLike[str], values: FloatArray) -> Path:
        """Write a volume, or several in one file.

        Parameters
        ----------
        path : path-like
            Ends in ``.nii`` or ``.nii.gz``.
        values : (row,) or (row, map) array of float
            Stored as float32; NaN outside the axis. The maps are the fourth dimension.
        """
        return self._write(path, np.asarray(values, np.float32), np.nan, "estimate")

    def _write(
        self, path: str | os.PathLike[str], values: np.ndarray, fill: float, intent: str
    ) -> Path:
        import nibabel as nib

        if len(values) != len(self.axis):
            raise FileFormatError(
                f"{path}: {len(values)} values cannot be written on {len(self.axis)} voxels."
            )
        # NIfTI stores the first dimension in one piece; another order is copied on writing.
        grid = np.full((*self._shape, *values.shape[1:]), fill, values.dtype, order="F")
        grid[tuple(self.axis.voxel.T)] = values
        image = nib.Nifti1Image(grid, self.axis.affine)
        image.set_sform(self.axis.affine, self._code)
        image.header.set_intent(intent)
        image.header.set_xyzt_units("mm")
        with atomic_path(Path(path)) as temporary:
            image.to_filename(temporary)
        return Path(path)
