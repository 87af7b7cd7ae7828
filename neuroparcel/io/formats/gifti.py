"""GIFTI files of one hemisphere or a pair: time series, maps and labels."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from neuroparcel.brain.atlas import BACKGROUND_KEY, Atlas, Label
from neuroparcel.errors import FileFormatError
from neuroparcel.io.formats.gifti_arrays import (
    ArrayHeader,
    GiftiHeader,
    read_gifti_arrays,
    read_gifti_header,
)
from neuroparcel.io.formats.hemispheres import Side, axis_of_sides, order_sides, structure_of
from neuroparcel.io.formats.matrix import DataMatrix, Kind
from neuroparcel.types import FloatArray, IntArray

_MESH_INTENTS = ("POINTSET", "TRIANGLE")
# GIFTI counts TimeStep in milliseconds; less than this is 0 or was meant in seconds.
_SHORTEST_STEP = 50.0
_SERIES_ENDINGS = (".func.gii", ".time.gii")


def read_gifti(paths: Path | Sequence[Path]) -> DataMatrix:
    """Open GIFTI files of time series, maps or labels: one hemisphere, or a left and a right.

    Parameters
    ----------
    paths : pathlib.Path or sequence of pathlib.Path
        ``.func.gii``, ``.time.gii``, ``.shape.gii``, ``.label.gii`` or plain ``.gii`` files. The
        hemisphere is taken from ``AnatomicalStructurePrimary`` and from the name (``hemi-L``,
        ``.L.``, ``lh.``), which must not contradict each other.

    Returns
    -------
    DataMatrix
        On all vertices of the meshes, left before right. The frames are the data arrays, or
        the columns of a single two-dimensional one. The TR is that of ``TimeStep``, which
        GIFTI counts in milliseconds.

    Raises
    ------
    FileFormatError
        If a file is missing, empty, no GIFTI file, or a surface mesh, does not tell its
        hemisphere or contradicts its name, or if a pair does not belong together.
    """
    files = [paths] if isinstance(paths, Path) else [*paths]
    headers = {path: _read_header(path) for path in files}
    if len(headers) != len(files):
        raise FileFormatError(
            f"{files[0]} is given twice as one recording.", "Give one left and one right."
        )
    sides = order_sides([_side(path, header) for path, header in headers.items()])
    first = headers[sides[0].path]
    kind = _kind(sides[0].path, first)
    for side in sides[1:]:
        _check_same_content(sides[0], side, kind, headers)
    names = () if kind == "series" else _map_names(first, sides[0].n_frames)
    labels = (first.labels,) * sides[0].n_frames if kind == "labels" else ()
    tr = _tr(first) if kind == "series" else None
    return DataMatrix(
        tuple(side.path for side in sides),
        axis_of_sides(sides),
        kind,
        sides[0].n_frames,
        names,
        labels,
        tr,
        None,
        lambda rows: _take(sides, rows),
    )


def read_label_gifti(path: str | os.PathLike[str]) -> Atlas:
    """Read a ``.label.gii`` file; its first map counts.

    Parameters
    ----------
    path : path-like
        The file. Its hemisphere is taken from ``AnatomicalStructurePrimary``, else from its
        name (``.L.``, ``hemi-L``, ``lh.``).

    Returns
    -------
    Atlas
        On all vertices of the mesh.

    Raises
    ------
    FileFormatError
        If the file is missing, empty or no label GIFTI, or does not tell its hemisphere.
    """
    matrix = read_gifti(Path(path))
    if matrix.kind != "labels":
        raise FileFormatError(f"{path} holds no labels.", "Give a .label.gii or .dlabel.nii file.")
    keys, table = matrix.read()[:, 0].astype(np.int64), matrix.labels[0]
    known = np.isin(keys, [label.key for label in table])
    return Atlas(str(path), matrix.axis, np.where(known, keys, BACKGROUND_KEY), table)


def _read_header(path: Path) -> GiftiHeader:
    header = read_gifti_header(path)
    if any(array.intent in _MESH_INTENTS for array in header.arrays):
        raise FileFormatError(
            f"{path} is a surface mesh, which holds no data.", "Give a .func.gii file."
        )
    if not header.arrays or min(header.arrays[0].shape) == 0:
        raise FileFormatError(f"{path} holds no numbers.", "Copy or download it again.")
    shapes = {array.shape for array in header.arrays}
    if len(shapes) > 1 or len(header.arrays[0].shape) > 2:
        raise FileFormatError(
            f"{path} holds arrays of the shapes {', '.join(map(str, sorted(shapes)))}, where one "
            "number a vertex is needed.",
            "Give a file of time series or maps.",
        )
    return header


def _side(path: Path, header: GiftiHeader) -> Side:
    n_vertices, n_columns = _shape(header.arrays[0])
    if n_columns > 1 and len(header.arrays) > 1:
        raise FileFormatError(
            f"{path} holds {len(header.arrays)} arrays of {n_columns} columns each.",
            "Give one array of many columns, or many of one.",
        )
    meta = header.meta | header.arrays[0].meta
    structure = structure_of(path, meta.get("AnatomicalStructurePrimary", ""))
    return Side(path, structure, n_vertices, max(n_columns, len(header.arrays)))


def _shape(array: ArrayHeader) -> tuple[int, int]:
    return array.shape[0], array.shape[1] if len(array.shape) == 2 else 1


def _kind(path: Path, header: GiftiHeader) -> Kind:
    intents = {array.intent for array in header.arrays}
    if intents == {"LABEL"}:
        return "labels"
    if intents == {"TIME_SERIES"}:
        return "series"
    has_names = any(array.meta.get("Name") for array in header.arrays)
    if intents == {"NONE"} and not has_names and path.name.endswith(_SERIES_ENDINGS):
        return "series"
    return "maps"


def _check_same_content(
    first: Side, second: Side, kind: Kind, headers: dict[Path, GiftiHeader]
) -> None:
    theirs = headers[second.path]
    both = f"{first.path} and {second.path}"
    if _kind(second.path, theirs) != kind:
        raise FileFormatError(
            f"{both} hold {kind} and {_kind(second.path, theirs)}.",
            "Give both hemispheres of the same file.",
        )
    if kind == "labels" and _keys(theirs.labels) != _keys(headers[first.path].labels):
        raise FileFormatError(
            f"{both} have different label tables.",
            "Join them: wb_command -cifti-create-label OUT -left-label L -right-label R.",
        )
    if kind == "series" and _tr(theirs) != _tr(headers[first.path]):
        raise FileFormatError(
            f"{both} have TRs of {_tr(headers[first.path])} and {_tr(theirs)} s.",
            "Give both hemispheres of the same run.",
        )


def _keys(labels: tuple[Label, ...]) -> dict[int, str]:
    return {label.key: label.name for label in labels}


def _map_names(header: GiftiHeader, n_frames: int) -> tuple[str, ...]:
    """Names of the maps; their numbers where the file has none."""
    named = [array.meta.get("Name", "") for array in header.arrays]
    if len(named) == n_frames and all(named):
        return tuple(named)
    return tuple(f"map-{number}" for number in range(1, n_frames + 1))


def _tr(header: GiftiHeader) -> float | None:
    given = (header.arrays[0].meta | header.meta).get("TimeStep", "")
    try:
        step = float(given)
    except ValueError:
        return None
    return step / 1000 if math.isfinite(step) and step >= _SHORTEST_STEP else None


def _take(sides: Sequence[Side], rows: IntArray | None) -> FloatArray:
    """Rows of one or two files, one array in memory at a time."""
    n_rows = sum(side.n_vertices for side in sides)
    index = np.arange(n_rows) if rows is None else rows
    taken = np.empty((len(index), sides[0].n_frames), dtype=np.float32)
    start = 0
    for side in sides:
        mine = np.flatnonzero((index >= start) & (index < start + side.n_vertices))
        _take_side(side, index[mine] - start, taken, mine)
        start += side.n_vertices
    return taken


def _take_side(side: Side, vertices: IntArray, taken: FloatArray, rows: IntArray) -> None:
    n_done = 0
    for array in read_gifti_arrays(side.path):
        columns = array.reshape(len(array), -1)
        n_next = n_done + columns.shape[1]
        if len(columns) != side.n_vertices or n_next > side.n_frames:
            break
        taken[rows, n_done:n_next] = columns[vertices]
        n_done = n_next
    if n_done != side.n_frames:
        raise FileFormatError(
            f"{side.path} changed while it was read.", "Wait until what writes it has finished."
        )
