"""Which sub-populations agree with which, and how far that is because they share subjects."""

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
    WIDTH,
    draw_heading,
    interpolation_of,
    new_page,
    place,
    write,
)
from neuroparcel.plotting.stability import index_range, sampled, sizes_of, titled
from neuroparcel.plotting.stability_words import words_of
from neuroparcel.plotting.value_maps import COLOURS, Scale
from neuroparcel.types import FloatArray, IntArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

_SIDE = 2.75  # inches of the matrix
_LEFT, _ROW, _NAME = 0.3, 3.5, 0.3  # inches: beside the matrix, of a size, and above it
_FOOT = 0.25  # inches
_BAR, _BETWEEN = 0.12, 0.1  # inches
_BLANK = "#d9d9d9"  # the diagonal, and pairs that are not known
_BOX = "#0072B2"  # Okabe and Ito (2008)
_MOST_BOXES = 8
_LONG = 5  # letters of numbers that stand aslant
_FEW_PAIRS = 5  # are drawn as points
_ENDS = 1, 99  # percentiles that the colours span


def draw_agreement(report: StabilityReport, group: str = EVERYONE) -> Figure:
    """Draw the adjusted Rand index of pairs of sub-populations, alike ones side by side.

    Beside the matrix stands the index against the number of subjects that both have: overlapping
    sub-populations agree for that reason too. Of several sizes the smallest and the largest are
    drawn.

    Parameters
    ----------
    report : StabilityReport
    group : str, default "all"

    Returns
    -------
    matplotlib.figure.Figure
    """
    words = words_of(report.design.kind)
    shown = _drawn_sizes(report, group)
    figure = new_page(HEADING + _ROW * len(shown) + _FOOT)
    said = f"adjusted Rand index of the labels of any two {words.maps}"
    draw_heading(figure, titled("Agreement between sub-populations", group), said)
    for number, one in enumerate(shown):
        top = HEADING + _ROW * number
        write(figure, _LEFT, top, sampled(report, one), weight="bold")
        _draw_size(figure, top + _NAME, one, words.maps)
    note = "box: middle half of the pairs, with the median; line: middle 90 %"
    write(figure, _LEFT, figure.get_figheight() - 0.18, note, size=SMALL, color=QUIET)
    return figure


def has_agreement(report: StabilityReport, group: str) -> bool:
    """Whether any two sub-populations of a group can be compared."""
    return bool(_drawn_sizes(report, group))


def _drawn_sizes(report: StabilityReport, group: str) -> tuple[SizeStability, ...]:
    """The smallest and the largest size that have pairs."""
    found = [one for one in sizes_of(report, group) if _has_pairs(one)]
    return tuple(dict.fromkeys([*found[:1], *found[-1:]]))


def _has_pairs(one: SizeStability) -> bool:
    pairs = one.similarity[np.triu_indices(len(one.similarity), k=1)]
    return bool(np.isfinite(pairs).any())


