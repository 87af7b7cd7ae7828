"""Two maps of networks beside one another in matched colours, and where they differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

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
from neuroparcel.plotting.page import (
    HEADING,
    QUIET,
    SMALL,
    TEXT,
    WIDTH,
    draw_heading,
    new_page,
    place,
    shortened,
    text_width,
    write,
)
from neuroparcel.plotting.paint import (
    draw_networks,
    draw_outline,
    paint_parcellation,
    paint_values,
)
from neuroparcel.plotting.panel import ViewFrame
from neuroparcel.plotting.surface import CloseUps
from neuroparcel.plotting.view import SurfaceView, is_seen_at_once
from neuroparcel.types import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = "cividis"  # even for all kinds of colour vision, as that of uncertainty
_LARGE, _SMALL = 900, 500  # pixels of a close-up, and of one of several views: 300 an inch
_GAP = 0.16  # inches: around all, and between the columns
_COLUMN = (WIDTH - 3 * _GAP) / 2
_TALLEST = 2.9  # inches of a close-up
_NAME, _SCALE, _NOTES = 0.2, 0.42, 0.24  # inches: what stands above and below
_PAGE = 9.4  # inches: the tallest page
_ROW, _SWATCH, _SPACE, _DICE = 0.155, 0.3, 0.1, 0.32  # inches of the table of networks
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
    colours = matched_colours(first, second, pairs)
    draw_of: dict[str, _Draw] = {
        f"A  {_short(first.name)}": partial(_draw_map, _painted(first, first.colours)),
        f"B  {_short(second.name)}": partial(_draw_map, _painted(second, colours)),
        "difference": partial(_draw_values, first, difference(first, second, pairs)),
    }
    frame = _frame(first)
    insets = frame.inset_height if isinstance(frame, CloseUps) else 0.0
    below = HEADING + _NAME + frame.height + _GAP
    left_room, most_room = frame.height + _SCALE - insets, _PAGE - _NOTES - below - insets
    rows = _rows_of(networks, first, second, colours)
    n_rows = _rows_that_fit(networks, left_room, most_room)
    table_height = _ROW * (2 + n_rows)
    height = max(_NAME + frame.height + _SCALE, _NAME + insets + table_height)
    figure = new_page(below + height + _NOTES)
    title = f"{_short(first.name)} and {_short(second.name)}"
    draw_heading(figure, title, _subtitle(agreement, region))
    places = ((_GAP, HEADING), (2 * _GAP + _COLUMN, HEADING), (_GAP, below))
    for (left, top), (name, draw) in zip(places, draw_of.items(), strict=True):
        said = shortened(name, _COLUMN, TEXT)
        write(figure, left + _COLUMN / 2, top, said, ha="center", weight="bold")
        for axes, view in frame.draw(figure, top + _NAME, left):
            draw(axes, view)
    _draw_scale(figure, _GAP, below + _NAME + frame.height + 0.08)
    left = 2 * _GAP + _COLUMN
    if isinstance(frame, CloseUps):
        frame.draw_insets(figure, below, left, _COLUMN)
    _draw_table(figure, left, below + insets, rows[:n_rows], _hidden(networks, n_rows))
    _draw_notes(figure, first, second)
    return figure


_Draw: TypeAlias = "Callable[[Axes, SurfaceView], None]"
_Row: TypeAlias = "tuple[Colour, str, str, str]"


def _frame(shown: NetworkMap) -> CloseUps | ViewFrame:
    """The views of one map in a column: a close-up a hemisphere, or the sides of hemispheres."""
    if is_seen_at_once(shown.axis):
        return CloseUps(shown.axis, _COLUMN, _TALLEST, _LARGE)
    return ViewFrame.of(shown.axis, _COLUMN, _SMALL)


def _rows_of(
    networks: Sequence[NetworkAgreement],
    first: NetworkMap,
    second: NetworkMap,
    colours: Sequence[Colour],
) -> list[_Row]:
    """Colour, both names and Dice of each row of the table."""
    of_first = dict(zip(first.networks, first.colours, strict=True))
    of_second = dict(zip(second.networks, colours, strict=True))
    return [
        (
            of_second[row.second or ""] if row.first is None else of_first[row.first],
            row.first or _NO_MATCH,
            row.second or _NO_MATCH,
            "" if row.dice is None else f"{row.dice:.2f}",
        )
        for row in networks
    ]


def _rows_that_fit(networks: Sequence[NetworkAgreement], beside: float, most: float) -> int:
    """The matched networks, as far as a page has room for them, and others beside the views."""
    n_matched = sum(row.first is not None and row.second is not None for row in networks)
    n_beside, n_most = (max(int(room / _ROW) - 2, 1) for room in (beside, most))
    return min(max(n_matched, n_beside), n_most, len(networks))


def _hidden(networks: Sequence[NetworkAgreement], n_shown: int) -> str:
    """What is said of the networks that are not in the table; empty if all are."""
    hidden = networks[n_shown:]
    if not hidden:
        return ""
    alone = all(row.first is None or row.second is None for row in hidden)
    return f"and {len(hidden):,} more{' without a match' if alone else ''}"


def _draw_table(figure: Figure, left: float, top: float, rows: Sequence[_Row], hidden: str) -> None:
    """Which network of one map is which of the other, their colours, and how alike they are."""
    from matplotlib.patches import Rectangle

    axes = place(figure, left, top, _COLUMN, _ROW * (len(rows) + 2))
    axes.set(xlim=(0, _COLUMN), ylim=(_ROW * (len(rows) + 2), 0))
    widths = _name_widths(rows)
    colour = _SWATCH + _SPACE
    places = (colour, colour + widths[0], colour + sum(widths) + _DICE)
    style: dict[str, Any] = {"fontsize": SMALL, "va": "center"}
    for n, (rgba, *cells) in enumerate([((0, 0, 0, 0), "A", "B", "Dice"), *rows]):
        middle = (n + 0.5) * _ROW
        corner = (0, middle - 0.36 * _ROW)
        axes.add_patch(Rectangle(corner, _SWATCH, 0.72 * _ROW, color=rgba, linewidth=0))
        shown = [shortened(name, w - _SPACE, SMALL) for name, w in zip(cells, widths, strict=False)]
        for x, cell, side in zip(
            places, [*shown, cells[2]], ("left", "left", "right"), strict=True
        ):
            axes.text(x, middle, cell, ha=side, color="black" if n else QUIET, **style)
    axes.text(0, (len(rows) + 1.5) * _ROW, hidden, color=QUIET, **style)


def _name_widths(rows: Sequence[_Row]) -> tuple[float, float]:
    """Inches of both columns of names: what they need, or as much as there is."""
    room = _COLUMN - _SWATCH - _SPACE - _DICE
    ours, theirs = (
        max(text_width(name, SMALL) for name in names) + 1.5 * _SPACE
        for names in ([row[1] for row in rows], [row[2] for row in rows])
    )
    first = min(ours, max(room / 2, room - theirs))
    return first, min(theirs, room - first)


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


def _subtitle(found: Agreement, region: str | None) -> str:
    where = f"{region}: " if region else ""
    said = [f"{where}{found.n_vertices:,} vertices"]
    if found.adjusted_rand is not None:
        said.append(f"adjusted Rand index {found.adjusted_rand:.2f}")
    if found.overlap is not None:
        said.append(f"overlap {found.overlap:.2f}")
    return ", ".join(said)


def _draw_scale(figure: Figure, left: float, top: float) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    axes = place(figure, left + 0.15 * _COLUMN, top, 0.7 * _COLUMN, 0.12)
    axes.set_axis_on()
    scale = ScalarMappable(Normalize(0, 1), _COLOURS)
    bar = figure.colorbar(scale, cax=axes, orientation="horizontal", ticks=[0, 0.5, 1])
    bar.ax.set_xticklabels(["equal", "0.5", "nothing in common"], fontsize=SMALL)
    bar.ax.tick_params(length=2)


def _draw_notes(figure: Figure, first: NetworkMap, second: NetworkMap) -> None:
    soft = [side for side, one in (("A", first), ("B", second)) if one.probabilities is not None]
    notes = "B has the colours of its matches in A."
    if soft:
        notes += f" Colours of {' and '.join(soft)} fade where networks are undecided."
    write(figure, _GAP, figure.get_figheight() - 0.2, notes, size=SMALL, color=QUIET)


def _short(name: str) -> str:
    """The last part of a path, and the name of an atlas."""
    return Path(name).name or name
