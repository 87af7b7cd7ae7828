"""Two maps of networks beside one another in matched colours, and where they differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroparcel.brain.colours import Colour
from neuroparcel.brain.comparison import (
    Agreement,
    NetworkAgreement,
    NetworkMap,
    Pairs,
    difference,
    matched_colours,
)
from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.plotting.paint import (
    draw_networks,
    draw_outline,
    paint_parcellation,
    paint_region,
    paint_values,
)
from neuroparcel.plotting.panel import SIDES, hemispheres_of
from neuroparcel.plotting.view import (
    SurfaceView,
    close_up,
    hemisphere_from,
    is_seen_at_once,
    whole_hemisphere,
)
from neuroparcel.types import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = "cividis"  # even for all kinds of colour vision, as that of uncertainty
_QUIET = "#666666"  # colour of what only helps to read the picture
_REGION_IN_INSET = np.array([0.80, 0.15, 0.15])
_LARGE, _SMALL = 700, 450  # pixels of the longer side: a close-up, one of several views
_CLOSE_UP, _VIEW = 3.6, 2.15  # inches of the width of a close-up, and of one of several views
_EDGE, _GAP = 0.12, 0.16  # inches around all, and between the columns
_HEADING, _COLUMN_TITLE, _BELOW = 0.62, 0.3, 0.5  # inches: titles, and the scale
_INSET, _INSET_WIDTH = 1.3, 1.56  # inches of the view that shows where a region lies
_PIXELS_OF_INSET = 300
_ROW, _SWATCH, _LETTER = 0.19, 0.3, 0.072  # inches of the table of networks
_FONT = 8.0  # points
_MOST_LETTERS = 28  # of a name in it
_MOST_LINED = 60  # networks whose borders are drawn: more would hide the colours
_NO_MATCH = "\N{EN DASH}"


def draw_difference(
    first: NetworkMap,
    second: NetworkMap,
    pairs: Pairs,
    *,
    networks: Sequence[NetworkAgreement],
    agreement: Agreement,
    region: str | None = None,
) -> Figure:
    """Draw two aligned maps, the second in the colours of its matches, and their difference.

    A region that one camera sees is drawn close up, others from both sides of the hemispheres.
    Colours fade where a map is undecided. The difference is the total variation distance of the
    probabilities, see :func:`~neuroparcel.brain.comparison.difference`.

    Parameters
    ----------
    first, second : NetworkMap
        On the same rows of the fs_LR 32k cortex.
    pairs : Pairs
        Networks that are matched.
    networks : sequence of NetworkAgreement
        Rows of the table beside the maps.
    agreement : Agreement
        Of the whole maps, for the line below the title.
    region : str, optional
        Its name.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    SpaceError
        If the maps do not lie on the fs_LR 32k cortex.
    """
    from matplotlib.figure import Figure

    colours = matched_colours(first, second, pairs)
    views = _Views.of(first)
    room = views.height - views.inset_height
    table = _Table.of(networks, first, second, colours, room)
    height = _HEADING + max(views.height, views.inset_height + table.height) + _EDGE
    figure = Figure(figsize=(3 * (views.width + _GAP) + table.width + 2 * _EDGE, height))
    page = _Page(figure)
    _draw_titles(page, first, second, agreement, region)
    values = difference(first, second, pairs)
    columns: dict[str, Callable[[Axes, SurfaceView], None]] = {
        f"A  {_short(first.name)}": partial(_draw_map, _painted(first, first.colours)),
        f"B  {_short(second.name)}": partial(_draw_map, _painted(second, colours)),
        "difference": partial(_draw_values, first, values),
    }
    lefts = [_EDGE + column * (views.width + _GAP) for column in range(4)]
    for left, (title, draw) in zip(lefts, columns.items(), strict=False):
        page.text(left + views.width / 2, _HEADING, title, size=10, weight="bold")
        views.draw(page, left, draw)
    below = _HEADING + views.height - _BELOW
    _draw_notes(page, below + 0.08, first, second)
    _draw_scale(page, lefts[2], below + 0.1, views.width)
    views.draw_insets(page, lefts[3], first)
    table.draw(page, lefts[3], _HEADING + views.inset_height)
    return figure


@dataclass(frozen=True)
class _Page:
    """A figure whose places are inches from its upper left corner."""

    figure: Figure

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        across, down = self.figure.get_size_inches()
        place = (left / across, 1 - (top + height) / down, width / across, height / down)
        axes = self.figure.add_axes(place)
        axes.set_axis_off()
        return axes

    def text(self, left: float, top: float, text: str, **style: Any) -> None:
        across, down = self.figure.get_size_inches()
        given: dict[str, Any] = {"ha": "center", "va": "top", **style}
        self.figure.text(left / across, 1 - top / down, text, **given)


@dataclass(frozen=True)
class _Views:
    """The views of one map in rows, each in a cell of some inches, and insets to find them by."""

    rows: list[list[SurfaceView]]
    insets: list[SurfaceView]
    cell: tuple[float, float]

    @classmethod
    def of(cls, shown: NetworkMap) -> _Views:
        """A close-up a hemisphere, or the outer sides above the inner ones."""
        axis, close = shown.axis, is_seen_at_once(shown.axis)
        if close:
            rows = [[close_up(axis, name, _LARGE)] for name in axis.structures]
        else:
            rows = [
                [hemisphere_from(name, SIDES[name][side], _SMALL) for name in hemispheres_of(axis)]
                for side in ("lateral", "medial")
            ]
        insets = [whole_hemisphere(row[0], axis, _PIXELS_OF_INSET) for row in rows if close]
        width = _CLOSE_UP if close else _VIEW
        slimness = max(view.shape[0] / view.shape[1] for row in rows for view in row)
        return cls(rows, insets, (width, width * slimness))

    @property
    def width(self) -> float:
        """Inches of a column."""
        return self.cell[0] * len(self.rows[0])

    @property
    def height(self) -> float:
        """Inches of a column, with its title, and what stands below it."""
        return _COLUMN_TITLE + self.cell[1] * len(self.rows) + _BELOW

    @property
    def inset_height(self) -> float:
        return _INSET if self.insets else 0.0

    def draw(self, page: _Page, left: float, draw_one: Callable[[Axes, SurfaceView], None]) -> None:
        """Draw a column of them."""
        width, height = self.cell
        for row, views in enumerate(self.rows):
            for place, view in enumerate(views):
                top = _HEADING + _COLUMN_TITLE + row * height
                axes = page.axes(left + place * width, top, width, height)
                if row == 0 and not self.insets:
                    axes.set_title(_named(view), fontsize=_FONT, color=_QUIET, y=0.96)
                draw_one(axes, view)

    def draw_insets(self, page: _Page, left: float, shown: NetworkMap) -> None:
        """Draw where a region lies."""
        for place, view in enumerate(self.insets):
            axes = page.axes(left + place * _INSET_WIDTH, _HEADING, _INSET_WIDTH, _INSET)
            axes.imshow(paint_region(view, shown.axis, _REGION_IN_INSET))


@dataclass(frozen=True)
class _Table:
    """Which network of one map is which of the other, their colours, and how alike they are."""

    rows: tuple[tuple[Colour, str, str, str], ...]
    n_more: int

    @classmethod
    def of(
        cls,
        networks: Sequence[NetworkAgreement],
        first: NetworkMap,
        second: NetworkMap,
        colours: Sequence[Colour],
        room: float,
    ) -> _Table:
        """The matched networks, and as many of the others as there is room for, in inches."""
        n_matched = sum(row.first is not None and row.second is not None for row in networks)
        n_rows = max(n_matched, int(room / _ROW) - 2)
        of_first = dict(zip(first.networks, first.colours, strict=True))
        of_second = dict(zip(second.networks, colours, strict=True))
        rows = tuple(
            (
                of_second[row.second or ""] if row.first is None else of_first[row.first],
                _NO_MATCH if row.first is None else _cut(row.first),
                _NO_MATCH if row.second is None else _cut(row.second),
                "" if row.dice is None else f"{row.dice:.2f}",
            )
            for row in networks[:n_rows]
        )
        return cls(rows, len(networks) - len(rows))

    @property
    def widths(self) -> list[float]:
        """Inches of the columns: colour, both names, Dice."""
        letters = [max(len(row[k]) for row in self.rows) for k in (1, 2)]
        return [_SWATCH + 0.1, *(_LETTER * max(n, 2) + 0.15 for n in letters), 0.45]

    @property
    def width(self) -> float:
        return max(sum(self.widths), _INSET_WIDTH)

    @property
    def height(self) -> float:
        return _ROW * (len(self.rows) + 1 + bool(self.n_more)) + 0.1

    def draw(self, page: _Page, left: float, top: float) -> None:
        """Draw it with its upper left corner at a place."""
        from matplotlib.patches import Rectangle

        axes = page.axes(left, top, self.width, self.height)
        axes.set(xlim=(0, self.width), ylim=(self.height, 0))
        colour, ours, *_ = self.widths
        places = (colour, colour + ours, sum(self.widths))
        for n, (rgba, *cells) in enumerate([((0, 0, 0, 0), "A", "B", "Dice"), *self.rows]):
            middle = (n + 0.5) * _ROW
            corner = (0, middle - 0.36 * _ROW)
            axes.add_patch(Rectangle(corner, _SWATCH, 0.72 * _ROW, color=rgba, linewidth=0))
            style: dict[str, Any] = {
                "fontsize": _FONT,
                "va": "center",
                "color": "black" if n else _QUIET,
            }
            for x, cell, side in zip(places, cells, ("left", "left", "right"), strict=True):
                axes.text(x, middle, cell, ha=side, **style)
        if self.n_more:
            words = f"and {self.n_more:,} more without a match"
            axes.text(0, (len(self.rows) + 1.5) * _ROW, words, fontsize=_FONT, va="center")


def _named(view: SurfaceView) -> str:
    return view.structure.removeprefix("CORTEX_").lower()


def _painted(one: NetworkMap, colours: Sequence[Colour]) -> SoftParcellation:
    """A map as it is painted; of a hard one just the networks that have a vertex."""
    if one.probabilities is not None:
        return SoftParcellation(one.axis, one.networks, one.probabilities, None, tuple(colours))
    present = np.unique(one.labels)
    certain = (one.labels[:, None] == present).astype(np.float32)
    names = tuple(one.networks[number - 1] for number in present)
    return SoftParcellation(
        one.axis, names, certain, None, tuple(colours[number - 1] for number in present)
    )


def _draw_map(soft: SoftParcellation, axes: Axes, view: SurfaceView) -> None:
    axes.imshow(paint_parcellation(view, soft), interpolation="antialiased")
    if soft.n_networks <= _MOST_LINED:
        draw_networks(axes, view, soft)
    draw_outline(axes, view, soft.axis, width=0.8)


def _draw_values(first: NetworkMap, values: FloatArray, axes: Axes, view: SurfaceView) -> None:
    axes.imshow(paint_values(view, first.axis, values, _COLOURS), interpolation="antialiased")
    draw_outline(axes, view, first.axis, width=0.8)


def _draw_titles(
    page: _Page, first: NetworkMap, second: NetworkMap, found: Agreement, region: str | None
) -> None:
    centre = page.figure.get_figwidth() / 2
    title = f"{_short(first.name)} and {_short(second.name)}"
    page.text(centre, 0.08, title, size=13, weight="bold")
    where = f"{region}: " if region else ""
    said = [f"{where}{found.n_vertices:,} vertices"]
    if found.adjusted_rand is not None:
        said.append(f"adjusted Rand index {found.adjusted_rand:.2f}")
    if found.overlap is not None:
        said.append(f"overlap {found.overlap:.2f}")
    page.text(centre, 0.34, ", ".join(said), size=9, color=_QUIET)


def _draw_scale(page: _Page, left: float, top: float, width: float) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    axes = page.axes(left + 0.15 * width, top, 0.7 * width, 0.12)
    axes.set_axis_on()
    scale = ScalarMappable(Normalize(0, 1), _COLOURS)
    bar = page.figure.colorbar(scale, cax=axes, orientation="horizontal", ticks=[0, 0.5, 1])
    bar.ax.set_xticklabels(["equal", "0.5", "nothing in common"], fontsize=_FONT)


def _draw_notes(page: _Page, top: float, first: NetworkMap, second: NetworkMap) -> None:
    soft = [side for side, one in (("A", first), ("B", second)) if one.probabilities is not None]
    notes = "B has the colours of its matches in A."
    if soft:
        notes += f" Colours of {' and '.join(soft)} fade where networks are undecided."
    page.text(_EDGE + 0.1, top, notes, size=_FONT, color=_QUIET, ha="left")


def _short(name: str) -> str:
    """The last part of a path, and the name of an atlas."""
    return _cut(Path(name).name or name)


def _cut(name: str) -> str:
    return (
        name
        if len(name) <= _MOST_LETTERS
        else f"{name[: _MOST_LETTERS - 1]}\N{HORIZONTAL ELLIPSIS}"
    )
