"""A two-dimensional block of numbers in a file, from which some rows or columns are taken.

Files are read with plain reads rather than mapped into memory: a file that another process
cuts short then ends in an error instead of killing this one, and what has been read does not
count as this process's memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np

from neuroparcel.errors import FileFormatError
from neuroparcel.types import FloatArray, IntArray

_SLAB_BYTES = 32 * 2**20
_DRAINED_BYTES = 2**20
_MAX_ITEM_BYTES = 8


@dataclass(frozen=True, eq=False)
class Block:
    """Where ``n_outer`` runs of ``n_inner`` numbers each lie in a file.

    Parameters
    ----------
    path : pathlib.Path
        The file, for messages.
    dtype : numpy.dtype
        Of the numbers as stored, byte order included.
    n_outer, n_inner : int
        Number of runs, and of adjacent numbers in each.
    offset : int
        Bytes before the first number.
    slope, intercept : float
        A stored number x stands for ``slope * x + intercept``.
    opener : callable, optional
        Opens what can only be read from front to back, such as a compressed file; if not
        given, the file is plain and is read where the numbers lie.

    Raises
    ------
    FileFormatError
        If the numbers are complex, text, or anything but real numbers.
    """

    path: Path
    dtype: np.dtype
    n_outer: int
    n_inner: int
    offset: int = 0
    slope: float = 1.0
    intercept: float = 0.0
    opener: Callable[[], BinaryIO] | None = None

    def __post_init__(self) -> None:
        check_is_real(self.path, self.dtype)

    @property
    def n_bytes(self) -> int:
        """Bytes up to the last number."""
        return self.offset + self.n_outer * self.n_inner * self.dtype.itemsize

    def take_outer(self, chosen: IntArray | None) -> FloatArray:
        """Take whole runs, (chosen, n_inner) float32; of a plain file no others are read."""
        index = np.arange(self.n_outer) if chosen is None else chosen
        taken = np.empty((len(index), self.n_inner), dtype=np.float32)
        if self.opener:
            for start, slab in self._slabs():
                hit = np.flatnonzero((index >= start) & (index < start + len(slab)))
                taken[hit] = self._scale(slab[index[hit] - start])
            return taken
        with self.path.open("rb", buffering=0) as stream:
            for start, stop in self._neighbours(index):
                stream.seek(self._position(int(index[start])))
                self._fill(stream, taken[start:stop])
        return taken

    def take_inner(self, chosen: IntArray | None) -> FloatArray:
        """Take the same numbers of every run, (chosen, n_outer) float32, slab by slab."""
        index = np.arange(self.n_inner) if chosen is None else chosen
        taken = np.empty((len(index), self.n_outer), dtype=np.float32)
        for start, slab in self._slabs():
            taken[:, start : start + len(slab)] = self._scale(slab[:, index].T)
        return taken

    def _position(self, run: int) -> int:
        return self.offset + run * self.n_inner * self.dtype.itemsize

    @property
    def _n_in_slab(self) -> int:
        return max(1, _SLAB_BYTES // max(1, self.n_inner * self.dtype.itemsize))

    def _neighbours(self, index: IntArray) -> Iterator[tuple[int, int]]:
        """Stretches of the index that lie one after the other in the file."""
        breaks = np.flatnonzero(np.diff(index) != 1) + 1
        edges = [0, *breaks.tolist(), len(index)]
        step = self._n_in_slab
        for first, last in pairwise(edges):
            for start in range(first, last, step):
                yield start, min(start + step, last)

    def _slabs(self) -> Iterator[tuple[int, np.ndarray]]:
        """Number of the first run and a (run, n_inner) array as stored, from front to back."""
        with self.opener() if self.opener else self.path.open("rb", buffering=0) as stream:
            stream.seek(self.offset)
            for start in range(0, self.n_outer, self._n_in_slab):
                n_runs = min(self._n_in_slab, self.n_outer - start)
                slab = np.empty((n_runs, self.n_inner), dtype=self.dtype)
                self._read_into(stream, slab)
                yield start, slab
            # The checksum of a compressed file is compared when its end is reached.
            while self.opener and stream.read(_DRAINED_BYTES):
                pass

    def _fill(self, stream: BinaryIO, target: np.ndarray) -> None:
        """Read adjacent runs into float32, without a detour where they are stored so."""
        if self.dtype == np.float32 and (self.slope, self.intercept) == (1.0, 0.0):
            self._read_into(stream, target)
            return
        stored = np.empty(target.shape, dtype=self.dtype)
        self._read_into(stream, stored)
        target[:] = self._scale(stored)

    def _read_into(self, stream: BinaryIO, array: np.ndarray) -> None:
        if not array.size:
            return
        view = memoryview(array.view(np.uint8)).cast("B")  # type: ignore[arg-type]
        n_done = 0
        while n_done < len(view):
            n_read = stream.readinto(view[n_done:])  # type: ignore[attr-defined]
            if not n_read:
                raise FileFormatError(
                    f"{self.path} ends before the numbers that its header promises.",
                    "It is truncated, or changed while it was read: copy or download it again.",
                )
            n_done += n_read

    def _scale(self, stored: np.ndarray) -> np.ndarray:
        """Apply the scaling in double precision; a slab at a time, so that memory stays small."""
        if (self.slope, self.intercept) == (1.0, 0.0):
            return stored
        return stored.astype(np.float64) * self.slope + self.intercept


def check_is_real(path: Path, dtype: np.dtype) -> None:
    """Refuse numbers that are complex, text, objects or colours.

    Raises
    ------
    FileFormatError
    """
    if dtype.kind not in "iufb" or dtype.itemsize > _MAX_ITEM_BYTES or dtype.subdtype:
        raise FileFormatError(
            f"{path} holds {_name(dtype)}, where real numbers are needed.",
            "Save the time series as float32.",
        )


def _name(dtype: np.dtype) -> str:
    kinds = {"c": "complex numbers", "U": "text", "S": "text", "O": "Python objects"}
    return kinds.get(dtype.kind, f"values of type {dtype}")
