"""Maps of numbers side by side on one scale: close-ups of a region, or sides of hemispheres."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.plotting.page import TEXT, WIDTH, place, shortened, write
from neuroparcel.plotting.paint import draw_outline, paint_values
from neuroparcel.plotting.panel import ViewFrame
from neuroparcel.plotting.surface import SIDE_WIDTH, CloseUps
from neuroparcel.plotting.view import SurfaceView, is_seen_at_once
from neuroparcel.types import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = "cividis"
"""Even for all kinds of colour vision, as that of uncertainty."""

_LARGE, _SMALL = 800, 480  # pixels of a close-up, and of one of several views: 300 an inch
_TALLEST = 2.6  # inches of a close-up
_NAME, _GAP = 0.2, 0.12  # inches
_BESIDE = 0.95  # inches for the bar alone
_BAR, _BAR_LENGTH, _LEAST_BAR = 0.13, 1.9, 0.9  # inches

Draw: TypeAlias = "Callable[[Axes, SurfaceView], None]"


@dataclass(frozen=True)
class Scale:
    """Which colour a number has.

    Attributes
    ----------
    low, high : float
        Numbers outside have the colour of the nearer end.
    is_open_below, is_open_above : bool
        Whether there are such numbers; the bar says so.
    """

    low: float = 0.0
    high: float = 1.0
    is_open_below: bool = False
    is_open_above: bool = False

    def levels(self, values: FloatArray) -> FloatArray:
        """Numbers as a share of the way from the low to the high end; NaN stays."""
        return np.clip((values - self.low) / (self.high - self.low), 0, 1)

    def draw(self, figure: Figure, left: float, top: float, length: float) -> None:
        """Draw the bar at a place in inches from the upper left corner."""
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

        axes = place(figure, left, top, _BAR, length)
        axes.set_axis_on()
        bar = figure.colorbar(ScalarMappable(Normalize(self.low, self.high), COLOURS), cax=axes)
        ticks = np.linspace(self.low, self.high, 3)
        names = [f"{tick:.3g}" for tick in ticks]
        if self.is_open_below:
            names[0] = f"≤ {names[0]}"
        if self.is_open_above:
            names[-1] = f"≥ {names[-1]}"
        bar.set_ticks(list(ticks), labels=names)
        bar.ax.tick_params(labelsize=TEXT, length=2)


class MapGrid:
    """Maps in columns, and beside them where they lie and what their colours mean.

    Parameters
    ----------
    axis : BrainAxis
        On the fs_LR 32k cortex.
    n_maps : int
    n_columns : int, optional
        2 if not given, but 3 for three close-ups of one hemisphere.
    side : float, optional
        Inches beside the maps; what insets and a bar need if not given.
    """

    def __init__(
        self, axis: BrainAxis, n_maps: int, n_columns: int | None = None, side: float | None = None
    ) -> None:
        self._axis = axis
        close = is_seen_at_once(axis)
        if n_columns is None:
            n_columns = 3 if n_maps == 3 and close and len(axis.structures) == 1 else 2
        self._n_columns = n_columns
        least = SIDE_WIDTH if close else _BESIDE
        self.side = least if side is None else max(side, least if close else 0.0)
        self.column = (WIDTH - self.side) / n_columns
        room = self.column - _GAP
        self._frame: CloseUps | ViewFrame = (
            CloseUps(axis, room, _TALLEST, _LARGE) if close else ViewFrame.of(axis, room, _SMALL)
        )
        self._row = _NAME + self._frame.height + _GAP
        self.maps_height = -(-n_maps // n_columns) * self._row

    @property
    def height(self) -> float:
        """Inches of the maps, or of the insets and a bar where those are more."""
        return max(self.maps_height, self.inset_height + _LEAST_BAR + 2 * _GAP)

    @property
    def inset_height(self) -> float:
        """Inches of the insets; 0 where the views show whole hemispheres."""
        return self._frame.inset_height if isinstance(self._frame, CloseUps) else 0.0

    def cell(self, top: float, number: int) -> tuple[float, float]:
        """Where a cell begins: inches from the left and from above."""
        row, column = divmod(number, self._n_columns)
        return column * self.column + _GAP / 2, top + row * self._row

    def draw(self, figure: Figure, top: float, number: int, name: str, draw: Draw) -> None:
        """Draw one map with its name."""
        left, upper = self.cell(top, number)
        room = self.column - _GAP
        said = shortened(name, room, TEXT)
        write(figure, left + room / 2, upper, said, ha="center", weight="bold")
        for axes, view in self._frame.draw(figure, upper + _NAME, left):
            draw(axes, view)
            draw_outline(axes, view, self._axis, width=0.8)

    def draw_values(
        self, figure: Figure, top: float, number: int, name: str, values: FloatArray, scale: Scale
    ) -> None:
        """Draw one map of numbers, (vertex,), with its name."""
        levels = scale.levels(values)

        def paint(axes: Axes, view: SurfaceView) -> None:
            painted = paint_values(view, self._axis, levels, COLOURS)
            axes.imshow(painted, interpolation="antialiased")

        self.draw(figure, top, number, name, paint)

    def draw_insets(self, figure: Figure, top: float) -> None:
        """Draw beside the maps where in its hemisphere a region lies."""
        if isinstance(self._frame, CloseUps):
            self._frame.draw_insets(figure, top, WIDTH - self.side + 0.08, self.side)

    def draw_scale(self, figure: Figure, top: float, scale: Scale) -> None:
        """Draw the bar beside the maps, below the insets."""
        free = self.height - self.inset_height
        length = min(_BAR_LENGTH, free - 2 * _GAP)
        left = WIDTH - self.side + (0.45 if self.inset_height else 0.15)
        scale.draw(figure, left, top + self.inset_height + (free - length) / 2, length)


def note_of(values: FloatArray, why: str = "no data") -> str:
    """What the dark grey of a map means; empty if there is none."""
    return f"dark grey: {why}" if not np.isfinite(values).all() else ""
