"""CIFTI-2 files of dense rows, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.atomic import atomic_path
from neuroparcel.brain.atlas import BACKGROUND_KEY, Label
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import FileFormatError
from neuroparcel.io.formats.cifti_header import STRUCTURE_PREFIX
from neuroparcel.types import FloatArray, IntArray

if TYPE_CHECKING:
    from nibabel.cifti2 import Cifti2MatrixIndicesMap, cifti2_axes

BACKGROUND = ("???", (0.0, 0.0, 0.0, 0.0))


class CiftiWriter:
    """Writes files that share an axis.

    nibabel turns the axis into XML anew for every file, which takes longer than all the
    rest; this class does it once.

    Parameters
    ----------
    axis : BrainAxis
        The rows of every file.
    """

    def __init__(self, axis: BrainAxis) -> None:
        self.axis = axis

    def dtseries(
        self, path: str | os.PathLike[str], series: FloatArray, *, step: float, start: float = 0.0
    ) -> Path:
        """Write time series.

        Parameters
        ----------
        path : path-like
            Ends in ``.dtseries.nii``.
        series : (row, frame) array of float
            One signal a row, stored as float32.
        step, start : float
            Seconds between frames, and of the first one.
        """
        from nibabel.cifti2 import SeriesAxis

        frames = SeriesAxis(start=start, step=step, size=series.shape[1])
        return self._write(path, frames, series.T.astype(np.float32), "ConnDenseSeries")

    def dscalar(self, path: str | os.PathLike[str], maps: Mapping[str, FloatArray]) -> Path:
        """Write scalar maps.

        Parameters
        ----------
        path : path-like
            Ends in ``.dscalar.nii``.
        maps : mapping of str to (row,) array of float
            The maps by name, stored as float32.
        """
        from nibabel.cifti2 import ScalarAxis

        values = np.stack([np.asarray(m, dtype=np.float32) for m in maps.values()])
        return self._write(path, ScalarAxis(list(maps)), values, "ConnDenseScalar")

    def dlabel(
        self,
        path: str | os.PathLike[str],
        maps: Mapping[str, IntArray],
        labels: Sequence[Label],
    ) -> Path:
        """Write label maps with their label table; key 0 is ``???``, transparent.

        Parameters
        ----------
        path : path-like
            Ends in ``.dlabel.nii``.
        maps : mapping of str to (row,) array of int
            Keys of each map by name, stored as int32.
        labels : sequence of Label
            One table for all maps, the background left out.

        Raises
        ------
        FileFormatError
            If a map holds a key that the table lacks.
        """
        from nibabel.cifti2 import LabelAxis

        table = {BACKGROUND_KEY: BACKGROUND}
        table |= {label.key: (label.name, label.rgba) for label in labels}
        values = np.stack([np.asarray(m, dtype=np.int32) for m in maps.values()])
        unnamed = np.setdiff1d(values, list(table))
        if len(unnamed):
            raise FileFormatError(f"{path}: no label for the keys {unnamed[:3].tolist()}.")
        return self._write(path, LabelAxis(list(maps), table), values, "ConnDenseLabel")

    def _write(
        self,
        path: str | os.PathLike[str],
        frames: cifti2_axes.Axis,
        values: np.ndarray,
        intent: str,
    ) -> Path:
        """Write (frame, row) values; what Cifti2Image.to_filename does, without its detours."""
        import nibabel as nib
        from nibabel.nifti1 import Nifti1Extension

        if values.shape[1] != len(self.axis):
            raise FileFormatError(
                f"{path}: {values.shape[1]} values cannot be written on {len(self.axis)} rows."
            )
        header = nib.Nifti2Header()
        header.set_intent(intent)
        header.set_data_dtype(values.dtype)
        header.extensions.append(Nifti1Extension("cifti", self._xml(frames)))
        header["pixdim"][:4] = 1  # else nibabel remarks that it sets them
        # CIFTI keeps the first four dimensions of NIfTI at 1.
        image = nib.Nifti2Image(values.reshape(1, 1, 1, 1, *values.shape), None, header)
        with atomic_path(Path(path)) as temporary:
            image.to_filename(temporary)
        return Path(path)

    def _xml(self, frames: cifti2_axes.Axis) -> bytes:
        from nibabel.cifti2 import Cifti2Header, Cifti2Matrix

        matrix = Cifti2Matrix()
        matrix.append(frames.to_mapping(0))
        matrix.append(self._rows)
        content: bytes = Cifti2Header(matrix).to_xml()
        return content

    @cached_property
    def _rows(self) -> Cifti2MatrixIndicesMap:
        """The axis as nibabel's index map of dimension 1."""
        from nibabel.cifti2 import BrainModelAxis

        axis = self.axis
        return BrainModelAxis(
            name=np.char.add(STRUCTURE_PREFIX, axis.structure),
            voxel=axis.voxel,
            vertex=axis.vertex,
            affine=axis.affine,
            volume_shape=axis.volume_shape,
            nvertices={STRUCTURE_PREFIX + name: n for name, n in axis.mesh_size.items()},
        ).to_mapping(1)


def write_dtseries(
    path: str | os.PathLike[str], axis: BrainAxis, series: FloatArray, *, step: float
) -> Path:
    """Write time series on an axis; see :meth:`CiftiWriter.dtseries`."""
    return CiftiWriter(axis).dtseries(path, series, step=step)


def write_dscalar(
    path: str | os.PathLike[str], axis: BrainAxis, maps: Mapping[str, FloatArray]
) -> Path:
    """Write scalar maps on an axis; see :meth:`CiftiWriter.dscalar`."""
    return CiftiWriter(axis).dscalar(path, maps)


def write_dlabel(
    path: str | os.PathLike[str],
    axis: BrainAxis,
    maps: Mapping[str, IntArray],
    labels: Sequence[Label],
) -> Path:
    """Write label maps on an axis; see :meth:`CiftiWriter.dlabel`."""
    return CiftiWriter(axis).dlabel(path, maps, labels)
