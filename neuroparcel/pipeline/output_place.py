"""The place where results go: whether it can be written to, and what is removed from it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from neuroparcel.errors import FileFormatError, OutputError
from neuroparcel.io.files import read_json


def check_writable(path: Path) -> None:
    """See whether a file or folder may be written, before anything long runs.

    A file without a name is made and is gone at once: the rights of a folder say nothing to
    root, nor of a disk that is mounted for reading.

    Raises
    ------
    OutputError
        If the folder, or the nearest one above that exists, takes no files.
    """
    folder = path.absolute() if path.is_dir() else path.absolute().parent
    while not folder.exists():
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {folder} is no folder that you may write to.",
            "Give another --output.",
        ) from error


def listed_files(record: Path) -> list[Any]:
    """What a record lists under ``files``; nothing if it is missing or damaged.

    What a damaged record listed is replaced, or stays.
    """
    try:
        names = read_json(record).get("files")
    except FileFormatError:
        return []
    return names if isinstance(names, list) else []


def remove_files(folder: Path, names: Iterable[Any]) -> None:
    """Remove files of a folder, by their names in it, and nothing outside of it.

    Names may come from a record that is damaged or was edited: those of folders, of files
    elsewhere and of files that are not there are passed over. Of a link, the link is removed.
    """
    inside = folder.resolve()
    for name in names:
        if _is_file_of(inside, name):
            (inside / name).unlink()


def _is_file_of(inside: Path, name: object) -> bool:
    if not isinstance(name, str):
        return False
    path = inside / name
    try:
        is_file = path.is_file() or path.is_symlink()
        return is_file and path.parent.resolve().is_relative_to(inside)
    except (OSError, ValueError):  # too long for a name, or with a zero byte
        return False
