"""How uncertain labels are, over both sides of both hemispheres."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

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

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = "cividis"  # even for all kinds of colour vision
_BAR, _BAR_HEIGHT = 0.13, 2.2  # inches
_BESIDE = 0.95  # inches for the bar


def draw_uncertainty(parcellation: SoftParcellation, title: str) -> Figure:
    """Draw the entropy of the labels: 0 where they are certain, 1 where all networks are even.

    Parameters
    ----------
    parcellation : SoftParcellation
        On the fs_LR 32k cortex.
    title : str
        What stands above it, such as ``"sub-08"``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    values = np.where(parcellation.has_data, parcellation.entropy, np.nan)
    frame = ViewFrame.of(parcellation.axis, WIDTH - _BESIDE)
    figure = new_page(HEADING + frame.height + 0.1)
    said = f"entropy of the labels as a share of log {parcellation.n_networks}"
    draw_heading(figure, title, said)
    for axes, view in frame.draw(figure, HEADING):
        painted = paint_values(view, parcellation.axis, values, _COLOURS)
        axes.imshow(painted, interpolation="antialiased")
        draw_outline(axes, view, parcellation.axis, width=0.8)
    length = min(_BAR_HEIGHT, 0.8 * frame.height)
    bar = place(figure, WIDTH - _BESIDE + 0.15, HEADING + (frame.height - length) / 2, _BAR, length)
    bar.set_axis_on()
    scale = figure.colorbar(ScalarMappable(Normalize(0, 1), _COLOURS), cax=bar)
    scale.set_ticks([0, 0.5, 1], labels=["certain", "0.5", "even"])
    scale.ax.tick_params(labelsize=TEXT, length=2)
    if np.isnan(values).any():
        bottom = figure.get_figheight() - 0.2
        write(figure, 0.1, bottom, "dark grey: no data", size=SMALL, color=QUIET)
    return figure
