"""The strongest connections of each network, on the whole cortex."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.brain.atlas import Targets
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.colours import Colour
from neuroparcel.errors import SpaceError
from neuroparcel.io.meshes import Hemisphere, load_cortex_axis, load_mesh
from neuroparcel.plotting.page import (
    HEADING,
    TEXT,
    WIDTH,
    draw_heading,
    new_page,
    place,
    shortened,
    write,
)
from neuroparcel.plotting.paint import draw_outline, paint_rows
from neuroparcel.plotting.panel import ASPECT, SIDES
from neuroparcel.plotting.view import hemisphere_from
from neuroparcel.types import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHARE = 0.01
"""Of the targets, that count as strongest: those of the paper's figure 4."""

_NOWHERE = -1
_PIXELS = 420  # of a view's longer side
_NAME, _GAP = 0.17, 0.04  # inches
_COLUMNS = ((5, 1), (24, 2), (math.inf, 3))  # networks up to so many, and columns of them


def draw_connections(
    profiles: FloatArray,
    targets: Targets,
    networks: Sequence[str],
    colours: Sequence[Colour],
    *,
    region: BrainAxis | None = None,
    share: float = SHARE,
) -> Figure:
    """Draw where on the inflated cortex each network is connected the most.

    A row of four views a network: its strongest targets in its colour. A target that is an
    area is painted as such. A target that is one vertex stands for the part of the cortex
    that is nearer to it, on the sphere, than to any other target. What lies outside the
    cortex is not drawn.

    Parameters
    ----------
    profiles : (network, target) array of float
        The larger, the more connected.
    targets : Targets
        What the profiles run over, on the fs_LR 32k cortex.
    networks : sequence of str
        Names.
    colours : sequence of Colour
        Of the networks.
    region : BrainAxis, optional
        The region that has these networks; its border is drawn.
    share : float, default 0.01
        Of the targets; at least one is drawn.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    SpaceError
        If the shapes disagree, or no target lies on the fs_LR 32k cortex.

    References
    ----------
    L. Rouillard and D. Wassermann (2022), ADAVI, ICLR; figures 4 and E.6.
    """
    shape = len(networks), targets.n_targets
    if np.shape(profiles) != shape:
        raise SpaceError(f"Profiles of shape {np.shape(profiles)} should be {shape}.")
    strongest = strongest_targets(profiles, share)
    cortex, target_of = load_cortex_axis(), target_of_vertices(targets)

    n_columns = next(columns for most, columns in _COLUMNS if len(networks) <= most)
    cell = WIDTH / n_columns
    view_width = (cell - _GAP) / 4
    row_height = _NAME + ASPECT * view_width + _GAP
    figure = new_page(HEADING + row_height * math.ceil(len(networks) / n_columns) + _GAP)
    n_shown = int(strongest[0].sum())
    said = f"the strongest {n_shown} of {targets.n_targets:,} targets ({targets.name})"
    draw_heading(figure, "Connections of the networks", said)
    for number, (name, colour) in enumerate(zip(networks, colours, strict=True)):
        row, column = divmod(number, n_columns)
        left, top = column * cell + _GAP / 2, HEADING + row * row_height
        write(figure, left, top, shortened(name, cell / 2, TEXT), weight="bold")
        painted = (target_of != _NOWHERE) & strongest[number][target_of]
        for across, (structure, direction) in enumerate(_four_views()):
            place_left = left + across * view_width
            axes = place(figure, place_left, top + _NAME, view_width, ASPECT * view_width)
            view = hemisphere_from(structure, direction, _PIXELS)
            picture = paint_rows(view, cortex, painted, np.array(colour[:3]))
            axes.imshow(picture, interpolation="antialiased")
            if region is not None and structure in region.structures:
                draw_outline(axes, view, region, width=0.6)
    return figure


def strongest_targets(profiles: FloatArray, share: float = SHARE) -> BoolArray:
    """Whether a target is among the share of a network's targets with the largest values.

    Parameters
    ----------
    profiles : (network, target) array of float
    share : float
        The number is rounded up.

    Returns
    -------
    (network, target) array of bool

    Examples
    --------
    >>> strongest_targets(np.array([[0.1, 0.9, 0.3], [0.8, 0.2, 0.5]]), 0.34).astype(int)
    array([[0, 1, 1],
           [1, 0, 1]])
    """
    n_targets = profiles.shape[1]
    n_strongest = math.ceil(round(share * n_targets, 9))
    order = np.argsort(-profiles, axis=1, kind="stable")[:, : max(n_strongest, 1)]
    chosen = np.zeros(profiles.shape, dtype=bool)
    np.put_along_axis(chosen, order, values=True, axis=1)
    return chosen


def target_of_vertices(targets: Targets) -> IntArray:
    """The target that each vertex of the fs_LR 32k cortex is painted with.

    Of targets that are single vertices the nearest on the sphere in its hemisphere; else the
    one that holds the vertex.

    Returns
    -------
    (vertex,) array of int
        Number of the target from 0; -1 for none. Rows of
        :func:`~neuroparcel.io.meshes.load_cortex_axis`.

    Raises
    ------
    SpaceError
        If no target has a vertex there.
    """
    cortex, axis = load_cortex_axis(), targets.axis
    same_mesh = axis.space == cortex.space and axis.mesh_size.items() <= cortex.mesh_size.items()
    sizes = np.bincount(targets.assignment[targets.assignment >= 0])
    found = np.full(len(cortex), _NOWHERE)
    for structure in cortex.structures if same_mesh else ():
        rows = axis.rows_in(structure) if structure in axis.structures else np.empty(0, int)
        rows = np.asarray(rows)[targets.assignment[rows] != _NOWHERE]
        if not len(rows):
            continue
        wanted = cortex.rows_in(structure)
        vertices, assigned = axis.vertex[rows], targets.assignment[rows]
        if sizes.max() == 1:
            found[wanted] = assigned[_nearest(structure, cortex.vertex[wanted], vertices)]
        else:
            of_mesh = np.full(cortex.mesh_size[structure], _NOWHERE)
            of_mesh[vertices] = assigned
            found[wanted] = of_mesh[cortex.vertex[wanted]]
    if (found == _NOWHERE).all():
        raise SpaceError(f"The targets {targets.name} have no vertex of the fs_LR 32k cortex.")
    return found


def _nearest(structure: str, vertices: IntArray, among: IntArray) -> IntArray:
    """Which of `among` is nearest to each vertex, on the sphere."""
    from scipy.spatial import cKDTree

    hemisphere: Hemisphere = "left" if structure == "CORTEX_LEFT" else "right"
    sphere = load_mesh("sphere", hemisphere)[0]
    return np.asarray(cKDTree(sphere[among]).query(sphere[vertices])[1])


def _four_views() -> list[tuple[str, str]]:
    """Hemisphere and camera: left lateral and medial, right medial and lateral."""
    left, right = SIDES["CORTEX_LEFT"], SIDES["CORTEX_RIGHT"]
    return [
        ("CORTEX_LEFT", left["lateral"]),
        ("CORTEX_LEFT", left["medial"]),
        ("CORTEX_RIGHT", right["medial"]),
        ("CORTEX_RIGHT", right["lateral"]),
    ]