def order_of(similarity: FloatArray) -> IntArray:
    """Rows such that those that are alike stand side by side, (row,).

    Average linkage of 1 less the similarity, leaves in the order that keeps neighbours alike
    (Bar-Joseph et al. 2001). What is not known counts as the mean.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
    from scipy.spatial.distance import squareform

    if len(similarity) < 3:
        return np.arange(len(similarity))
    known = similarity[np.isfinite(similarity)]
    filled = np.nan_to_num(similarity, nan=float(known.mean()) if len(known) else 0.0)
    distances = squareform(np.clip(1 - filled, 0, None), checks=False).astype(np.float64)
    return np.asarray(leaves_list(optimal_leaf_ordering(linkage(distances, "average"), distances)))


def shared_members(members: IntArray) -> IntArray:
    """Number of different subjects that each pair of sub-populations has in common.

    Parameters
    ----------
    members : (sample, size) array of int

    Returns
    -------
    (sample, sample) array of int

    Examples
    --------
    >>> shared_members(np.array([[0, 1], [1, 2], [3, 3]]))[0]
    array([2, 1, 0])
    """
    is_member = np.zeros((len(members), int(members.max(initial=0)) + 1), dtype=np.int64)
    is_member[np.arange(len(members))[:, None], members] = 1
    return is_member @ is_member.T


def _draw_size(figure: Figure, top: float, one: SizeStability, maps: str) -> None:
    similarity = np.array(one.similarity, dtype=np.float64)
    np.fill_diagonal(similarity, np.nan)
    order = order_of(one.similarity)
    matrix = place(figure, _LEFT, top, _SIDE, _SIDE)
    scale = _scale_of(similarity)
    image = _draw_matrix(matrix, similarity[np.ix_(order, order)], scale, maps)
    _draw_bar(figure, image, scale, _LEFT + _SIDE + _BETWEEN, top)
    left = _LEFT + _SIDE + 1.4
    beside = place(figure, left, top, WIDTH - left - 0.15, _SIDE)
    beside.set_axis_on()
    _draw_shared(beside, similarity, shared_members(one.members[one.shown]))


def _scale_of(similarity: FloatArray) -> Scale:
    known = similarity[np.isfinite(similarity)]
    ends: list[float] = np.percentile(known, _ENDS).tolist()
    low, high = index_range(known, *ends)
    below, above = bool((known < low).any()), bool((known > high).any())
    return Scale(low, high, is_open_below=below, is_open_above=above)


def _draw_matrix(axes: Axes, similarity: FloatArray, scale: Scale, maps: str) -> AxesImage:
    from matplotlib import colormaps

    axes.set_axis_on()
    axes.set(xticks=[], yticks=[])
    axes.set_xlabel(f"{len(similarity)} {maps}, alike ones together", fontsize=TEXT)
    return axes.imshow(
        np.ma.masked_invalid(similarity),
        cmap=colormaps[COLOURS].with_extremes(bad=_BLANK),
        vmin=scale.low,
        vmax=scale.high,
        aspect="auto",
        interpolation=interpolation_of(len(similarity), _SIDE),
    )


def _draw_bar(figure: Figure, image: AxesImage, scale: Scale, left: float, top: float) -> None:
    axes = place(figure, left, top + _SIDE / 4, _BAR, _SIDE / 2)
    axes.set_axis_on()
    bar = figure.colorbar(image, cax=axes, extend=_beyond(scale))
    bar.ax.tick_params(labelsize=SMALL, length=2)


def _beyond(scale: Scale) -> str:
    """At which ends of the bar there are numbers outside it."""
    if scale.is_open_below and scale.is_open_above:
        return "both"
    return "min" if scale.is_open_below else "max" if scale.is_open_above else "neither"


def _draw_shared(axes: Axes, similarity: FloatArray, shared: IntArray) -> None:
    """Boxes of the middle half, lines to the middle 90 %, one a number of common subjects."""
    pairs = np.triu_indices(len(similarity), k=1)
    values, numbers = similarity[pairs], shared[pairs]
    values, numbers = values[np.isfinite(values)], numbers[np.isfinite(values)]
    step = -(-(int(np.ptp(numbers)) + 1) // _MOST_BOXES) if len(numbers) else 1
    firsts = np.unique(numbers // step) * step
    for first in firsts:
        _draw_box(axes, values[numbers // step * step == first], first + (step - 1) / 2, step)
    names = [f"{n}" if step == 1 else f"{n}\N{EN DASH}{n + step - 1}" for n in firsts]
    aslant = 40 if max(map(len, names), default=0) > _LONG else 0
    axes.set_xticks(firsts + (step - 1) / 2, names, rotation=aslant)
    if len(np.unique(numbers)) > 1 and np.ptp(values) > 0:
        r = float(np.corrcoef(numbers, values)[0, 1])
        axes.set_title(f"correlation {r:.2f}", fontsize=TEXT, color=QUIET, loc="left")
    axes.set_xlabel("subjects that both have", fontsize=TEXT)
    axes.set_ylabel("adjusted Rand index", fontsize=TEXT)
    low, high = index_range(values, *axes.get_ylim())
    axes.set_ylim(low, high + 0.02 * (high - low) * (high == 1))
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=TEXT)


def _draw_box(axes: Axes, values: FloatArray, middle: float, step: int) -> None:
    if len(values) < _FEW_PAIRS:
        axes.plot([middle] * len(values), values, "o", color=_BOX, markersize=3)
        return
    low, first, median, third, high = np.percentile(values, (5, 25, 50, 75, 95))
    half = 0.3 * step
    axes.vlines(middle, low, high, color=_BOX, linewidth=1.0)
    axes.fill_between([middle - half, middle + half], first, third, color=_BOX, alpha=0.4)
    axes.hlines(median, middle - half, middle + half, color=_BOX, linewidth=2.0)
