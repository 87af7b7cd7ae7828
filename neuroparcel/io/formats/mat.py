"""Variables of MATLAB files: version 5 through scipy, version 7.3 through h5py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroparcel.errors import FileFormatError, NeuroparcelError
from neuroparcel.io.formats.blocks import check_is_real
from neuroparcel.io.formats.content import MAX_INFLATION, check_holds, check_is_content, one_line
from neuroparcel.types import FloatArray, IntArray

if TYPE_CHECKING:
    import h5py

_NUMERIC = ("double", "single", *(f"{u}int{bits}" for u in ("", "u") for bits in (8, 16, 32, 64)))
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_HDF5_STARTS = (0, 512)  # MATLAB puts 512 bytes of text before the HDF5 file
_SLAB = 2**22


@dataclass(frozen=True, eq=False)
class Variable:
    """A variable of a file of several, its numbers not yet read.

    Parameters
    ----------
    name : str
        Its name in the file.
    shape : tuple of int
        As the program that wrote it saw it.
    is_numeric : bool
        Whether it is an array of real numbers.
    take : callable
        Takes columns (None: all), gives (column, row) float32 back.
    """

    name: str
    shape: tuple[int, ...]
    is_numeric: bool
    take: Callable[[IntArray | None], FloatArray]


def list_mat(path: Path) -> tuple[Variable, ...]:
    """List the variables of a MATLAB file without loading them.

    Parameters
    ----------
    path : pathlib.Path
        A ``.mat`` file of version 4, 5 or 7.3.

    Returns
    -------
    tuple of Variable
        With the shapes that MATLAB shows.

    Raises
    ------
    FileFormatError
        If it is missing, empty or no MATLAB file.
    """
    check_is_content(path)
    try:
        return _list_hdf5(path) if _is_hdf5(path) else _list_v5(path)
    except NeuroparcelError:
        raise
    except Exception as error:  # scipy and h5py pass on whatever a damaged file makes them
        raise FileFormatError(
            f"{path} is not a readable MATLAB file ({one_line(error)}).",
            "It may be truncated, or of another format.",
        ) from error


def _is_hdf5(path: Path) -> bool:
    with path.open("rb") as stream:
        start = stream.read(_HDF5_STARTS[-1] + len(_HDF5_MAGIC))
    return any(start[at : at + len(_HDF5_MAGIC)] == _HDF5_MAGIC for at in _HDF5_STARTS)


def _unreadable(path: Path, name: str, error: Exception) -> FileFormatError:
    return FileFormatError(
        f"The numbers of {one_line(name)} in {path} are unreadable ({one_line(error)}).",
        "Copy or download the file again.",
    )


def _list_v5(path: Path) -> tuple[Variable, ...]:
    from scipy.io import whosmat

    return tuple(_variable_v5(path, *found) for found in whosmat(str(path)))


def _variable_v5(path: Path, name: str, shape: tuple[int, ...], kind: str) -> Variable:
    sizes = tuple(int(size) for size in shape)
    is_numeric = kind in _NUMERIC
    if is_numeric:
        # MATLAB may store whole numbers in one byte each, and compresses by default.
        check_holds(path, int(np.prod(np.array(sizes, dtype=object))), compressed=True)

    def take(columns: IntArray | None) -> FloatArray:
        from scipy.io import loadmat

        try:
            values = np.asarray(loadmat(str(path), variable_names=[name])[name])
        except Exception as error:
            raise _unreadable(path, name, error) from error
        check_is_real(path, values.dtype)
        if values.shape != sizes:
            raise FileFormatError(f"{one_line(name)} in {path} is {values.shape}, not {sizes}.")
        return np.asarray((values if columns is None else values[:, columns]).T, np.float32)

    return Variable(name, sizes, is_numeric, take)


def _list_hdf5(path: Path) -> tuple[Variable, ...]:
    import h5py

    with h5py.File(path, "r") as file:
        return tuple(_variables_in(path, file, ""))


def _variables_in(path: Path, group: h5py.Group, prefix: str, depth: int = 0) -> list[Variable]:
    """Variables of a group and, by ``group/name``, of the groups in it (MATLAB's structs)."""
    import h5py

    found: list[Variable] = []
    for name in group:
        # Links may lead to other files or round in circles; only what lies here is read.
        if name.startswith("#") or not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        item = group[name]
        if isinstance(item, h5py.Group) and depth < 2:
            found.extend(_variables_in(path, item, f"{prefix}{name}/", depth + 1))
        elif isinstance(item, h5py.Dataset):
            found.append(_variable_hdf5(path, f"{prefix}{name}", item))
    return found


def _variable_hdf5(path: Path, name: str, dataset: h5py.Dataset) -> Variable:
    matlab_class = dataset.attrs.get("MATLAB_class", b"")
    word = matlab_class.decode() if isinstance(matlab_class, bytes) else str(matlab_class)
    is_numeric = (
        dataset.dtype.kind in "iuf"
        and word in ("", *_NUMERIC)
        and "MATLAB_empty" not in dataset.attrs
        and not dataset.is_virtual
        and dataset.external is None
    )
    # HDF5 counts dimensions the other way round than MATLAB.
    shape = tuple(reversed(dataset.shape or ()))

    def take(columns: IntArray | None) -> FloatArray:
        try:
            return _take_hdf5(path, name, columns)
        except NeuroparcelError:
            raise
        except Exception as error:  # the HDF5 library has errors of many classes
            raise _unreadable(path, name, error) from error

    return Variable(name, shape, is_numeric, take)


def _take_hdf5(path: Path, name: str, columns: IntArray | None) -> FloatArray:
    """Columns of MATLAB's are rows of HDF5's: read in slabs of rows."""
    import h5py

    with h5py.File(path, "r") as file:
        dataset: Any = file[name]
        n_rows, n_frames = dataset.shape
        check_is_real(path, dataset.dtype)
        _check_stored(path, name, dataset)
        index = np.arange(n_rows) if columns is None else columns
        taken = np.empty((len(index), n_frames), dtype=np.float32)
        step = max(1, _SLAB // max(1, n_frames))
        for start in range(0, n_rows, step):
            hit = np.flatnonzero((index >= start) & (index < start + step))
            if len(hit):
                taken[hit] = dataset[start : start + step][index[hit] - start]
        return taken


def _check_stored(path: Path, name: str, dataset: h5py.Dataset) -> None:
    """HDF5 makes up what was never written: a header alone can promise terabytes."""
    stored = int(dataset.id.get_storage_size())
    if dataset.size * dataset.dtype.itemsize > MAX_INFLATION * stored:
        raise FileFormatError(
            f"{one_line(name)} in {path} is promised {dataset.size} numbers, and {stored} bytes of "
            "them are stored.",
            "Save the file again.",
        )
