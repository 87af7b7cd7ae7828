"""Parcellations of much of the cortex: both sides of both hemispheres."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from neuroparcel.brain.atlas import Region
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import Parcellations, SoftParcellation
from neuroparcel.plotting.legend import Legend
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
    write,
)
from neuroparcel.plotting.paint import draw_networks, draw_outline, paint_parcellation
from neuroparcel.plotting.view import SurfaceView, hemisphere_from

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIDES = {
    "CORTEX_LEFT": {"lateral": "left", "medial": "right"},
    "CORTEX_RIGHT": {"lateral": "right", "medial": "left"},
}
"""Where the camera stands for the outer and the inner side of each hemisphere."""

VIEW_PIXELS = 800
"""Pixels of a view's longer side: 300 an inch, as a figure of a page's width is printed."""

ASPECT = 0.74
"""Height of a view as a share of its width."""

EVERYBODY = "Population and subjects"
"""The title of a figure of a cohort."""

_SMALL_PIXELS = 260
_NAME = 0.18  # inches of the name above a view
_GAP = 0.08
_FEW = 11  # parcellations of which three fit side by side; of more, four


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
    legend = _legend_of(parcellation, borders=True)
    frame = ViewFrame.of(parcellation.axis, WIDTH - legend.width())
    below = HEADING + frame.height
    height = max(below + legend.height(WIDTH), HEADING + legend.least_height()) + _GAP
    figure = new_page(height)
    draw_heading(figure, title, subtitle(parcellation, region))
    for axes, view in frame.draw(figure, HEADING):
        axes.imshow(paint_parcellation(view, parcellation), interpolation="antialiased")
        draw_networks(axes, view, parcellation)
        draw_outline(axes, view, parcellation.axis, width=0.8)
    draw_legend_of(figure, legend, below)
    return figure


def draw_cohort_panel(
    parcellation: Parcellations,
    *,
    region: Region | None = None,
    subjects: Sequence[str] = (),
    max_subjects: int = 24,
    title: str = EVERYBODY,
) -> Figure:
    """Draw the same four views of the population and of each subject, small and without lines.

    Parameters
    ----------
    parcellation : Parcellations
        What to draw, on the fs_LR 32k cortex.
    region : Region, optional
        Named in the title.
    subjects : sequence of str, optional
        Whom to draw; everybody if not given, but see `max_subjects`.
    max_subjects : int, default 24
        If nobody is asked for, draw no more than the first so many; what stands below the
        title says so.
    title : str, optional
        What stands above it.

    Returns
    -------
    matplotlib.figure.Figure
    """
    few = tuple(subjects) or parcellation.subjects[:max_subjects]
    shown = {"Population": parcellation.of_population()}
    shown |= {subject: parcellation.of_subject(subject) for subject in few}
    holes = not all(soft.has_data.all() for soft in shown.values())
    legend = Legend(parcellation.networks, parcellation.colours, holes=holes, borders=False)

    n_columns = min(3 if len(shown) <= _FEW else 4, len(shown))
    cell = (WIDTH - legend.width()) / n_columns
    structures = hemispheres_of(parcellation.axis)
    view_width = (cell - _GAP) / 2
    cell_height = _NAME + _GAP + ASPECT * view_width * len(structures)
    below = HEADING + cell_height * math.ceil(len(shown) / n_columns)
    figure = new_page(max(below + legend.height(WIDTH), HEADING + legend.least_height()) + _GAP)
    draw_heading(figure, title, cohort_subtitle(parcellation, region, few))
    for number, (name, soft) in enumerate(shown.items()):
        row, column = divmod(number, n_columns)
        left, top = column * cell, HEADING + row * cell_height
        weight = "bold" if name == "Population" else "normal"
        fitting = shortened(name, cell, TEXT)
        write(figure, left + cell / 2, top, fitting, ha="center", weight=weight)
        for down, structure in enumerate(structures):
            for across, direction in enumerate(SIDES[structure].values()):
                place_left = left + across * view_width
                place_top = top + _NAME + down * ASPECT * view_width
                axes = place(figure, place_left, place_top, view_width, ASPECT * view_width)
                view = hemisphere_from(structure, direction, _SMALL_PIXELS)
                axes.imshow(paint_parcellation(view, soft), interpolation="antialiased")
    draw_legend_of(figure, legend, below)
    return figure


class ViewFrame:
    """Where the views of one or both hemispheres stand on a page.

    Of both: a column a hemisphere, outer side above; of one: both sides beside each other.

    Parameters
    ----------
    views : dict of str to (SurfaceView, row, column)
        By name, such as ``"left lateral"``.
    width : float
        Inches that they may take.
    """

    def __init__(self, views: dict[str, tuple[SurfaceView, int, int]], width: float) -> None:
        self._views = views
        self._width = width / 2
        self._n_rows = 1 + max(row for _, row, _ in views.values())

    @classmethod
    def of(cls, axis: BrainAxis, width: float, n_pixels: int | None = None) -> ViewFrame:
        """The views that an axis needs; their longer sides have :data:`VIEW_PIXELS` if not told."""
        structures = hemispheres_of(axis)
        views = {}
        for column, structure in enumerate(structures):
            for row, (aspect, direction) in enumerate(SIDES[structure].items()):
                name = f"{structure.removeprefix('CORTEX_').lower()} {aspect}"
                at = (row, column) if len(structures) > 1 else (0, row)
                views[name] = (hemisphere_from(structure, direction, n_pixels or VIEW_PIXELS), *at)
        return cls(views, width)

    @property
    def height(self) -> float:
        """Inches that the views take."""
        return self._n_rows * self._row

    @property
    def _row(self) -> float:
        return _NAME + ASPECT * (self._width - _GAP) + _GAP

    def draw(self, figure: Figure, top: float, left: float = 0.0) -> list[tuple[Axes, SurfaceView]]:
        """Make the axes, with the views' names, from a place in inches: the upper left corner."""
        made = []
        for name, (view, row, column) in self._views.items():
            start, upper = left + column * self._width, top + row * self._row
            middle = start + self._width / 2
            write(figure, middle, upper, name, size=SMALL, ha="center", color=QUIET)
            width = self._width - _GAP
            axes = place(figure, start + _GAP / 2, upper + _NAME, width, ASPECT * width)
            made.append((axes, view))
        return made


