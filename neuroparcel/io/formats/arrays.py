"""Matrices of time series without a place in the brain: ``.npy``, ``.npz``, ``.mat``, text."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, BinaryIO, cast

import numpy as np

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import FileFormatError, NeuroparcelError, SpaceError
from neuroparcel.io.formats.blocks import Block
from neuroparcel.io.formats.content import MAX_INFLATION, check_holds, check_is_content, one_line
from neuroparcel.io.formats.mat import Variable, list_mat
from neuroparcel.io.formats.matrix import DataMatrix, Reader
from neuroparcel.io.formats.series_tables import open_series_table
from neuroparcel.types import FloatArray, IntArray

CONVENTION = "One row a frame (time point), one column a node, as nilearn and BIDS have it."
"""How every matrix of time series is read."""

_MAX_NODES = 1_000_000
_N_LOOKED_AT = 2000
_N_LISTED = 8
_NPY_VERSIONS = ((1, 0), (2, 0), (3, 0))


def read_npy(path: Path) -> DataMatrix:
    """Open an ``.npy`` file, (frame, node); never unpickles.

    Raises
    ------
    FileFormatError
        If it is missing, empty, truncated, no ``.npy`` file, or holds no matrix of real
        numbers of time series.
    """
    check_is_content(path)
    try:
        with path.open("rb") as stream:
            shape, is_fortran, dtype = _read_npy_header(stream)
            offset = stream.tell()
    except NeuroparcelError:
        raise
    except Exception as error:  # numpy evaluates the header as Python literals
        raise FileFormatError(
            f"{path} is not a readable .npy file ({one_line(error)}).",
            "It may be truncated, or of another format.",
        ) from error
    return _to_matrix(path, "", shape, _npy_reader(path, shape, is_fortran, dtype, offset))


def read_npz(path: Path, name: str | None = None) -> DataMatrix:
    """Open an ``.npz`` file: the array of that name, or the only matrix in it.

    Raises
    ------
    FileFormatError
        As :func:`read_npy`, or if it holds several matrices, or none of that name.
    """
    check_is_content(path)
    try:
        variables = _list_npz(path)
    except NeuroparcelError:
        raise
    except Exception as error:  # zipfile and numpy pass on whatever a damaged file makes them
        raise FileFormatError(
            f"{path} is not a readable .npz file ({one_line(error)}).",
            "It may be truncated, or of another format.",
        ) from error
    return _choose(path, variables, name)


def read_mat(path: Path, name: str | None = None) -> DataMatrix:
    """Open a ``.mat`` file: the variable of that name, or the only matrix in it.

    Variables are oriented as MATLAB shows them: ``size(x)`` is ``[frames, nodes]``.

    Raises
    ------
    FileFormatError
        If it is missing, empty or no MATLAB file, holds several matrices or none of that
        name, or the variable is no matrix of real numbers of time series.
    """
    return _choose(path, list_mat(path), name)


def read_table(path: Path) -> DataMatrix:
    """Open a ``.tsv`` or ``.csv`` file of time series, with a header of node names or without.

    Raises
    ------
    FileFormatError
        If it is missing, empty, not text or ragged, its first column has no name, two nodes
        have the same, or it holds no time series.
    """
    table = open_series_table(path)
    shape = (table.n_frames, table.n_nodes)
    return _to_matrix(path, "", shape, table.take, table.names)


def node_names(n_nodes: int) -> tuple[str, ...]:
    """Names for nodes that have none: ``node-001`` and so on, all of one length."""
    n_digits = max(3, len(str(n_nodes)))
    return tuple(f"node-{number:0{n_digits}d}" for number in range(1, n_nodes + 1))


def _choose(path: Path, variables: Sequence[Variable], name: str | None) -> DataMatrix:
    """The variable of a name, or the only one that can be time series."""
    usable = [v for v in variables if v.is_numeric and len(v.shape) == 2 and min(v.shape) > 1]
    if name is not None:
        chosen = [variable for variable in variables if variable.name == name]
    else:
        chosen = usable
    if len(chosen) != 1:
        what = f"no variable {name!r}" if name else f"{len(chosen) or 'no'} matrices of numbers"
        shown = one_line(usable[0].name) if usable else "NAME"
        raise FileFormatError(
            f"{path} holds {what}; it holds {_list(variables)}.",
            f"Choose one: {path.name}:{shown}." if usable else CONVENTION,
        )
    found = chosen[0]
    if not found.is_numeric:
        raise FileFormatError(
            f"{one_line(found.name)} in {path} is not an array of real numbers.",
            f"It holds {_list(variables)}.",
        )
    return _to_matrix(path, found.name, found.shape, found.take)


def _list(variables: Sequence[Variable]) -> str:
    shown = [
        f"{one_line(v.name)} ({' x '.join(map(str, v.shape)) or 'one value'}"
        f"{'' if v.is_numeric else ', no numbers'})"
        for v in variables[:_N_LISTED]
    ]
    return ", ".join(shown) + (", ..." if len(variables) > _N_LISTED else "") or "nothing"


def _to_matrix(
    path: Path,
    name: str,
    shape: tuple[int, ...],
    reader: Reader,
    names: Sequence[str] = (),
) -> DataMatrix:
    what = f"{one_line(name)} in {path}" if name else str(path)
    if len(shape) != 2 or min(shape) < 1:
        raise FileFormatError(
            f"{what} has the shape ({', '.join(map(str, shape))}); (frames, nodes) is needed.",
            CONVENTION,
        )
    n_frames, n_nodes = (int(size) for size in shape)
    if n_nodes > _MAX_NODES:
        raise FileFormatError(
            f"{what} has {n_nodes} nodes, more than the {_MAX_NODES} that can be named.",
            f"It may be damaged, or lie the other way round. {CONVENTION}",
        )
    try:
        axis = BrainAxis.from_nodes(names or node_names(n_nodes))
    except SpaceError as error:
        raise FileFormatError(f"{what}: {error.message}", error.tip) from error
    matrix = DataMatrix((path,), axis, "series", n_frames, (), (), None, None, reader)
    if n_frames == n_nodes and n_nodes > 2:
        _check_no_correlations(what, matrix)
    return matrix


def _check_no_correlations(what: str, matrix: DataMatrix) -> None:
    n_looked_at = min(matrix.n_frames, _N_LOOKED_AT)
    corner = matrix.read(np.arange(n_looked_at))[:, :n_looked_at]
    diagonal = np.diagonal(corner)
    is_constant = np.array_equal(diagonal, np.full_like(diagonal, diagonal[0]), equal_nan=True)
    if is_constant and np.allclose(corner, corner.T, atol=1e-5, equal_nan=True):
        raise FileFormatError(
            f"{what} is square and symmetric: it looks like a correlation matrix, not time series.",
            f"Give the time series that it was made of. {CONVENTION}",
        )


def _read_npy_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    from numpy.lib import format as npy

    version = npy.read_magic(stream)
    if version not in _NPY_VERSIONS:
        raise ValueError(f"version {version}")
    # Version 3 differs from 2 only in the encoding of field names, which no matrix has.
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, is_fortran, dtype = read(stream)
    return tuple(int(size) for size in shape), bool(is_fortran), dtype


def _npy_reader(
    path: Path, shape: tuple[int, ...], is_fortran: bool, dtype: np.dtype, offset: int
) -> Reader:
    block = _npy_block(path, shape, is_fortran, dtype, offset)
    check_holds(path, block.n_bytes)
    return block.take_outer if is_fortran else block.take_inner


def _npy_block(
    path: Path,
    shape: tuple[int, ...],
    is_fortran: bool,
    dtype: np.dtype,
    offset: int,
    opener: Callable[[], BinaryIO] | None = None,
) -> Block:
    """Frame by frame, or node by node in Fortran's order."""
    outer, inner = (shape[0], int(np.prod(np.array(shape[1:], dtype=object)))) if shape else (1, 1)
    if is_fortran:
        outer, inner = inner, outer
    return Block(path, dtype, outer, inner, offset, opener=opener)


