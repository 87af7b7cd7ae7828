"""CIFTI-2 files of dense rows, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.brain.atlas import BACKGROUND_KEY, Label
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import FileFormatError
from neuroparcel.io.writers.cifti_matrix import CiftiMatrixWriter
from neuroparcel.io.writers.cifti_models import brain_models
from neuroparcel.types import FloatArray, IntArray

if TYPE_CHECKING:
    from nibabel.cifti2 import cifti2_axes

BACKGROUND = ("???", (0.0, 0.0, 0.0, 0.0))


class CiftiWriter:
    """Writes files that share an axis.

    The axis is turned into XML once, see :class:`~.cifti_matrix.CiftiMatrixWriter`.

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
        """Write (frame, row) values."""
        if values.shape[1] != len(self.axis):
            raise FileFormatError(
                f"{path}: {values.shape[1]} values cannot be written on {len(self.axis)} rows."
            )
        return self._matrix.write(path, frames.to_mapping(0), values, intent)

    @cached_property
    def _matrix(self) -> CiftiMatrixWriter:
        return CiftiMatrixWriter(brain_models(self.axis))


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
