"""How alike the nodes of a parcellation are, sorted by network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.brain.colours import Colour, network_colours
from neuroparcel.errors import SpaceError
from neuroparcel.plotting.page import SMALL, TEXT, TITLE, interpolation_of, shortened
from neuroparcel.plotting.paint import NO_DATA, OUTLINE
from neuroparcel.types import FloatArray, IntArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

_SIDE = 4.2  # inches of the matrix
_LEFT, _RIGHT, _BELOW, _ABOVE = 1.3, 0.85, 0.4, 0.65  # inches around it
_NODE_NAMES = 0.7  # inches more to the right, where the nodes have their names
_STRIP, _GAP = 0.14, 0.04  # inches: the networks' colours, and their distance
_LEADER = 0.12  # inches from the colours to the networks' names
_NETWORK_NAME = _LEFT - 0.35  # inches
_BAR = 0.15  # inches
_FONT = TEXT  # points; down to SMALL where there are many names
_LINE_HEIGHT = 1.25  # of the font
_POINTS = 72  # in an inch
_COLOUR_MAP = "RdBu_r"  # told apart by the colour-blind; white is 0
_SHARE_SHOWN = 98  # percentile of the sizes that the scale spans; larger ones have full colour
_BORDER = 0.6  # points
_BLANK = "#d9d9d9"  # the diagonal, and pairs that are not known


def draw_heatmap(
    similarity: FloatArray,
    labels: IntArray,
    networks: Sequence[str],
    *,
    title: str,
    colours: Sequence[Colour] | None = None,
    certainty: FloatArray | None = None,
    quantity: str = "correlation (Fisher z)",
    names: Sequence[str] | None = None,
) -> Figure:
    """Draw the similarity of all pairs of nodes, the nodes of a network side by side.

    Within its network a node stands the earlier the surer its label is. Thin lines separate
    the networks, whose colours run along both sides. White is 0, and the scale spans 98 % of
    the pairs.

    Parameters
    ----------
    similarity : (node, node) array of float
        Symmetric; the diagonal is left blank, and so is NaN.
    labels : (node,) array of int
        Network of each node, from 1; 0 without data, drawn last.
    networks : sequence of str
        One name a network.
    title : str
        What stands above it.
    colours : sequence of Colour, optional
        One a network; by default :func:`~neuroparcel.brain.parcellation.network_colours`.
    certainty : (node,) array of float, optional
        What the nodes of a network are sorted by, largest first; their mean similarity with
        the others of the network if not given.
    quantity : str, default "correlation (Fisher z)"
        What the similarity is: the title of the scale.
    names : sequence of str, optional
        One name a node, written where there is room for it.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    SpaceError
        If the shapes disagree.
    """
    from matplotlib.figure import Figure

    _check_shapes(similarity, labels, certainty, names)
    order = sort_nodes(labels, mean_within(similarity, labels) if certainty is None else certainty)
    sorted_labels = np.asarray(labels)[order]
    right = _RIGHT + (_NODE_NAMES if names is not None and _has_room(len(order)) else 0)
    width, height = _LEFT + _SIDE + right, _BELOW + _SIDE + _ABOVE
    figure = Figure(figsize=(width, height))

    matrix = _add_axes(figure, _LEFT, _BELOW, _SIDE, _SIDE)
    image = _draw_matrix(matrix, np.asarray(similarity)[np.ix_(order, order)])
    _draw_borders(matrix, sorted_labels)
    matrix.set_xlabel(f"{len(order)} nodes, sorted by network", fontsize=_FONT, labelpad=6)
    if names is not None and _has_room(len(order)):
        _name_nodes(matrix, [names[node] for node in order])

    left_of_it, above_it = _LEFT - _GAP - _STRIP, _BELOW + _SIDE + _GAP
    beside = _add_axes(figure, left_of_it, _BELOW, _STRIP, _SIDE)
    above = _add_axes(figure, _LEFT, above_it, _SIDE, _STRIP)
    strip = _colours(sorted_labels, colours or network_colours(len(networks)))
    _draw_strip(beside, strip[:, None])
    _draw_strip(above, strip[None])
    _name_networks(beside, sorted_labels, networks)

    scale = _add_axes(figure, _LEFT + _SIDE + right - 0.78, _BELOW, _BAR, _SIDE / 2)
    bar = figure.colorbar(image, cax=scale, extend="both")
    bar.set_label(quantity, fontsize=_FONT)
    scale.tick_params(labelsize=_FONT)
    matrix.set_title(shortened(title, _SIDE, TITLE), fontsize=TITLE, fontweight="bold", pad=24)
    return figure


def sort_nodes(labels: IntArray, rank: FloatArray) -> IntArray:
    """Nodes by network, and within it by falling rank; those without a network last.

    Parameters
    ----------
    labels : (node,) array of int
        Network of each node, from 1; 0 for none.
    rank : (node,) array of float
        NaN counts as the least.

    Returns
    -------
    (node,) array of int

    Examples
    --------
    >>> sort_nodes(np.array([2, 0, 1, 2]), np.array([0.5, 0.9, 0.1, 0.7]))
    array([2, 3, 0, 1])
    """
    last = np.where(np.asarray(labels) == 0, np.iinfo(np.int64).max, labels)
    return np.lexsort((-np.nan_to_num(rank, nan=-np.inf), last))


def mean_within(similarity: FloatArray, labels: IntArray) -> FloatArray:
    """Mean similarity of each node with the others of its network; (node,), NaN if alone."""
    labels = np.asarray(labels)
    others = (labels[:, None] == labels) & ~np.eye(len(labels), dtype=bool)
    others &= np.isfinite(similarity)
    total = np.where(others, similarity, 0).sum(axis=1)
    count = others.sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def spread_out(positions: FloatArray, distance: float, low: float, high: float) -> FloatArray:
    """Move rising positions as little as needed to keep them apart, between two limits.

    Least squares under ``moved[i + 1] - moved[i] >= distance``, by pooling neighbours that
    collide.

    Parameters
    ----------
    positions : (item,) array of float
        Rising.
    distance : float
        The least distance, shortened where the limits leave less.
    low, high : float
        The first and the last place.

    Returns
    -------
    (item,) array of float

    Examples
    --------
    >>> spread_out(np.array([0.0, 5.0, 5.2]), 1.0, 0.0, 9.0)
    array([0. , 4.6, 5.6])
    """
    n = len(positions)
    step = min(distance, (high - low) / max(n - 1, 1))
    shift = step * np.arange(n)
    pools: list[tuple[float, int]] = []  # mean and size of items moved as one
    for wanted in positions - shift:
        mean, size = float(wanted), 1
        while pools and pools[-1][0] > mean:
            before, n_before = pools.pop()
            mean = (mean * size + before * n_before) / (size + n_before)
            size += n_before
        pools.append((mean, size))
    moved = np.repeat([mean for mean, _ in pools], [size for _, size in pools])
    return np.clip(moved, low, max(high - step * (n - 1), low)) + shift


def _check_shapes(
    similarity: FloatArray,
    labels: IntArray,
    certainty: FloatArray | None,
    names: Sequence[str] | None,
) -> None:
    n_nodes = len(labels)
    if np.shape(similarity) != (n_nodes, n_nodes):
        raise SpaceError(
            f"A similarity of shape {np.shape(similarity)} does not belong to {n_nodes} nodes."
        )
    for what, values in (("certainties", certainty), ("names", names)):
        if values is not None and len(values) != n_nodes:
            raise SpaceError(f"There are {len(values)} {what} for {n_nodes} nodes.")


def _add_axes(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place in inches."""
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up))


