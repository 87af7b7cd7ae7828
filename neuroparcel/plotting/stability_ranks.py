"""Stability of rows that have no place on a surface: sorted within networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.brain.designs import EVERYONE
from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.brain.stability import SizeStability, StabilityReport, VertexEstimate
from neuroparcel.plotting.heatmap import sort_nodes, spread_out
from neuroparcel.plotting.page import (
    HEADING,
    QUIET,
    SMALL,
    TEXT,
    WIDTH,
    draw_heading,
    new_page,
    place,
    shortened,
    text_width,
    write,
)
from neuroparcel.plotting.stability import (
    intervals_over,
    mapped_sizes,
    sampled,
    statistic_of,
    titled,
)
from neuroparcel.plotting.stability_maps import PART_COLOURS, draw_shares
from neuroparcel.plotting.stability_words import whole_of
from neuroparcel.types import FloatArray, IntArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEFT, _RIGHT = 0.55, 0.1  # inches
_PANEL, _ABOVE = 1.5, 0.4  # inches: of rows, and above them
_UPRIGHT, _LEVEL = 0.95, 0.3  # inches of the networks' names below
_SHARES = 2.0  # inches
_MOST_DOTS = 700  # rows that have a dot and an interval each; of more, lines and bands
_MOST_DRAWN = 3000  # rows; of more, evenly spaced ones
_GAP = 0.012  # between networks, as a share of the rows
_N_LEAST = 4
_LINE = 0.13  # inches


def ranks_height(soft: SoftParcellation) -> float:
    """Inches that one panel takes, with the networks' names."""
    return _ABOVE + _PANEL + (_LEVEL if _has_room(soft) else _UPRIGHT)


def _has_room(soft: SoftParcellation) -> bool:
    """Whether the networks' names can stand side by side."""
    widest = max(text_width(name, SMALL) for name in soft.networks)
    return widest * soft.n_networks <= WIDTH - _LEFT - _RIGHT


