"""What every reader yields: the rows, frames and names of a file, its numbers left on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from neuroparcel.brain.atlas import Label
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import ConnectomeError, FileFormatError, NeuroparcelError, SpaceError
from neuroparcel.io.formats.content import DAMAGE, one_line
from neuroparcel.types import FloatArray, IntArray

Kind: TypeAlias = Literal["series", "maps", "labels", "connectivity"]
Reader: TypeAlias = Callable[[IntArray | None], FloatArray]
"""Called with the rows wanted (None: all); gives (row, frame) float32 back."""


@dataclass(frozen=True, eq=False)
class DataMatrix:
    """A file of numbers, frames by rows, whose header has been read and whose numbers have not.

    Parameters
    ----------
    paths : tuple of pathlib.Path
        The file, or the files of both hemispheres, left first.
    axis : BrainAxis
        Its rows: vertices, voxels or nodes.
    kind : {"series", "maps", "labels", "connectivity"}
        What its frames are: time points, scalar maps, label maps, or the columns of a
        connectivity matrix.
    n_frames : int
        Number of time points, maps or columns.
    names : tuple of str
        One name a map; empty for time series and connectivity.
    labels : tuple of tuple of Label
        The label table of each map, background left out; empty unless labels.
    tr : float, optional
        Seconds from one time point to the next; None where the file does not say.
    columns : BrainAxis, optional
        What the columns of a connectivity matrix are; None for the other kinds.
    reader : callable
        Takes rows (None: all) and gives their (row, frame) numbers back; :meth:`read` calls it.
    """

    paths: tuple[Path, ...]
    axis: BrainAxis
    kind: Kind
    n_frames: int
    names: tuple[str, ...]
    labels: tuple[tuple[Label, ...], ...]
    tr: float | None
    columns: BrainAxis | None
    reader: Reader

    @property
    def path(self) -> Path:
        """The first file, for messages."""
        return self.paths[0]

    def read(self, rows: npt.ArrayLike | None = None) -> FloatArray:
        """Read the frames of some rows; where the format allows it, only these leave the disk.

        Parameters
        ----------
        rows : (row,) array of int, optional
            Rows of :attr:`axis`; all if not given.

        Returns
        -------
        (row, frame) array of float32
            In the order asked for; numbers that are missing in the file are NaN.

        Raises
        ------
        FileFormatError
            If the numbers cannot be read.
        SpaceError
            If a row lies outside the axis.
        """
        chosen = None if rows is None else np.asarray(rows, dtype=np.int64).reshape(-1)
        if chosen is not None and len(chosen) and not _within(chosen, len(self.axis)):
            raise SpaceError(
                f"Rows {chosen.min()} to {chosen.max()} do not lie in {self.path}, which has "
                f"{len(self.axis)} rows."
            )
        try:
            # Numbers beyond float32 become infinite, which the checks on the signal name.
            with np.errstate(over="ignore", invalid="ignore"):
                values = np.ascontiguousarray(self.reader(chosen), dtype=np.float32)
        except NeuroparcelError:
            raise
        except (*DAMAGE, MemoryError) as error:
            raise FileFormatError(
                f"The numbers of {name_files(self.paths)} are unreadable ({one_line(error)}).",
                "Copy or download the file again.",
            ) from error
        return values


def _within(rows: IntArray, n_rows: int) -> bool:
    return bool(rows.min() >= 0 and rows.max() < n_rows)


def name_files(paths: Sequence[Path]) -> str:
    """Name one file, or the two of a pair, for a message."""
    return " and ".join(str(path) for path in paths)


@contextmanager
def unchanged(paths: Sequence[Path]) -> Iterator[None]:
    """Hold files to their size and time of change while they are read.

    Parameters
    ----------
    paths : sequence of pathlib.Path
        The files read inside the ``with`` block.

    Raises
    ------
    ConnectomeError
        If a file has another size or time of change at the end, or is gone.
    """
    before = [_state(path) for path in paths]
    yield
    for path, state in zip(paths, before, strict=True):
        if _state(path) != state:
            raise ConnectomeError(
                f"{path} changed while it was read.",
                "Wait until what writes it has finished, then run again.",
            )


def _state(path: Path) -> tuple[int, int] | None:
    """Size in bytes and time of change in nanoseconds; None if the file is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
