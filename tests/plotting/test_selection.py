"""The curves of a selection: three panels that say what was measured."""

from __future__ import annotations

import numpy as np
import pytest

from neuroparcel.parcellation.selection import MEASURES, Selection, recommend
from neuroparcel.plotting.selection import draw_selection

NUMBERS = tuple(range(2, 9))


def selection_of(*missing: str, heldout: str = "sessions") -> Selection:
    rng = np.random.default_rng(0)
    rise = np.log(np.array(NUMBERS))[:, None]
    scores = {name: rise + 0.05 * rng.normal(size=(7, 6)) for name in MEASURES}
    for name in missing:
        scores[name][:] = np.nan
    return Selection(NUMBERS, tuple("abcdef"), scores, heldout)


def drawn_lines(axes) -> list[str]:
    return [line.get_label() for line in axes.lines if not line.get_label().startswith("_")]


def test_three_panels_with_the_recommended_number(pixels_of):
    selection = selection_of()
    recommendation = recommend(selection)
    figure = draw_selection(selection, recommendation)
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "Prediction",
        "Stability",
        "Homogeneity",
    ]
    assert figure.get_suptitle().startswith(f"{recommendation.number} networks: ")
    density, stability, inside = figure.axes
    assert drawn_lines(density) == ["within one standard error"]
    assert drawn_lines(stability) == ["sessions of a subject", "halves of the cohort"]
    assert drawn_lines(inside) == ["networks", "random parcels"]
    for axes in figure.axes:
        assert any(list(line.get_xdata()) == [recommendation.number] * 2 for line in axes.lines)
    pixels_of(figure)


def test_filled_points_are_those_within_one_standard_error():
    selection = selection_of()
    recommendation = recommend(selection)
    (points,) = [
        line
        for line in draw_selection(selection, recommendation).axes[0].lines
        if line.get_label() == "within one standard error"
    ]
    assert tuple(points.get_xdata()) == recommendation.within


def test_what_was_not_measured_is_not_drawn(pixels_of):
    selection = selection_of("test_retest", "split_half", heldout="vertices")
    figure = draw_selection(selection, recommend(selection))
    assert [text.get_text() for text in figure.axes[1].texts][-1] == "not measured"
    assert drawn_lines(figure.axes[2]) == ["the group's networks", "random parcels"]
    pixels_of(figure)


@pytest.mark.parametrize(
    ("turn", "spread", "said"),
    [
        (3, 0.0, "no other number is within one standard error"),
        (6, 0.0, "none tried is within one standard error, and more may be better"),
        (6, 50.0, "the curve is flat, the data do not tell"),
    ],
)
def test_the_title_says_how_flat_the_curve_is(turn, spread, said):
    selection = selection_of()
    rise = -np.abs(np.arange(7.0) - turn)[:, None]
    noise = spread * np.tile([1.0, -1], 3) * np.arange(7.0)[:, None]
    selection.scores["density"][:] = rise + noise
    assert said in draw_selection(selection, recommend(selection)).get_suptitle()
