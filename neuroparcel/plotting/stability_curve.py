"""How well sub-populations agree, against how many subjects they have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroparcel.brain.colours import Colour, network_colours
from neuroparcel.brain.stability import StabilityReport, Statistic
from neuroparcel.plotting.heatmap import spread_out
from neuroparcel.plotting.page import QUIET, SMALL, TEXT, TITLE, WIDTH, shortened
from neuroparcel.plotting.stability import (
    curve_of,
    groups_of,
    interval_kind,
    intervals_over,
    sizes_of,
    titled,
)
from neuroparcel.plotting.stability_words import whole_in, words_of
from neuroparcel.types import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FULL, BETWEEN, DISJOINT = "#0072B2", "#009E73", "#CC79A7"
"""Okabe and Ito (2008), Color Universal Design."""

_BAND = 0.25  # opacity of intervals
_APART = 0.015  # between the groups' marks, as a share of the axis
_CHANCE = "#888888"
_WIDE = 8  # times as many subjects: the axis is logarithmic
_MOST_NAMED = 20  # networks whose lines are named
_NAME = 1.1  # inches of a name of a network or group
_PANEL = 1.75  # inches of a panel's height, about
_POINTS = 72  # in an inch
_APART_NAME = "without a common subject"


def draw_curve(report: StabilityReport) -> Figure:
    """Draw agreement against the size of the sub-populations.

    Labels that stay, the adjusted Rand index with the full population, and that between two
    sub-populations; of one group also the Dice coefficient of each network with itself in the
    full population. Thin bars hold the middle 90 % of the sub-populations or pairs; a dotted line
    is that of random rotations of the full map. Bands are 95 % intervals of the means, over
    subjects where any are: others, over sub-populations of the same subjects, are narrower, and
    are left out then.

    Parameters
    ----------
    report : StabilityReport
        Of at least two sizes; see
        :func:`~neuroparcel.plotting.stability_spread.draw_spread` for one.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    groups = groups_of(report)
    alone = len(groups) == 1
    figure = Figure(figsize=(WIDTH, 5.6), layout="constrained")
    stable, full, between, last = figure.subplots(2, 2).ravel()
    words, whole = words_of(report.design.kind), whole_in(report)
    _title(stable, "Labels", f"share that is as in the {whole}")
    _title(full, f"With the {whole}", "adjusted Rand index")
    _title(between, words.beside.capitalize(), "adjusted Rand index")
    if alone:
        drawn = _draw_one_group(report, groups[0], stable, full, between)
        _title(last, "Networks", f"Dice coefficient with the {whole}")
        _draw_networks(last, report, groups[0])
        if len(between.get_legend_handles_labels()[1]) > 1:
            between.legend(frameon=False, fontsize=SMALL, loc="lower right")
    else:
        drawn = _draw_groups(report, groups, stable, full, between)
        handles = between.get_legend_handles_labels()
        last.legend(*handles, frameon=False, fontsize=TEXT, loc="center")
        last.set_axis_off()
    for axes in (stable, full, between, last)[: 4 if alone else 3]:
        _finish(axes, report)
    title = "Agreement against size"
    title = shortened(titled(title, groups[0]), 0.8 * WIDTH, TITLE) if alone else title
    figure.suptitle(title, fontsize=TITLE, fontweight="bold")
    figure.supxlabel(marks_in_words(report, drawn), fontsize=SMALL, color=QUIET)
    return figure


def _draw_one_group(
    report: StabilityReport, group: str, stable: Axes, full: Axes, between: Axes
) -> list[Statistic]:
    """A colour a measure."""
    return [
        *_draw(stable, report, group, "stable", _Style(FULL)),
        *_draw(full, report, group, "ari_full", _Style(FULL)),
        *_draw(between, report, group, "ari_between", _Style(BETWEEN, "any two")),
        *_draw(between, report, group, "ari_disjoint", _Style(DISJOINT, _APART_NAME, apart=True)),
    ]


def _draw_groups(
    report: StabilityReport, groups: Sequence[str], stable: Axes, full: Axes, between: Axes
) -> list[Statistic]:
    """A colour a group."""
    drawn: list[Statistic] = []
    for number, (group, colour) in enumerate(zip(groups, group_colours(groups), strict=True)):
        shift = _APART * (number - (len(groups) - 1) / 2)
        name = shortened(group, _NAME, TEXT)
        style = _Style(colour, name, shift)
        drawn += _draw(stable, report, group, "stable", style)
        drawn += _draw(full, report, group, "ari_full", style)
        drawn += _draw(between, report, group, "ari_between", style)
        style = _Style(colour, f"{name}, {_APART_NAME}", shift, apart=True)
        drawn += _draw(between, report, group, "ari_disjoint", style)
    return drawn