def _draw_matrix(axes: Axes, similarity: FloatArray) -> AxesImage:
    from matplotlib import colormaps

    shown = np.array(similarity, dtype=np.float64)
    np.fill_diagonal(shown, np.nan)
    sizes = np.abs(shown[np.isfinite(shown)])
    limit = float(np.percentile(sizes, _SHARE_SHOWN)) if sizes.any() else 1.0
    colour_map = colormaps[_COLOUR_MAP].with_extremes(bad=_BLANK)
    axes.set(xticks=[], yticks=[])
    return axes.imshow(
        np.ma.masked_invalid(shown),
        cmap=colour_map,
        vmin=-limit,
        vmax=limit,
        aspect="auto",
        interpolation=interpolation_of(len(shown), _SIDE),
    )


def _draw_borders(axes: Axes, sorted_labels: IntArray) -> None:
    borders = np.flatnonzero(np.diff(sorted_labels)) + 0.5
    for draw in (axes.axhline, axes.axvline):
        for border in borders:
            draw(border, color=OUTLINE, linewidth=_BORDER)


def _draw_strip(axes: Axes, colours: FloatArray) -> None:
    axes.imshow(colours, aspect="auto", interpolation="nearest")
    axes.set_axis_off()


def _colours(labels: IntArray, colours: Sequence[Colour]) -> FloatArray:
    """Colour of each node's network, (node, 3); grey without data."""
    return np.array([NO_DATA, *(rgba[:3] for rgba in colours)])[labels]


def _name_networks(axes: Axes, sorted_labels: IntArray, networks: Sequence[str]) -> None:
    """Name and size of each network beside its nodes, led to where names would overlap."""
    words = np.array(["no data", *networks])
    starts = np.flatnonzero(np.diff(sorted_labels, prepend=-1))
    sizes = np.diff(starts, append=len(sorted_labels))
    centres = starts + (sizes - 1) / 2
    row = _SIDE * _POINTS / len(sorted_labels)  # points
    most = int(_SIDE * _POINTS / SMALL / _LINE_HEIGHT)
    named = np.sort(np.argsort(-sizes, kind="stable")[:most])  # the largest, where room is short
    starts, sizes, centres = starts[named], sizes[named], centres[named]
    font = max(min(_FONT, _SIDE * _POINTS / len(starts) / _LINE_HEIGHT), SMALL)
    half = font / row / 2
    last = len(sorted_labels) - 0.5
    places = spread_out(centres, font * _LINE_HEIGHT / row, half - 0.5, last - half)
    for start, size, centre, place in zip(starts, sizes, centres, places, strict=True):
        axes.annotate(
            shortened(f"{words[sorted_labels[start]]} ({size})", _NETWORK_NAME, font),
            xy=(0, centre),
            xycoords=axes.get_yaxis_transform(),
            xytext=(-_LEADER / _STRIP, place),
            textcoords=axes.get_yaxis_transform(),
            ha="right",
            va="center",
            fontsize=font,
            arrowprops={
                "arrowstyle": "-",
                "color": OUTLINE,
                "linewidth": 0.4,
                "shrinkA": 0,
                "shrinkB": 0,
            },
        )


def _has_room(n_nodes: int) -> bool:
    """Whether each node can have its name at a size that can be read."""
    return _SIDE * _POINTS / n_nodes / _LINE_HEIGHT >= SMALL


def _name_nodes(axes: Axes, names: Sequence[str]) -> None:
    font = min(_FONT, _SIDE * _POINTS / len(names) / _LINE_HEIGHT)
    axes.yaxis.tick_right()
    fitting = [shortened(name, _NODE_NAMES, font) for name in names]
    axes.set_yticks(range(len(names)), fitting, fontsize=font)
    axes.tick_params(axis="y", length=0, pad=2)
