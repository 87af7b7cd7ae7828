"""What a bad input is made of, what must come of it, and how the document shows it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .bad_files import Folder

Make = Callable[[Folder], list[str]]

REFUSED = 2
PARTLY_DONE = 3

_DIGEST = re.compile(r"\b[0-9a-f]{32,64}\b")


@dataclass(frozen=True)
class Case:
    """A bad input.

    Parameters
    ----------
    title : str
        What is bad about it.
    make : callable
        Writes the files into a folder and gives the command line.
    code : int
        Exit code: 2 refused, 3 the others were done, 0 it can be used.
    done : tuple of str
        Subjects that are in the store afterwards.
    names : str
        What the message must name beside: a file or an option; empty if there is none.
    """

    title: str
    make: Make
    code: int = REFUSED
    done: tuple[str, ...] = ()
    names: str = ""


@dataclass(frozen=True)
class Section:
    """A part of the document."""

    title: str
    cases: list[Case] = field(default_factory=list)

    def case(
        self, title: str, code: int = REFUSED, *, done: str = "", names: str = ""
    ) -> Callable[[Make], Make]:
        """Enter a function as a case."""

        def enter(make: Make) -> Make:
            self.cases.append(Case(title, make, code, tuple(done.split()), names))
            return make

        return enter


@dataclass(frozen=True)
class Printed:
    """What a command line has printed, without the folder that the test ran in."""

    command: str
    text: str
    code: int

    @classmethod
    def of(cls, arguments: list[str], output: str, code: int, folder: Path) -> Printed:
        """Shorten paths, and digests, which differ from machine to machine."""
        shown = _DIGEST.sub("DIGEST", output.replace(f"{folder}/", "").replace(str(folder), "."))
        words = arguments[: 2 if arguments[0] in ("atlas", "connectome") else 1]
        return cls(" ".join(words), shown.rstrip(), code)

    def row(self, title: str) -> str:
        """A row of the table."""
        lines = [line for line in self.text.splitlines() if line.strip()]
        shown = "<br>".join(f"`{line.strip()}`" for line in lines).replace("|", r"\|")
        return f"| {title} | {self.command} | {shown} | {self.code} |"


def document(head: str, sections: dict[str, list[str]]) -> str:
    """The whole document: a table for each section."""
    parts = [head]
    for title, rows in sections.items():
        columns = "| input | command | what is printed | exit code |\n| --- | --- | --- | --- |"
        parts.append("\n".join([f"## {title}\n", columns, *rows]))
    return "\n\n".join(parts) + "\n"