def marks_in_words(report: StabilityReport, drawn: Iterable[Statistic | None]) -> str:
    """What intervals, bars and the line of chance are."""
    found = [one for one in drawn if one is not None]
    over = intervals_over(one for one in found if one.interval == interval_kind(report))
    said = [f"band: 95 % interval of the mean, {over}"] if over else []
    if any(np.isfinite(one.q05) for one in found):
        said.append("thin bars: middle 90 % of sub-populations or pairs")
    if any(np.isfinite(one.null) for one in found):
        said.append("dotted: random rotations of the map")
    return "; ".join(said)


def group_colours(groups: Sequence[str]) -> tuple[Colour, ...]:
    """One colour a group."""
    return network_colours(len(groups))


@dataclass(frozen=True)
class _Style:
    """How a line looks.

    Attributes
    ----------
    colour : str or Colour
    label : str
        For the legend.
    shift : float
        To the right, as a share of the axis, so that bars of groups do not cover one another.
    apart : bool
        Whether it is of pairs without a common subject: dashed.
    """

    colour: str | Colour
    label: str = ""
    shift: float = 0.0
    apart: bool = False


def _draw(
    axes: Axes, report: StabilityReport, group: str, name: str, style: _Style
) -> tuple[Statistic, ...]:
    found = curve_of(report, name, group)
    if not found:
        return ()
    places = _places(report, found, style.shift)
    value, low, high, q05, q95, null = (
        np.array([getattr(one, end) for one in found])
        for end in ("value", "low", "high", "q05", "q95", "null")
    )
    low[[one.interval != interval_kind(report) for one in found]] = np.nan
    axes.fill_between(places, low, high, color=style.colour, alpha=_BAND, linewidth=0)
    axes.vlines(places, q05, q95, color=style.colour, linewidth=0.9)
    axes.plot(
        places,
        value,
        "--s" if style.apart else "-o",
        markersize=4,
        color=style.colour,
        linewidth=1.5,
        label=style.label or None,
    )
    if np.isfinite(null).any():
        axes.plot(places, null, ":", color=_CHANCE, linewidth=1.3)
    return found


def _places(report: StabilityReport, found: Sequence[Statistic], shift: float) -> FloatArray:
    """Where on the axis of sizes some numbers stand, (number,)."""
    sizes = np.array([one.size for one in found], dtype=float)
    low, high = _ends(report)
    if _is_wide(report):
        return np.asarray(sizes * (high / low) ** shift)
    return sizes + shift * (high - low)


def _ends(report: StabilityReport) -> tuple[int, int]:
    """The smallest and the largest size of all groups."""
    return min(one.size for one in report.sizes), max(one.size for one in report.sizes)


def _is_wide(report: StabilityReport) -> bool:
    """Whether the axis of sizes is logarithmic."""
    low, high = _ends(report)
    return high > _WIDE * low


def _draw_networks(axes: Axes, report: StabilityReport, group: str) -> None:
    """A line a network, with its name at the end."""
    last: list[tuple[float, str, Colour]] = []
    for name, colour in zip(report.networks, report.colours, strict=True):
        found = curve_of(report, "dice_full", group, name)
        if found:
            values = [one.value for one in found]
            sizes = [float(one.size or 0) for one in found]
            axes.plot(sizes, values, "-o", markersize=3, linewidth=1.3, color=colour)
            last.append((values[-1], name, colour))
    if 0 < len(last) <= _MOST_NAMED:
        _name_lines(axes, sorted(last, key=lambda row: row[0]))


def _name_lines(axes: Axes, last: Sequence[tuple[float, str, Colour]]) -> None:
    """Names beside the ends of lines, as near as they can be without meeting."""
    low, high = axes.get_ylim()
    step = (high - low) * 1.15 * SMALL / _POINTS / _PANEL
    places = spread_out(np.array([row[0] for row in last]), step, low, high)
    for place, (_, name, colour) in zip(places, last, strict=True):
        style: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "fontsize": SMALL}
        axes.text(1.02, place, "\N{BLACK SQUARE}", color=colour, va="center", **style)
        axes.text(1.07, place, shortened(name, _NAME, SMALL), va="center", **style)
    axes.set_ylim(low, high)


def _finish(axes: Axes, report: StabilityReport) -> None:
    """The axis of sizes, and an upper end that is the best there can be where it is near."""
    sizes = sorted({one.size for one in report.sizes})
    if _is_wide(report):
        axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set_xlabel("subjects of a sub-population", fontsize=TEXT)
    low, high = axes.get_ylim()
    axes.set_ylim(low, min(high, 1 + 0.02 * (1 - low)))
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=TEXT)


def _title(axes: Axes, title: str, below: str) -> None:
    axes.set_title(title, fontsize=TITLE - 1, fontweight="bold", loc="left", pad=16)
    axes.annotate(
        below,
        (0, 1),
        xycoords="axes fraction",
        xytext=(0, 4),
        textcoords="offset points",
        fontsize=TEXT,
        color=QUIET,
    )


def has_curve(report: StabilityReport) -> bool:
    """Whether a group has more than one size."""
    return any(len(sizes_of(report, group)) > 1 for group in groups_of(report))
