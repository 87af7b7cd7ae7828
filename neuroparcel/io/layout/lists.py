"""Text files that list subjects, recordings or paths, one a line."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from neuroparcel.errors import LayoutError
from neuroparcel.io.entities import check_names
from neuroparcel.io.layout.scanning import is_file

FORMS = "List one subject a line, or give a table with columns subject, session, path."
"""What a subject list may be, for tips."""

_COMMENT = re.compile(r"(^|\s)#.*")


@dataclass(frozen=True)
class Line:
    """A line with something on it.

    Parameters
    ----------
    number : int
        Counted from 1, as editors do.
    text : str
        Its text, without blanks at the end.
    """

    number: int
    text: str


def read_lines(path: Path, what: str = "subject list", tip: str = FORMS) -> list[Line]:
    """Read the lines of a text file that are neither empty nor comments.

    UTF-8 with or without a byte order mark, and UTF-16 with one (what spreadsheets save as
    Unicode text) are read, with any line ends.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    what : str
        What it is, for messages.
    tip : str
        How to mend it if it cannot be read.

    Raises
    ------
    LayoutError
        If it is missing, empty, unreadable or no text.
    """
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise LayoutError(f"The {what} {path} does not exist.", f"Check the path. {tip}") from error
    except OSError as error:
        raise LayoutError(f"The {what} {path} cannot be read ({error.strerror}).", tip) from error
    lines = [
        Line(number, text.rstrip())
        for number, text in enumerate(_decode(path, content, what, tip).splitlines(), start=1)
        if text.strip() and not text.lstrip().startswith("#")
    ]
    if not lines:
        raise LayoutError(f"The {what} {path} is empty.", tip)
    return lines


def _decode(path: Path, content: bytes, what: str, tip: str) -> str:
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise LayoutError(f"The {what} {path} is not a text file.", tip) from error
    if "\0" in text:
        raise LayoutError(f"The {what} {path} is not a text file.", tip)
    return text


def read_subjects(path: Path, lines: Sequence[Line]) -> list[str]:
    """Subjects of a plain list, comments removed.

    Raises
    ------
    LayoutError
        If a subject is listed twice, its name cannot become a file name, or the lines are
        files.
    """
    subjects = [_COMMENT.sub("", line.text).strip() for line in lines]
    for line, subject in zip(lines, subjects, strict=True):
        if is_file(path.parent / subject):
            raise LayoutError(
                f"Line {line.number} of {path} is a file, which tells no subject or session: "
                f"{subject}.",
                "Give a table with columns subject, session, path.",
            )
    twice = [subject for subject, n in Counter(subjects).items() if n > 1]
    if twice:
        raise LayoutError(
            f"{path} lists subject {twice[0]} more than once.", "List each subject once."
        )
    check_names("subject", subjects)  # before folders are looked for by these names
    return subjects
