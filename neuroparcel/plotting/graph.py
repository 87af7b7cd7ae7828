"""The graph of a pyramidal model in plate notation, and the variational family dual to it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from textwrap import fill
from typing import TYPE_CHECKING, Any

from neuroparcel.graph.model_graph import ModelGraph
from neuroparcel.graph.template import ModelTemplate
from neuroparcel.plotting.graph_layout import (
    LABEL_GAP,
    LABEL_LINE,
    NOTE_CHARACTER,
    PAD,
    RADIUS,
    TRUNK,
    Box,
    Node,
    Panel,
    family_panel,
    model_panel,
    moved,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch.nn import Module

    from neuroparcel.families.adavi import Adavi

_LINE, _QUIET = "#222222", "#666666"
_PLATE = "#8a8a8a"
# M. Okabe and K. Ito (2008), Color Universal Design, lightened; each kind also has its own
# shape, place or shade, so that the figure holds in greys.
_FILL = {"latent": "#ffffff", "observed": "#c4c4c4", "factor": "#fbe3b5", "encoding": "#cfe6f5"}
_NAME, _SMALL, _TITLE = 8, 7, 10  # points
_MARGIN, _GAP, _HEADING, _FOOT = 0.15, 0.45, 0.35, 0.3  # inches
_NOTE = "E: encodings of the data.  q: a conditional flow and its link, fed by an encoding."


def draw(
    template: ModelTemplate,
    *,
    family: Adavi | None = None,
    sizes: Mapping[str, int] | None = None,
) -> Figure:
    """Draw a model in plate notation and, beside it, the family that is dual to it.

    On the left arrows run from parents to children, the observed site is shaded, and a
    rounded box is a plate with its name and the size at the analysis. On the right the
    encodings ``E1``, ``E2``, ... contract the data plate by plate, and each feeds the
    factors ``q`` of the sites of its hierarchy, whose links stand below their names.

    Parameters
    ----------
    template : ModelTemplate
        What to draw.
    family : Adavi, optional
        The family itself: the numbers of its weights are told.
    sizes : mapping of str to int, optional
        Sizes of the plates by name, such as those of a cohort; by default those of the
        analysis.

    Returns
    -------
    matplotlib.figure.Figure
        As large as the graph needs, with text of 7 to 10 points.

    Notes
    -----
    This is the scheme of the paper. The family :class:`neuroparcel.families.adavi.Adavi`
    shows each factor the encodings above its own hierarchy, too; with `family` the figure
    says so.

    References
    ----------
    Rouillard and Wassermann, ADAVI, ICLR 2022, figure 1 and eq. 1 and 2.
    """
    from matplotlib.figure import Figure

    graph = _resized(template.graph, sizes or {})
    model = model_panel(graph)
    dual = family_panel(graph, model, {} if family is None else _weights(family))
    height = max(_height(model.frame), _height(dual.frame))
    middle = _MARGIN + _FOOT + height / 2
    model = _centred(model, _MARGIN, middle)
    dual = _centred(dual, model.frame.right + _GAP, middle)
    width = dual.frame.right + _MARGIN
    top = middle + height / 2
    figure = Figure(figsize=(width, top + _HEADING + _MARGIN))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(0, top + _HEADING + _MARGIN)
    for panel, title in ((model, "Model"), (dual, "Variational family")):
        axes.text(panel.frame.left, top + 0.15, title, fontsize=_TITLE, fontweight="bold")
        _draw_panel(axes, panel)
    said = _NOTE if family is None else f"{_NOTE}  {_told_of(family)}"
    note = fill(said, round((width - 2 * _MARGIN) / NOTE_CHARACTER))
    axes.text(_MARGIN, _MARGIN, note, fontsize=_SMALL, color=_QUIET)
    return figure


def _resized(graph: ModelGraph, sizes: Mapping[str, int]) -> ModelGraph:
    plates = (replace(plate, size=sizes.get(plate.name, plate.size)) for plate in graph.plates)
    return replace(graph, plates=tuple(plates))


def _weights(family: Adavi) -> dict[str, int]:
    """Number of weights of each site's factor."""
    return {name: _count(factor) for name, factor in family.factors.items()}


def _told_of(family: Adavi) -> str:
    return (
        f"The encoder has {_count(family.encoder):,} weights. Each q reads its own encoding and "
        "those of higher number."
    )


