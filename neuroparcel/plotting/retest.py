"""What one session's labels tell of another: reliability, and whose session is whose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.brain.stability import RetestReliability, StabilityReport
from neuroparcel.plotting.page import (
    HEADING,
    QUIET,
    SMALL,
    TEXT,
    WIDTH,
    draw_heading,
    interpolation_of,
    new_page,
    place,
    shortened,
    write,
)
from neuroparcel.plotting.stability import against_chance, in_words, statistic_of
from neuroparcel.plotting.stability_ranks import Ranks, draw_ranks, ranks_height
from neuroparcel.plotting.value_maps import COLOURS, MapGrid, Scale, note_of
from neuroparcel.types import BoolArray, FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIDE = 2.35  # inches of the matrix
_LEFT, _BELOW, _ABOVE = 0.75, 0.45, 0.35  # inches around it
_MOST_NAMED = 22  # subjects that have their names beside the matrix
_WITHIN, _BETWEEN, _WRONG = "#0072B2", "#999999", "#D55E00"  # Okabe and Ito (2008)
_LINE = 0.19  # inches
_FOOT = 0.25  # inches


def draw_retest(report: StabilityReport, *, on_surface: bool = True) -> Figure:
    """Draw the intraclass correlation of the labels, and the distances between sessions.

    ICC(3,1), consistency, beside ICC(2,1), absolute agreement, of all networks together. Below
    it the distances of each subject's first session (a row) from everybody's second (a column):
    the dot marks the nearest one, which is on the diagonal where a subject is identified. That is
    one direction; the share beside it is the mean of both.

    Parameters
    ----------
    report : StabilityReport
        With a reliability.
    on_surface : bool, default True
        Whether it lies on the fs_LR 32k cortex. If not, ICC(3,1) is drawn row by row, sorted
        within networks.

    Returns
    -------
    matplotlib.figure.Figure
    """
    found = report.reliability
    assert found is not None  # the caller asks
    grid = MapGrid(report.axis, 2) if on_surface else None
    soft = next(iter(report.full.values()))
    upper = ranks_height(soft) if grid is None else grid.height
    top = HEADING + upper + _ABOVE
    figure = new_page(top + _SIDE + _BELOW + _FOOT)
    sessions = shortened(", ".join(found.sessions), WIDTH / 3, TEXT)
    said = f"soft labels of single sessions ({sessions}) of {len(found.subjects):,} subjects"
    draw_heading(figure, "Test and retest", said)
    if grid is None:
        _draw_icc_ranks(figure, soft, found)
    else:
        _draw_icc_maps(figure, grid, found)
    _draw_distances(figure, top, found)
    left = _LEFT + _SIDE + 0.85
    _draw_pairs(figure, left, top, found)
    _write_numbers(figure, left + 1.55, top, report)
    note = note_of(found.icc3.value, "nothing varies, or no data") if on_surface else ""
    write(figure, 0.1, figure.get_figheight() - 0.18, note, size=SMALL, color=QUIET)
    return figure


def nearest_sessions(distances: FloatArray) -> BoolArray:
    """Whether a column is the nearest of its row, (subject, subject); ties are all nearest."""
    least = np.nanmin(np.where(np.isfinite(distances), distances, np.inf), axis=1, keepdims=True)
    return np.asarray(np.isfinite(distances) & (distances <= least))


def _draw_icc_maps(figure: Figure, grid: MapGrid, found: RetestReliability) -> None:
    both = {
        "consistency, ICC(3,1)": found.icc3.value,
        "absolute agreement, ICC(2,1)": found.icc2.value,
    }
    values = np.concatenate(list(both.values()))
    scale = Scale(0.0, 1.0, is_open_below=bool((values[np.isfinite(values)] < 0).any()))
    for number, (name, icc) in enumerate(both.items()):
        grid.draw_values(figure, HEADING, number, name, icc, scale)
    grid.draw_insets(figure, HEADING)
    grid.draw_scale(figure, HEADING, scale)


def _draw_icc_ranks(figure: Figure, soft: SoftParcellation, found: RetestReliability) -> None:
    ranks = Ranks.of(soft.labels, found.icc3.value)
    axes = draw_ranks(figure, HEADING, ranks, found.icc3, soft)
    write(figure, 0.55, HEADING + 0.1, "consistency, ICC(3,1)", weight="bold")
    axes.axhline(0, color=QUIET, linewidth=0.6)


def _draw_distances(figure: Figure, top: float, found: RetestReliability) -> None:
    axes = place(figure, _LEFT, top, _SIDE, _SIDE)
    axes.set_axis_on()
    n = len(found.subjects)
    image = axes.imshow(
        np.ma.masked_invalid(found.distances),
        cmap=f"{COLOURS}_r",
        aspect="auto",
        interpolation=interpolation_of(n, _SIDE),
    )
    nearest = nearest_sessions(found.distances)
    own = np.eye(n, dtype=bool)
    size = float(np.clip(0.35 * _SIDE * 72 / n, 1.5, 6))
    for chosen, colour in ((nearest & own, "white"), (nearest & ~own, _WRONG)):
        rows, columns = np.nonzero(chosen)
        axes.plot(
            columns,
            rows,
            "o",
            color=colour,
            markersize=size,
            markeredgecolor="black",
            markeredgewidth=0.5,
        )
    named = n <= _MOST_NAMED
    names = [shortened(name, _LEFT - 0.2, SMALL) for name in found.subjects] if named else []
    axes.set_yticks(range(len(names)), names, fontsize=SMALL)
    axes.set_xticks([])
    axes.tick_params(length=0, pad=2)
    first, second = (_named(name) for name in found.sessions[:2])
    axes.set_xlabel(second, fontsize=TEXT)
    axes.set_title(f"Distances from {first}", fontsize=TEXT, weight="bold")
    write(
        figure,
        _LEFT,
        top + _SIDE + 0.28,
        "dot: nearest of its row (one direction); white: the subject's own",
        size=SMALL,
        color=QUIET,
    )
    bar_axes = place(figure, _LEFT + _SIDE + 0.08, top + _SIDE / 4, 0.1, _SIDE / 2)
    bar_axes.set_axis_on()
    bar = figure.colorbar(image, cax=bar_axes)
    bar.ax.tick_params(labelsize=SMALL, length=2)


def _named(session: str) -> str:
    """A session's name, such that one sees what it is."""
    name = session if session.startswith("ses") else f"session {session}"
    return shortened(name, 0.55 * _SIDE, TEXT)


