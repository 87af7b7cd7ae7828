"""Parcellations on the inflated cortex."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

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
from neuroparcel.plotting.paint import (
    draw_areas,
    draw_networks,
    draw_outline,
    paint_parcellation,
    paint_region,
)
from neuroparcel.plotting.panel import EVERYBODY, cohort_subtitle, draw_legend_of, subtitle
from neuroparcel.plotting.view import SurfaceView, close_up, whole_hemisphere

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIDE_WIDTH = 1.75
"""Inches beside close-ups, at least: insets, and what the colours mean."""

_REGION_IN_INSET = np.array([0.80, 0.15, 0.15])
_LARGE, _SMALL, _INSET = 900, 420, 400  # pixels of a view's longer side
_INSET_HEIGHT = 1.15
_NAME, _GAP = 0.18, 0.08
_TALLEST = 4.6, 3.3, 1.6  # of a close-up alone, of the population beside subjects, of a subject
_LEAST_COLUMNS = 3
_FEW = 10  # subjects of whom five fit side by side; of more, six


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
    page = _Page(parcellation, region, _TALLEST[0])
    figure = new_page(page.height)
    draw_heading(figure, title, subtitle(parcellation, region))
    page.draw(figure, parcellation)
    return figure


def draw_cohort(
    parcellation: Parcellations,
    *,
    region: Region | None = None,
    subjects: Sequence[str] = (),
    max_subjects: int = 24,
    title: str = EVERYBODY,
) -> Figure:
    """Draw the population above its subjects.

    Parameters
    ----------
    parcellation : Parcellations
        What to draw.
    region : Region, optional
        Anatomical areas, whose borders are drawn as dashed lines.
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

    Raises
    ------
    SpaceError
        If the parcellation does not lie on the fs_LR 32k cortex.
    """
    population = parcellation.of_population()
    page = _Page(population, region, _TALLEST[1], "Population")
    shown = tuple(subjects) or parcellation.subjects[:max_subjects]
    views = _views(parcellation.axis, _SMALL)
    n_columns = min(max(len(shown), _LEAST_COLUMNS), 5 if len(shown) <= _FEW else 6)
    n_columns = max(n_columns // len(views), 1)
    cell = WIDTH / n_columns
    view_width = (cell - _GAP) / len(views) - _GAP
    view_height = min(max(view_width * _aspect(view) for view in views), _TALLEST[2])
    row_height = _NAME + view_height + _GAP
    figure = new_page(page.height + row_height * math.ceil(len(shown) / n_columns))
    draw_heading(figure, title, cohort_subtitle(parcellation, region, shown))
    page.draw(figure, population)
    for number, subject in enumerate(shown):
        soft = parcellation.of_subject(subject)
        row, column = divmod(number, n_columns)
        left, top = column * cell, page.height + row * row_height
        write(figure, left + cell / 2, top, shortened(subject, cell, TEXT), ha="center")
        for place_left, view in enumerate(views):
            across = left + _GAP + place_left * (view_width + _GAP)
            axes = place(figure, across, top + _NAME, view_width, view_height)
            _draw_close_up(axes, view, soft, region, named=False)
    return figure


class CloseUps:
    """Close-ups of a region, hemisphere beside hemisphere, and insets to find them by.

    Parameters
    ----------
    axis : BrainAxis
        The region.
    width : float
        Inches that they may take.
    tallest : float, default 4.6
        Inches of a close-up.
    n_pixels : int, optional
        Of its longer side.
    """

    def __init__(
        self,
        axis: BrainAxis,
        width: float,
        tallest: float = _TALLEST[0],
        n_pixels: int | None = None,
    ) -> None:
        self._axis = axis
        self._views = _views(axis, n_pixels or _LARGE)
        self._width = width / len(self._views)
        room = self._width - _GAP
        self.height = min(max(_aspect(view) for view in self._views) * room, tallest)
        self.inset_height = len(self._views) * (_NAME + _INSET_HEIGHT)

    def draw(self, figure: Figure, top: float, left: float = 0.0) -> list[tuple[Axes, SurfaceView]]:
        """Make the axes from a place in inches: the upper left corner."""
        made = []
        for number, view in enumerate(self._views):
            start = left + number * self._width + _GAP
            axes = place(figure, start, top, self._width - _GAP, self.height)
            made.append((axes, view))
        return made

    def draw_insets(self, figure: Figure, top: float, left: float, width: float) -> None:
        """Draw where in its hemisphere the region lies, one below another."""
        for number, view in enumerate(self._views):
            upper = top + number * (_NAME + _INSET_HEIGHT)
            _draw_inset(figure, left, upper, width, view, self._axis)


class _Page:
    """A heading, close-ups of one parcellation, and beside them where they lie and the legend."""

    def __init__(
        self,
        parcellation: SoftParcellation,
        region: Region | None,
        tallest: float,
        name: str = "",
    ) -> None:
        self._region, self._name = region, name
        self._top = HEADING + (_NAME if name else 0.0)
        has_areas = region is not None and len(region.labels) > 1
        holes = not parcellation.has_data.all()
        self._legend = Legend(
            parcellation.networks, parcellation.colours, areas=has_areas, holes=holes
        )
        self._side = max(SIDE_WIDTH, self._legend.width())
        self._close_ups = CloseUps(parcellation.axis, WIDTH - self._side, tallest)
        self._legend_top = HEADING + self._close_ups.inset_height
        self._below = max(self._top + self._close_ups.height, self._legend_top)
        self.height = (
            max(
                self._below + self._legend.height(WIDTH),
                self._legend_top + self._legend.least_height(),
            )
            + 2 * _GAP
        )

    def draw(self, figure: Figure, parcellation: SoftParcellation) -> None:
        """Draw all but the heading."""
        middle = (WIDTH - self._side) / 2
        write(figure, middle, HEADING, self._name, ha="center", weight="bold")
        for axes, view in self._close_ups.draw(figure, self._top):
            _draw_close_up(axes, view, parcellation, self._region, named=True)
            name_edges(axes, view)
        self._close_ups.draw_insets(figure, HEADING, WIDTH - self._side + _GAP, self._side)
        if self._legend.is_beside:
            left = WIDTH - self._side + 2 * _GAP
            self._legend.draw(figure, left, self._legend_top, self._side)
        else:
            draw_legend_of(figure, self._legend, self._below)


def _views(axis: BrainAxis, n_pixels: int) -> list[SurfaceView]:
    return [close_up(axis, structure, n_pixels) for structure in axis.structures]


def _aspect(view: SurfaceView) -> float:
    return view.shape[0] / view.shape[1]


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


def name_edges(axes: Axes, view: SurfaceView) -> None:
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
            fontsize=SMALL,
            style="italic",
            color=QUIET,
            path_effects=[withStroke(linewidth=2, foreground="white", alpha=0.6)],
        )


def _draw_inset(
    figure: Figure, left: float, top: float, width: float, view: SurfaceView, axis: BrainAxis
) -> None:
    """Draw where in its hemisphere a region lies."""
    name = f"{view.structure.removeprefix('CORTEX_').lower()} hemisphere"
    write(figure, left + width / 2, top, name, size=SMALL, ha="center", color=QUIET)
    axes = place(figure, left, top + _NAME, width - _GAP, _INSET_HEIGHT - _GAP)
    whole = whole_hemisphere(view, axis, _INSET)
    axes.imshow(paint_region(whole, axis, _REGION_IN_INSET), interpolation="antialiased")
