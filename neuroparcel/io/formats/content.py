"""What stands at a path before any reader looks into it: a file with content, or something else."""

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path
from typing import BinaryIO, cast

from neuroparcel.errors import FileFormatError

_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_ANNEX_POINTER = b"/annex/objects/"
GZIP_MAGIC = b"\x1f\x8b"
DAMAGE = (OSError, EOFError, ValueError, OverflowError, zlib.error)
"""What a damaged file makes the operating system, numpy and zlib raise."""

_MAX_SAID = 200
# Deflate codes at best 258 bytes in 2 bits (RFC 1951): no honest file holds more than this.
MAX_INFLATION = 1032


def check_is_content(path: Path) -> None:
    """Refuse a path that holds no content: missing, empty, or a pointer left by a version tool.

    Parameters
    ----------
    path : pathlib.Path
        What is to be read.

    Raises
    ------
    FileFormatError
    """
    fetch = "Fetch its content first ({}), or point to the real file."
    start = _start(path)
    if not start:
        raise FileFormatError(f"{path} is an empty file.", "Copy or download it again.")
    if start.startswith(_LFS_POINTER):
        raise FileFormatError(
            f"{path} is a Git LFS pointer, not the data.", fetch.format("'git lfs pull'")
        )
    if _ANNEX_POINTER in start:
        raise FileFormatError(
            f"{path} is a git-annex pointer, not the data.", fetch.format("'git annex get'")
        )


def is_compressed(path: Path) -> bool:
    """Whether a file is gzipped, whatever its name says."""
    with path.open("rb") as stream:
        return stream.read(len(GZIP_MAGIC)) == GZIP_MAGIC


def open_stream(path: Path, compressed: bool) -> BinaryIO:
    """Open a file for reading from front to back, decompressing it on the way."""
    return cast(BinaryIO, gzip.open(path)) if compressed else path.open("rb")


def check_holds(path: Path, n_bytes: int, *, compressed: bool = False) -> None:
    """Compare the size of a file with what its header promises, before any memory is taken.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    n_bytes : int
        Bytes promised.
    compressed : bool, default False
        Whether they are promised to come out of a compressed file; then only promises that
        no compression could keep are refused.

    Raises
    ------
    FileFormatError
    """
    actual = path.stat().st_size
    if n_bytes <= actual * (MAX_INFLATION if compressed else 1):
        return
    raise FileFormatError(
        f"{path} is truncated: {actual} bytes{' compressed' if compressed else ''}, where its "
        f"header promises {n_bytes}.",
        "Copy or download it again.",
    )


def one_line(said: object) -> str:
    """What a library, or a damaged file, says: on one line, printable, not endless."""
    text = " ".join(str(said).split()) or type(said).__name__
    shown = "".join(letter if letter.isprintable() else "?" for letter in text)
    return shown if len(shown) <= _MAX_SAID else f"{shown[:_MAX_SAID]}..."


def _start(path: Path) -> bytes:
    """The first bytes of a file, or the reason why there are none."""
    try:
        if path.is_symlink() and not path.exists():
            raise FileFormatError(
                f"{path} is a broken link.",
                "Fetch its content first ('datalad get' if it is a DataLad dataset), or point to "
                "the real file.",
            )
        if not path.exists():
            raise FileFormatError(f"{path} does not exist.", "Check the path.")
        if path.is_dir():
            raise FileFormatError(f"{path} is a folder, not a file.", "Name the file in it.")
        if not path.is_file():
            raise FileFormatError(f"{path} is not a regular file.", "Give a file on disk.")
        with path.open("rb") as stream:
            return stream.read(256)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise FileFormatError(
            f"{path} cannot be opened ({reason}).", "Check its permissions with ls -l."
        ) from error
