"""What a report is made of: sections with a template each, pictures, and facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Picture:
    """A picture inside the page.

    Attributes
    ----------
    source : str
        A ``data:`` address, so that nothing is fetched.
    width, height : int
        In pixels, so that the page does not jump while it loads.
    alt : str
        What it shows, in words, for those who do not see it.
    caption : str
        What stands below it.
    """

    source: str
    width: int
    height: int
    alt: str
    caption: str = ""

    @property
    def n_bytes(self) -> int:
        """What it adds to the page."""
        return len(self.source)


@dataclass(frozen=True)
class Fact:
    """A row of a table of facts.

    Attributes
    ----------
    name, value : str
    note : str
        What the value means, in small print.
    """

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Section:
    """A part of the page, with a heading of its own.

    Attributes
    ----------
    id : str
        Its anchor.
    title : str
        Its heading, and its entry in the contents.
    template : str
        File in ``templates/`` that lays it out.
    content : mapping
        What the template is given.
    """

    id: str
    title: str
    template: str
    content: Mapping[str, Any] = field(default_factory=dict)
