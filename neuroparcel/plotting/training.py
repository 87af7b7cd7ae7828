"""The course of a training."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.inference.stages import TrainingHistory
from neuroparcel.plotting.page import TEXT, TITLE, WIDTH
from neuroparcel.types import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LOSS, _VALIDATION = "#0072B2", "#D55E00"  # M. Okabe and K. Ito (2008), Color Universal Design
_BANDS = ("#f0f0f0", "#ffffff")
_SHARE_SHOWN = (2.0, 98.0)  # percentiles of the curves that the axis spans
_WINDOW = 31  # steps of the running median
_ROW = 0.06  # height of a stage's name, as a share of the axis; one row each
_LATE = 0.6  # a stage that starts after this share of the steps is named to the left of its end


def draw_training(history: TrainingHistory) -> Figure:
    """Draw the loss of each step, the stages as bands.

    Objectives differ between stages, so losses compare within a band only. The loss of a
    step is that of its batch and has wild outliers: a running median shows its course, and
    the axis spans that and the loss of the cohort that is followed.

    Parameters
    ----------
    history : TrainingHistory
        What to draw.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    axes = figure.subplots()
    _draw_stages(axes, history)
    axes.plot(history.step, history.loss, color=_LOSS, linewidth=0.4, alpha=0.12)
    bounds = _stage_bounds(history)
    courses = [_running_median(history.loss[start:stop]) for start, stop in bounds]
    for (start, stop), course in zip(bounds, courses, strict=True):
        axes.plot(history.step[start:stop], course, color=_LOSS, linewidth=1.4)
    axes.plot([], [], color=_LOSS, linewidth=1.4, label=f"loss, median of {_WINDOW} steps")
    if len(history.validation_step):
        axes.plot(
            history.validation_step,
            history.validation_loss,
            color=_VALIDATION,
            marker="o",
            markersize=2.5,
            linewidth=1.2,
            label="validation loss",
        )
    axes.set_ylim(*_limits([*courses, history.validation_loss], room=_ROW * len(bounds)))
    axes.set_xlim(history.step[0], max(history.step[-1], history.step[0] + 1))
    axes.set_xlabel("training step", fontsize=TEXT)
    axes.set_ylabel("loss (nats per element)", fontsize=TEXT)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize=TEXT)
    axes.tick_params(labelsize=TEXT)
    figure.suptitle("Training", fontsize=TITLE, fontweight="bold")
    return figure


def _draw_stages(axes: Axes, history: TrainingHistory) -> None:
    """Shade each stage, with its name and objective, each in a row of its own."""
    from matplotlib.patheffects import withStroke

    n_steps = len(history.step)
    for number, (start, stop) in enumerate(_stage_bounds(history)):
        first, last = history.step[start], history.step[min(stop, n_steps - 1)]
        late = start > _LATE * n_steps
        axes.axvspan(first, last, color=_BANDS[number % 2], zorder=0)
        axes.annotate(
            f"{history.stage[start]}: {history.objective[start]}",
            (last if late else first, 0.985 - _ROW * number),
            xycoords=axes.get_xaxis_transform(),
            xytext=(-3 if late else 3, 0),
            textcoords="offset points",
            ha="right" if late else "left",
            va="top",
            fontsize=TEXT,
            color="#444444",
            path_effects=[withStroke(linewidth=2, foreground=_BANDS[number % 2])],
        )


def _stage_bounds(history: TrainingHistory) -> list[tuple[int, int]]:
    """First and one past the last entry of each stage."""
    bounds, start = [], 0
    for _, entries in groupby(zip(history.stage, history.objective, strict=True)):
        stop = start + len(list(entries))
        bounds.append((start, stop))
        start = stop
    return bounds


def _running_median(loss: FloatArray) -> FloatArray:
    """Median of the entries around each, of those that are finite."""
    half = _WINDOW // 2
    padded = np.pad(np.where(np.isfinite(loss), loss, np.nan), half, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)
    empty = np.isnan(windows).all(axis=1)
    return np.where(empty, np.nan, np.nanmedian(np.where(empty[:, None], 0, windows), axis=1))


def _limits(curves: Sequence[FloatArray], room: float) -> tuple[float, float]:
    """Limits of the vertical axis: nearly all of each curve, and a share of room above them."""
    finite = [curve[np.isfinite(curve)] for curve in curves]
    ends = [np.percentile(curve, _SHARE_SHOWN) for curve in finite if len(curve)]
    if not ends:
        return 0.0, 1.0
    low, high = float(np.min(ends)), float(np.max(ends))
    margin = 0.06 * max(high - low, 1e-6)
    low, high = low - margin, high + margin
    return low, low + (high - low) / (1 - min(room, 0.5))
