"""Scores against the number of networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.parcellation.selection import Curve, Recommendation, Selection
from neuroparcel.plotting.page import TITLE, WIDTH

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# M. Okabe and K. Ito (2008), Color Universal Design
_DENSITY, _SESSIONS, _HALVES, _INSIDE = "#0072B2", "#009E73", "#CC79A7", "#D55E00"
_CHANCE, _CHOSEN, _NOTE = "#888888", "#000000", "#555555"
_MOST_TICKS = 12


def draw_selection(selection: Selection, recommendation: Recommendation) -> Figure:
    """Draw density, stability and homogeneity against the number of networks.

    The density is drawn below the best, within subjects, as the recommendation sees it;
    filled points are within one standard error of the best. Bands are 95 % intervals over
    subjects, and the range over splits of the cohort into halves.

    Parameters
    ----------
    selection : Selection
    recommendation : Recommendation
        Of this selection; a line marks its number.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 5.6), layout="constrained")
    panels = figure.subplot_mosaic([["density", "density"], ["stability", "inside"]])
    density, stability, inside = panels.values()
    _draw_density(density, selection, recommendation)
    _draw_stability(stability, selection)
    _draw_homogeneity(inside, selection)
    for axes in (density, stability, inside):
        _finish(axes, selection, recommendation)
    figure.suptitle(
        f"{recommendation.number} networks: {_range_in_words(recommendation)}\n",
        fontsize=TITLE,
        fontweight="bold",
    )
    return figure


def _draw_density(axes: Axes, selection: Selection, recommendation: Recommendation) -> None:
    loss, numbers = selection.loss("density"), np.array(selection.numbers)
    axes.axhline(0, color=_CHANCE, linewidth=0.8)
    axes.fill_between(numbers, -loss.high, -loss.low, color=_DENSITY, alpha=0.18, linewidth=0)
    axes.plot(numbers, -loss.mean, color=_DENSITY, linewidth=1.5)
    is_within = np.isin(numbers, recommendation.within)
    for chosen, fill in ((is_within, _DENSITY), (~is_within, "white")):
        axes.plot(
            numbers[chosen],
            -loss.mean[chosen],
            "o",
            markersize=5,
            markerfacecolor=fill,
            markeredgecolor=_DENSITY,
            label="within one standard error" if fill == _DENSITY else None,
        )
    axes.set_ylabel("relative to the best (nats a vertex)")
    _title(axes, "Prediction", f"log density of held-out {selection.heldout}")
    axes.legend(loc="best", frameon=False, fontsize=8)


def _draw_stability(axes: Axes, selection: Selection) -> None:
    lines = {
        "test_retest": ("sessions of a subject", _SESSIONS, "o"),
        "split_half": ("halves of the cohort", _HALVES, "s"),
    }
    drawn = [name for name in lines if name in selection.measured]
    for name in drawn:
        label, colour, marker = lines[name]
        _draw_curve(axes, selection, selection.curve(name), label, colour, marker)
    axes.set_ylabel("adjusted Rand index")
    _title(axes, "Stability", "agreement of labels made apart")
    if drawn:
        axes.legend(loc="best", frameon=False, fontsize=8)
    else:
        axes.text(
            0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", color=_NOTE, fontsize=9
        )


def _draw_homogeneity(axes: Axes, selection: Selection) -> None:
    curve = selection.curve("homogeneity")
    whose = "networks" if selection.heldout == "sessions" else "the group's networks"
    _draw_curve(axes, selection, curve, whose, _INSIDE, "o")
    chance = curve.mean - selection.curve("homogeneity_gain").mean
    axes.plot(selection.numbers, chance, "--", color=_CHANCE, linewidth=1.3, label="random parcels")
    axes.set_ylabel("mean correlation of profiles")
    _title(axes, "Homogeneity", "inside a network, in held-out data")
    axes.legend(loc="best", frameon=False, fontsize=8)


def _draw_curve(
    axes: Axes, selection: Selection, curve: Curve, label: str, colour: str, marker: str
) -> None:
    axes.fill_between(
        selection.numbers, curve.low, curve.high, color=colour, alpha=0.18, linewidth=0
    )
    axes.plot(
        selection.numbers,
        curve.mean,
        marker=marker,
        markersize=4,
        color=colour,
        linewidth=1.5,
        label=label,
    )


def _title(axes: Axes, title: str, below: str) -> None:
    axes.set_title(title, fontsize=TITLE, fontweight="bold", loc="left", pad=18)
    axes.annotate(
        below,
        (0, 1),
        xycoords="axes fraction",
        xytext=(0, 5),
        textcoords="offset points",
        fontsize=8.5,
        color=_NOTE,
    )


def _finish(axes: Axes, selection: Selection, recommendation: Recommendation) -> None:
    """What the panels share: the number that is recommended, and the axis of numbers."""
    axes.axvline(recommendation.number, color=_CHOSEN, linewidth=0.9, linestyle=":", zorder=0)
    step = -(-len(selection.numbers) // _MOST_TICKS)
    axes.set_xticks(selection.numbers[::step])
    axes.set_xlabel("number of networks")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8.5)


def _range_in_words(recommendation: Recommendation) -> str:
    within = recommendation.within
    if within == recommendation.numbers:
        return "the curve is flat, the data do not tell"
    if within == recommendation.numbers[-1:]:
        return "none tried is within one standard error, and more may be better"
    if len(within) == 1:
        return "no other number is within one standard error"
    return (
        f"{len(within)} of {len(recommendation.numbers)} numbers, {within[0]} to {within[-1]}, "
        "are within one standard error"
    )
