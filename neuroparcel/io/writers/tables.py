"""Tables of tab-separated values with a header, as BIDS has them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from neuroparcel.atomic import atomic_path
from neuroparcel.errors import FileFormatError


def write_tsv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    """Write a table, whole or not at all; rows are taken as they are written."""
    with atomic_path(path) as aside, aside.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    return path


def read_tsv(path: Path) -> tuple[list[str], list[list[str]]]:
    """Read a table that :func:`write_tsv` wrote.

    Returns
    -------
    header : list of str
    rows : list of list of str
        Each as long as the header.

    Raises
    ------
    FileFormatError
        If the file is missing, no text, or its rows differ in length.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            header, *rows = list(csv.reader(stream, delimiter="\t"))
    except FileNotFoundError as error:
        raise FileFormatError(f"{path} does not exist.") from error
    except (ValueError, csv.Error) as error:  # empty, or no text
        raise FileFormatError(f"{path} is not a table ({error}).") from error
    short = next((n for n, row in enumerate(rows, 2) if len(row) != len(header)), None)
    if short is not None:
        raise FileFormatError(f"{path} has {len(header)} columns, but not in line {short}.")
    return header, rows
