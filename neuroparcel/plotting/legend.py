"""What the colours and lines of a parcellation mean."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.brain.parcellation import Colour
from neuroparcel.plotting.paint import (
    AREA_WIDTH,
    DASHES,
    NETWORK_WIDTH,
    NO_DATA,
    OUTLINE,
    faded_colours,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMN = 1.9  # inches of a column of networks with names of up to
_LETTERS = 13
_LETTER = 0.075  # inches of each letter beyond
_ROW = 0.26  # inches; less if there are many networks
_SWATCH = 1.0  # inches
_GAP = 0.08
_FONT = 8.0  # points
_POINTS_OF_AN_INCH = 72


def column_width(networks: Sequence[str]) -> float:
    """Inches of a column of networks, which has room for the longest name."""
    return _COLUMN + _LETTER * max(max(map(len, networks)) - _LETTERS, 0)


def draw_legend(
    axes: Axes,
    networks: Sequence[str],
    colours: Sequence[Colour],
    *,
    height: float,
    areas: bool,
    holes: bool,
    borders: bool = True,
    n_columns: int = 1,
) -> None:
    """Draw a ramp from certain to undecided for each network, and name lines and greys.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw; its units become inches.
    networks : sequence of str
        Names of the networks.
    colours : sequence of Colour
        Of the networks.
    height : float
        Height of the axes in inches.
    areas : bool
        Whether borders of areas are drawn.
    holes : bool
        Whether some vertices have no data.
    borders : bool, default True
        Whether borders of networks are drawn.
    n_columns : int, default 1
        Columns of networks, each of :func:`column_width`.
    """
    n_in_column = math.ceil(len(networks) / n_columns)
    n_rows = n_in_column + 1 + borders + areas + holes
    row = min(_ROW, height / n_rows)
    font = min(_FONT, 0.6 * row * _POINTS_OF_AN_INCH)
    width = column_width(networks)
    axes.set_axis_off()
    ramps = faded_colours(colours, np.linspace(0, 1, 128))
    for number, (name, ramp) in enumerate(zip(networks, ramps, strict=True)):
        column, place = divmod(number, n_in_column)
        left, middle = column * width, (place + 0.5) * row
        extent = (left, left + _SWATCH, middle + 0.4 * row, middle - 0.4 * row)
        axes.imshow(ramp[None], extent=extent, aspect="auto")
        axes.text(left + _SWATCH + _GAP, middle, name, fontsize=font, va="center")
    below = (n_in_column + 0.1) * row
    axes.text(0, below, "certain", fontsize=0.7 * font, va="top")
    axes.text(_SWATCH, below, "undecided", fontsize=0.7 * font, va="top", ha="right")
    middle = (n_in_column + 1.5) * row
    if borders:
        axes.hlines(middle, 0, _SWATCH, colors=OUTLINE, linewidth=NETWORK_WIDTH)
        axes.text(_SWATCH + _GAP, middle, "network border", fontsize=font, va="center")
        middle += row
    if areas:
        axes.hlines(middle, 0, _SWATCH, colors=OUTLINE, linewidth=AREA_WIDTH, linestyles=DASHES)
        axes.text(_SWATCH + _GAP, middle, "area border", fontsize=font, va="center")
        middle += row
    if holes:
        axes.fill_between(
            [0, _SWATCH], middle - 0.3 * row, middle + 0.3 * row, color=tuple(NO_DATA)
        )
        axes.text(_SWATCH + _GAP, middle, "no data", fontsize=font, va="center")
    axes.set_xlim(0, n_columns * width)
    axes.set_ylim(height, 0)