def hemispheres_of(axis: BrainAxis) -> list[str]:
    """Hemispheres that have rows in an axis, left before right."""
    return [structure for structure in SIDES if structure in axis.structures]


def subtitle(parcellation: SoftParcellation, region: Region | None) -> str:
    """What is drawn, in a line; empty if the region is not known."""
    if region is None:
        return ""
    networks = counted(parcellation.n_networks, "network")
    return f"{region.name}: {networks}, {region.n_vertices:,} vertices"


def cohort_subtitle(
    parcellation: Parcellations, region: Region | None, shown: tuple[str, ...]
) -> str:
    """What is drawn of whom, in a line."""
    n_subjects = len(parcellation.subjects)
    where = f"{region.name}: " if region is not None else ""
    subjects = counted(n_subjects, "subject")
    if shown == parcellation.subjects[: len(shown)] and len(shown) < n_subjects:
        subjects = f"the first {len(shown)} of {subjects}"
    elif len(shown) < n_subjects:
        subjects = f"{len(shown)} of {subjects}"
    return f"{where}{counted(parcellation.n_networks, 'network')}, {subjects}"


def counted(number: int, noun: str) -> str:
    """A number and its noun, in the plural if need be."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def draw_legend_of(figure: Figure, legend: Legend, below: float) -> None:
    """Draw a legend beside the views, below the heading, or so many inches down."""
    if legend.is_beside:
        top = HEADING + max((below - HEADING - legend.least_height()) / 2, 0)
        legend.draw(figure, WIDTH - legend.width() + _GAP, top, legend.width())
    else:
        legend.draw(figure, _GAP, below + _GAP, WIDTH - _GAP)


def _legend_of(parcellation: SoftParcellation, *, borders: bool) -> Legend:
    holes = not parcellation.has_data.all()
    return Legend(parcellation.networks, parcellation.colours, holes=holes, borders=borders)
