"""Tables of recordings: one row a file, with its subject, session and perhaps more."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from neuroparcel.errors import LayoutError
from neuroparcel.io.layout.hemispheres import expand_braces, split_hemisphere
from neuroparcel.io.layout.lists import Line
from neuroparcel.io.layout.recordings import Recording
from neuroparcel.io.layout.scanning import is_file

_NEEDED = ("subject", "session", "path")
_OPTIONAL = ("run", "censor", "confounds", "mask")
_COLUMNS = (*_NEEDED, *_OPTIONAL)
_SEPARATORS = {"\t": "tabs", ",": "commas", ";": "semicolons"}
# What other programs call these columns.
_ALIASES = {
    "participant_id": "subject",
    "subject_id": "subject",
    "sub": "subject",
    "session_id": "session",
    "ses": "session",
    "file": "path",
    "filename": "path",
    "filepath": "path",
}


@dataclass(frozen=True)
class _Row:
    """A row that has been read, but not yet joined with that of the other hemisphere."""

    line: int
    recording: Recording  # its run is "" where the table names none


def is_table(lines: Sequence[Line]) -> bool:
    """Whether the first line has columns, rather than a subject."""
    words = lines[0].text.lower().split()
    return any(separator in lines[0].text for separator in _SEPARATORS) or (
        "subject" in words and len(words) > 1
    )


def read_table(
    table: Path, lines: Sequence[Line], *, lenient: bool = False
) -> tuple[list[Recording], list[str]]:
    """Read the recordings of a table.

    Parameters
    ----------
    table : pathlib.Path
        The file, for messages; relative paths start from its folder.
    lines : sequence of Line
        Its lines, the names of the columns first.
    lenient : bool, default False
        Whether files that do not exist are recordings all the same.

    Returns
    -------
    recordings : list of Recording
    remarks : list of str
        What was decided, one line each.

    Raises
    ------
    LayoutError
        If columns or cells are missing, a row stands there twice, or a file does not exist.
    """
    separator = _separator(table, lines[0])
    header, *body = _split(lines, separator)
    columns = [name.strip() for name in header]
    _check_columns(table, columns)
    if not body:
        raise LayoutError(
            f"The table {table} has a header but no rows, so the cohort has no recordings.",
            "Add a row for each recording.",
        )
    rows: list[_Row] = []
    first_at: dict[tuple[str, ...], int] = {}
    for line, fields in zip(lines[1:], body, strict=True):
        cells = tuple(cell.strip() for cell in fields)
        if not any(cells):
            continue  # spreadsheets leave empty rows at the end
        _check_row(table, line, cells, columns, separator)
        other = first_at.setdefault(cells, line.number)
        if other != line.number:
            raise LayoutError(
                f"Lines {other} and {line.number} of {table} are the same: {line.text!r}.",
                "Remove one; give different runs different files.",
            )
        named = dict(zip(columns, cells, strict=True))
        rows.append(_Row(line.number, _recording(table, line, named)))
    recordings, numbered = _number_runs(_join_hemispheres(rows))
    if not lenient:
        _check_exist(table, recordings)
    remarks = [*_remark_on_columns(table, columns), *_remark_on_numbered(table, numbered)]
    return recordings, remarks


def _separator(table: Path, header: Line) -> str:
    separator = max(_SEPARATORS, key=header.text.count)
    if separator not in header.text:
        raise LayoutError(
            f"The columns of {table} are not separated by tabs or commas: {header.text!r}.",
            "Put a tab or a comma between them.",
        )
    return separator


def _split(lines: Sequence[Line], separator: str) -> Iterator[list[str]]:
    """Cells of each line; a quote never runs on to the next line."""
    for line in lines:
        yield next(csv.reader([line.text], delimiter=separator))


def _check_columns(table: Path, columns: Sequence[str]) -> None:
    missing = [name for name in _NEEDED if name not in columns]
    meant = _meant(columns)
    if missing:
        hints = [f"{meant[name]!r} by {name!r}" for name in columns if meant.get(name) in missing]
        raise LayoutError(
            f"The table {table} lacks the column {', '.join(missing)} (it has "
            f"{', '.join(columns)}).",
            f"Did you mean {', '.join(hints)}?"
            if hints
            else "It needs the columns subject, session, path and may have "
            f"{', '.join(_OPTIONAL)}.",
        )
    wrong = [name for name in columns if name not in _COLUMNS and name.lower() in _OPTIONAL]
    if wrong:
        raise LayoutError(
            f"The table {table} has a column {wrong[0]!r}.", f"Did you mean {wrong[0].lower()!r}?"
        )
    twice = [name for name, n in Counter(columns).items() if n > 1 and name in _COLUMNS]
    if twice:
        raise LayoutError(f"The table {table} has two columns {twice[0]!r}.", "Rename one.")


def _meant(columns: Sequence[str]) -> dict[str, str]:
    """Column that a name of another spelling probably stands for."""
    free = [name for name in _COLUMNS if name not in columns]
    meant = {}
    for column in columns:
        name = column.lower()
        close = get_close_matches(_ALIASES.get(name, name), free, n=1, cutoff=0.8)
        if column not in _COLUMNS and close:
            meant[column] = close[0]
    return meant


def _check_row(
    table: Path, line: Line, cells: Sequence[str], columns: Sequence[str], separator: str
) -> None:
    if len(cells) == len(columns):
        return
    others = [name for other, name in _SEPARATORS.items() if other != separator]
    seems = [name for name in others if line.text.count(_separator_of(name)) == len(columns) - 1]
    if "{" in line.text and separator == ",":
        tip = "Put the path in quotes, as it holds a comma."
    elif seems:
        tip = f"It seems to be separated by {seems[0]}; use {_SEPARATORS[separator]} throughout."
    else:
        tip = "Give every row a cell for each column; put cells that hold a separator in quotes."
    raise LayoutError(
        f"Line {line.number} of {table} has {len(cells)} cells, where the header has "
        f"{len(columns)} (separated by {_SEPARATORS[separator]}): {line.text!r}.",
        tip,
    )


def _separator_of(name: str) -> str:
    return next(separator for separator, known in _SEPARATORS.items() if known == name)


def _recording(table: Path, line: Line, cells: Mapping[str, str]) -> Recording:
    subject, session, path = (cells[name] for name in _NEEDED)
    if not (subject and session and path):
        raise LayoutError(
            f"A row of {table} lacks a subject, session or path: {line.text!r} (line "
            f"{line.number}).",
            "Fill the cell, or remove the row.",
        )
    beside = {
        name: table.parent / cells[name] if cells.get(name) else None
        for name in ("censor", "confounds", "mask")
    }
    paths = tuple(table.parent / name for name in expand_braces(path))
    return Recording(subject, session, cells.get("run", ""), paths, **beside)


def _join_hemispheres(rows: Sequence[_Row]) -> list[Recording]:
    """Make one recording of two rows that differ in the hemisphere of their file only."""
    joined: dict[object, Recording] = {}
    for row in rows:
        recording = row.recording
        side, name = split_hemisphere(recording.path.name)
        if side is None or len(recording.paths) > 1:
            joined[row.line] = recording
            continue
        key = (recording.subject, recording.session, recording.run, recording.path.parent, name)
        other = joined.get(key)
        if other is None:
            joined[key] = recording
        elif len(other.paths) > 1 or split_hemisphere(other.path.name)[0] == side:
            joined[row.line] = recording  # the cohort refuses it: the same run twice
        else:
            joined[key] = _pair(other, recording, left_first=side == "R")
    return list(joined.values())


def _pair(one: Recording, other: Recording, *, left_first: bool) -> Recording:
    paths = (*one.paths, *other.paths) if left_first else (*other.paths, *one.paths)
    return Recording(
        one.subject,
        one.session,
        one.run,
        paths,
        one.censor or other.censor,
        one.confounds or other.confounds,
        one.mask or other.mask,
    )


def _number_runs(
    recordings: Sequence[Recording],
) -> tuple[list[Recording], list[tuple[str, str]]]:
    """Number the runs that have no name, and tell of which sessions there are several."""
    n_runs: Counter[tuple[str, str]] = Counter()
    unnamed: set[tuple[str, str]] = set()
    numbered = []
    for r in recordings:
        cell = (r.subject, r.session)
        n_runs[cell] += 1
        if not r.run:
            unnamed.add(cell)
        run = r.run or str(n_runs[cell])
        numbered.append(Recording(*cell, run, r.paths, r.censor, r.confounds, r.mask))
    return numbered, [cell for cell, n in n_runs.items() if n > 1 and cell in unnamed]


def _check_exist(table: Path, recordings: Sequence[Recording]) -> None:
    """Refuse files that are not there; each path is looked up once."""
    tip = "Relative paths start from the folder of the table."
    absent = [(path, r) for r in recordings for path in r.paths if not _is_on_disk(path)]
    if absent:
        path, recording = absent[0]
        raise LayoutError(
            f"{table} lists {len(absent)} of {sum(len(r.paths) for r in recordings)} files that "
            f"do not exist; the first is {path} ({recording}).",
            f"{path.name} is a broken link: fetch its content ('datalad get')."
            if path.is_symlink()
            else tip,
        )
    known: dict[Path, bool] = {}
    for r in recordings:
        for name, beside in (("censor", r.censor), ("confounds", r.confounds), ("mask", r.mask)):
            if beside is not None and not known.setdefault(beside, is_file(beside)):
                raise LayoutError(
                    f"{table} names a {name} file that does not exist: {beside} ({r}).", tip
                )


def _is_on_disk(path: Path) -> bool:
    """Whether a file is there, for ``FILE.mat:NAME`` the file that holds the variable."""
    if is_file(path):
        return True
    from neuroparcel.io.formats import split_variable

    return is_file(split_variable(path)[0])


def _remark_on_columns(table: Path, columns: Sequence[str]) -> list[str]:
    unused = [name or "(no name)" for name in columns if name not in _COLUMNS]
    if not unused:
        return []
    meant = _meant(columns)
    hints = [f"{name!r} as {meant[name]!r}" for name in unused if name in meant]
    hint = f" Was {', '.join(hints)} meant?" if hints else ""
    return [f"{table} has further columns, which were not used: {', '.join(unused)}.{hint}"]


def _remark_on_numbered(table: Path, numbered: Sequence[tuple[str, str]]) -> list[str]:
    if not numbered:
        return []
    subject, session = numbered[0]
    more = f" and {len(numbered) - 1} further sessions" if len(numbered) > 1 else ""
    return [
        f"{table} lists subject {subject}, session {session}{more} more than once without naming "
        "runs; the rows were taken as runs 1, 2, ... of the session."
    ]
