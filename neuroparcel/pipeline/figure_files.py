"""Figures as files: in which formats, and how fine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuroparcel.atomic import atomic_path
from neuroparcel.errors import OptionError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf")
_DPI = 30, 1200  # the least, and the largest

# Text stays text: as such in SVG, in embedded TrueType fonts in PDF. A salt of our own makes
# the same figure the same SVG.
_AS_TEXT: Any = {"svg.fonttype": "none", "svg.hashsalt": "neuroparcel", "pdf.fonttype": 42}
_UNDATED: dict[str, dict[str, Any]] = {
    "png": {},
    "svg": {"metadata": {"Date": None}},
    "pdf": {"metadata": {"CreationDate": None}},
}


@dataclass(frozen=True)
class Printing:
    """How figures are written.

    Parameters
    ----------
    formats : tuple of {"png", "svg", "pdf"}
        A file for each.
    dpi : int
        Dots an inch, where a page is 180 mm wide. In SVG and PDF surfaces are pictures of
        this resolution; lines and text are drawn.

    Raises
    ------
    OptionError
        If a format is unknown, or the resolution is out of bounds.
    """

    formats: tuple[str, ...] = ("png",)
    dpi: int = 300

    def __post_init__(self) -> None:
        unknown = [name for name in self.formats if name not in FORMATS]
        if unknown or not self.formats:
            raise OptionError(
                f"--format is '{','.join(unknown)}'.", f"Choose from {', '.join(FORMATS)}."
            )
        low, high = _DPI
        if not low <= self.dpi <= high:
            raise OptionError(f"--dpi is {self.dpi}.", f"Give {low} to {high}; print takes 300.")


def save_figure(figure: Figure, folder: Path, name: str, printing: Printing) -> list[Path]:
    """Write a figure in all formats, each file whole or not at all."""
    from matplotlib import rc_context

    files = []
    for suffix in printing.formats:
        path = folder / f"{name}.{suffix}"
        with rc_context(_AS_TEXT), atomic_path(path) as aside:
            figure.savefig(aside, dpi=printing.dpi, format=suffix, **_UNDATED[suffix])
        files.append(path)
    return files


def pick(asked: Sequence[str], known: Sequence[str], option: str, noun: str) -> tuple[str, ...]:
    """What was asked for, in the order of what there is; all of it if nothing was.

    Raises
    ------
    OptionError
        If something was asked for that is not there.
    """
    missing = [name for name in asked if name not in known]
    if missing:
        raise OptionError(
            f"{option}: this run has no {noun} '{missing[0]}'.", f"It has {', '.join(known)}."
        )
    return tuple(name for name in known if not asked or name in asked)
