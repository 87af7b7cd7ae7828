"""Maps of a stability analysis: how probable it is that a label stays, and what moves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.brain.designs import EVERYONE
from neuroparcel.brain.stability import SizeStability, StabilityReport
from neuroparcel.plotting.page import (
    HEADING,
    QUIET,
    SMALL,
    TEXT,
    draw_heading,
    new_page,
    place,
    write,
)
from neuroparcel.plotting.stability import (
    in_words,
    intervals_over,
    mapped_sizes,
    sampled,
    sampled_each,
    statistic_of,
    titled,
)
from neuroparcel.plotting.stability_words import whole_of
from neuroparcel.plotting.value_maps import MapGrid, Scale, note_of
from neuroparcel.types import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PART_COLOURS = {"population": "#0072B2", "subject": "#E69F00", "session": "#999999"}
"""Okabe and Ito (2008), Color Universal Design."""

PART_NAMES = {
    "population": "who is in the sub-population",
    "subject": "subjects from their population",
    "session": "sessions from their subject",
}
"""What the parts of the squared deviation are, in words."""

_FOOT = 0.22  # inches
_MOST_WITH_LOW = 2  # sizes that have the low end of the interval beside them
_LOW = "low end"
_HALF = 0.5
_FEW = 1  # percent of the vertices that may lie outside a scale


def draw_stability_map(report: StabilityReport, group: str = EVERYONE) -> Figure:
    """Draw the probability that a sub-population's label is that of its full group.

    Of one or two sizes the low end of the 95 % interval stands beside it; of up to four sizes
    each has a map, of more the smallest and the largest. The scale begins at 0.5 if nearly all
    vertices lie above.

    Parameters
    ----------
    report : StabilityReport
        On the fs_LR 32k cortex.
    group : str, default "all"
        The sub-populations of this group.

    Returns
    -------
    matplotlib.figure.Figure
    """
    sizes = mapped_sizes(report, group)
    maps = _stability_maps(sizes)
    scale = _scale_of(np.concatenate(list(maps.values())))
    grid = MapGrid(report.axis, len(maps))
    figure = new_page(HEADING + grid.height + _FOOT)
    said = f"probability that the label of a sub-population is that of the {whole_of(group)}"
    draw_heading(figure, titled("Stability of labels", group), said)
    for number, (name, values) in enumerate(maps.items()):
        grid.draw_values(figure, HEADING, number, name, values, scale)
    grid.draw_insets(figure, HEADING)
    grid.draw_scale(figure, HEADING, scale)
    over = intervals_over(
        statistic_of(report, "stable", group=group, size=one.size) for one in sizes
    )
    drawn = sampled(report, sizes[0]) if len(sizes) == 1 else sampled_each(report, sizes[0])
    interval = f"intervals hold 95 %, {over}" if over and len(sizes) <= _MOST_WITH_LOW else ""
    _draw_foot(figure, drawn, interval, note_of(sizes[0].stable.value))
    return figure


def draw_parts(report: StabilityReport, group: str = EVERYONE, size: int | None = None) -> Figure:
    """Draw what makes a session's soft label deviate from the full group's, at each vertex.

    Maps on one scale, which ends where 1 % of the vertices of the largest part lie above,
    and a bar of the shares of the whole.

    Parameters
    ----------
    report : StabilityReport
        On the fs_LR 32k cortex.
    group : str, default "all"
    size : int, optional
        Of the sub-populations; the smallest if not given.

    Returns
    -------
    matplotlib.figure.Figure
    """
    one = report.of(group, size or mapped_sizes(report, group)[0].size)
    scale = _parts_scale(one)
    grid = MapGrid(report.axis, len(one.known_parts) + 1)
    figure = new_page(HEADING + grid.height + _FOOT)
    said = f"mean squared deviation of a session's soft label from that of the {whole_of(group)}"
    draw_heading(figure, titled("What moves the labels", group), said)
    for number, part in enumerate(one.known_parts):
        grid.draw_values(figure, HEADING, number, part, one.parts[part], scale)
    left, top = grid.cell(HEADING, len(one.known_parts))
    draw_shares(figure, left + 0.1, top + 0.2, grid.column - 0.45, report, one)
    grid.draw_insets(figure, HEADING)
    grid.draw_scale(figure, HEADING, scale)
    _draw_foot(figure, sampled(report, one), note_of(one.parts["population"]))
    return figure


def draw_shares(
    figure: Figure,
    left: float,
    top: float,
    width: float,
    report: StabilityReport,
    one: SizeStability,
) -> None:
    """Draw the shares of the parts as one bar, and below it what they are.

    Each share is that of the means over vertices, with its 95 % interval where there is one.
    """
    from matplotlib.patches import Rectangle

    rows = 0.36  # inches
    height = 0.75 + rows * len(one.known_parts)
    axes = place(figure, left, top, width, height)
    axes.set(xlim=(0, width), ylim=(height, 0))
    title = f"shares of all {report.axis.rows_are} together"
    axes.text(0, 0.05, title, fontsize=TEXT, va="center", weight="bold")
    start = 0.0
    for number, (part, share) in enumerate(shares_of(one).items()):
        colour = PART_COLOURS[part]
        axes.add_patch(Rectangle((start, 0.22), width * share, 0.26, color=colour, linewidth=0))
        start += width * share
        middle = 0.7 + rows * number
        axes.add_patch(Rectangle((0, middle), 0.13, 0.13, color=colour, linewidth=0))
        found = statistic_of(report, f"share_{part}", group=one.group, size=one.size)
        said = "n/a" if found is None else in_words(found, percent=True, digits=1)
        axes.text(0.2, middle + 0.06, f"{part}: {said}", fontsize=TEXT, va="center")
        axes.text(0.2, middle + 0.2, PART_NAMES[part], fontsize=SMALL, va="center", color=QUIET)


def shares_of(one: SizeStability) -> dict[str, float]:
    """Each part's share of the squared deviation of all vertices; 0 where nothing deviates."""
    sums = {part: float(np.nansum(one.parts[part])) for part in one.known_parts}
    total = sum(sums.values())
    return {part: own / total if total > 0 else 0.0 for part, own in sums.items()}


def _stability_maps(sizes: tuple[SizeStability, ...]) -> dict[str, FloatArray]:
    """Maps by their names."""
    many = len(sizes) > 1
    maps = {}
    for one in sizes:
        maps[f"{one.size:,} subjects" if many else "probability"] = one.stable.value
        if len(sizes) <= _MOST_WITH_LOW and np.isfinite(one.stable.low).any():
            name = f"{one.size:,} subjects, {_LOW}" if many else f"{_LOW} of the 95 % interval"
            maps[name] = one.stable.low
    return maps


def _scale_of(values: FloatArray) -> Scale:
    known = values[np.isfinite(values)]
    if not len(known) or np.percentile(known, _FEW) < _HALF:
        return Scale()
    return Scale(_HALF, 1.0, is_open_below=bool((known < _HALF).any()))


def _parts_scale(one: SizeStability) -> Scale:
    values = np.array([one.parts[part] for part in one.known_parts])
    known = values[:, np.isfinite(values).all(axis=0)]
    if not known.size or known.max() <= 0:
        return Scale()
    high = float(np.percentile(known, 100 - _FEW, axis=1).max())
    if high <= 0:
        high = float(known.max())
    return Scale(0.0, high, is_open_above=bool(known.max() > high))


def _draw_foot(figure: Figure, *notes: str) -> None:
    said = "; ".join(note for note in notes if note)
    write(figure, 0.1, figure.get_figheight() - 0.18, said, size=SMALL, color=QUIET)
