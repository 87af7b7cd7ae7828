"""GIFTI files of one hemisphere, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.atomic import atomic_path
from neuroparcel.brain.atlas import BACKGROUND_KEY, Label
from neuroparcel.io.formats.hemispheres import LEFT, RIGHT
from neuroparcel.io.writers.cifti_writer import BACKGROUND
from neuroparcel.types import FloatArray, IntArray

if TYPE_CHECKING:
    from nibabel.gifti import GiftiDataArray, GiftiLabelTable

_PRIMARY = {LEFT: "CortexLeft", RIGHT: "CortexRight"}  # GIFTI's words for the structures
# Named arrays of no intent are what nilearn takes as maps, and Workbench as a metric file; the
# intent of a time series would give them a step in time.
_MAP, _LABELS = "NIFTI_INTENT_NONE", "NIFTI_INTENT_LABEL"
_PACKED, _PLAIN = "GIFTI_ENCODING_B64GZ", "GIFTI_ENCODING_B64BIN"
_MOSTLY = 0.5


def write_label_gifti(
    path: str | os.PathLike[str],
    structure: str,
    maps: Mapping[str, IntArray],
    labels: Sequence[Label],
) -> Path:
    """Write label maps with their label table; key 0 is ``???``, transparent.

    Parameters
    ----------
    path : path-like
        Ends in ``.label.gii``.
    structure : {"CORTEX_LEFT", "CORTEX_RIGHT"}
        Which hemisphere.
    maps : mapping of str to (mesh vertex,) array of int
        Keys of each map by name, stored as int32.
    labels : sequence of Label
        One table for all maps, the background left out.
    """
    arrays = [_array(name, np.asarray(keys, np.int32), _LABELS) for name, keys in maps.items()]
    return _write(path, structure, arrays, _table(labels))


def write_func_gifti(
    path: str | os.PathLike[str], structure: str, maps: Mapping[str, FloatArray]
) -> Path:
    """Write scalar maps.

    Parameters
    ----------
    path : path-like
        Ends in ``.func.gii``.
    structure : {"CORTEX_LEFT", "CORTEX_RIGHT"}
        Which hemisphere.
    maps : mapping of str to (mesh vertex,) array of float
        The maps by name, stored as float32.
    """
    arrays = [_array(name, np.asarray(values, np.float32), _MAP) for name, values in maps.items()]
    return _write(path, structure, arrays, None)


def _array(name: str, values: np.ndarray, intent: str) -> GiftiDataArray:
    from nibabel.gifti import GiftiDataArray, GiftiMetaData

    return GiftiDataArray(
        values,
        intent=intent,
        datatype=values.dtype,
        encoding=_PACKED if _repeats(values) else _PLAIN,
        meta=GiftiMetaData({"Name": name}),
    )


def _repeats(values: np.ndarray) -> bool:
    """Whether compressing pays: labels, or mostly NaN.

    Probabilities all over the cortex shrink by an eighth, and compressing those of 17 networks
    takes five times as long as writing them.
    """
    return values.dtype.kind == "i" or bool(np.isnan(values).mean() > _MOSTLY)


def _table(labels: Sequence[Label]) -> GiftiLabelTable:
    from nibabel.gifti import GiftiLabel, GiftiLabelTable

    table = GiftiLabelTable()
    for label in (Label(BACKGROUND_KEY, *BACKGROUND), *labels):
        entry = GiftiLabel(label.key, *label.rgba)
        entry.label = label.name
        table.labels.append(entry)
    return table


def _write(
    path: str | os.PathLike[str],
    structure: str,
    arrays: Sequence[GiftiDataArray],
    table: GiftiLabelTable | None,
) -> Path:
    from nibabel.gifti import GiftiImage, GiftiMetaData

    meta = GiftiMetaData({"AnatomicalStructurePrimary": _PRIMARY[structure]})
    image = GiftiImage(meta=meta, labeltable=table, darrays=[*arrays])
    with atomic_path(Path(path)) as temporary:
        image.to_filename(temporary)
    return Path(path)
