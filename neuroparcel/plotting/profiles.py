"""What networks are made of: their strength at each target, or in each map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.brain.atlas import Targets
from neuroparcel.brain.colours import Colour
from neuroparcel.errors import SpaceError
from neuroparcel.plotting.page import (
    HEADING,
    SMALL,
    TEXT,
    WIDTH,
    draw_heading,
    interpolation_of,
    new_page,
    place,
    shortened,
    text_width,
    write,
)
from neuroparcel.types import FloatArray, IntArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

_SIDES = {"CORTEX_LEFT": "left", "CORTEX_RIGHT": "right"}
_LINE = 0.135  # inches of a name
_MOST_NAMED = 40  # networks across, and targets down, that have a name
_WIDEST_NAME = 1.7  # inches
_STRIP, _GAP = 0.1, 0.05  # inches: the networks' colours
_BESIDE = 0.85  # inches of the scale
_BAR, _BAR_HEIGHT = 0.12, 1.6
_NARROWEST = 3.2  # inches, for the title
_LARGEST_CELL = 0.75  # inches across
_FLAT_ROW = 0.24  # inches of a network above many targets
_MATRIX_OF_MANY = 4.9  # inches across
_FINER = 32  # about as many as a row has pixels
_COLOUR_MAP = "RdBu_r"  # told apart by the colour-blind; white is 0
_SHARE_SHOWN = 98  # percentile of the sizes that the scale spans; larger ones have full colour


def draw_profiles(
    profiles: FloatArray,
    targets: Sequence[str],
    networks: Sequence[str],
    colours: Sequence[Colour],
    *,
    sides: Sequence[str] | None = None,
) -> Figure:
    """Draw the networks as profiles over their targets.

    Profiles of both signs are drawn as they are. Positive ones are nearly the same for all
    networks, and drawn is how each differs from their mean. A few targets, such as the maps of
    conditions, stand below one another with their names. Many stand side by side, by
    hemisphere, and in each by the network that is strongest there.

    Parameters
    ----------
    profiles : (network, target) array of float
        Strength of each network at each target.
    targets : sequence of str
        Names.
    networks : sequence of str
        Names.
    colours : sequence of Colour
        Of the networks.
    sides : sequence of str, optional
        Group of each target, such as its hemisphere, see :func:`sides_of`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    SpaceError
        If the shapes disagree.
    """
    shape = len(networks), len(targets)
    if np.shape(profiles) != shape:
        raise SpaceError(f"Profiles of shape {np.shape(profiles)} should be {shape}.")
    if sides is not None and len(sides) != len(targets):
        raise SpaceError(f"{len(sides)} sides do not belong to {len(targets)} targets.")
    shown, quantity = contrasts(np.asarray(profiles, np.float64))
    if len(targets) <= _MOST_NAMED and len(networks) <= _MOST_NAMED:
        return _draw_few(shown, targets, networks, colours, quantity)
    return _draw_many(shown, targets, networks, colours, quantity, sides)


def sides_of(targets: Targets) -> list[str]:
    """The hemisphere of each target: ``left``, ``right``, or ``elsewhere``; by its first row."""
    rows = np.flatnonzero(targets.assignment >= 0)
    _, first = np.unique(targets.assignment[rows], return_index=True)
    structures = targets.axis.structure[rows[first]]
    return [_SIDES.get(str(name), "elsewhere") for name in structures]


def contrasts(profiles: FloatArray) -> tuple[FloatArray, str]:
    """What is drawn of profiles (network, target), and what it is called."""
    if (profiles < 0).any() or len(profiles) == 1:
        return profiles, "strength"
    return profiles - profiles.mean(axis=0), "strength, less the mean of the networks"


def sort_targets(profiles: FloatArray, group: IntArray) -> IntArray:
    """Targets by group, in it by their strongest network, and by falling strength there.

    Parameters
    ----------
    profiles : (network, target) array of float
    group : (target,) array of int

    Returns
    -------
    (target,) array of int

    Examples
    --------
    >>> sort_targets(np.array([[1, 5, 0, 2], [3, 0, 4, 0]]), np.array([0, 0, 0, 1]))
    array([1, 2, 0, 3])
    """
    best = profiles.argmax(axis=0)
    return np.lexsort((-profiles.max(axis=0), best, group))


def _draw_few(
    shown: FloatArray,
    targets: Sequence[str],
    networks: Sequence[str],
    colours: Sequence[Colour],
    quantity: str,
) -> Figure:
    """Targets below one another, networks side by side."""
    names = [shortened(name, _WIDEST_NAME, TEXT) for name in targets]
    left = max(text_width(name, TEXT) for name in names) + 0.1
    width = min(_LARGEST_CELL * len(networks), WIDTH - left - _BESIDE)
    height = max(1.4 * _LINE * len(targets), 0.8)
    above = [shortened(name, _WIDEST_NAME, SMALL) for name in networks]
    upright = max(text_width(name, SMALL) for name in above) > 0.9 * width / len(networks)
    head = (max(text_width(n, SMALL) for n in above) if upright else _LINE) + _GAP
    top = HEADING + head + _STRIP + _GAP
    least = max(top + height, HEADING + _BAR_HEIGHT + 0.3) + 0.1
    figure = new_page(least, max(left + width + _BESIDE, _NARROWEST))
    draw_heading(figure, "Networks", quantity)
    matrix = place(figure, left, top, width, height)
    image = _draw_matrix(matrix, shown.T, width)
    matrix.set_axis_on()
    matrix.set_yticks(range(len(names)), names, fontsize=TEXT)
    matrix.set_xticks([])
    matrix.tick_params(length=0, pad=3)
    strip = place(figure, left, top - _GAP - _STRIP, width, _STRIP)
    strip.imshow(np.array(colours)[None, :, :3], aspect="auto", interpolation="nearest")
    for number, name in enumerate(above):
        middle = left + (number + 0.5) * width / len(above)
        write(
            figure,
            middle,
            HEADING if not upright else top - _STRIP - 2 * _GAP,
            name,
            size=SMALL,
            ha="center",
            va="bottom" if upright else "top",
            rotation="vertical" if upright else "horizontal",
        )
    _draw_scale(figure, image, left + width + 0.12, top)
    return figure


def _draw_many(
    shown: FloatArray,
    targets: Sequence[str],
    networks: Sequence[str],
    colours: Sequence[Colour],
    quantity: str,
    sides: Sequence[str] | None,
) -> Figure:
    """Networks below one another, targets side by side."""
    names = [shortened(name, _WIDEST_NAME, TEXT) for name in networks]
    left = max(text_width(name, TEXT) for name in names) + _STRIP + 3 * _GAP
    width = min(_MATRIX_OF_MANY, WIDTH - left - _BESIDE)
    row = max(_LINE, min(_FLAT_ROW, 3.0 / len(networks)))
    height, top = row * len(networks), HEADING + _STRIP + _GAP
    named = len(targets) <= _MOST_NAMED
    below = [shortened(name, _WIDEST_NAME, SMALL) for name in targets] if named else []
    foot = max((text_width(name, SMALL) for name in below), default=2 * _LINE)
    figure = new_page(max(top + height + foot + _LINE, HEADING + _BAR_HEIGHT + 0.4))
    draw_heading(figure, "Networks", quantity)
    groups = list(dict.fromkeys(sides or ["targets"]))
    group = np.array([groups.index(side) for side in sides or groups * shown.shape[1]])
    order = sort_targets(shown, group)
    matrix = place(figure, left, top, width, height)
    image = _draw_matrix(matrix, shown[:, order], width)
    matrix.set_axis_on()
    matrix.set_yticks(range(len(names)), names, fontsize=TEXT)
    matrix.tick_params(length=0)
    matrix.tick_params(axis="y", pad=72 * (_STRIP + 2 * _GAP))
    full = np.array(colours)[:, :3]
    beside = place(figure, left - _GAP - _STRIP, top, _STRIP, height)
    beside.imshow(full[:, None], aspect="auto", interpolation="nearest")
    above = place(figure, left, HEADING, width, _STRIP)
    best = full[shown[:, order].argmax(axis=0)]
    above.imshow(best[None], aspect="auto", interpolation="nearest")
    if named:
        matrix.set_xticks(range(len(below)), [below[i] for i in order], rotation="vertical")
        matrix.tick_params(axis="x", labelsize=SMALL)
    else:
        matrix.set_xticks([])
        _name_groups(figure, matrix, [groups[i] for i in group[order]], left, top + height)
    _draw_scale(figure, image, left + width + 0.12, HEADING + 0.1)
    return figure


def _name_groups(
    figure: Figure, matrix: Axes, sides: Sequence[str], left: float, top: float
) -> None:
    """Say below a matrix, and by a line in it, which targets lie where."""
    width = matrix.get_position().width * figure.get_figwidth()
    for side in dict.fromkeys(sides):
        start, n = sides.index(side), sides.count(side)
        if start:
            matrix.axvline(start - 0.5, color="#1a1a1a", linewidth=0.8)
        middle = left + width * (start + n / 2) / len(sides)
        write(figure, middle, top + 0.04, f"{n:,} {side}", size=SMALL, ha="center")
    said = "targets, sorted by their strongest network (colours above)"
    write(figure, left + width / 2, top + 0.04 + _LINE, said, size=SMALL, ha="center")


def _draw_matrix(axes: Axes, shown: FloatArray, width: float) -> AxesImage:
    """Draw it over so many inches; each cell has the colour of its own value."""
    sizes = np.abs(shown)
    limit = float(np.percentile(sizes, _SHARE_SHOWN)) or 1.0
    n_rows, n_columns = shown.shape
    interpolation = interpolation_of(n_columns, width)
    if interpolation != "nearest":  # averaging columns to pixels should leave rows alone
        shown = np.repeat(shown, _FINER, axis=0)
    return axes.imshow(
        shown,
        interpolation=interpolation,
        cmap=_COLOUR_MAP,
        vmin=-limit,
        vmax=limit,
        aspect="auto",
        extent=(-0.5, n_columns - 0.5, n_rows - 0.5, -0.5),
    )


def _draw_scale(figure: Figure, image: AxesImage, left: float, top: float) -> None:
    bar = place(figure, left, top, _BAR, _BAR_HEIGHT)
    bar.set_axis_on()
    scale = figure.colorbar(image, cax=bar, extend="both")
    scale.ax.tick_params(labelsize=SMALL, length=2)
    limit = image.get_clim()[1]
    scale.set_ticks([-limit, 0, limit], labels=[f"{-limit:.2g}", "0", f"{limit:.2g}"])
