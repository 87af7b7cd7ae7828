"""The population's networks, pale where another sub-population would have another label."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.brain.designs import EVERYONE
from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.brain.stability import StabilityReport
from neuroparcel.plotting.legend import Legend
from neuroparcel.plotting.page import (
    HEADING,
    QUIET,
    SMALL,
    WIDTH,
    draw_heading,
    new_page,
    write,
)
from neuroparcel.plotting.paint import draw_networks, paint_parcellation
from neuroparcel.plotting.stability import sampled, sizes_of, titled
from neuroparcel.plotting.stability_words import whole_of
from neuroparcel.plotting.value_maps import MapGrid
from neuroparcel.types import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from neuroparcel.plotting.view import SurfaceView

FADING = "full colour → pale"
"""What the ramps of the legend mean: the maps' names say of what."""

_NO_MAJORITY = 0.5
_MOST_LINED = 60  # networks whose borders are drawn: more would hide the colours
_MOST_BESIDE = 12  # networks of a legend that is no taller than the maps
_GAP, _FOOT = 0.1, 0.22  # inches


def draw_stable_population(
    report: StabilityReport, group: str = EVERYONE, size: int | None = None
) -> Figure:
    """Draw the full group's labels twice: pale where undecided, and pale where unstable.

    On the right a colour is the full one where all sub-populations have the label, and palest
    where no more than half of them have it.

    Parameters
    ----------
    report : StabilityReport
        On the fs_LR 32k cortex.
    group : str, default "all"
    size : int, optional
        Of the sub-populations; the smallest if not given.

    Returns
    -------
    matplotlib.figure.Figure
    """
    one = report.of(group, size or sizes_of(report, group)[0].size)
    soft = report.full[group]
    legend = Legend(
        soft.networks,
        soft.colours,
        holes=not soft.has_data.all(),
        borders=soft.n_networks <= _MOST_LINED,
        fading=FADING,
        below=soft.n_networks > _MOST_BESIDE,
    )
    grid = MapGrid(report.axis, 2, side=legend.width() + _GAP * legend.is_beside)
    beside = grid.inset_height + legend.least_height() + _GAP
    height = max(grid.maps_height, beside)
    figure = new_page(HEADING + height + legend.height(WIDTH) + _FOOT)
    said = f"labels of the {whole_of(group)}; {sampled(report, one)}"
    draw_heading(figure, titled("Population", group), said)
    fading = {"pale where undecided": None, "pale where unstable": instability(one.stable.value)}
    for number, (name, values) in enumerate(fading.items()):
        grid.draw(figure, HEADING, number, name, partial(_paint, soft, values))
    grid.draw_insets(figure, HEADING)
    if legend.is_beside:
        top = HEADING + grid.inset_height + (height - beside) / 2 + _GAP / 2
        legend.draw(figure, WIDTH - grid.side + _GAP, top, grid.side - _GAP)
    else:
        legend.draw(figure, _GAP, HEADING + height + _GAP, WIDTH - _GAP)
    note = "right: palest where at most half of the sub-populations have the label"
    write(figure, 0.1, figure.get_figheight() - 0.18, note, size=SMALL, color=QUIET)
    return figure


def instability(stable: FloatArray) -> FloatArray:
    """How pale a label is: 0 where it is certain to stay, 1 where it has no majority.

    Parameters
    ----------
    stable : (vertex,) array of float
        Probability that a sub-population has the label.

    Examples
    --------
    >>> instability(np.array([1.0, 0.75, 0.5, 0.1]))
    array([0. , 0.5, 1. , 1. ])
    """
    return np.clip((1 - stable) / (1 - _NO_MAJORITY), 0, 1)


def _paint(
    soft: SoftParcellation, fading: FloatArray | None, axes: Axes, view: SurfaceView
) -> None:
    axes.imshow(paint_parcellation(view, soft, fading), interpolation="antialiased")
    if soft.n_networks <= _MOST_LINED:
        draw_networks(axes, view, soft)
