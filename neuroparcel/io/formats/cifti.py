"""CIFTI-2 files, read lazily; :mod:`neuroparcel.io.writers.cifti_writer` writes them."""

from __future__ import annotations

import os
from pathlib import Path

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import FileFormatError, SpaceError
from neuroparcel.io.formats.cifti_header import (
    Dimension,
    MapsDimension,
    SeriesDimension,
    describe,
    length,
    parse_dimensions,
)
from neuroparcel.io.formats.content import GZIP_MAGIC, check_is_content, one_line
from neuroparcel.io.formats.matrix import DataMatrix, Kind
from neuroparcel.io.formats.nifti_header import NiftiHeader, read_nifti_header

_N_LEADING = 4  # dimensions that CIFTI keeps at 1, those of space and time in NIfTI
_MAX_KEY = 2**24  # beyond it float32 skips integers


def read_cifti(path: str | os.PathLike[str]) -> DataMatrix:
    """Open a CIFTI-2 file whose rows are grayordinates or parcels.

    ``dtseries``, ``dscalar``, ``dlabel``, ``ptseries``, ``pscalar``, ``plabel``, ``dconn``,
    ``pconn``, ``dpconn`` and ``pdconn`` are read; the content decides, not the name.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    DataMatrix
        With everything but the numbers. Its rows are the file's rows, each of which lies in
        one piece on disk: reading some touches no others, in a dense connectome too.

    Raises
    ------
    FileFormatError
        If the file is missing, empty, truncated, compressed, a pointer of Git LFS or
        git-annex, CIFTI version 1, no CIFTI file, contradicts itself, or has other rows.
    """
    file = Path(path)
    header, dimensions = _open(file)
    frames, rows = _check_dimensions(file, header, dimensions)
    block = header.block(n_inner=length(frames))
    kind, names, labels, tr, columns = _describe(frames)
    if any(abs(label.key) > _MAX_KEY for table in labels for label in table):
        raise FileFormatError(f"{file} has label keys beyond {_MAX_KEY}.", "Number them anew.")
    return DataMatrix(
        (file,), rows, kind, length(frames), names, labels, tr, columns, block.take_outer
    )


def _open(path: Path) -> tuple[NiftiHeader, tuple[Dimension, ...]]:
    check_is_content(path)
    _check_start(path)
    header = read_nifti_header(path)
    xml = header.cifti_xml() if header.version == 2 else None
    if xml is None:
        raise FileFormatError(
            f"{path} is a NIfTI-{header.version} file without the XML of CIFTI, not a CIFTI file.",
            "Give a .dtseries.nii, .dscalar.nii or .dlabel.nii file.",
        )
    try:
        return header, parse_dimensions(xml)
    except FileFormatError as error:
        if "found version 1" in error.message:
            raise FileFormatError(
                f"{path} is a CIFTI version 1 file; only version 2 can be read.",
                "Convert it: wb_command -file-convert -cifti-version-convert IN 2 OUT.",
            ) from error
        raise _unreadable(path, error.message) from error
    except KeyError as error:
        raise _unreadable(path, f"its XML lacks {error.args[0]}") from error
    except SpaceError as error:
        raise _unreadable(path, error.message) from error
    except (ValueError, OverflowError) as error:
        raise _unreadable(path, f"its XML is damaged: {error}") from error


def _check_start(path: Path) -> None:
    with path.open("rb") as stream:
        start = stream.read(5)
    if start.startswith(GZIP_MAGIC):
        raise FileFormatError(
            f"{path} is compressed; rows cannot be picked from a compressed CIFTI file.",
            "Decompress it: gunzip -k FILE.",
        )
    if start == b"<?xml":
        raise FileFormatError(
            f"{path} is an XML file (perhaps GIFTI), not a CIFTI file.", "Give it its own ending."
        )


def _unreadable(path: Path, reason: str) -> FileFormatError:
    return FileFormatError(
        f"{path} is not a readable CIFTI file ({one_line(reason)}).",
        "It may be truncated, or of another format.",
    )


def _check_dimensions(
    path: Path, header: NiftiHeader, dimensions: tuple[Dimension, ...]
) -> tuple[Dimension, BrainAxis]:
    """The two dimensions of a matrix, held against its shape."""
    found = " x ".join(describe(dimension) for dimension in dimensions)
    if len(dimensions) != 2 or not isinstance(dimensions[1], BrainAxis):
        raise FileFormatError(
            f"{path} has the dimensions {found or 'none'}; rows of vertices, voxels or parcels "
            "are needed.",
            "Give a file of time series, maps, labels or connectivity.",
        )
    described = tuple(length(dimension) for dimension in dimensions)
    shape = header.shape[_N_LEADING:]
    if shape != described or any(size != 1 for size in header.shape[:_N_LEADING]):
        raise FileFormatError(
            f"{path} contradicts itself: its header says {' x '.join(map(str, header.shape))}, "
            f"its XML {described[0]} x {described[1]} ({found}).",
            "Write it again with wb_command or nibabel.",
        )
    return dimensions[0], dimensions[1]


def _describe(frames: Dimension) -> tuple[Kind, tuple, tuple, float | None, BrainAxis | None]:
    """Kind, map names, label tables, TR and columns that the frames bring."""
    match frames:
        case SeriesDimension():
            return "series", (), (), frames.tr, None
        case MapsDimension() if frames.labels:
            return "labels", frames.names, frames.labels, None, None
        case MapsDimension():
            return "maps", frames.names, (), None, None
        case _:
            return "connectivity", (), (), None, frames
