"""The training curve shows stages, losses and validation, whatever the losses are."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from neuroparcel.inference.stages import TrainingHistory
from neuroparcel.plotting.training import draw_training


def history_of(loss: np.ndarray, *, checks: int = 5) -> TrainingHistory:
    n_steps = len(loss)
    n_first = n_steps // 10
    checked = np.linspace(0, n_steps - 1, checks).astype(int)
    return TrainingHistory(
        np.arange(n_steps),
        ("shift",) * n_first + ("posterior",) * (n_steps - n_first),
        ("map",) * n_first + ("reverse-kl",) * (n_steps - n_first),
        loss,
        checked,
        np.linspace(3, 2, checks),
    )


def labels_of(axes) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_stages_are_named_bands(pixels_of):
    figure = draw_training(history_of(np.linspace(5, 2, 400)))
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["shift: map", "posterior: reverse-kl"]
    assert len(axes.patches) == 2
    assert labels_of(axes) == ["loss, median of 31 steps", "validation loss"]
    assert axes.get_xlim() == (0, 399)
    pixels_of(figure)


def test_outliers_do_not_set_the_scale():
    loss = np.random.default_rng(0).normal(3, 0.1, 400)
    loss[[10, 50, 200]] = [1e6, -1e4, 1e9]
    low, high = draw_training(history_of(loss)).axes[0].get_ylim()
    assert 1 < low < high < 5


def test_the_axis_spans_the_curves_not_the_raw_losses():
    """Every third loss is far off: the running median and the cohort's loss stay between."""
    loss = np.tile([2.5, 2.5, 60.0], 200)
    low, high = draw_training(history_of(loss)).axes[0].get_ylim()
    assert 1.5 < low < 2.1
    assert 2.9 < high < 3.5


def test_names_of_narrow_stages_stay_apart_and_inside(pixels_of):
    names = ["shift"] * 3 + ["scale"] * 2 + ["posterior"] * 390 + ["polish"] * 5
    history = TrainingHistory(
        np.arange(400), tuple(names), ("reverse-kl",) * 400, np.ones(400), *np.empty((2, 0))
    )
    figure = draw_training(history)
    pixels_of(figure)
    (axes,) = figure.axes
    boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) == 4
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    frame = axes.get_window_extent()
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 for box in boxes)
    assert all(frame.y0 <= box.y0 and box.y1 <= frame.y1 for box in boxes)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_losses_that_are_not_finite_are_skipped(value, pixels_of):
    loss = np.linspace(5, 2, 400)
    loss[:60] = value
    figure = draw_training(history_of(loss))
    assert np.isfinite(figure.axes[0].get_ylim()).all()
    pixels_of(figure)


def test_short_and_unchecked_trainings_are_drawn(pixels_of):
    for history in (history_of(np.ones(1), checks=0), history_of(np.full(12, np.nan), checks=0)):
        figure = draw_training(history)
        assert labels_of(figure.axes[0]) == ["loss, median of 31 steps"]
        pixels_of(figure)
