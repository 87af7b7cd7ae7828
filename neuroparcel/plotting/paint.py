"""The colours of a parcellation on a view, and the lines around and within a region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, cast

import numpy as np

from neuroparcel.brain.atlas import Region
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.colours import Colour
from neuroparcel.brain.oklab import from_oklab, to_oklab
from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.plotting.view import SurfaceView
from neuroparcel.types import BoolArray, FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PALE = np.array([0.97, 0.97, 0.97])
"""The colour that every network fades towards as its label becomes uncertain."""

MOST_FADED = 0.6
"""The share of it in the colour of an undecided label: the winner can still be told."""

NO_DATA = np.array([0.35, 0.35, 0.35])
"""The colour of vertices of the region that have no data."""

OUTLINE = "#1a1a1a"
"""The colour of all lines."""

DASHES = (0, (4.0, 2.5))
"""The line style of the borders between areas."""

AREA_WIDTH, NETWORK_WIDTH = 1.1, 0.6
"""Points: the lines between areas and between networks."""

_BACKGROUND = 1.0
_TIE_BREAK = 1e-3  # in favour of the label, where two networks are equally probable
_RELIEF_IN_COLOUR = 0.35  # how much of the surface's light and shadow shows through a colour


def faded_colours(colours: Sequence[Colour], entropy: FloatArray) -> FloatArray:
    """Colour of each network at each entropy.

    On the way to pale a colour keeps its hue: the way is straight in OKLab, so that colours
    come closer by the same share for every pair.

    Parameters
    ----------
    colours : sequence of Colour
        One a network.
    entropy : (...) array of float
        0 for a certain label, 1 for an undecided one.

    Returns
    -------
    (network, ..., 3) array of float
        Red, green and blue in [0, 1].
    """
    full = to_oklab(np.array(colours)[:, :3])
    return _fade(full.reshape(len(colours), *(1,) * np.ndim(entropy), 3), entropy)


def _fade(full: FloatArray, entropy: FloatArray) -> FloatArray:
    """Colours (..., 3) in OKLab, each faded by its own entropy (...), as red, green, blue."""
    share = MOST_FADED * np.asarray(entropy)[..., None]
    return from_oklab(full * (1 - share) + to_oklab(PALE) * share)


def paint_surface(view: SurfaceView) -> FloatArray:
    """The bare surface, shape (row, column, 3): grey with light and sulci, white around."""
    grey = np.nan_to_num(view.relief, nan=_BACKGROUND)
    return np.repeat(grey[..., None], 3, axis=-1)


def paint_parcellation(
    view: SurfaceView, parcellation: SoftParcellation, fading: FloatArray | None = None
) -> FloatArray:
    """The surface with each pixel of the region in the colour of its network.

    Probabilities and entropy are interpolated between vertices, each for itself: a border
    between two certain labels stays sharp, instead of passing through "undecided".

    Parameters
    ----------
    view : SurfaceView
        Where to look.
    parcellation : SoftParcellation
        What to paint.
    fading : (vertex,) array of float, optional
        How far each vertex's colour is faded, 0 to 1 and NaN for 1; the entropy of its labels
        if not given.

    Returns
    -------
    (row, column, 3) array of float
        Red, green and blue in [0, 1].
    """
    axis, known = parcellation.axis, parcellation.has_data
    faded = parcellation.entropy if fading is None else np.nan_to_num(fading, nan=1.0)
    fields = np.column_stack([np.ones(len(axis)), known, np.where(known, faded, 0)])
    region, with_data, entropy = np.moveaxis(_at_pixels(view, axis, fields), -1, 0)
    inside = region > 0.5
    region, with_data, entropy = region[inside], with_data[inside], entropy[inside]
    entropy = np.clip(entropy / np.maximum(with_data, 1e-6), 0, 1)

    label = _network_shares(view, parcellation)[inside].argmax(axis=-1)
    colours = _fade(to_oklab(np.array(parcellation.colours)[:, :3])[label], entropy)
    colours[2 * with_data < region] = NO_DATA
    picture = paint_surface(view)
    picture[inside] = colours * _light(view, inside)
    return picture


def paint_values(view: SurfaceView, axis: BrainAxis, values: FloatArray, name: str) -> FloatArray:
    """The surface with each pixel of the region in the colour of a value between 0 and 1.

    Parameters
    ----------
    view : SurfaceView
        Where to look.
    axis : BrainAxis
        The region's vertices.
    values : (vertex,) array of float
        In [0, 1]; NaN where nothing is known.
    name : str
        Of a colour map of matplotlib.

    Returns
    -------
    (row, column, 3) array of float
        Red, green and blue in [0, 1].
    """
    from matplotlib import colormaps

    known = np.isfinite(values)
    fields = np.column_stack([np.ones(len(axis)), known, np.where(known, values, 0)])
    region, with_value, level = np.moveaxis(_at_pixels(view, axis, fields), -1, 0)
    colours = colormaps[name](np.clip(level / np.maximum(with_value, 1e-6), 0, 1))[..., :3]
    colours[2 * with_value < region] = NO_DATA
    picture = paint_surface(view)
    picture[region > 0.5] = colours[region > 0.5]
    return picture


def paint_region(view: SurfaceView, axis: BrainAxis, colour: FloatArray) -> FloatArray:
    """The surface with the whole region in one colour, shape (row, column, 3)."""
    return paint_rows(view, axis, np.ones(len(axis), dtype=bool), colour)


def paint_rows(
    view: SurfaceView, axis: BrainAxis, rows: BoolArray, colour: FloatArray
) -> FloatArray:
    """The surface with some vertices of an axis, (vertex,) bool, in one colour.

    Returns
    -------
    (row, column, 3) array of float
    """
    inside = _at_pixels(view, axis, rows) > 0.5
    picture = paint_surface(view)
    picture[inside] = colour * _light(view, inside)
    return picture


def _light(view: SurfaceView, inside: BoolArray) -> FloatArray:
    """What light and sulci leave of a colour, (pixel, 1) in [0, 1]."""
    shade = np.nanmax(view.relief) - view.relief[inside]
    return (1 - _RELIEF_IN_COLOUR * shade)[:, None]


def draw_outline(axes: Axes, view: SurfaceView, axis: BrainAxis, width: float = 1.2) -> None:
    """Draw the border of a region."""
    region = _at_pixels(view, axis, np.ones(len(axis)))
    _draw_lines(axes, _level_lines(region, 0.5), width=width)


def draw_networks(axes: Axes, view: SurfaceView, parcellation: SoftParcellation) -> None:
    """Draw the borders between the most probable networks."""
    known = _at_pixels(view, parcellation.axis, parcellation.has_data)
    shares = _network_shares(view, parcellation)
    _draw_borders(axes, shares, known > 0.5, width=NETWORK_WIDTH, style="solid")


def draw_areas(axes: Axes, view: SurfaceView, region: Region, *, named: bool) -> None:
    """Draw the borders between a region's areas, dashed, and perhaps the areas' names."""
    from matplotlib.patheffects import withStroke

    axis = region.axis
    inside = _at_pixels(view, axis, np.ones(len(axis)))
    belongs = np.asarray(region.label_of_vertex)[:, None] == np.array(region.labels)
    shares = _at_pixels(view, axis, belongs)
    _draw_borders(axes, shares, inside > 0.5, width=AREA_WIDTH, style=DASHES)
    for label, share in zip(region.labels, np.moveaxis(shares, -1, 0), strict=True):
        rows, columns = np.nonzero(share > 0.5)
        if named and len(rows):
            axes.text(
                float(np.median(columns)),
                float(np.median(rows)),
                label,
                ha="center",
                va="center",
                fontsize=8,
                color=OUTLINE,
                path_effects=[withStroke(linewidth=2, foreground="white", alpha=0.5)],
            )


@dataclass(frozen=True, eq=False)
class Border:
    """A field whose zero lines are borders of a part of a picture.

    Attributes
    ----------
    field : (row, column) array of float
        NaN where no border can be.
    row, column : int
        Where in the picture its first pixel lies.
    """

    field: FloatArray
    row: int
    column: int


def border_fields(shares: FloatArray, inside: BoolArray) -> list[Border]:
    """Fields whose zero lines are the borders between parts, each border in one of them.

    Parameters
    ----------
    shares : (row, column, part) array of float
        How much of each part is at each pixel; the largest share wins.
    inside : (row, column) array of bool
        Where to look for borders.

    Returns
    -------
    list of Border
        For each part that wins a pixel, its share minus the largest other one: NaN outside,
        and where that other is an earlier part, whose field has the border already.
    """
    within = shares[inside]
    rows = np.arange(len(within))
    first, second = np.full((2, *inside.shape), -1)
    most, next_most = np.zeros((2, *inside.shape), shares.dtype)
    for winner, share in ((first, most), (second, next_most)):
        best = within.argmax(axis=-1)
        winner[inside], share[inside] = best, within[rows, best]
        within[rows, best] = -np.inf
    borders = []
    for part in range(shares.shape[-1]):
        wins = first == part
        if not wins.any():
            continue
        near = _frame_of(wins)
        rival = np.where(wins[near], second[near], first[near])
        largest = np.where(wins[near], next_most[near], most[near])
        field = np.where(inside[near] & (rival > part), shares[near][..., part] - largest, np.nan)
        borders.append(Border(field, near[0].start, near[1].start))
    return borders


def _frame_of(mask: BoolArray) -> tuple[slice, slice]:
    """Rows and columns of a mask that is not empty, and one more on each side."""
    ends = [np.flatnonzero(mask.any(axis=other))[[0, -1]] for other in (1, 0)]
    rows, columns = (slice(max(low - 1, 0), high + 2) for low, high in ends)
    return rows, columns


def _draw_borders(
    axes: Axes,
    shares: FloatArray,
    inside: BoolArray,
    *,
    width: float,
    style: str | tuple[int, tuple[float, ...]],
) -> None:
    lines: list[FloatArray] = []
    for border in border_fields(shares, inside):
        if np.nanmin(border.field, initial=0) < 0 < np.nanmax(border.field, initial=0):
            found = _level_lines(border.field, 0)
            lines += [line + np.array([border.column, border.row]) for line in found]
    _draw_lines(axes, lines, width=width, style=style)


def _level_lines(field: FloatArray, level: float) -> list[FloatArray]:
    """Lines of equal value, each (point, 2): column and row."""
    from contourpy import LineType, contour_generator

    generator = contour_generator(z=np.ma.masked_invalid(field), line_type=LineType.Separate)
    return cast("list[FloatArray]", generator.lines(level))


def _draw_lines(
    axes: Axes,
    lines: Sequence[FloatArray],
    *,
    width: float,
    style: str | tuple[int, tuple[float, ...]] = "solid",
) -> None:
    """Draw lines as one collection; a contour set for each takes matplotlib ten times as long."""
    from matplotlib.collections import LineCollection

    if lines:
        axes.add_collection(
            LineCollection(lines, colors=OUTLINE, linewidths=width, linestyles=[style])
        )


@lru_cache(maxsize=1)  # a view is painted, and then its borders are drawn
def _network_shares(view: SurfaceView, parcellation: SoftParcellation) -> FloatArray:
    """Probabilities at the pixels, shape (row, column, network); ties go to the label."""
    known, labels = parcellation.has_data[:, None], parcellation.labels[:, None]
    wins = labels == 1 + np.arange(parcellation.n_networks)
    shares = np.where(known, parcellation.probabilities, 0) + _TIE_BREAK * wins
    return _at_pixels(view, parcellation.axis, shares)


def _at_pixels(view: SurfaceView, axis: BrainAxis, values: FloatArray | BoolArray) -> FloatArray:
    """Interpolate values (vertex,) or (vertex, value) of a region; 0 outside.

    Shape (row, column) or (row, column, value).
    """
    mesh = axis.expand(np.asarray(values, dtype=np.float32).T, view.structure, fill=0)
    return view.interpolate(mesh.T, outside=0)
