"""Rank and coverage plots of a simulation-based calibration."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.inference.calibration import Calibration
from neuroparcel.inference.uniformity import ecdf_difference, simultaneous_band
from neuroparcel.plotting.page import TITLE
from neuroparcel.types import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# M. Okabe and K. Ito (2008), Color Universal Design
_INSIDE, _OUTSIDE = "#0072B2", "#D55E00"
_BAND, _NOTE = "#e4e4e4", "#555555"
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_STYLES = ("-", "--", ":")
_N_COLUMNS = 2
_PROBABILITY = 0.95
_LEVELS = np.linspace(0.05, 0.95, 19)


def draw_ranks(calibration: Calibration) -> Figure:
    """Draw for each site how far the ECDF of its ranks is from that of uniform ranks.

    One line a coordinate, of the first ground variable of each plate. The whole
    line of an exact posterior stays in the grey band with probability 0.95.
    An over-confident posterior rises above it on the left and falls below on the
    right, an under-confident one does the reverse; a line on one side of zero is a
    bias: above, the posterior lies too high.

    Parameters
    ----------
    calibration : Calibration
        What to draw.

    Returns
    -------
    matplotlib.figure.Figure

    References
    ----------
    Säilynoja, Bürkner and Vehtari, Graphical test for discrete uniformity,
    Statistics and Computing 32, 2022.
    """
    from matplotlib.figure import Figure

    sites = list(calibration.ranks)
    n_columns = min(_N_COLUMNS, len(sites))
    n_rows = math.ceil(len(sites) / n_columns)
    figure = Figure(figsize=(3.3 * n_columns + 0.4, 2.7 * n_rows + 0.9), layout="constrained")
    grid = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
    band = simultaneous_band(calibration.n_simulations, calibration.n_draws + 1, _PROBABILITY)
    for axes, site in zip(grid.flat, sites, strict=False):
        _draw_site(axes, calibration, site, band)
    for axes in grid.flat[len(sites) :]:
        axes.remove()
    figure.supxlabel("rank of the truth among the draws, as a share", fontsize=9)
    figure.supylabel("ECDF less uniform", fontsize=9)
    figure.suptitle(
        f"Ranks of {calibration.n_simulations} simulated truths", fontsize=TITLE, fontweight="bold"
    )
    return figure


def draw_coverage(calibration: Calibration) -> Figure:
    """Draw for each site how often central credible intervals hold the truth.

    Shades are two standard errors, which respect that ground variables of one
    simulation depend on each other. Below the diagonal, a posterior is
    over-confident.

    Parameters
    ----------
    calibration : Calibration
        What to draw.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.6), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="#888888", linewidth=1, zorder=1)
    for number, (site, found) in enumerate(calibration.coverage(_LEVELS.tolist()).items()):
        colour = _COLOURS[number % len(_COLOURS)]
        style = _STYLES[number // len(_COLOURS) % len(_STYLES)]
        low, high = (found.share + side * found.standard_error for side in (-2, 2))
        axes.fill_between(found.level, low, high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(found.level, found.share, style, color=colour, linewidth=1.5, label=site)
    axes.text(0.04, 0.94, "under-confident", va="top", fontsize=9, color=_NOTE)
    axes.text(0.96, 0.04, "over-confident", ha="right", fontsize=9, color=_NOTE)
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.set_xlabel("credible level")
    axes.set_ylabel("share of truths inside")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1), frameon=False, fontsize=8)
    figure.suptitle("Coverage of credible intervals", fontsize=TITLE, fontweight="bold")
    return figure


def _draw_site(
    axes: Axes, calibration: Calibration, site: str, band: tuple[FloatArray, FloatArray]
) -> None:
    lower, upper = band
    share = np.arange(1, len(lower) + 1) / (len(lower) + 1)
    axes.fill_between(share, lower, upper, color=_BAND, linewidth=0)
    axes.axhline(0, color="#888888", linewidth=0.8)
    ranks = calibration.first_ranks(site)[:, calibration.varies[site]]
    lines = [ecdf_difference(column, calibration.n_draws + 1) for column in ranks.T]
    out = [bool(((line < lower) | (line > upper)).any()) for line in lines]
    alpha = max(0.25, min(1.0, 8 / max(len(lines), 1)))
    for line, is_out in zip(lines, out, strict=True):
        colour, opacity = (_OUTSIDE, max(alpha, 0.7)) if is_out else (_INSIDE, alpha)
        axes.plot(share, line, color=colour, alpha=opacity, linewidth=1.1, zorder=2 + is_out)
    expected = (1 - _PROBABILITY) * len(lines)
    too_many = sum(out) > expected + 2 * math.sqrt(expected)
    axes.set_title(site, fontsize=10, fontweight="bold", loc="left", pad=16)
    axes.annotate(
        f"{sum(out)} of {len(lines)} leave the band ({expected:.2g} expected)",
        (0, 1),
        xycoords="axes fraction",
        xytext=(0, 4),
        textcoords="offset points",
        fontsize=7.5,
        color=_OUTSIDE if too_many else _NOTE,
    )
    axes.set_xlim(0, 1)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