def _list_npz(path: Path) -> tuple[Variable, ...]:
    with zipfile.ZipFile(path) as archive:
        members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
        return tuple(_variable_npz(path, archive, info) for info in members)


def _variable_npz(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Variable:
    name = info.filename.removesuffix(".npy")
    with archive.open(info) as stream:
        shape, is_fortran, dtype = _read_npy_header(stream)
        offset = stream.tell()
    if dtype.kind not in "iuf" or dtype.hasobject:
        return Variable(name, shape, False, _refuse)

    def take(columns: IntArray | None) -> FloatArray:
        with zipfile.ZipFile(path) as opened:
            block = _npy_block(
                path,
                shape,
                is_fortran,
                dtype,
                offset,
                lambda: cast(BinaryIO, opened.open(info.filename)),
            )
            if block.n_bytes > min(info.file_size, MAX_INFLATION * (info.compress_size + 64)):
                raise FileFormatError(
                    f"{one_line(name)} in {path} is truncated: its header promises "
                    f"{block.n_bytes} bytes.",
                    "Copy or download it again.",
                )
            try:
                return block.take_outer(columns) if is_fortran else block.take_inner(columns)
            except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
                raise FileFormatError(
                    f"The numbers of {one_line(name)} in {path} are unreadable "
                    f"({one_line(error)}).",
                    "Copy or download the file again.",
                ) from error

    return Variable(name, shape, True, take)


def _refuse(columns: IntArray | None) -> FloatArray:
    raise AssertionError("a variable that is not numeric is never read")
