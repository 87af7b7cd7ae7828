"""What the colours and lines of a parcellation mean."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.brain.colours import Colour
from neuroparcel.plotting.page import SMALL, TEXT, place, shortened, text_width
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
    from matplotlib.figure import Figure

FADING = "certain → undecided"
"""What the ramps of colour mean."""

_ROW = 0.19  # inches
_SWATCH, _GAP = 0.55, 0.07
_LETTERS = 14  # of the lines' names
_WIDEST_NAME = 2.6  # inches; what is longer is shortened
_BETWEEN = 0.2  # columns
_MOST_BESIDE = 20, 2.3  # networks, and inches, of a legend beside a picture
_RAMP = 64  # colours of a ramp


@dataclass(frozen=True)
class Legend:
    """A ramp of colour for each network, and the lines and greys that a figure uses.

    Parameters
    ----------
    networks : tuple of str
        Names.
    colours : sequence of Colour
        Theirs.
    areas, holes, borders, fades : bool
        Whether borders of areas are drawn, some vertices have no data, borders of networks
        are drawn, and colours fade.
    fading : str
        What their fading means.
    below : bool
        Stand below the picture even if there would be room beside it.
    """

    networks: tuple[str, ...]
    colours: Sequence[Colour]
    areas: bool = False
    holes: bool = False
    borders: bool = True
    fades: bool = True
    fading: str = FADING
    below: bool = False

    @property
    def column_width(self) -> float:
        """Inches of a column, with room for the longest name."""
        names = (*self.networks, "x" * _LETTERS)
        widest = max(text_width(name, TEXT) for name in names)
        return _SWATCH + _GAP + min(widest, _WIDEST_NAME) + _BETWEEN

    @property
    def is_beside(self) -> bool:
        """Whether it stands beside the picture: few networks with short names."""
        n_networks, width = _MOST_BESIDE
        fits = len(self.networks) <= n_networks and self.column_width <= width
        return fits and not self.below

    def width(self) -> float:
        """Inches that it takes beside a picture."""
        return self.column_width if self.is_beside else 0.0

    def height(self, width: float) -> float:
        """Inches that it takes below a picture of such a width."""
        return 0.0 if self.is_beside else self._height(self._columns(width)) + 0.1

    def least_height(self) -> float:
        """Inches that it needs beside a picture."""
        return self._height(1) if self.is_beside else 0.0

    def draw(self, figure: Figure, left: float, top: float, width: float) -> None:
        """Draw it at a place in inches from the upper left corner of a figure."""
        n_columns = 1 if self.is_beside else self._columns(width)
        height = self._height(n_columns)
        axes = place(figure, left, top, width, height)
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
        per_column = math.ceil(len(self.networks) / n_columns)
        ramps = faded_colours(self.colours, np.linspace(0, float(self.fades), _RAMP))
        for number, (name, ramp) in enumerate(zip(self.networks, ramps, strict=True)):
            column, row = divmod(number, per_column)
            _draw_ramp(axes, column * self.column_width, (row + 0.5) * _ROW, name, ramp)
        lines = (self._draw_fading, self._draw_borders, self._draw_areas, self._draw_holes)
        wanted = (self.fades, self.borders, self.areas, self.holes)
        for number, draw in enumerate(d for d, want in zip(lines, wanted, strict=True) if want):
            column, row = divmod(number, math.ceil(self._n_lines / n_columns))
            draw(axes, column * self.column_width, (per_column + row + 0.5) * _ROW)

    @property
    def _n_lines(self) -> int:
        return self.fades + self.borders + self.areas + self.holes

    def _columns(self, width: float) -> int:
        return max(int((width + _BETWEEN) / self.column_width), 1)

    def _height(self, n_columns: int) -> float:
        rows = math.ceil(len(self.networks) / n_columns) + math.ceil(self._n_lines / n_columns)
        return _ROW * rows

    def _draw_fading(self, axes: Axes, left: float, middle: float) -> None:
        axes.text(left, middle, self.fading, fontsize=SMALL, va="center")

    def _draw_borders(self, axes: Axes, left: float, middle: float) -> None:
        axes.hlines(middle, left, left + _SWATCH, colors=OUTLINE, linewidth=NETWORK_WIDTH)
        _name(axes, left, middle, "network border")

    def _draw_areas(self, axes: Axes, left: float, middle: float) -> None:
        end = left + _SWATCH
        axes.hlines(middle, left, end, colors=OUTLINE, linewidth=AREA_WIDTH, linestyles=DASHES)
        _name(axes, left, middle, "area border")

    def _draw_holes(self, axes: Axes, left: float, middle: float) -> None:
        low, high = middle - 0.3 * _ROW, middle + 0.3 * _ROW
        axes.fill_between([left, left + _SWATCH], low, high, color=tuple(NO_DATA))
        _name(axes, left, middle, "no data")


def _draw_ramp(axes: Axes, left: float, middle: float, name: str, ramp: np.ndarray) -> None:
    extent = (left, left + _SWATCH, middle + 0.4 * _ROW, middle - 0.4 * _ROW)
    axes.imshow(ramp[None], extent=extent, aspect="auto", interpolation="nearest")
    _name(axes, left, middle, shortened(name, _WIDEST_NAME, TEXT))


def _name(axes: Axes, left: float, middle: float, name: str) -> None:
    axes.text(left + _SWATCH + _GAP, middle, name, fontsize=TEXT, va="center")
