"""Opens any file of recordings, by its ending."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import FileFormatError
from neuroparcel.io.formats.arrays import read_mat, read_npy, read_npz, read_table
from neuroparcel.io.formats.cifti import read_cifti
from neuroparcel.io.formats.content import check_is_content
from neuroparcel.io.formats.gifti import read_gifti
from neuroparcel.io.formats.hemispheres import LEFT, RIGHT
from neuroparcel.io.formats.matrix import DataMatrix
from neuroparcel.io.formats.nifti import read_nifti
from neuroparcel.io.formats.nifti_header import read_nifti_header
from neuroparcel.io.formats.overlays import is_overlay, read_overlays
from neuroparcel.io.meshes import load_cortex_axis

ENDINGS = (
    ".dtseries.nii",
    ".ptseries.nii",
    ".dscalar.nii",
    ".pscalar.nii",
    ".dlabel.nii",
    ".dconn.nii",
    ".pconn.nii",
    ".gii",
    ".nii",
    ".nii.gz",
    ".mgh",
    ".mgz",
    ".npy",
    ".npz",
    ".mat",
    ".tsv",
    ".csv",
)
"""Endings of the files that can be opened."""

_CIFTI_NAME = re.compile(r"\.[dp](?:tseries|scalar|label|conn|dconn|pconn)\.nii(?:\.gz)?$")
_VARIABLE = re.compile(r"(?P<file>.+\.(?:mat|npz)):(?P<name>[^:]+)")


def open_matrix(paths: Path | Sequence[Path], mask: Path | None = None) -> DataMatrix:
    """Open a recording, by the ending of its file.

    Parameters
    ----------
    paths : pathlib.Path or sequence of pathlib.Path
        One file; or the two hemispheres of a GIFTI or FreeSurfer recording, in any order.
        ``FILE.mat:NAME`` and ``FILE.npz:NAME`` choose a variable.
    mask : pathlib.Path, optional
        Brain mask of a volume; ignored for files that are no volumes.

    Returns
    -------
    DataMatrix
        With everything but the numbers.

    Raises
    ------
    FileFormatError
        If the ending is unknown, the file cannot be read, or its hemispheres are swapped.
    """
    files = [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]
    if not files:
        raise FileFormatError("A recording without a file.", "Name one.")
    matrix = _open_pair(files) if len(files) > 1 else _open_one(files[0], mask)
    check_hemispheres(matrix)
    return matrix


def split_variable(path: Path) -> tuple[Path, str | None]:
    """Split ``FILE.mat:NAME`` into the file and the variable (None: not chosen).

    Parameters
    ----------
    path : pathlib.Path
        A file, with a variable or without; a file that exists under the whole name counts.
    """
    match = _VARIABLE.fullmatch(str(path))
    if match is None or path.exists():
        return path, None
    return Path(match["file"]), match["name"]


def check_hemispheres(matrix: DataMatrix) -> None:
    """Refuse fs_LR 32k data whose medial wall is that of the other hemisphere.

    Raises
    ------
    FileFormatError
    """
    axis, cortex = matrix.axis, load_cortex_axis()
    other = {LEFT: RIGHT, RIGHT: LEFT}
    present = [name for name in other if axis.mesh_size.get(name) == cortex.mesh_size[name]]
    if present and all(_same_vertices(axis, name, cortex, other[name]) for name in present):
        raise FileFormatError(
            f"{matrix.path}: the hemispheres are swapped or labelled wrongly (the vertices of "
            f"{', '.join(present)} are those of the cortex on the other side).",
            "Write it again with the right structures: wb_command -cifti-create-dense-timeseries.",
        )


def _same_vertices(axis: BrainAxis, name: str, cortex: BrainAxis, known: str) -> bool:
    vertex, expected = axis.vertex[axis.rows_in(name)], cortex.vertex[cortex.rows_in(known)]
    return len(vertex) == len(expected) and np.array_equal(np.sort(vertex), expected)


def _open_pair(files: Sequence[Path]) -> DataMatrix:
    names = [path.name.lower() for path in files]
    if all(name.endswith(".gii") for name in names):
        return read_gifti(files)
    for path in files:
        check_is_content(path)
    if all(name.endswith((".mgh", ".mgz", ".nii", ".nii.gz")) for name in names) and all(
        not _CIFTI_NAME.search(path.name) and is_overlay(path) for path in files
    ):
        return read_overlays(files)
    raise FileFormatError(
        f"{' and '.join(map(str, files))} are not the two hemispheres of one recording.",
        "Give one file, or a left and a right one that both end in .gii or .mgh.",
    )


def _open_one(path: Path, mask: Path | None) -> DataMatrix:
    file, variable = split_variable(path)
    name = file.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        return _open_nifti(file, mask)
    if name.endswith(".gii"):
        return read_gifti(file)
    if name.endswith((".mgh", ".mgz")):
        return read_overlays(file)
    if name.endswith(".mat"):
        return read_mat(file, variable)
    if name.endswith(".npz"):
        return read_npz(file, variable)
    if name.endswith(".npy"):
        return read_npy(file)
    if name.endswith((".tsv", ".csv")):
        return read_table(file)
    raise FileFormatError(
        f"{path} has an unknown ending.", f"These can be read: {', '.join(ENDINGS)}."
    )


def _open_nifti(path: Path, mask: Path | None) -> DataMatrix:
    """CIFTI by name or content; else an overlay if its name tells a hemisphere; else a volume."""
    if _CIFTI_NAME.search(path.name):
        return read_cifti(path)
    header = read_nifti_header(path)
    if header.is_cifti:
        return read_cifti(path)
    return read_overlays(path) if is_overlay(path) else read_nifti(path, mask)
