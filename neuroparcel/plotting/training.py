"""The course of a training."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.inference.stages import TrainingHistory
from neuroparcel.types import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LOSS, _VALIDATION = "#0072B2", "#D55E00"  # M. Okabe and K. Ito (2008), Color Universal Design
_BANDS = ("#f0f0f0", "#ffffff")
_SHARE_SHOWN = (8.0, 92.0)  # percentiles of the losses that the axis spans
_WINDOW = 31  # steps of the running median
_NARROW = 0.15  # a band with less than this share of the steps has its name written upwards


def draw_training(history: TrainingHistory) -> Figure:
    """Draw the loss of each step, the stages as bands.

    Objectives differ between stages, so losses compare within a band only. The loss of a
    step is that of its batch and has wild outliers: a running median shows its course, and
    the axis leaves the outliers out.

    Parameters
    ----------
    history : TrainingHistory
        What to draw.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3.8), layout="constrained")
    axes = figure.subplots()
    _draw_stages(axes, history)
    axes.plot(history.step, history.loss, color=_LOSS, linewidth=0.4, alpha=0.3)
    for start, stop in _stage_bounds(history):
        course = _running_median(history.loss[start:stop])
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
    axes.set_ylim(*_limits(history))
    axes.set_xlim(history.step[0], max(history.step[-1], history.step[0] + 1))
    axes.set_xlabel("training step")
    axes.set_ylabel("loss (nats per element)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper right", bbox_to_anchor=(1, 0.93), frameon=False, fontsize=8)
    figure.suptitle("Training", fontsize=13, fontweight="bold")
    return figure


def _draw_stages(axes: Axes, history: TrainingHistory) -> None:
    """Shade each stage, with its name and objective."""
    n_steps = len(history.step)
    for number, (start, stop) in enumerate(_stage_bounds(history)):
        first, last = history.step[start], history.step[min(stop, n_steps - 1)]
        narrow = stop - start < _NARROW * n_steps
        axes.axvspan(first, last, color=_BANDS[number % 2], zorder=0)
        axes.text(
            (first + last) / 2,
            0.98,
            f"{history.stage[start]}: {history.objective[start]}",
            transform=axes.get_xaxis_transform(),
            rotation=90 if narrow else 0,
            ha="center",
            va="top",
            fontsize=8,
            color="#444444",
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


def _limits(history: TrainingHistory) -> tuple[float, float]:
    """Limits of the vertical axis: nearly all losses, and all validation losses."""
    loss = history.loss[np.isfinite(history.loss)]
    validation = history.validation_loss[np.isfinite(history.validation_loss)]
    if len(loss) == 0:
        return 0.0, 1.0
    shown = np.concatenate([np.percentile(loss, _SHARE_SHOWN), validation])
    margin = 0.06 * max(float(np.ptp(shown)), 1e-6)
    return float(shown.min()) - margin, float(shown.max()) + margin
