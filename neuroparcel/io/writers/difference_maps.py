"""Where two maps of networks differ, as files of the kind that the places take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from neuroparcel.brain.atlas import Label
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.io.files import write_json
from neuroparcel.io.writers.cifti_writer import CiftiWriter
from neuroparcel.io.writers.map_files import full_axis_of, maps_of
from neuroparcel.io.writers.maps import NO_VALUE
from neuroparcel.io.writers.nifti_writer import NiftiWriter
from neuroparcel.io.writers.tables import write_tsv
from neuroparcel.types import BoolArray, FloatArray, IntArray

_VALUES = "stat-difference_boldmap"
_LABELS = "desc-difference_dseg"
_SAME = ("the same network", (0.85, 0.85, 0.85, 1.0))
_OTHER = ("another network", (0.8353, 0.3686, 0.0, 1.0))  # vermilion of Okabe and Ito
_SAYS_VALUES = (
    "Total variation distance of the probabilities of matched networks, 1 less their overlap: 0 "
    "where the two maps are equal, 1 where they have nothing in common. NaN where one has no data."
)
_SAYS_LABELS = (
    "Labels of the first and of the second map, matched networks under one key, and where the two "
    "labels are of the same network or of another. 0 where one of the maps has no data."
)


@dataclass(frozen=True, eq=False)
class DifferenceMaps:
    """Two maps of networks on the same rows, and how they differ.

    Attributes
    ----------
    axis : BrainAxis
        Where both have a label.
    labels : sequence of Label
        One table for both maps: matched networks share a key, from 1.
    first, second : (row,) array of int
        Keys.
    differs : (row,) array of bool
        Where the labels are of networks that are not matched.
    difference : (row,) array of float32
        In [0, 1].
    """

    axis: BrainAxis
    labels: Sequence[Label]
    first: IntArray
    second: IntArray
    differs: BoolArray
    difference: FloatArray


def write_difference(folder: Path, maps: DifferenceMaps, sources: Sequence[str]) -> list[Path]:
    """Write the difference, and the labels, each file of a map with its JSON sidecar.

    Vertices become ``..._stat-difference_boldmap.dscalar.nii`` and
    ``..._desc-difference_dseg.dlabel.nii`` with three maps; voxels the same as ``.nii.gz``, of the
    labels just where they differ; nodes one table, ``difference.tsv``.

    Parameters
    ----------
    folder : pathlib.Path
        Files of the same names are replaced.
    maps : DifferenceMaps
    sources : sequence of str
        What was compared, for the sidecars.

    Returns
    -------
    list of pathlib.Path
    """
    if maps.axis.is_nodes:
        return [_write_table(folder, maps)]
    write = _write_cifti if maps.axis.is_surface.any() else _write_nifti
    files = write(folder, maps)
    sidecars = [
        write_json(_sidecar_of(file), {"Sources": [*sources], **said})
        for file, said in files.items()
    ]
    return [*files, *sidecars]


def _write_cifti(folder: Path, maps: DifferenceMaps) -> dict[Path, dict[str, Any]]:
    full_axis = full_axis_of(maps.axis)
    writer, rows = CiftiWriter(full_axis), full_axis.rows_of(maps.axis)
    values = np.full(len(full_axis), np.nan, dtype=np.float32)
    values[rows] = maps.difference
    same = 1 + max(label.key for label in maps.labels)
    labels = [*maps.labels, Label(same, *_SAME), Label(same + 1, *_OTHER)]
    keys = {"first": maps.first, "second": maps.second, "difference": same + maps.differs}
    spread = {name: _spread(one, rows, len(full_axis)) for name, one in keys.items()}
    return {
        writer.dscalar(_file(folder, maps, f"{_VALUES}.dscalar.nii"), {"difference": values}): {
            "Description": _SAYS_VALUES
        },
        writer.dlabel(_file(folder, maps, f"{_LABELS}.dlabel.nii"), spread, labels): {
            "Description": _SAYS_LABELS
        },
    }


def _write_nifti(folder: Path, maps: DifferenceMaps) -> dict[Path, dict[str, Any]]:
    writer = NiftiWriter(replace(maps.axis, space=_space(maps)))
    return {
        writer.maps(_file(folder, maps, f"{_VALUES}.nii.gz"), maps.difference): {
            "Description": _SAYS_VALUES
        },
        writer.labels(_file(folder, maps, f"{_LABELS}.nii.gz"), 1 + maps.differs): {
            "Description": f"1: {_SAME[0]}. 2: {_OTHER[0]}. 0: one of the maps has no data."
        },
    }


def _write_table(folder: Path, maps: DifferenceMaps) -> Path:
    name_of: Mapping[int, str] = {label.key: label.name for label in maps.labels}
    columns = [
        maps.axis.names,
        [name_of.get(key, NO_VALUE) for key in maps.first.tolist()],
        [name_of.get(key, NO_VALUE) for key in maps.second.tolist()],
        maps.difference.astype(str).tolist(),
    ]
    header = ("name", "first", "second", "difference")
    return write_tsv(folder / "difference.tsv", header, zip(*columns, strict=True))


def _file(folder: Path, maps: DifferenceMaps, ending: str) -> Path:
    return folder / "_".join(filter(None, [maps_of(maps.axis).stem, ending]))


def _space(maps: DifferenceMaps) -> str:
    """Name of the volume's space, as in the names of the files."""
    return maps_of(maps.axis).stem.partition("space-")[2]


def _sidecar_of(file: Path) -> Path:
    return file.with_name(file.name.partition(".")[0] + ".json")


def _spread(keys: IntArray, rows: IntArray, n_rows: int) -> IntArray:
    """Keys of some rows on all rows of an axis, 0 elsewhere."""
    everywhere = np.zeros(n_rows, dtype=np.int32)
    everywhere[rows] = keys
    return everywhere
