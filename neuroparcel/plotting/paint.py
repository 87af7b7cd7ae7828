"""The colours of a parcellation on a view, and the lines around and within a region."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.brain.atlas import Region
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import SoftParcellation, network_colours
from neuroparcel.plotting.view import SurfaceView
from neuroparcel.types import BoolArray, FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

UNDECIDED = np.array([0.97, 0.97, 0.97])
"""The colour that every network fades to as its label becomes uncertain."""

NO_DATA = np.array([0.35, 0.35, 0.35])
"""The colour of vertices of the region that have no data."""

OUTLINE = "#1a1a1a"
"""The colour of all lines."""

DASHES = (0, (4.0, 2.5))
"""The line style of the borders between areas."""

_BACKGROUND = 1.0
_RELIEF_IN_COLOUR = 0.35  # how much of the surface's light and shadow shows through a colour


def faded_colours(n_networks: int, entropy: FloatArray) -> FloatArray:
    """Colour of each network at each entropy.

    Parameters
    ----------
    n_networks : int
        Number of networks.
    entropy : (...) array of float
        0 for a certain label, 1 for an undecided one.

    Returns
    -------
    (network, ..., 3) array of float
        Red, green and blue in [0, 1].
    """
    full = np.array(network_colours(n_networks))[:, :3]
    full = full.reshape(n_networks, *(1,) * np.ndim(entropy), 3)
    share = np.asarray(entropy)[..., None]
    return np.asarray(full * (1 - share) + UNDECIDED * share)


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
    axis, n_networks = parcellation.axis, parcellation.n_networks
    known = parcellation.has_data
    shares = np.where(known[:, None], parcellation.probabilities, 0).T
    label = np.stack([_at_pixels(view, axis, share) for share in shares]).argmax(axis=0)
    region = _at_pixels(view, axis, np.ones(len(axis)))
    with_data = _at_pixels(view, axis, known)
    entropy = _at_pixels(view, axis, np.where(known, parcellation.entropy, 0))
    entropy = np.clip(entropy / np.maximum(with_data, 1e-6), 0, 1)

    colours = np.take_along_axis(
        faded_colours(n_networks, entropy), label[None, ..., None], axis=0
    )[0]
    colours[2 * with_data < region] = NO_DATA
    light = 1 - _RELIEF_IN_COLOUR * (np.nanmax(view.relief) - np.nan_to_num(view.relief))
    picture = paint_surface(view)
    inside = region > 0.5
    picture[inside] = (colours * light[..., None])[inside]
    return np.clip(picture, 0, 1)


def paint_region(view: SurfaceView, axis: BrainAxis, colour: FloatArray) -> FloatArray:
    """The surface with the whole region in one colour, shape (row, column, 3)."""
    picture = paint_surface(view)
    picture[_at_pixels(view, axis, np.ones(len(axis))) > 0.5] = colour
    return picture


def draw_outline(axes: Axes, view: SurfaceView, axis: BrainAxis, width: float = 1.2) -> None:
    """Draw the border of a region."""
    region = _at_pixels(view, axis, np.ones(len(axis)))
    axes.contour(region, levels=[0.5], colors=OUTLINE, linewidths=width)


def draw_areas(axes: Axes, view: SurfaceView, region: Region, *, named: bool) -> None:
    """Draw the borders between a region's areas, dashed, and perhaps the areas' names."""
    from matplotlib.patheffects import withStroke

    axis = region.axis
    inside = _at_pixels(view, axis, np.ones(len(axis)))
    shares = {
        label: _at_pixels(view, axis, region.label_of_vertex == label) for label in region.labels
    }
    for label, share in shares.items():
        if len(shares) > 1:
            within = np.ma.masked_where(inside < 0.95, share)
            axes.contour(within, levels=[0.5], colors=OUTLINE, linewidths=0.9, linestyles=[DASHES])
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


def _at_pixels(view: SurfaceView, axis: BrainAxis, values: FloatArray | BoolArray) -> FloatArray:
    """Interpolate values (vertex,) of a region; 0 outside. Shape (row, column)."""
    mesh = axis.expand(np.asarray(values, dtype=np.float32), view.structure, fill=0)
    return np.nan_to_num(view.interpolate(mesh))
