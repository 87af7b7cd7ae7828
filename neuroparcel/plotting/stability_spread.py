"""How well sub-populations of one size agree: the spread of single ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.brain.colours import Colour
from neuroparcel.brain.stability import SizeStability, StabilityReport, Statistic
from neuroparcel.plotting.page import QUIET, SMALL, TEXT, TITLE, WIDTH, shortened
from neuroparcel.plotting.stability import (
    groups_of,
    index_range,
    intervals_over,
    sampled,
    sizes_of,
    statistic_of,
)
from neuroparcel.plotting.stability_curve import BETWEEN, FULL, group_colours
from neuroparcel.plotting.stability_words import whole_in, words_of
from neuroparcel.types import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEAST_BINS, _MOST_BINS = 10, 40
_ROW, _NAME = 0.17, 1.6  # inches of a network, and of a name
_NULL = "#888888"


def draw_spread(report: StabilityReport) -> Figure:
    """Draw histograms of the agreement of single sub-populations, and of each network.

    The adjusted Rand index of sub-populations with their full group, and of pairs of them, and
    of each network the Dice coefficient with itself in the full group. A dot is the mean, a
    thick bar its 95 % interval, a thin one the middle 90 %; a dotted line is that of random
    rotations of the full map.

    Parameters
    ----------
    report : StabilityReport
        Of one size of each group; of more, the smallest is drawn.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    groups = groups_of(report)
    ones = [sizes_of(report, group)[0] for group in groups]
    alone = len(ones) == 1
    networks = len(report.networks) * _ROW * max(1.0, 0.6 * len(ones)) + 1.0
    height = 2.5 + max(networks, 1.5)
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    panels = figure.subplot_mosaic(
        [["full", "between"], ["networks", "networks"]],
        height_ratios=(2.1, max(networks, 1.5) - 0.3),
    )
    full, between, dice = panels["full"], panels["between"], panels["networks"]
    colours = group_colours(groups)
    drawn: list[Statistic | None] = []
    for axes, name, own in ((full, "ari_full", FULL), (between, "ari_between", BETWEEN)):
        found = [statistic_of(report, name, group=one.group, size=one.size) for one in ones]
        shown: Sequence[str | Colour] = [own] if alone else colours
        for one, row, colour in zip(ones, found, shown, strict=True):
            values = one.ari_full if name == "ari_full" else pairs_of(report, one)
            _draw_histogram(
                axes, values, row, colour, "" if alone else shortened(one.group, _NAME, TEXT)
            )
        top = axes.get_ylim()[1]
        for number, (row, colour) in enumerate(zip(found, shown, strict=True)):
            _draw_mark(axes, row, top * (1.04 + 0.07 * number), colour)
        drawn += found
    words = words_of(report.design.kind)
    _finish(full, f"With the {whole_in(report)}", "adjusted Rand index", words.maps)
    _finish(between, words.beside.capitalize(), "adjusted Rand index", "pairs")
    if not between.patches:
        between.set(yticks=[], ylabel="")
        if not any(drawn[len(ones) :]):
            between.set(xticks=[], xlabel="there are no pairs")
    if not alone:
        handles = full.get_legend_handles_labels()
        figure.legend(*handles, loc="outside upper right", ncols=6, frameon=False, fontsize=TEXT)
    _draw_networks(dice, report, ones)
    said = sampled(report, ones[0]) if alone else f"sub-populations of {len(ones)} groups"
    figure.suptitle(f"Agreement: {said}", fontsize=TITLE, fontweight="bold")
    over = intervals_over(drawn)
    note = "dot: mean" + f"; thick bar: its 95 % interval, {over}" * bool(over)
    note += "; thin bar: middle 90 % of sub-populations or pairs"
    if any(one is not None and np.isfinite(one.null) for one in drawn):
        note += "; dotted: random rotations of the map"
    figure.supxlabel(note, fontsize=SMALL, color=QUIET)
    return figure


def pairs_of(report: StabilityReport, one: SizeStability) -> FloatArray:
    """Adjusted Rand index of each pair of the sub-populations that are shown, (pair,).

    None of designs that compare certain pairs only: others would not tell of those.
    """
    if words_of(report.design.kind).is_paired:
        return np.empty(0)
    return one.similarity[np.triu_indices(len(one.similarity), k=1)]


def _draw_histogram(
    axes: Axes, values: FloatArray, found: Statistic | None, colour: str | Colour, label: str
) -> None:
    known = values[np.isfinite(values)]
    if len(known):
        ends = index_range(known, float(known.min()), float(known.max()))
        edges = np.histogram_bin_edges(known, "auto", ends)
        bins = int(np.clip(len(edges) - 1, _LEAST_BINS, _MOST_BINS))
        axes.hist(known, bins=bins, range=ends, color=colour, alpha=0.5, label=label or None)
    if found is not None and np.isfinite(found.null):
        axes.axvline(found.null, color=_NULL, linewidth=1.3, linestyle=":")


def _draw_mark(axes: Axes, found: Statistic | None, place: float, colour: str | Colour) -> None:
    """A dot, its interval, and the middle of the sub-populations, at a height."""
    if found is None:
        return
    axes.plot([found.q05, found.q95], [place] * 2, color=colour, linewidth=1.0)
    axes.plot([found.low, found.high], [place] * 2, color=colour, linewidth=3.2)
    axes.plot(found.value, place, "o", color="black", markersize=3)


def _draw_networks(axes: Axes, report: StabilityReport, ones: list[SizeStability]) -> None:
    """A row a network, and in it a line a group."""
    step = 0.7 / len(ones)
    for row, (name, colour) in enumerate(zip(report.networks, report.colours, strict=True)):
        for number, one in enumerate(ones):
            found = statistic_of(report, "dice_full", group=one.group, size=one.size, network=name)
            _draw_mark(axes, found, row + step * (number - (len(ones) - 1) / 2), colour)
    names = [shortened(name, _NAME, TEXT) for name in report.networks]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    low, high = axes.get_xlim()
    axes.set_xlim(low, min(high, 1 + 0.02 * (1 - low)))
    groups = "" if len(ones) == 1 else ", groups from above in the order of the legend"
    _finish(axes, f"Networks{groups}", f"Dice coefficient with the {whole_in(report)}", "")


def _finish(axes: Axes, title: str, across: str, up: str) -> None:
    axes.set_title(title, fontsize=TITLE - 1, fontweight="bold", loc="left")
    axes.set_xlabel(across, fontsize=TEXT)
    axes.set_ylabel(up, fontsize=TEXT)
    low, high = axes.get_xlim()
    axes.set_xticks([tick for tick in axes.get_xticks() if low <= tick <= high])
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=TEXT)
