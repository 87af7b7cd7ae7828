"""FreeSurfer's surface overlays: MGH files, and NIfTI files whose voxels are vertices."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from neuroparcel.errors import FileFormatError
from neuroparcel.io.formats.blocks import Block
from neuroparcel.io.formats.content import (
    DAMAGE,
    check_holds,
    check_is_content,
    is_compressed,
    one_line,
    open_stream,
)
from neuroparcel.io.formats.hemispheres import Side, axis_of_sides, order_sides, side_of_name
from neuroparcel.io.formats.matrix import DataMatrix
from neuroparcel.io.formats.nifti_header import read_nifti_header
from neuroparcel.io.formats.spaces import is_known_mesh
from neuroparcel.types import FloatArray, IntArray

_MGH_ENDINGS = (".mgh", ".mgz", ".mgh.gz")
# FreeSurfer's load_mgh: seven big-endian integers, and the numbers from byte 284 on.
_MGH_HEADER = np.dtype([("version", ">i4"), ("dims", ">i4", 4), ("type", ">i4"), ("dof", ">i4")])
_MGH_OFFSET = 284
_MGH_TYPES = {0: ">u1", 1: ">i4", 3: ">f4", 4: ">i2"}


def is_overlay(path: Path) -> bool:
    """Whether a file is an overlay: an MGH file, or a NIfTI file whose voxels are vertices.

    A NIfTI file is one if its name tells ``lh`` or ``rh`` and its first three dimensions
    multiply to the number of vertices of a template mesh.
    """
    if path.name.endswith(_MGH_ENDINGS):
        return True
    if side_of_name(path, freesurfer=True) is None:
        return False
    return is_known_mesh(_n_places(read_nifti_header(path).shape))


def read_overlays(paths: Path | Sequence[Path]) -> DataMatrix:
    """Open the overlays of one hemisphere, or of a left and a right.

    Parameters
    ----------
    paths : pathlib.Path or sequence of pathlib.Path
        ``.mgh``, ``.mgz``, ``.nii`` or ``.nii.gz`` files whose names tell ``lh`` or ``rh``.

    Returns
    -------
    DataMatrix
        On all vertices of the meshes, left before right; its frames are time points. The TR
        is that of a NIfTI header; MGH files are not asked for theirs, which lies behind the
        numbers.

    Raises
    ------
    FileFormatError
        If a file is missing, empty, truncated, no overlay, does not tell its hemisphere, or
        if a pair does not belong together.
    """
    files = [paths] if isinstance(paths, Path) else [*paths]
    opened = {path: _open(path) for path in files}
    if len(opened) != len(files):
        raise FileFormatError(
            f"{files[0]} is given twice as one recording.", "Give one left and one right."
        )
    sides = order_sides(
        [
            Side(path, _structure(path), block.n_inner, block.n_outer)
            for path, (block, _) in opened.items()
        ]
    )
    blocks = [opened[side.path][0] for side in sides]
    tr = opened[sides[0].path][1]
    return DataMatrix(
        tuple(side.path for side in sides),
        axis_of_sides(sides),
        "series",
        sides[0].n_frames,
        (),
        (),
        tr,
        None,
        lambda rows: _take(blocks, rows),
    )


def _take(blocks: Sequence[Block], rows: IntArray | None) -> FloatArray:
    n_rows = sum(block.n_inner for block in blocks)
    index = np.arange(n_rows) if rows is None else rows
    taken = np.empty((len(index), blocks[0].n_outer), dtype=np.float32)
    start = 0
    for block in blocks:
        mine = np.flatnonzero((index >= start) & (index < start + block.n_inner))
        if len(mine):
            taken[mine] = block.take_inner(index[mine] - start)
        start += block.n_inner
    return taken


def _structure(path: Path) -> str:
    structure = side_of_name(path, freesurfer=True) or side_of_name(path)
    if structure is None:
        raise FileFormatError(
            f"{path} does not tell its hemisphere.", "Name it like lh.rest.mgh or rh.rest.mgh."
        )
    return structure


def _open(path: Path) -> tuple[Block, float | None]:
    """The numbers, frame by frame, and the TR."""
    if path.name.endswith(_MGH_ENDINGS):
        return _open_mgh(path), None
    header = read_nifti_header(path)
    return header.block(n_inner=_n_places(header.shape)), header.step


def _n_places(shape: Sequence[int]) -> int:
    return int(np.prod(np.array(shape[:3], dtype=object)))


def _open_mgh(path: Path) -> Block:
    check_is_content(path)
    compressed = is_compressed(path)
    try:
        with open_stream(path, compressed) as stream:
            start = stream.read(_MGH_HEADER.itemsize)
    except DAMAGE as error:
        raise _no_mgh(path, one_line(error)) from error
    if len(start) < _MGH_HEADER.itemsize:
        raise _no_mgh(path, f"{len(start)} bytes")
    header = np.frombuffer(start, dtype=_MGH_HEADER)[0]
    dims = tuple(int(size) for size in header["dims"])
    if header["version"] != 1 or min(dims) < 1 or int(header["type"]) not in _MGH_TYPES:
        raise _no_mgh(path, f"version {header['version']}, shape {dims}, type {header['type']}")
    n_vertices = _n_places(dims)
    if not is_known_mesh(n_vertices):
        raise FileFormatError(
            f"{path} has {n_vertices} places, which is no mesh of fsaverage or fs_LR.",
            "Volumes must be NIfTI files: mri_convert IN.mgz OUT.nii.gz.",
        )
    dtype = np.dtype(_MGH_TYPES[int(header["type"])])
    opener = partial(open_stream, path, True) if compressed else None
    block = Block(path, dtype, dims[3], n_vertices, _MGH_OFFSET, opener=opener)
    check_holds(path, block.n_bytes, compressed=compressed)
    return block


def _no_mgh(path: Path, reason: str) -> FileFormatError:
    return FileFormatError(
        f"{path} is not a readable MGH file ({reason}).",
        "It may be truncated, or of another format.",
    )
