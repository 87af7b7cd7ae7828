"""Reliability diagrams of labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuroparcel.parcellation.reliability import Reliability, ReliabilityTable
from neuroparcel.plotting.page import TITLE, WIDTH

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FOUND, _EXPECTED = "#0072B2", "#D55E00"  # M. Okabe and K. Ito (2008), Color Universal Design
_BARS, _NOTE = "#bdbdbd", "#555555"
_TITLES = ("all networks", "most probable network")


def draw_reliability(table: ReliabilityTable) -> Figure:
    """Draw what a held-out session shows against what the labels say, above a histogram.

    The held-out session's labels are uncertain themselves, so right labels lie on the dashed
    line and not on the diagonal. Below it they are over-confident, above it under-confident.

    Parameters
    ----------
    table : ReliabilityTable
        What to draw.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 5.0), layout="constrained")
    grid = figure.subplots(
        2, 2, sharex=True, sharey="row", gridspec_kw={"height_ratios": (3, 1)}, squeeze=False
    )
    for column, rows in enumerate((table.network, table.top)):
        _draw_diagram(grid[0, column], rows, _TITLES[column])
        _draw_histogram(grid[1, column], rows)
    grid[0, 0].set_ylabel("held-out session's label")
    grid[1, 0].set_ylabel("share")
    grid[0, 0].legend(loc="upper left", frameon=False, fontsize=8)
    figure.supxlabel("probability that the labels give", fontsize=10)
    figure.suptitle(
        f"Reliability of labels: {table.n_subjects} subjects, other session held out",
        fontsize=TITLE,
        fontweight="bold",
    )
    return figure


def _draw_diagram(axes: Axes, rows: Reliability, title: str) -> None:
    axes.plot([0, 1], [0, 1], color="#888888", linewidth=1, zorder=1, label="no noise")
    filled = rows.count > 0
    axes.plot(
        rows.predicted[filled],
        rows.expected[filled],
        "--",
        color=_EXPECTED,
        linewidth=1.4,
        label="expected of right labels",
    )
    axes.plot(
        rows.predicted[filled],
        rows.found[filled],
        "o-",
        color=_FOUND,
        markersize=4,
        linewidth=1.4,
        label="found",
    )
    axes.set_title(title, fontsize=10, fontweight="bold", loc="left")
    axes.annotate(
        f"calibration error {rows.error:.3f}",
        (0.97, 0.04),
        xycoords="axes fraction",
        ha="right",
        fontsize=8,
        color=_NOTE,
    )
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def _draw_histogram(axes: Axes, rows: Reliability) -> None:
    share = rows.count / rows.count.sum()
    width = rows.edges[1] - rows.edges[0]
    axes.bar(rows.edges[:-1], share, width, align="edge", color=_BARS, edgecolor="white")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
