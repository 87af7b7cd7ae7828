"""What is known of each subject: ``participants.tsv`` of BIDS, and tables like it."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from neuroparcel.errors import LayoutError, OptionError
from neuroparcel.io.layout.naming import name_some
from neuroparcel.types import IntArray

_ID = "participant_id"
_OTHER_IDS = ("subject", "subject_id")  # any case: the tables of HCP have Subject
_MISSING = ("n/a", "na", "nan", "")
_FORM = f"Give a table with a column {_ID}, and a row for each subject, such as participants.tsv."


@dataclass(frozen=True, eq=False)
class Participants:
    """A table with a row for each participant.

    Attributes
    ----------
    path : pathlib.Path
        The file that it was read from.
    columns : tuple of str
    rows : mapping of str to tuple of str
        The cells of each participant, who is named without ``sub-``; as many as columns.
    """

    path: Path
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[str, ...]]

    def values(self, column: str, subjects: Sequence[str]) -> tuple[str | None, ...]:
        """What a column says of some subjects.

        Parameters
        ----------
        column : str
        subjects : sequence of str
            With ``sub-`` or without it.

        Returns
        -------
        tuple of str or None
            One a subject; None where the cell is empty or ``n/a``.

        Raises
        ------
        OptionError
            If there is no such column.
        LayoutError
            If a subject is not in the table.
        """
        if column not in self.columns:
            close = get_close_matches(column, self.columns, n=1)
            raise OptionError(
                f"{self.path} has no column '{column}' (it has {', '.join(self.columns)}).",
                f"Did you mean '{close[0]}'?" if close else "Name one of these.",
            )
        absent = [name for name in subjects if _label(name) not in self.rows]
        if absent:
            raise LayoutError(
                f"{self.path} lacks {len(absent)} of the {len(subjects)} subjects of the cohort "
                f"({name_some(absent)}).",
                "Add a row for each, with n/a for what is not known.",
            )
        place = self.columns.index(column)
        cells = [self.rows[_label(name)][place] for name in subjects]
        return tuple(None if cell.lower() in _MISSING else cell for cell in cells)


def read_participants(path: Path) -> Participants:
    """Read a table of participants.

    Parameters
    ----------
    path : pathlib.Path
        Text, with tabs, commas or semicolons between its columns. Participants stand in the
        column ``participant_id``, or else in the first that is named ``subject`` or
        ``subject_id``.

    Returns
    -------
    Participants

    Raises
    ------
    LayoutError
        If the file is missing or no text, has no such column or no row, names a participant or
        a column twice, or has rows that differ in length.
    """
    (_, columns), *body = _read_rows(path)
    place = _id_column(path, columns)
    rows: dict[str, tuple[str, ...]] = {}
    line_of: dict[str, int] = {}
    for number, cells in body:
        name = _name_in(path, number, cells, columns, place)
        if name in rows:
            raise LayoutError(
                f"Lines {line_of[name]} and {number} of {path} are both of participant {name}.",
                "Give each participant one row.",
            )
        rows[name], line_of[name] = cells, number
    if not rows:
        raise LayoutError(f"The table of participants {path} has no row.", _FORM)
    return Participants(path, columns, rows)


def groups_of(values: Sequence[str | None]) -> dict[str, IntArray]:
    """Subjects by what a column says of them.

    Parameters
    ----------
    values : sequence of str or None
        One a subject; None belongs to no group.

    Returns
    -------
    dict of str to array of int
        Places of the subjects of each value; numbers first, in their order, and then others in
        that of the alphabet.

    Examples
    --------
    >>> {name: rows.tolist() for name, rows in groups_of(["M", "F", None, "M"]).items()}
    {'F': [1], 'M': [0, 3]}
    """
    known = {value for value in values if value is not None}
    return {
        name: np.array([row for row, value in enumerate(values) if value == name])
        for name in sorted(known, key=_order)
    }


def _label(name: str) -> str:
    return name.removeprefix("sub-")


def _order(name: str) -> tuple[bool, float, str]:
    try:
        return False, float(name), name
    except ValueError:
        return True, 0.0, name


def _read_rows(path: Path) -> list[tuple[int, tuple[str, ...]]]:
    """Lines that are not empty, the header first: number of the line, and cells."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        reason = "does not exist" if isinstance(error, FileNotFoundError) else "cannot be read"
        raise LayoutError(f"The table of participants {path} {reason}.", _FORM) from error
    except UnicodeDecodeError as error:
        raise LayoutError(
            f"The table of participants {path} is not text in UTF-8.", f"Save it as UTF-8. {_FORM}"
        ) from error
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise LayoutError(f"The table of participants {path} is empty.", _FORM)
    header = lines[0][1]
    separator = "\t" if "\t" in header else max(",;", key=header.count)
    rows = [(number, _cells(path, number, line, separator)) for number, line in lines]
    return [(number, cells) for number, cells in rows if any(cells)]  # spreadsheets leave others


def _cells(path: Path, number: int, line: str, separator: str) -> tuple[str, ...]:
    """Cells of a line; a quote never runs on to the next line."""
    try:
        return tuple(cell.strip() for cell in next(csv.reader([line], delimiter=separator)))
    except csv.Error as error:
        raise LayoutError(
            f"Line {number} of {path} is no row of a table ({error}).", _FORM
        ) from error


def _id_column(path: Path, columns: Sequence[str]) -> int:
    twice = [name for name, n in Counter(columns).items() if n > 1]
    if twice:
        raise LayoutError(f"{path} has two columns '{twice[0]}'.", "Rename one.")
    if _ID in columns:
        return columns.index(_ID)
    places = [place for place, name in enumerate(columns) if name.lower() in _OTHER_IDS]
    if not places:
        raise LayoutError(
            f"{path} has no column {_ID} (it has {', '.join(columns)}).",
            f"Name the column of the subjects {_ID}.",
        )
    return places[0]


def _name_in(
    path: Path, number: int, cells: Sequence[str], columns: Sequence[str], place: int
) -> str:
    """The participant of a row."""
    if len(cells) != len(columns):
        raise LayoutError(
            f"Line {number} of {path} has {len(cells)} cells, where the header has {len(columns)}.",
            "Give every row a cell for each column, with n/a for what is not known.",
        )
    name = _label(cells[place])
    if not name:
        raise LayoutError(
            f"Line {number} of {path} has no {columns[place]}.", "Fill it in, or remove the row."
        )
    return name