@dataclass(frozen=True, eq=False)
class Ranks:
    """Rows by network, and within it from the highest value to the lowest.

    Attributes
    ----------
    rows : (shown,) array of int
        Those that have a label and a value.
    place : (shown,) array of float
        Where each stands from left to right, with gaps between networks.
    network : (shown,) array of int
        From 0.
    """

    rows: IntArray
    place: FloatArray
    network: IntArray

    @classmethod
    def of(cls, labels: IntArray, values: FloatArray) -> Ranks:
        """Sort rows: labels (row,) from 1, values (row,), NaN where nothing is known."""
        order = sort_nodes(labels, values)
        rows = order[(labels[order] > 0) & np.isfinite(values[order])]
        network = labels[rows] - 1
        gap = max(_GAP * len(rows), 0.5)
        n_before = np.cumsum(np.diff(network, prepend=network[:1]) > 0)
        return cls(rows, np.arange(len(rows)) + gap * n_before, network)

    @property
    def blocks(self) -> list[tuple[int, IntArray]]:
        """Each network with the positions of its rows, thinned out where there are too many."""
        step = -(-len(self.rows) // _MOST_DRAWN)
        return [
            (int(number), np.flatnonzero(self.network == number)[::step])
            for number in np.unique(self.network)
        ]


def draw_stability_ranks(report: StabilityReport, group: str = EVERYONE) -> Figure:
    """Draw the probability that a row's label stays, with intervals, in the networks' colours.

    Parameters
    ----------
    report : StabilityReport
        Of nodes, or other rows that have no surface to be drawn on.
    group : str, default "all"

    Returns
    -------
    matplotlib.figure.Figure
    """
    sizes, soft = mapped_sizes(report, group), report.full[group]
    height = ranks_height(soft)
    figure = new_page(HEADING + height * len(sizes) + 0.2)
    said = f"probability that the label of a sub-population is that of the {whole_of(group)}"
    draw_heading(figure, titled("Stability of labels", group), said)
    for number, one in enumerate(sizes):
        top = HEADING + height * number
        ranks = Ranks.of(soft.labels, one.stable.value)
        axes = draw_ranks(figure, top, ranks, one.stable, soft)
        axes.set_ylim(min(0.5, axes.get_ylim()[0]), 1.01)
        write(figure, _LEFT, top, sampled(report, one), weight="bold")
        write(figure, _LEFT, top + 0.17, _least(one, soft), size=SMALL, color=QUIET)
    over = intervals_over(
        statistic_of(report, "stable", group=group, size=one.size) for one in sizes
    )
    note = f"sorted within networks; lines or bands: 95 % intervals, {over}" if over else ""
    write(figure, 0.1, figure.get_figheight() - 0.18, note, size=SMALL, color=QUIET)
    return figure


def draw_parts_ranks(
    report: StabilityReport, group: str = EVERYONE, size: int | None = None
) -> Figure:
    """Draw what makes a session's soft label deviate from the full group's, one row on another.

    Parameters
    ----------
    report : StabilityReport
        Of nodes, or other rows that have no surface to be drawn on.
    group : str, default "all"
    size : int, optional
        Of the sub-populations; the smallest if not given.

    Returns
    -------
    matplotlib.figure.Figure
    """
    one, soft = report.of(group, size or mapped_sizes(report, group)[0].size), report.full[group]
    height = ranks_height(soft)
    figure = new_page(HEADING + height + _SHARES + 0.2)
    said = f"mean squared deviation of a session's soft label from that of the {whole_of(group)}"
    draw_heading(figure, titled("What moves the labels", group), said)
    ranks = Ranks.of(soft.labels, np.sum([one.parts[part] for part in one.known_parts], axis=0))
    axes = _ranks_axes(figure, HEADING, ranks, soft)
    for _, shown in ranks.blocks:
        below = np.zeros(len(shown))
        for part in one.known_parts:
            above = below + one.parts[part][ranks.rows[shown]]
            axes.fill_between(
                ranks.place[shown], below, above, color=PART_COLOURS[part], linewidth=0, step="mid"
            )
            below = above
    axes.set_ylim(bottom=0)
    draw_shares(figure, _LEFT, HEADING + height, 3.2, report, one)
    note = f"{sampled(report, one)}; sorted within networks"
    write(figure, 0.1, figure.get_figheight() - 0.18, note, size=SMALL, color=QUIET)
    return figure


def draw_ranks(
    figure: Figure, top: float, ranks: Ranks, estimate: VertexEstimate, soft: SoftParcellation
) -> Axes:
    """Draw values with their intervals in the networks' colours, from a place in inches down."""
    axes = _ranks_axes(figure, top, ranks, soft)
    dots = len(ranks.rows) <= _MOST_DOTS
    for number, shown in ranks.blocks:
        rows, places, colour = ranks.rows[shown], ranks.place[shown], soft.colours[number]
        low, high = estimate.low[rows], estimate.high[rows]
        if dots:
            axes.vlines(places, low, high, color=colour, linewidth=0.8, alpha=0.6)
            axes.plot(places, estimate.value[rows], "o", color=colour, markersize=2.2)
        else:
            axes.fill_between(places, low, high, color=colour, alpha=0.3, linewidth=0)
            axes.plot(places, estimate.value[rows], color=colour, linewidth=1.5)
    return axes


def _ranks_axes(figure: Figure, top: float, ranks: Ranks, soft: SoftParcellation) -> Axes:
    """A panel with the networks' names below it."""
    width = WIDTH - _LEFT - _RIGHT
    axes = place(figure, _LEFT, top + _ABOVE, width, _PANEL)
    axes.set_axis_on()
    last = float(ranks.place.max(initial=1))
    low, high = -0.01 * last, 1.01 * last
    axes.set_xlim(low, high)
    centres = np.array([ranks.place[ranks.network == n].mean() for n, _ in ranks.blocks])
    level = _has_room(soft)
    names = [shortened(soft.networks[number], _UPRIGHT - 0.1, SMALL) for number, _ in ranks.blocks]
    inches = max(text_width(name, SMALL) for name in names) if level else _LINE
    apart = (high - low) * inches / width
    places = spread_out(centres, apart, low + apart / 2, high - apart / 2)
    axes.set_xticks(places, names, rotation=0 if level else 90, fontsize=SMALL)
    axes.tick_params(axis="x", length=0)
    axes.tick_params(axis="y", labelsize=TEXT)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def _least(one: SizeStability, soft: SoftParcellation) -> str:
    """The rows whose labels are least stable, by name."""
    values = np.where(soft.labels > 0, one.stable.value, np.nan)
    order = np.argsort(values, kind="stable")[:_N_LEAST]
    known = [row for row in order if np.isfinite(values[row])]
    names = soft.axis.restrict(np.array(known, dtype=np.int64)).names if known else ()
    said = [
        f"{shortened(name, 1.2, SMALL)} {values[row]:.2f}"
        for name, row in zip(names, known, strict=True)
    ]
    return f"least stable: {', '.join(said)}" if said else ""
