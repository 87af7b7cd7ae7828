"""Tables of time series in text: one row a frame, one column a node."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neuroparcel.errors import FileFormatError
from neuroparcel.io.formats.content import check_is_content, one_line
from neuroparcel.types import FloatArray, IntArray

MISSING = ("n/a", "N/A", "NA", "nan", "NaN", "")
"""What stands for a missing number; BIDS writes the first."""

_SEPARATORS = {".tsv": "\t", ".csv": ","}
_MAX_LINE = 2**26


@dataclass(frozen=True)
class SeriesTable:
    """A table whose shape is known and whose numbers are not yet read.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    separator : str
        What stands between columns.
    n_header : int
        Lines before the numbers: 0 or 1.
    n_frames, n_nodes : int
        Its lines of numbers, and its columns.
    names : tuple of str
        Names of the columns; empty if it has no header.
    """

    path: Path
    separator: str
    n_header: int
    n_frames: int
    n_nodes: int
    names: tuple[str, ...]

    def take(self, nodes: IntArray | None) -> FloatArray:
        """Read some columns, (node, frame) float32; ``n/a`` becomes NaN.

        Raises
        ------
        FileFormatError
            If something else than a number stands in the table.
        """
        import pandas as pd

        wanted = np.arange(self.n_nodes) if nodes is None else nodes
        columns, place = np.unique(wanted, return_inverse=True)
        try:
            frame = pd.read_csv(
                self.path,
                sep=self.separator,
                header=None,
                skiprows=self.n_header,
                usecols=columns.tolist(),
                dtype=np.float32,
                na_values=list(MISSING),
                encoding="utf-8-sig",
                skip_blank_lines=True,
                quoting=csv.QUOTE_NONE,
            )
        except Exception as error:  # pandas passes on errors of its parsers, of many classes
            raise FileFormatError(
                f"{self.path} is not a table of numbers ({one_line(error)}).",
                f"One row a frame, one column a node, {MISSING[0]} where a number is missing.",
            ) from error
        if len(frame) != self.n_frames:
            raise FileFormatError(
                f"{self.path} has {len(frame)} rows of numbers, not {self.n_frames}.",
                "It changed while it was read, or is damaged.",
            )
        return np.asarray(frame.to_numpy(dtype=np.float32).T[place])


def open_series_table(path: Path) -> SeriesTable:
    """Measure a table without turning its numbers into numbers.

    Parameters
    ----------
    path : pathlib.Path
        A ``.tsv`` or ``.csv`` file, with a header of node names or without.

    Returns
    -------
    SeriesTable

    Raises
    ------
    FileFormatError
        If it is missing, empty, not text, ragged, or its first column has no name.
    """
    check_is_content(path)
    separator = _SEPARATORS[path.suffix.lower()]
    names: list[str] | None = None
    n_nodes = n_frames = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            for number, line in enumerate(iter(lambda: stream.readline(_MAX_LINE), ""), start=1):
                if not line.strip("\r\n"):
                    continue
                if not n_nodes:
                    first = next(csv.reader([line], delimiter=separator))
                    n_nodes = len(first)
                    if _is_header(first):
                        names = _check_names(path, first)
                        continue
                _check_width(path, number, line.count(separator) + 1, n_nodes)
                n_frames += 1
    except (UnicodeDecodeError, OSError, csv.Error) as error:
        raise FileFormatError(f"{path} is not a text file ({one_line(error)}).") from error
    if not n_frames:
        raise FileFormatError(f"{path} holds no numbers.", "One row a frame, one column a node.")
    n_header = 0 if names is None else 1
    return SeriesTable(path, separator, n_header, n_frames, n_nodes, tuple(names or ()))


def _is_header(fields: list[str]) -> bool:
    """Whether a first line names columns: by words, or by counting them from 0 or 1."""
    if all(field.strip() in MISSING for field in fields):
        return False
    if not all(field.strip() in MISSING or _is_number(field) for field in fields):
        return True
    counted = [[str(n) for n in range(start, start + len(fields))] for start in (0, 1)]
    return len(fields) > 1 and fields in counted


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _check_names(path: Path, fields: list[str]) -> list[str]:
    names = [field.strip() for field in fields]
    if not names[0]:
        raise FileFormatError(
            f"{path} has a first column without a name, which looks like an index.",
            "Write the table without it (in pandas: to_csv(..., index=False)).",
        )
    return names


def _check_width(path: Path, number: int, n_fields: int, n_nodes: int) -> None:
    if n_fields != n_nodes:
        raise FileFormatError(
            f"{path} has {n_fields} columns in line {number}, where the first line has {n_nodes}.",
            "Every row of time series has one number a node.",
        )
