"""CIFTI-2 files of dense rows, read lazily; :mod:`neuroparcel.io.cifti_writer` writes them."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from neuroparcel.brain.atlas import BACKGROUND_KEY, Label
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import FileFormatError
from neuroparcel.io.cifti_writer import (
    STRUCTURE_PREFIX,
    write_dlabel,
    write_dscalar,
    write_dtseries,
)
from neuroparcel.types import FloatArray

if TYPE_CHECKING:
    import nibabel as nib
    from nibabel.cifti2 import cifti2_axes

__all__ = [
    "CiftiMatrix",
    "check_is_content",
    "read_cifti",
    "space_of_mesh",
    "write_dlabel",
    "write_dscalar",
    "write_dtseries",
]

_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_ANNEX_POINTER = b"/annex/objects/"

# A CIFTI file does not say its space; these mesh sizes belong to one family each
# (163,842 vertices are shared by fsaverage and the 164k mesh of fs_LR).
_SPACE_OF_MESH = {4002: "fsLR", 7842: "fsLR", 32492: "fsLR", 59292: "fsLR"} | dict.fromkeys(
    (2562, 10242, 40962), "fsaverage"
)
UNKNOWN_SPACE = "unknown"


@dataclass(frozen=True, eq=False)
class CiftiMatrix:
    """A CIFTI-2 file of dense rows: time series, scalar maps or label maps.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    axis : BrainAxis
        Its rows.
    kind : {"dtseries", "dscalar", "dlabel"}
        What its frames are.
    n_frames : int
        Number of time points or maps.
    names : tuple of str
        One name a map; empty for time series.
    labels : tuple of tuple of Label
        The label table of each map, background left out; empty unless a dlabel.
    image : nibabel.Cifti2Image
        The open file, whose numbers stay on disk until they are asked for.
    """

    path: Path
    axis: BrainAxis
    kind: str
    n_frames: int
    names: tuple[str, ...]
    labels: tuple[tuple[Label, ...], ...]
    image: nib.Cifti2Image

    def read(self, rows: npt.ArrayLike | None = None) -> FloatArray:
        """Read the frames of some rows; only these are taken from disk.

        Parameters
        ----------
        rows : (row,) array of int, optional
            Rows of :attr:`axis`; all if not given.

        Returns
        -------
        (row, frame) array of float32

        Raises
        ------
        FileFormatError
            If the numbers cannot be read.
        """
        try:
            # nibabel's proxy refuses index arrays; the memmap behind it takes them.
            frames = np.asanyarray(self.image.dataobj)
            chosen = frames if rows is None else frames[:, np.asarray(rows)]
            return np.ascontiguousarray(chosen.T, dtype=np.float32)
        except (OSError, ValueError) as error:
            raise FileFormatError(
                f"The numbers of {self.path} are unreadable ({error})."
            ) from error


def read_cifti(path: str | os.PathLike[str]) -> CiftiMatrix:
    """Open a CIFTI-2 file of dense rows (dtseries, dscalar or dlabel).

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    CiftiMatrix
        With everything but the numbers, which :meth:`CiftiMatrix.read` takes from disk.

    Raises
    ------
    FileFormatError
        If the file is missing, empty, truncated, a pointer of Git LFS or git-annex, CIFTI
        version 1, no CIFTI file, or holds no dense rows (parcellated, or connectivity).
    """
    file = Path(path)
    check_is_content(file)
    image = _open(file)
    _check_complete(file, image)
    frames, rows = _axes(file, image)
    kind, names, labels = _describe(frames)
    return CiftiMatrix(file, _to_brain_axis(rows), kind, len(frames), names, labels, image)


def check_is_content(path: Path) -> None:
    """Refuse a path that holds no content: missing, empty, or a pointer left by a version tool.

    Raises
    ------
    FileFormatError
    """
    fetch = "Fetch its content first ({}), or point to the real file."
    if path.is_symlink() and not path.exists():
        raise FileFormatError(
            f"{path} is a broken link.", fetch.format("'datalad get' if it is a DataLad dataset")
        )
    if not path.is_file():
        raise FileFormatError(f"{path} does not exist.", "Check the path.")
    with path.open("rb") as stream:
        start = stream.read(256)
    if not start:
        raise FileFormatError(f"{path} is an empty file.", "Copy or download it again.")
    if start.startswith(_LFS_POINTER):
        raise FileFormatError(
            f"{path} is a Git LFS pointer, not the data.", fetch.format("'git lfs pull'")
        )
    if _ANNEX_POINTER in start:
        raise FileFormatError(
            f"{path} is a git-annex pointer, not the data.", fetch.format("'git annex get'")
        )


def space_of_mesh(n_vertices: int) -> str:
    """Space that a mesh of that many vertices belongs to, in BIDS words, else ``"unknown"``."""
    return _SPACE_OF_MESH.get(n_vertices, UNKNOWN_SPACE)


def _open(path: Path) -> nib.Cifti2Image:
    import nibabel as nib

    try:
        with _without_remarks_on_pixdim():
            image = nib.load(path)
    except Exception as error:  # nibabel passes on whatever its header and XML parsers raise
        if "found version 1" in str(error):
            raise FileFormatError(
                f"{path} is a CIFTI version 1 file; only version 2 can be read.",
                "Convert it: wb_command -file-convert -cifti-version-convert IN 2 OUT.",
            ) from error
        raise FileFormatError(
            f"{path} is not a readable CIFTI file ({error}).",
            "It may be truncated, or of another format.",
        ) from error
    if not isinstance(image, nib.Cifti2Image):
        raise FileFormatError(
            f"{path} is a {type(image).__name__}, not a CIFTI file.",
            "Give a .dtseries.nii, .dscalar.nii or .dlabel.nii file.",
        )
    return image


@contextmanager
def _without_remarks_on_pixdim() -> Iterator[None]:
    """Keep nibabel from printing that the voxel sizes of a header are 0, as in all HCP files."""
    logger = logging.getLogger("nibabel.global")

    def is_other(record: logging.LogRecord) -> bool:
        return "pixdim" not in record.getMessage()

    logger.addFilter(is_other)
    try:
        yield
    finally:
        logger.removeFilter(is_other)


def _check_complete(path: Path, image: nib.Cifti2Image) -> None:
    """Compare the size on disk with what the header promises."""
    n_values = int(np.prod(image.shape, dtype=np.int64))
    expected = image.dataobj.offset + n_values * image.get_data_dtype().itemsize
    actual = path.stat().st_size
    if actual < expected:
        raise FileFormatError(
            f"{path} is truncated: {actual} bytes, where its header promises {expected}.",
            "Copy or download it again.",
        )


def _axes(
    path: Path, image: nib.Cifti2Image
) -> tuple[cifti2_axes.Axis, cifti2_axes.BrainModelAxis]:
    from nibabel.cifti2 import BrainModelAxis, LabelAxis, ScalarAxis, SeriesAxis

    axes = [image.header.get_axis(dimension) for dimension in range(image.ndim)]
    found = " x ".join(type(axis).__name__ for axis in axes)
    if (
        len(axes) == 2
        and isinstance(axes[0], SeriesAxis | ScalarAxis | LabelAxis)
        and isinstance(axes[1], BrainModelAxis)
    ):
        return axes[0], axes[1]
    raise FileFormatError(
        f"{path} has axes {found}; vertices with a time series, scalars or labels are needed.",
        "Parcellated and connectivity files cannot be used; give a dense file.",
    )


def _describe(
    frames: cifti2_axes.Axis,
) -> tuple[str, tuple[str, ...], tuple[tuple[Label, ...], ...]]:
    """Kind, map names and label tables of the axis of the frames."""
    from nibabel.cifti2 import LabelAxis, ScalarAxis

    if isinstance(frames, LabelAxis):
        return "dlabel", tuple(map(str, frames.name)), tuple(map(_to_labels, frames.label))
    if isinstance(frames, ScalarAxis):
        return "dscalar", tuple(map(str, frames.name)), ()
    return "dtseries", (), ()


def _to_labels(table: Mapping[int, tuple[str, Sequence[float]]]) -> tuple[Label, ...]:
    return tuple(
        Label.of(key, name, rgba)
        for key, (name, rgba) in sorted(table.items())
        if key != BACKGROUND_KEY
    )


def _to_brain_axis(axis: cifti2_axes.BrainModelAxis) -> BrainAxis:
    mesh_size = {name.removeprefix(STRUCTURE_PREFIX): size for name, size in axis.nvertices.items()}
    spaces = {space_of_mesh(size) for size in mesh_size.values()}
    return BrainAxis(
        space=spaces.pop() if len(spaces) == 1 else UNKNOWN_SPACE,
        structure=np.char.replace(np.asarray(axis.name, dtype=np.str_), STRUCTURE_PREFIX, ""),
        vertex=axis.vertex,
        voxel=axis.voxel,
        mesh_size=mesh_size,
        affine=axis.affine,
        volume_shape=axis.volume_shape,
    )
