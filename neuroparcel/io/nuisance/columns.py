"""Text files of numbers in columns: TSV, CSV or blanks between them, with a header or without."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neuroparcel.errors import FileFormatError
from neuroparcel.io.formats.content import check_is_content
from neuroparcel.types import FloatArray

_MISSING = ("n/a", "na", "nan", "")
_N_SHOWN = 40


@dataclass(frozen=True, eq=False)
class Columns:
    """Columns of numbers.

    Parameters
    ----------
    path : pathlib.Path
        The file they were read from.
    names : tuple of str
        Names of the columns; empty if the file has no header.
    values : (row, column) array of float64
        Missing numbers are NaN.
    """

    path: Path
    names: tuple[str, ...]
    values: FloatArray

    @property
    def n_rows(self) -> int:
        """Number of rows, the header left out."""
        return len(self.values)


def read_columns(path: Path) -> Columns:
    """Read a text file of numbers.

    Parameters
    ----------
    path : pathlib.Path
        Separated by tabs, else by commas, else by blanks; ``n/a`` and empty cells are
        missing numbers, and lines that begin with ``#`` are comments.

    Returns
    -------
    Columns

    Raises
    ------
    FileFormatError
        If the file is missing, empty or no text, its rows differ in length, or a cell is no
        number.
    """
    check_is_content(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileFormatError(f"{path} is not a text file.", "Give a TSV or text file.") from error
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read ({error.strerror}).") from error
    separator = "\t" if "\t" in text else "," if "," in text else None
    rows = [
        (number, [cell.strip().strip('"') for cell in line.strip(" ").split(separator)])
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not rows:
        raise FileFormatError(f"{path} holds no numbers.", "Copy or make it again.")
    first = rows[0][1]
    names = () if all(map(_is_number, first)) else tuple(first)
    body = rows[1:] if names else rows
    for number, cells in body:
        _check_row(path, number, cells, len(first))
    values = np.array([[_number(cell) for cell in cells] for _, cells in body], dtype=np.float64)
    return Columns(path, names, values.reshape(len(body), len(first)))


def _check_row(path: Path, number: int, cells: list[str], n_columns: int) -> None:
    if len(cells) != n_columns:
        raise FileFormatError(
            f"Line {number} of {path} has {len(cells)} cells, where the first has {n_columns}.",
            "Give every row a cell for each column.",
        )
    wrong = [cell for cell in cells if not _is_number(cell)]
    if wrong:
        raise FileFormatError(
            f"Line {number} of {path} holds {wrong[0][:_N_SHOWN]!r}, which is no number.",
            "Write missing numbers as n/a.",
        )


def _is_number(cell: str) -> bool:
    if cell.lower() in _MISSING:
        return True
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _number(cell: str) -> float:
    return np.nan if cell.lower() in _MISSING else float(cell)