def _draw_pairs(figure: Figure, left: float, top: float, found: RetestReliability) -> None:
    """Distances within subjects beside those between them."""
    axes = place(figure, left, top, 1.25, _SIDE)
    axes.set_axis_on()
    own = np.eye(len(found.subjects), dtype=bool)
    rng = np.random.default_rng(0)  # only where a dot stands to the left or right
    for column, (chosen, colour) in enumerate(((own, _WITHIN), (~own, _BETWEEN))):
        values = found.distances[chosen]
        values = values[np.isfinite(values)]
        beside = column + 0.25 * rng.uniform(-1, 1, len(values))
        axes.plot(beside, values, "o", color=colour, markersize=2.5, alpha=0.6, markeredgewidth=0)
        if len(values):
            axes.hlines(values.mean(), column - 0.32, column + 0.32, color="black", linewidth=1.5)
    axes.set_xticks([0, 1], ["own", "others'"], fontsize=TEXT)
    axes.set_xlim(-0.5, 1.5)
    axes.set_xlabel("session of", fontsize=TEXT)
    axes.set_title("Mean squared difference", fontsize=TEXT, weight="bold")
    axes.tick_params(labelsize=SMALL)
    axes.spines[["top", "right"]].set_visible(False)


def _write_numbers(figure: Figure, left: float, top: float, report: StabilityReport) -> None:
    """The numbers of the whole region, one below another."""
    lines: list[str] = []
    for name, title in _NUMBERS.items():
        found = statistic_of(report, name)
        if found is not None:
            is_rate = name == "identification"
            lines += [title, in_words(found, percent=is_rate, digits=0 if is_rate else 2)]
            lines += [against_chance(found, percent=is_rate)] * bool(against_chance(found))
    for number, line in enumerate(lines):
        is_title = line in _NUMBERS.values()
        style = {"weight": "bold"} if is_title else {"color": QUIET}
        write(figure, left, top - 0.18 + _LINE * number, line, size=SMALL, **style)


_NUMBERS = {
    "identification": "identified, both ways",
    "icc3": "ICC(3,1)",
    "icc2": "ICC(2,1)",
    "ari_within_subject": "Rand index, own",
    "ari_between_subjects": "Rand index, others'",
    "within_minus_between": "difference",
}
