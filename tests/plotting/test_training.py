"""The training curve shows stages, losses and validation, whatever the losses are."""

from __future__ import annotations

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
