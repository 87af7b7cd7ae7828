"""The printed page: figures as wide as a page's text, and letters that can be read on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 180 / 25.4
"""Inches: two columns of a journal, 180 mm. No figure is wider."""

TITLE, TEXT, SMALL = 10.0, 8.0, 7.0
"""Points; nothing is written smaller than the last."""

QUIET = "#555555"
"""The colour of what only helps to read the picture."""

HEADING = 0.52
"""Inches of a title and the line below it."""

_LETTER = 0.65  # width of a letter as a share of its size, with some room
_BOLD = 0.8  # as many letters as of plain text
_POINTS = 72  # in an inch
_CELLS = 200  # an inch; of more, some would fall between the pixels of a quick figure


def new_page(height: float, width: float = WIDTH) -> Figure:
    """An empty figure of so many inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height))


def place(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place in inches, counted from the upper left corner; without frame and ticks."""
    across, up = figure.get_size_inches()
    axes = figure.add_axes((left / across, 1 - (top + height) / up, width / across, height / up))
    axes.set_axis_off()
    return axes


def write(
    figure: Figure, left: float, top: float, text: str, *, size: float = TEXT, **style: Any
) -> None:
    """Text at a place in inches from the upper left corner: its upper end, if not told."""
    across, up = figure.get_size_inches()
    figure.text(left / across, 1 - top / up, text, fontsize=size, **{"va": "top", **style})


def draw_heading(figure: Figure, title: str, subtitle: str = "") -> None:
    """Title, and in grey what is said below it."""
    middle = figure.get_figwidth() / 2
    shown = shortened(title, _BOLD * figure.get_figwidth(), TITLE)
    write(figure, middle, 0.07, shown, size=TITLE, ha="center", weight="bold")
    write(figure, middle, 0.28, subtitle, ha="center", color=QUIET)


def text_width(text: str, size: float) -> float:
    """Inches that a text takes at most, about."""
    return _LETTER * len(text) * size / _POINTS


def interpolation_of(n_cells: int, width: float) -> str:
    """How matplotlib draws so many cells side by side within some inches.

    Cells keep their own colours, unless there are more of them than pixels: then a pixel is the
    mean of its cells.

    Examples
    --------
    >>> interpolation_of(2, 1.5), interpolation_of(1488, 4.9)
    ('nearest', 'antialiased')
    """
    return "nearest" if n_cells <= _CELLS * width else "antialiased"


def shortened(text: str, width: float, size: float) -> str:
    """A text that fits into so many inches: its middle makes room for an ellipsis.

    Examples
    --------
    >>> shortened("sub-0123456789ABCDEF", 0.8, 7)
    'sub-0…BCDEF'
    """
    room = max(int(width * _POINTS / (_LETTER * size)), 3)
    if len(text) <= room:
        return text
    return f"{text[: room // 2 - 1]}…{text[-((room - 1) // 2) :]}"
