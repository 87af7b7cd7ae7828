"""The colours of a parcellation on a view, and the lines around and within a region."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.brain.atlas import Region
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import Colour, SoftParcellation
from neuroparcel.plotting.view import SurfaceView
from neuroparcel.types import BoolArray, FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PALE = np.array([0.97, 0.97, 0.97])
"""The colour that every network fades towards as its label becomes uncertain."""

MOST_FADED = 0.7
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
    full = np.array(colours)[:, :3]
    full = full.reshape(len(colours), *(1,) * np.ndim(entropy), 3)
    share = MOST_FADED * np.asarray(entropy)[..., None]
    return np.asarray(full * (1 - share) + PALE * share)


def paint_surface(view: SurfaceView) -> FloatArray:
    """The bare surface, shape (row, column, 3): grey with light and sulci, white around."""
    grey = np.nan_to_num(view.relief, nan=_BACKGROUND)
    return np.repeat(grey[..., None], 3, axis=-1)


def paint_parcellation(view: SurfaceView, parcellation: SoftParcellation) -> FloatArray:
    """The surface with each pixel of the region in the colour of its network.

    Probabilities and entropy are interpolated between vertices, each for itself: a border
    between two certain labels stays sharp, instead of passing through "undecided".

    Parameters
    ----------
    view : SurfaceView
        Where to look.
    parcellation : SoftParcellation
        What to paint.

    Returns
    -------
    (row, column, 3) array of float
        Red, green and blue in [0, 1].
    """
    axis = parcellation.axis
    known = parcellation.has_data
    label = _network_shares(view, parcellation).argmax(axis=0)
    region = _at_pixels(view, axis, np.ones(len(axis)))
    with_data = _at_pixels(view, axis, known)
    entropy = _at_pixels(view, axis, np.where(known, parcellation.entropy, 0))
    entropy = np.clip(entropy / np.maximum(with_data, 1e-6), 0, 1)

    colours = np.take_along_axis(
        faded_colours(parcellation.colours, entropy), label[None, ..., None], axis=0
    )[0]
    colours[2 * with_data < region] = NO_DATA
    light = 1 - _RELIEF_IN_COLOUR * (np.nanmax(view.relief) - np.nan_to_num(view.relief))
    picture = paint_surface(view)
    inside = region > 0.5
    picture[inside] = (colours * light[..., None])[inside]
    return np.clip(picture, 0, 1)


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
    region = _at_pixels(view, axis, np.ones(len(axis)))
    with_value = _at_pixels(view, axis, known)
    level = _at_pixels(view, axis, np.where(known, values, 0)) / np.maximum(with_value, 1e-6)
    colours = colormaps[name](np.clip(level, 0, 1))[..., :3]
    colours[2 * with_value < region] = NO_DATA
    picture = paint_surface(view)
    picture[region > 0.5] = colours[region > 0.5]
    return picture


def paint_region(view: SurfaceView, axis: BrainAxis, colour: FloatArray) -> FloatArray:
    """The surface with the whole region in one colour, shape (row, column, 3)."""
    picture = paint_surface(view)
    picture[_at_pixels(view, axis, np.ones(len(axis))) > 0.5] = colour
    return picture


def draw_outline(axes: Axes, view: SurfaceView, axis: BrainAxis, width: float = 1.2) -> None:
    """Draw the border of a region."""
    region = _at_pixels(view, axis, np.ones(len(axis)))
    axes.contour(region, levels=[0.5], colors=OUTLINE, linewidths=width)


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
    shares = np.stack(
        [_at_pixels(view, axis, region.label_of_vertex == label) for label in region.labels]
    )
    _draw_borders(axes, shares, inside > 0.5, width=AREA_WIDTH, style=DASHES)
    for label, share in zip(region.labels, shares, strict=True):
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


def border_fields(shares: FloatArray, inside: BoolArray) -> list[FloatArray]:
    """Fields whose zero lines are the borders between parts, each border in one of them.

    Parameters
    ----------
    shares : (part, row, column) array of float
        How much of each part is at each pixel; the largest share wins.
    inside : (row, column) array of bool
        Where to look for borders.

    Returns
    -------
    list of (row, column) array of float
        For each part but the last, its share minus the largest other one: NaN outside, and
        where that other is an earlier part, whose field has the border already.
    """
    fields = []
    for part in range(len(shares) - 1):
        others = shares.copy()
        others[part] = -np.inf
        is_new = inside & (others.argmax(axis=0) > part)
        fields.append(np.where(is_new, shares[part] - others.max(axis=0), np.nan))
    return fields


def _draw_borders(
    axes: Axes,
    shares: FloatArray,
    inside: BoolArray,
    *,
    width: float,
    style: str | tuple[int, tuple[float, ...]],
) -> None:
    for field in border_fields(shares, inside):
        if np.nanmin(field, initial=0) < 0 < np.nanmax(field, initial=0):
            within = np.ma.masked_invalid(field)
            axes.contour(within, levels=[0], colors=OUTLINE, linewidths=width, linestyles=[style])


def _network_shares(view: SurfaceView, parcellation: SoftParcellation) -> FloatArray:
    """Probabilities at the pixels, shape (network, row, column); ties go to the label."""
    known, labels = parcellation.has_data[:, None], parcellation.labels[:, None]
    wins = labels == 1 + np.arange(parcellation.n_networks)
    shares = np.where(known, parcellation.probabilities, 0) + _TIE_BREAK * wins
    return np.stack([_at_pixels(view, parcellation.axis, share) for share in shares.T])


def _at_pixels(view: SurfaceView, axis: BrainAxis, values: FloatArray | BoolArray) -> FloatArray:
    """Interpolate values (vertex,) of a region; 0 outside. Shape (row, column)."""
    mesh = axis.expand(np.asarray(values, dtype=np.float32), view.structure, fill=0)
    return np.nan_to_num(view.interpolate(mesh))
