"""Parcellations on the inflated cortex."""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.brain.atlas import Region
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import Parcellations, SoftParcellation
from neuroparcel.plotting.legend import draw_legend
from neuroparcel.plotting.paint import (
    draw_areas,
    draw_networks,
    draw_outline,
    paint_parcellation,
    paint_region,
)
from neuroparcel.plotting.view import SurfaceView, close_up, whole_hemisphere

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import SubplotSpec

_REGION_IN_INSET = np.array([0.80, 0.15, 0.15])
_QUIET = "#666666"  # colour of what only helps to read the picture
_SUBJECTS_IN_A_ROW = 4
_SIDE_WIDTH, _INSET_HEIGHT, _HEADING = 1.9, 1.6, 0.5  # inches
_LARGE, _SMALL = 800, 400  # pixels of a close-up's longer side


def draw_parcellation(
    parcellation: SoftParcellation, title: str, *, region: Region | None = None
) -> Figure:
    """Draw a parcellation close up, with a view of the hemisphere to find it by.

    Each vertex has the colour of its most probable network, which fades, but not to white, as
    the entropy of its probabilities grows. Lines separate the most probable networks.

    Parameters
    ----------
    parcellation : SoftParcellation
        What to draw.
    title : str
        What stands above it, such as ``"sub-08"``.
    region : Region, optional
        Anatomical areas, whose borders are drawn as dashed lines; its name and size stand
        below the title.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    SpaceError
        If the parcellation does not lie on the fs_LR 32k cortex.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    views = _views(parcellation.axis, _LARGE)
    widths = [4.4] * len(views) + [_SIDE_WIDTH]
    height = _HEADING + max(4.5, _side_height(len(views), parcellation.n_networks))
    below_heading = ConstrainedLayoutEngine(rect=(0, 0, 1, 1 - _HEADING / height))
    figure = Figure(figsize=(sum(widths), height), layout=below_heading)
    _draw_heading(figure, title, _subtitle(parcellation, region))
    grid = figure.add_gridspec(1, len(widths), width_ratios=widths)
    for column, view in enumerate(views):
        axes = figure.add_subplot(grid[column])
        _draw_close_up(axes, view, parcellation, region, named=True)
        _name_edges(axes, view)
    _draw_side(figure, grid[-1], views, parcellation, region)
    return figure


def draw_cohort(
    parcellation: Parcellations, *, region: Region | None = None, max_subjects: int = 24
) -> Figure:
    """Draw the population beside its subjects.

    Parameters
    ----------
    parcellation : Parcellations
        What to draw.
    region : Region, optional
        Anatomical areas, whose borders are drawn as dashed lines.
    max_subjects : int, default 24
        Draw no more than the first so many subjects; the title says so.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    SpaceError
        If the parcellation does not lie on the fs_LR 32k cortex.
    """
    from matplotlib.figure import Figure

    large, small = _views(parcellation.axis, _LARGE), _views(parcellation.axis, _SMALL)
    subjects = parcellation.subjects[:max_subjects]
    n_columns = min(_SUBJECTS_IN_A_ROW, len(subjects))
    n_rows = math.ceil(len(subjects) / n_columns)
    widths = [4.4 * len(large), 2.1 * n_columns * len(small), _SIDE_WIDTH]
    height = max(2.4 * n_rows, 4.4, _side_height(len(large), parcellation.n_networks))
    figure = Figure(figsize=(sum(widths), height + 0.6), layout="constrained")
    figure.suptitle(
        _cohort_title(parcellation, region, len(subjects)), fontsize=13, fontweight="bold"
    )
    grid = figure.add_gridspec(1, 3, width_ratios=widths)

    population = parcellation.of_population()
    left = grid[0].subgridspec(1, len(large))
    for column, view in enumerate(large):
        axes = figure.add_subplot(left[column], title="" if column else "Population")
        _draw_close_up(axes, view, population, region, named=True)
        _name_edges(axes, view)
    middle = grid[1].subgridspec(n_rows, n_columns * len(small))
    for cell, (subject, view) in enumerate(product(subjects, small)):
        axes = figure.add_subplot(middle[cell])
        axes.set_title(subject, fontsize=9)
        _draw_close_up(axes, view, parcellation.of_subject(subject), region, named=False)
    _draw_side(figure, grid[2], large, population, region)
    return figure


def _views(axis: BrainAxis, n_pixels: int) -> list[SurfaceView]:
    return [close_up(axis, structure, n_pixels) for structure in axis.structures]


def _draw_heading(figure: Figure, title: str, subtitle: str) -> None:
    height = figure.get_figheight()
    figure.text(
        0.5, 1 - 0.06 / height, title, ha="center", va="top", fontsize=13, fontweight="bold"
    )
    figure.text(0.5, 1 - 0.3 / height, subtitle, ha="center", va="top", fontsize=9, color=_QUIET)


def _subtitle(parcellation: SoftParcellation, region: Region | None) -> str:
    if region is None:
        return ""
    return f"{region.name}: {parcellation.n_networks} networks, {region.n_vertices} vertices"


def _cohort_title(parcellation: Parcellations, region: Region | None, n_shown: int) -> str:
    n_subjects = len(parcellation.subjects)
    where = f" of {region.name}" if region is not None else ""
    shown = "" if n_shown == n_subjects else f" (the first {n_shown} of {n_subjects})"
    return f"{parcellation.n_networks} networks{where}: population and subjects{shown}"


def _draw_close_up(
    axes: Axes,
    view: SurfaceView,
    parcellation: SoftParcellation,
    region: Region | None,
    *,
    named: bool,
) -> None:
    axes.imshow(paint_parcellation(view, parcellation), interpolation="antialiased")
    draw_networks(axes, view, parcellation)
    draw_outline(axes, view, parcellation.axis, width=1.3 if named else 0.9)
    if region is not None:
        draw_areas(axes, view, region, named=named)
    axes.set_axis_off()


def _name_edges(axes: Axes, view: SurfaceView) -> None:
    """Write the anatomical directions along the edges of the picture."""
    from matplotlib.patheffects import withStroke

    places = [(0.02, 0.5, 90), (0.98, 0.5, 270), (0.5, 0.02, 0), (0.5, 0.98, 0)]
    for name, (x, y, rotation) in zip(view.edges, places, strict=True):
        axes.text(
            x,
            y,
            name,
            transform=axes.transAxes,
            rotation=rotation,
            ha="center",
            va="center",
            fontsize=8,
            style="italic",
            color=_QUIET,
            path_effects=[withStroke(linewidth=2, foreground="white", alpha=0.6)],
        )


def _side_height(n_views: int, n_networks: int) -> float:
    """Height in inches of the insets and a readable legend."""
    return 0.5 + _INSET_HEIGHT * n_views + 0.2 * (n_networks + 4)


def _draw_side(
    figure: Figure,
    side: SubplotSpec,
    views: list[SurfaceView],
    parcellation: SoftParcellation,
    region: Region | None,
) -> None:
    """Draw where the region lies, and what the colours and lines mean."""
    left_over = max(figure.get_figheight() - 0.5 - _INSET_HEIGHT * len(views), 1.0)
    heights = [_INSET_HEIGHT] * len(views) + [left_over]
    grid = side.subgridspec(len(heights), 1, height_ratios=heights)
    for row, view in enumerate(views):
        whole = whole_hemisphere(view, parcellation.axis)
        axes = figure.add_subplot(grid[row])
        axes.imshow(paint_region(whole, parcellation.axis, _REGION_IN_INSET))
        name = view.structure.removeprefix("CORTEX_").lower()
        axes.set_title(f"{name} hemisphere", fontsize=8, color=_QUIET)
        axes.set_axis_off()
    has_areas = region is not None and len(region.labels) > 1
    draw_legend(
        figure.add_subplot(grid[-1]),
        parcellation.networks,
        parcellation.colours,
        height=left_over,
        areas=has_areas,
        holes=not parcellation.has_data.all(),
    )