def _count(module: Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def _height(box: Box) -> float:
    return box.top - box.bottom


def _centred(panel: Panel, left: float, middle: float) -> Panel:
    frame = panel.frame
    return moved(panel, left - frame.left, middle - (frame.top + frame.bottom) / 2)


def _draw_panel(axes: Axes, panel: Panel) -> None:
    for depth, plate in enumerate(reversed(panel.plates)):
        _draw_plate(axes, plate, depth)
    for tail, head in panel.arrows:
        _draw_arrow(axes, panel.node(tail), panel.node(head))
    for node in panel.nodes:
        fed = [panel.node(head) for tail, head in panel.arrows if tail == node.name]
        _draw_trunk(axes, node, [head.y for head in fed if head.kind == "factor"])
        _draw_node(axes, node)


def _draw_plate(axes: Axes, plate: Box, depth: int) -> None:
    """Outline and corner text; the deeper, the darker the ground."""
    from matplotlib.patches import FancyBboxPatch

    shade = max(0.90, 0.985 - 0.02 * depth)
    axes.add_patch(
        FancyBboxPatch(
            (plate.left, plate.bottom),
            plate.right - plate.left,
            plate.top - plate.bottom,
            boxstyle="round,pad=0,rounding_size=0.09",
            facecolor=(shade, shade, shade),
            edgecolor=_PLATE,
            linewidth=0.9,
            zorder=1 + 0.01 * depth,
        )
    )
    axes.text(
        plate.right - PAD / 2 - 0.02,
        plate.bottom + 0.055,
        plate.name,
        fontsize=_SMALL,
        color=_LINE,
        ha="right",
        va="bottom",
        fontstyle="italic",
        zorder=5,
    )


def _draw_arrow(axes: Axes, tail: Node, head: Node) -> None:
    """Straight; to a factor from the trunk of its encoding."""
    from matplotlib.patches import FancyArrowPatch

    if head.kind == "factor":
        start, end = (tail.x - TRUNK, head.y), (head.x - RADIUS, head.y)
    else:
        length = math.hypot(head.x - tail.x, head.y - tail.y)
        along = RADIUS * (head.x - tail.x) / length, RADIUS * (head.y - tail.y) / length
        start = tail.x + along[0], tail.y + along[1]
        end = head.x - along[0], head.y - along[1]
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=8,
            shrinkA=0,
            shrinkB=0,
            color=_LINE,
            linewidth=0.9,
            zorder=2,
        )
    )


def _draw_trunk(axes: Axes, encoding: Node, heights: Sequence[float]) -> None:
    if heights:
        x = encoding.x - TRUNK
        axes.plot([x, x], [encoding.y + RADIUS, max(heights)], color=_LINE, lw=0.9, zorder=2)


def _draw_node(axes: Axes, node: Node) -> None:
    from matplotlib.patches import Circle, FancyBboxPatch, Patch

    style: dict[str, Any] = {
        "facecolor": _FILL[node.kind],
        "edgecolor": _LINE,
        "linewidth": 1.0,
        "zorder": 3,
    }
    patch: Patch
    if node.kind == "encoding":
        corner = (node.x - RADIUS, node.y - RADIUS)
        box = "round,pad=0,rounding_size=0.05"
        patch = FancyBboxPatch(corner, 2 * RADIUS, 2 * RADIUS, boxstyle=box, **style)
        axes.text(node.x, node.y, node.name, fontsize=_NAME, ha="center", va="center", zorder=4)
    else:
        patch = Circle((node.x, node.y), RADIUS, **style)
    axes.add_patch(patch)
    below = node.y - RADIUS - LABEL_GAP
    _write(axes, node.x, below, node.label, _NAME, _LINE)
    _write(axes, node.x, below - LABEL_LINE * len(node.label), node.note, _SMALL, _QUIET)


def _write(
    axes: Axes, x: float, top: float, lines: tuple[str, ...], size: float, colour: str
) -> None:
    from matplotlib.patheffects import withStroke

    if lines:
        axes.text(
            x,
            top,
            "\n".join(lines),
            fontsize=size,
            color=colour,
            ha="center",
            va="top",
            linespacing=1.1,
            zorder=4,
            path_effects=[withStroke(linewidth=1.5, foreground="white", alpha=0.8)],
        )
