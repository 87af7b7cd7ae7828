"""Entries of folders, many of them, fast."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from neuroparcel.errors import LayoutError


@contextmanager
def scan(folder: Path | str) -> Iterator[Iterator[os.DirEntry[str]]]:
    """Open a folder and go through what it holds.

    A folder that is not there raises FileNotFoundError, for the caller may know what to make
    of it; what else goes wrong is the user's to mend.

    Raises
    ------
    LayoutError
        If the folder cannot be read.
    """
    try:
        entries = os.scandir(folder)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(folder) from error
    except OSError as error:
        raise LayoutError(
            f"The folder {folder} cannot be read ({error.strerror}).",
            "Check its permissions with ls -ld.",
        ) from error
    with entries:
        yield entries


def is_file(path: Path | str) -> bool:
    """Whether there is a file; no wherever the file system says no, permissions included."""
    return os.path.isfile(path)  # noqa: PTH113 - half the time of Path.is_file, for thousands


def is_folder(path: Path | str) -> bool:
    """Whether there is a folder; no wherever the file system says no, permissions included."""
    return os.path.isdir(path)  # noqa: PTH112 - as is_file
