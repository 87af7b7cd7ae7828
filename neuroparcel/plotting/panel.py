"""Parcellations of much of the cortex: both sides of both hemispheres."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from neuroparcel.brain.atlas import Region
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import Parcellations, SoftParcellation
from neuroparcel.plotting.legend import column_width, draw_legend
from neuroparcel.plotting.paint import draw_networks, draw_outline, paint_parcellation
from neuroparcel.plotting.view import SurfaceView, hemisphere_from

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

SIDES = {
    "CORTEX_LEFT": {"lateral": "left", "medial": "right"},
    "CORTEX_RIGHT": {"lateral": "right", "medial": "left"},
}
"""Where the camera stands for the outer and the inner side of each hemisphere."""

_QUIET = "#666666"  # colour of what only helps to read the picture
_LARGE, _SMALL = 700, 240  # pixels of a view's longer side
_BESIDE = 0.2  # inches between the views and each column of the legend
_LEGEND_ROWS = 20  # networks in a column, at most
_ROW = 0.24  # inches of a network in the legend
_SUBJECTS_IN_A_ROW = 4


def draw_panel(
    parcellation: SoftParcellation, title: str, *, region: Region | None = None
) -> Figure:
    """Draw a parcellation from the outer and the inner side of each hemisphere.

    Colours mean what they mean in a close-up, see
    :func:`~neuroparcel.plotting.surface.draw_parcellation`; areas are not drawn.

    Parameters
    ----------
    parcellation : SoftParcellation
        What to draw, on the fs_LR 32k cortex.
    title : str
        What stands above it, such as ``"sub-08"``.
    region : Region, optional
        Its name and size stand below the title.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    structures = hemispheres_of(parcellation.axis)
    legend = _legend_width(parcellation.networks)
    height = max(5.4, _ROW * (min(parcellation.n_networks, _LEGEND_ROWS) + 5))
    figure = Figure(figsize=(3.9 * len(structures) + legend, height), layout="constrained")
    figure.suptitle(f"{title}\n", fontsize=13, fontweight="bold")
    if region is not None:
        said = f"{region.name}: {parcellation.n_networks} networks, {region.n_vertices:,} vertices"
        figure.text(0.5, 1 - 0.36 / height, said, ha="center", va="top", fontsize=9, color=_QUIET)
    ((views, side),) = figure.subfigures(
        1, 2, squeeze=False, width_ratios=[3.9 * len(structures), legend]
    )
    grid = views.subplots(2, len(structures), squeeze=False)
    for column, structure in enumerate(structures):
        name = structure.removeprefix("CORTEX_").lower()
        for row, (aspect, direction) in enumerate(SIDES[structure].items()):
            view = hemisphere_from(structure, direction, _LARGE)
            _draw_view(grid[row, column], view, parcellation, lines=True)
            grid[row, column].set_title(f"{name} {aspect}", fontsize=9, color=_QUIET)
    _draw_legend(side, [parcellation], height - 0.8, borders=True)
    return figure


def draw_cohort_panel(
    parcellation: Parcellations, *, region: Region | None = None, max_subjects: int = 24
) -> Figure:
    """Draw the same four views of the population and of each subject, small and without lines.

    Parameters
    ----------
    parcellation : Parcellations
        What to draw, on the fs_LR 32k cortex.
    region : Region, optional
        Named in the title.
    max_subjects : int, default 24
        Draw no more than the first so many subjects; the title says so.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    subjects = parcellation.subjects[:max_subjects]
    shown = {"Population": parcellation.of_population()}
    shown |= {subject: parcellation.of_subject(subject) for subject in subjects}
    n_columns = min(_SUBJECTS_IN_A_ROW, len(shown))
    n_rows = math.ceil(len(shown) / n_columns)
    width = 1.25 * len(hemispheres_of(parcellation.axis)) * n_columns
    legend = _legend_width(parcellation.networks)
    height = max(1.95 * n_rows, _ROW * (min(parcellation.n_networks, _LEGEND_ROWS) + 4)) + 0.5
    figure = Figure(figsize=(width + legend, height), layout="constrained")
    figure.suptitle(_cohort_title(parcellation, region, len(subjects)), fontsize=13)
    ((views, side),) = figure.subfigures(1, 2, squeeze=False, width_ratios=[width, legend])
    cells = views.subfigures(n_rows, n_columns, squeeze=False)
    for cell, (name, soft) in zip(cells.flat, shown.items(), strict=False):
        _draw_small(cell, name, soft)
    _draw_legend(side, [*shown.values()], height - 0.6, borders=False)
    return figure


def hemispheres_of(axis: BrainAxis) -> list[str]:
    """Hemispheres that have rows in an axis, left before right."""
    return [structure for structure in SIDES if structure in axis.structures]


def _draw_small(cell: SubFigure, name: str, soft: SoftParcellation) -> None:
    """The views of one parcellation beside and below one another."""
    structures = hemispheres_of(soft.axis)
    cell.suptitle(name, fontsize=9, fontweight="bold" if name == "Population" else "normal")
    grid = cell.subplots(2, len(structures), squeeze=False)
    for column, structure in enumerate(structures):
        for row, direction in enumerate(SIDES[structure].values()):
            view = hemisphere_from(structure, direction, _SMALL)
            _draw_view(grid[row, column], view, soft, lines=False)


def _draw_view(axes: Axes, view: SurfaceView, soft: SoftParcellation, *, lines: bool) -> None:
    axes.imshow(paint_parcellation(view, soft), interpolation="antialiased")
    if lines:
        draw_networks(axes, view, soft)
        draw_outline(axes, view, soft.axis, width=0.8)
    axes.set_axis_off()


def _draw_legend(
    side: SubFigure, shown: Sequence[SoftParcellation], height: float, *, borders: bool
) -> None:
    holes = not all(soft.has_data.all() for soft in shown)
    axes = side.add_axes((0.02, 0.02, 0.96, 0.88))
    draw_legend(
        axes,
        shown[0].networks,
        shown[0].colours,
        height=height,
        areas=False,
        holes=holes,
        borders=borders,
        n_columns=_legend_columns(shown[0].n_networks),
    )


def _legend_width(names: Sequence[str]) -> float:
    """Inches of a legend."""
    return (column_width(names) + _BESIDE) * _legend_columns(len(names))


def _legend_columns(n_networks: int) -> int:
    return math.ceil(n_networks / _LEGEND_ROWS)


def _cohort_title(parcellation: Parcellations, region: Region | None, n_shown: int) -> str:
    n_subjects = len(parcellation.subjects)
    where = f" of {region.name}" if region is not None else ""
    shown = "" if n_shown == n_subjects else f" (the first {n_shown} of {n_subjects})"
    return f"{parcellation.n_networks} networks{where}: population and subjects{shown}"
