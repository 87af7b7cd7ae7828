"""Networks of two targets: points on a quarter of the circle, and how certain they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroparcel.brain.colours import Colour, network_colours
from neuroparcel.brain.links import link_forward
from neuroparcel.errors import SpaceError
from neuroparcel.plotting.page import (
    HEADING,
    QUIET,
    SMALL,
    TEXT,
    draw_heading,
    new_page,
    place,
)
from neuroparcel.plotting.paint import OUTLINE
from neuroparcel.types import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _SIDE, _LEFT = 5.2, 3.75, 1.25  # inches
_INNER, _OUTER = 0.3, 1.0  # radii of the first and the last ring
_INTERVAL = (2.5, 97.5)  # percentiles of the credible interval
_MOST_TICKS = 200  # samples of a network that are drawn in a ring
_TICK, _DATA = 0.28, 0.38  # of the distance of two rings
_KEY: dict[str, Any] = {"color": OUTLINE, "linewidth": 0}
_TRUTH: dict[str, Any] = {"color": OUTLINE, "linewidth": 1.2, "zorder": 4}


@dataclass(frozen=True, eq=False)
class Ring:
    """What is known of the networks of one population, subject or session.

    Parameters
    ----------
    name : str
        Such as ``"subject 1"``.
    samples : (draw, network) array of float
        Angles in radians, from 0 (all of the first target) to pi / 2 (all of the second).
    truth : (network,) array of float, optional
        Angles.
    data : (vertex,) array of float, optional
        Angles of the profiles that were observed.
    """

    name: str
    samples: FloatArray
    truth: FloatArray | None = None
    data: FloatArray | None = None

    @property
    def interval(self) -> FloatArray:
        """Ends of the 95 % credible interval, (2, network)."""
        return np.asarray(np.percentile(self.samples, _INTERVAL, axis=0))


def draw_quadrant(
    rings: Sequence[Ring],
    title: str,
    *,
    networks: Sequence[str] | None = None,
    colours: Sequence[Colour] | None = None,
) -> Figure:
    """Draw posterior samples of networks over two targets, a ring a population or session.

    Profiles are points of the positive quarter of the circle. On each ring, fine lines are
    samples, the thick arc is the 95 % credible interval, a black line the truth, and dots
    outside it are the profiles of the vertices.

    Parameters
    ----------
    rings : sequence of Ring
        From the inside out, see :func:`rings_of`.
    title : str
        What stands above it.
    networks : sequence of str, optional
        Names.
    colours : sequence of Colour, optional
        Of the networks; by default :func:`~neuroparcel.brain.parcellation.network_colours`.

    Returns
    -------
    matplotlib.figure.Figure

    References
    ----------
    L. Rouillard and D. Wassermann (2022), ADAVI, ICLR; figure E.4.
    """
    n_networks = rings[0].samples.shape[1]
    shades = colours or network_colours(n_networks)
    names = networks or [f"Network {number + 1}" for number in range(n_networks)]
    figure = new_page(HEADING + _SIDE + 0.1, _WIDTH)
    draw_heading(figure, title)
    axes = place(figure, _LEFT, HEADING - 0.2, _SIDE, _SIDE)
    step = (_OUTER - _INNER) / max(len(rings) - 1, 1)
    for number, ring in enumerate(rings):
        _draw_ring(axes, ring, _INNER + number * step, step, shades)
    edge = _OUTER + 0.6 * step
    axes.plot([0, 0, edge], [edge, 0, 0], color=OUTLINE, linewidth=0.9)
    axes.text(edge / 2, -0.02, "first target", fontsize=TEXT, ha="center", va="top")
    axes.text(-0.02, _INNER / 3, "second\ntarget", fontsize=TEXT, ha="right", va="center")
    _draw_key(axes, names, shades, edge, any(ring.truth is not None for ring in rings))
    axes.set_xlim(-0.005, edge)
    axes.set_ylim(-0.005, edge)
    axes.set_aspect("equal")
    return figure


def rings_of(
    draws: Mapping[str, FloatArray],
    *,
    truth: Mapping[str, FloatArray] | None = None,
    data: FloatArray | None = None,
    link: str = "ilr",
) -> list[Ring]:
    """The rings of a posterior of the MS-HBM over two targets.

    Parameters
    ----------
    draws : mapping of site to array of float
        Link coordinates: ``population_networks`` (draw, network, 1), ``subject_networks``
        (draw, subject, network, 1), ``session_networks`` (draw, subject, session, network, 1);
        axes of length 1 in between do no harm.
    truth : mapping of site to array of float, optional
        The same sites without draws.
    data : (subject, session, vertex, 1) array of float, optional
        Link coordinates of the profiles.
    link : {"ilr", "softmax-centered"}
        Between coordinates and profiles.

    Returns
    -------
    list of Ring
        The population, then each subject with its sessions.

    Raises
    ------
    SpaceError
        If coordinates belong to more than two targets.
    """
    angles = {site: _angles(values, link) for site, values in draws.items() if "networks" in site}
    known = {site: _angles(values, link) for site, values in (truth or {}).items()}
    points = None if data is None else _angles(data, link)
    session = angles["session_networks"]
    n_draws, n_subjects, n_sessions, n_networks = session.shape
    subject = angles["subject_networks"].reshape(n_draws, n_subjects, n_networks)

    population = angles["population_networks"].reshape(n_draws, n_networks)
    rings = [Ring("population", population, _at(known, "population", ()))]
    for i in range(n_subjects):
        rings.append(Ring(f"subject {i + 1}", subject[:, i], _at(known, "subject", (i,))))
        for j in range(n_sessions):
            own = None if points is None else points[i, j]
            shown = _at(known, "session", (i, j))
            rings.append(Ring(f"session {j + 1}", session[:, i, j], shown, own))
    return rings


def _at(known: Mapping[str, FloatArray], level: str, place: tuple[int, ...]) -> FloatArray | None:
    values = known.get(f"{level}_networks")
    return None if values is None else np.asarray(values.squeeze()[place])


def _angles(coordinates: FloatArray, link: str) -> FloatArray:
    """Angles of profiles over two targets, without the last dimension."""
    values = np.asarray(coordinates, np.float64)
    if values.shape[-1] != 1:
        raise SpaceError(
            f"Coordinates of {values.shape[-1] + 1} targets cannot be drawn on a circle.",
            "Give networks of 2 targets, which have one coordinate.",
        )
    first, second = np.moveaxis(link_forward(values, link), -1, 0)
    return np.asarray(np.arctan2(second, first))


def _draw_ring(
    axes: Axes, ring: Ring, radius: float, step: float, colours: Sequence[Colour]
) -> None:
    whole = np.linspace(0, np.pi / 2, 90)
    axes.plot(*_on_circle(whole, radius), color="#d0d0d0", linewidth=0.6, zorder=1)
    axes.text(-0.02, radius, ring.name, fontsize=SMALL, ha="right", va="center", color=QUIET)
    half = _TICK * step / 2
    for network, colour in enumerate(colours[: ring.samples.shape[1]]):
        few = ring.samples[:_MOST_TICKS, network]
        ends = [_on_circle(few, radius + side) for side in (-half, half)]
        x, y = np.stack(ends, axis=-1)
        axes.plot(x.T, y.T, color=colour, linewidth=0.5, alpha=0.12, zorder=2)
        low, high = ring.interval[:, network]
        arc = np.linspace(low, high, 40)
        axes.plot(*_on_circle(arc, radius), color=colour, linewidth=2.4, zorder=3)
    if ring.truth is not None:
        ends = [_on_circle(ring.truth, radius + side) for side in (-2 * half, 2 * half)]
        x, y = np.stack(ends, axis=-1)
        axes.plot(x.T, y.T, **_TRUTH)
    if ring.data is not None:
        axes.scatter(
            *_on_circle(ring.data, radius + _DATA * step),
            s=1.5,
            color=QUIET,
            linewidths=0,
            zorder=2,
        )


def _on_circle(angle: FloatArray, radius: float) -> tuple[FloatArray, FloatArray]:
    return radius * np.cos(angle), radius * np.sin(angle)


def _draw_key(
    axes: Axes, names: Sequence[str], colours: Sequence[Colour], edge: float, has_truth: bool
) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=colour, linewidth=2.4, label=f"{name}, 95 %")
        for name, colour in zip(names, colours, strict=False)
    ]
    if has_truth:
        handles.append(
            Line2D([], [], marker="|", markersize=7, markeredgewidth=1.2, label="truth", **_KEY)
        )
    axes.legend(handles=handles, fontsize=SMALL, frameon=False, loc="upper right")
