"""How uncertain labels are: close up, or over both sides of both hemispheres."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.brain.atlas import Region
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
    write,
)
from neuroparcel.plotting.paint import draw_outline, paint_values
from neuroparcel.plotting.panel import ViewFrame
from neuroparcel.plotting.surface import SIDE_WIDTH, CloseUps, name_edges
from neuroparcel.plotting.view import is_seen_at_once

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = "cividis"  # even for all kinds of colour vision
_BAR, _BAR_HEIGHT = 0.13, 2.2  # inches
_BESIDE = 0.95  # inches for the bar
_TALLEST = 3.3  # inches of a close-up
_GAP, _FOOT = 0.15, 0.25  # inches


def draw_uncertainty(
    parcellation: SoftParcellation, title: str, *, region: Region | None = None
) -> Figure:
    """Draw the entropy of the labels: 0 where they are certain, 1 where all networks are even.

    A region that one camera sees is drawn close up, with a view of the hemisphere to find it
    by; others from both sides of each hemisphere.

    Parameters
    ----------
    parcellation : SoftParcellation
        On the fs_LR 32k cortex.
    title : str
        What stands above it, such as ``"sub-08"``.
    region : Region, optional
        Its name stands below the title.

    Returns
    -------
    matplotlib.figure.Figure
    """
    axis = parcellation.axis
    values = np.where(parcellation.has_data, parcellation.entropy, np.nan)
    holes = bool(np.isnan(values).any())
    close = is_seen_at_once(axis)
    beside = SIDE_WIDTH if close else _BESIDE
    room = WIDTH - beside
    frame = CloseUps(axis, room, _TALLEST) if close else ViewFrame.of(axis, room)
    insets = frame.inset_height if isinstance(frame, CloseUps) else 0.0
    length = min(_BAR_HEIGHT, max(0.8 * (frame.height - insets), 1.0))
    height = max(frame.height, insets + length + 2 * _GAP)
    figure = new_page(HEADING + height + 0.1 + _FOOT * (holes and close))
    said = f"entropy of the labels as a share of log {parcellation.n_networks}"
    draw_heading(figure, title, said if region is None else f"{region.name}: {said}")
    for axes, view in frame.draw(figure, HEADING):
        axes.imshow(paint_values(view, axis, values, _COLOURS), interpolation="antialiased")
        draw_outline(axes, view, axis, width=1.3 if close else 0.8)
        if close:
            name_edges(axes, view)
    if isinstance(frame, CloseUps):
        frame.draw_insets(figure, HEADING, WIDTH - beside + 0.08, beside)
    left, top = WIDTH - beside + _GAP, HEADING + insets + (height - insets - length) / 2
    _draw_scale(figure, left + 0.3 * close, top, length)
    if holes:
        bottom = figure.get_figheight() - 0.2
        write(figure, 0.1, bottom, "dark grey: no data", size=SMALL, color=QUIET)
    return figure


def _draw_scale(figure: Figure, left: float, top: float, length: float) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    bar = place(figure, left, top, _BAR, length)
    bar.set_axis_on()
    scale = figure.colorbar(ScalarMappable(Normalize(0, 1), _COLOURS), cax=bar)
    scale.set_ticks([0, 0.5, 1], labels=["certain", "0.5", "even"])
    scale.ax.tick_params(labelsize=TEXT, length=2)
