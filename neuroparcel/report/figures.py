"""Figures of a run for its report: the one that lies in its folder, or else a new one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from neuroparcel.report.pictures import from_figure, from_file
from neuroparcel.report.run import ReportedRun
from neuroparcel.report.section import Picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure_of(
    run: ReportedRun, name: str, draw: Callable[[], Figure], alt: str, caption: str = ""
) -> Picture:
    """The picture of this name that the run has drawn, or what `draw` draws if it has none.

    A damaged picture counts as none.
    """
    path = run.figures.get(name)
    if path is not None:
        try:
            return from_file(path, alt, caption)
        except OSError:
            pass  # drawn again below, which shows the same
    return from_figure(draw(), alt, caption)


def drawn_figures(run: ReportedRun, alternatives: dict[str, str]) -> list[Picture]:
    """Those of some figures that the run has drawn.

    Parameters
    ----------
    run : ReportedRun
    alternatives : dict of str to str
        What each shows in words, by its name.
    """
    found = []
    for name, alt in alternatives.items():
        path = run.figures.get(name)
        if path is not None:
            with suppress(OSError):  # damaged: it is not needed to understand the page
                found.append(from_file(path, alt))
    return found
