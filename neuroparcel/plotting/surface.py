"""Parcellations on the inflated cortex."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.brain.atlas import Region
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import CohortParcellation, SoftParcellation
from neuroparcel.plotting.paint import (
    NO_DATA,
    OUTLINE,
    draw_areas,
    draw_outline,
    faded_colours,
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
_LARGE, _SMALL = 800, 400  # pixels of a close-up's longer side


def draw_parcellation(
    parcellation: SoftParcellation, title: str, *, region: Region | None = None
) -> Figure:
    """Draw a parcellation close up, with a view of the hemisphere to find it by.

    Each vertex has the colour of its most probable network, which fades as the entropy of
    its probabilities grows.

    Parameters
    ----------
    parcellation : SoftParcellation
        What to draw.
    title : str
        What stands above it.
    region : Region, optional
        Anatomical areas, whose borders are drawn as dashed lines.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    SpaceError
        If the parcellation does not lie on the fs_LR 32k cortex.
    """
    from matplotlib.figure import Figure

    views = _views(parcellation.axis, _LARGE)
    widths = [4.4] * len(views) + [1.9]
    figure = Figure(figsize=(sum(widths), 4.8), layout="constrained")
    figure.suptitle(title, fontsize=13, fontweight="bold")
    *panels, side = figure.add_gridspec(1, len(widths), width_ratios=widths)
    for panel, view in zip(panels, views, strict=True):
        axes = figure.add_subplot(panel)
        _draw_close_up(axes, view, parcellation, region, named=True)
        _name_edges(axes, view)
    _draw_side(figure, side, views, parcellation, region)
    return figure


def draw_cohort(
    parcellation: CohortParcellation, *, region: Region | None = None, max_subjects: int = 24
) -> Figure:
    """Draw the population beside its subjects.

    Parameters
    ----------
    parcellation : CohortParcellation
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
    widths = [4.4 * len(large), 2.1 * n_columns * len(small), 1.9]
    figure = Figure(figsize=(sum(widths), max(2.4 * n_rows, 4.4) + 0.6), layout="constrained")
    figure.suptitle(_cohort_title(parcellation, len(subjects)), fontsize=13, fontweight="bold")
    left, middle, side = figure.add_gridspec(1, 3, width_ratios=widths)

    population = parcellation.of_population()
    for cell, view in zip(left.subgridspec(1, len(large)), large, strict=True):
        axes = figure.add_subplot(cell, title="Population")
        _draw_close_up(axes, view, population, region, named=True)
        _name_edges(axes, view)
    cells = iter(middle.subgridspec(n_rows, n_columns * len(small)))
    for subject in subjects:
        for view in small:
            axes = figure.add_subplot(next(cells))
            axes.set_title(subject, fontsize=9)
            _draw_close_up(axes, view, parcellation.of_subject(subject), region, named=False)
    _draw_side(figure, side, large, population, region)
    return figure


def _views(axis: BrainAxis, n_pixels: int) -> list[SurfaceView]:
    return [close_up(axis, structure, n_pixels) for structure in axis.structures]


def _cohort_title(parcellation: CohortParcellation, n_shown: int) -> str:
    n_subjects = len(parcellation.subjects)
    shown = "" if n_shown == n_subjects else f" (the first {n_shown} of {n_subjects} subjects)"
    return f"{parcellation.n_networks} networks in a population and its subjects{shown}"


def _draw_close_up(
    axes: Axes,
    view: SurfaceView,
    parcellation: SoftParcellation,
    region: Region | None,
    *,
    named: bool,
) -> None:
    axes.imshow(paint_parcellation(view, parcellation), interpolation="antialiased")
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


def _draw_side(
    figure: Figure,
    side: SubplotSpec,
    views: list[SurfaceView],
    parcellation: SoftParcellation,
    region: Region | None,
) -> None:
    """Draw where the region lies, and what the colours and lines mean."""
    *cells, last = side.subgridspec(len(views) + 1, 1)
    for cell, view in zip(cells, views, strict=True):
        whole = whole_hemisphere(view, parcellation.axis)
        axes = figure.add_subplot(cell)
        axes.imshow(paint_region(whole, parcellation.axis, _REGION_IN_INSET))
        name = view.structure.removeprefix("CORTEX_").lower()
        axes.set_title(f"{name} hemisphere", fontsize=8, color=_QUIET)
        axes.set_axis_off()
    _draw_legend(figure.add_subplot(last), parcellation, region)


def _draw_legend(axes: Axes, parcellation: SoftParcellation, region: Region | None) -> None:
    """Draw a ramp from certain to undecided for each network, and name the lines."""
    ramps = faded_colours(parcellation.n_networks, np.linspace(0, 1, 64))
    axes.imshow(
        ramps, aspect="auto", extent=(0, 1, parcellation.n_networks, 0), interpolation="nearest"
    )
    axes.set_yticks(np.arange(parcellation.n_networks) + 0.5, parcellation.networks, fontsize=8)
    axes.set_xticks([0, 1], ["certain", "undecided"], fontsize=8)
    axes.set_box_aspect(0.28 * parcellation.n_networks)
    axes.tick_params(length=0)
    axes.hlines(np.arange(1, parcellation.n_networks), 0, 1, colors="white", linewidth=2)
    for spine in axes.spines.values():
        spine.set_visible(False)
    _draw_key(axes, parcellation, region)


def _draw_key(axes: Axes, parcellation: SoftParcellation, region: Region | None) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    key: list[Line2D | Patch] = []
    if region is not None and len(region.labels) > 1:
        key.append(Line2D([], [], color=OUTLINE, linewidth=0.9, dashes=(4, 2.5), label="areas"))
    if not parcellation.has_data.all():
        key.append(Patch(color=tuple(NO_DATA), label="no data"))
    if key:
        axes.legend(
            handles=key, loc="upper left", bbox_to_anchor=(-0.05, -0.35), frameon=False, fontsize=8
        )
