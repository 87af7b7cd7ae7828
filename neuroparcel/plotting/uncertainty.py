"""How uncertain labels are, over both sides of both hemispheres."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.plotting.paint import draw_outline, paint_values
from neuroparcel.plotting.panel import SIDES, hemispheres_of
from neuroparcel.plotting.view import hemisphere_from

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = "cividis"  # even for all kinds of colour vision
_PIXELS = 500  # of a view's longer side
_QUIET = "#666666"


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
    from matplotlib.figure import Figure

    structures = hemispheres_of(parcellation.axis)
    figure = Figure(figsize=(3.6 * len(structures) + 1, 5), layout="constrained")
    figure.suptitle(title, fontsize=13, fontweight="bold")
    grid = figure.subplots(2, len(structures), squeeze=False)
    values = np.where(parcellation.has_data, parcellation.entropy, np.nan)
    for column, structure in enumerate(structures):
        name = structure.removeprefix("CORTEX_").lower()
        for row, (aspect, direction) in enumerate(SIDES[structure].items()):
            view = hemisphere_from(structure, direction, _PIXELS)
            axes = grid[row, column]
            axes.imshow(
                paint_values(view, parcellation.axis, values, _COLOURS),
                interpolation="antialiased",
            )
            draw_outline(axes, view, parcellation.axis, width=0.8)
            axes.set_axis_off()
            axes.set_title(f"{name} {aspect}", fontsize=9, color=_QUIET)
    colours = ScalarMappable(Normalize(0, 1), _COLOURS)
    label = f"entropy of the labels / log {parcellation.n_networks}"
    figure.colorbar(colours, ax=grid, shrink=0.6, label=label)
    if np.isnan(values).any():
        figure.text(0.01, 0.01, "dark grey: no data", fontsize=8, color=_QUIET)
    return figure
