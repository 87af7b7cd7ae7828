"""The one-standard-error rule on tables made by hand, and how flat they are said to be."""

from __future__ import annotations

import numpy as np
import pytest

from neuroparcel.errors import OptionError
from neuroparcel.parcellation.selection import MEASURES, Selection, peaks, recommend

OFFSETS = np.array([0.0, 5, 10, -5])  # subjects differ far more than numbers of networks do
SIGNS = np.array([1.0, -1, 1, -1])  # mean 0, standard error over 4 subjects 1 / sqrt(3)
UNIT_ERROR = 1 / np.sqrt(3)


def selection_of(density, noise=None, numbers=None, **others) -> Selection:
    """Four subjects whose density is this, plus offsets, plus noise that signs alternate."""
    density = np.asarray(density, float)
    noise = np.zeros(len(density)) if noise is None else np.asarray(noise, float)
    numbers = tuple(range(2, 2 + len(density))) if numbers is None else numbers
    scores = {name: np.full((len(density), 4), np.nan) for name in MEASURES}
    scores["density"] = density[:, None] + OFFSETS + noise[:, None] * SIGNS
    for name, values in others.items():
        scores[name] = np.asarray(values, float)
    return Selection(numbers, ("a", "b", "c", "d"), scores)


def test_the_fewest_within_one_paired_standard_error():
    """Losses 1, 0.5, 0.1, 0 with a standard error of 0.3: 4 networks are within, 3 are not."""
    found = recommend(selection_of([0, 0.5, 0.9, 1], noise=np.array([0.3] * 3 + [0]) / UNIT_ERROR))
    assert (found.number, found.best, found.within) == (4, 5, (4, 5))
    assert found.drop == pytest.approx(0.1)
    assert found.span == pytest.approx(1)
    assert found.lines == (
        "4 networks, the fewest whose held-out density is within one standard error of the best "
        "(5)",
        "4 and 5 are within one standard error (the curve is flat there: 0.1 nats a vertex between "
        "them, 1 over all numbers)",
        "the density is largest at 5, the most that were tried: more may be better still",
    )


def test_offsets_of_subjects_do_not_count():
    selection = selection_of([0, 1, 0.9])
    assert selection.curve("density").error[0] > 3
    assert np.allclose(selection.loss("density").error, 0, atol=1e-12)
    assert recommend(selection).within == (3,)


def test_a_sharp_curve_says_by_how_much():
    found = recommend(selection_of([0, 1, 0.5], noise=np.array([0, 0, 0.2]) / UNIT_ERROR))
    assert not found.is_flat
    assert found.lines == (
        "3 networks, which has the largest held-out density",
        "no other number is within one standard error: the next best loses 0.5 nats a vertex "
        "(standard error 0.2)",
    )


def test_a_curve_that_is_flat_all_over_says_that_the_data_do_not_tell():
    found = recommend(selection_of([0, 0.1, 0.05], noise=[2, 0, 2]))
    assert found.number == 2
    assert found.within == (2, 3, 4)
    assert "these data do not tell how many networks there are" in found.lines[1]


def test_numbers_within_are_listed_as_ranges_of_what_was_tried():
    numbers = (2, 4, 6, 8, 10, 12)
    noise = np.array([1, 0, 1, 1, 0, 1]) / UNIT_ERROR
    found = recommend(selection_of([0.9, 1, 0.9, 0.9, 0, 0.9], noise, numbers))
    assert "2 to 8, 12 are within" in found.lines[1]


def test_the_fewest_that_were_tried_may_be_too_many():
    found = recommend(selection_of([1, 0.5, 0], numbers=(5, 6, 7)))
    assert "5, the fewest that were tried: fewer may be better still" in found.lines[2]
    assert len(recommend(selection_of([1, 0.5, 0], numbers=(2, 3, 4))).lines) == 2


def test_stability_is_told_after_the_density():
    retest = np.array([0.8, 0.4, 0.6, 0.3])[:, None] + 0.001 * SIGNS
    halves = [[0.5, 0.7], [0.8, 0.9], [0.8, 0.9], [0.1, 0.2]]
    found = recommend(selection_of([0, 1, 0.5, 0], test_retest=retest, split_half=halves))
    assert found.secondary == (
        "labels of two sessions of a subject agree most at 2 networks (adjusted Rand index 0.80); "
        "further peaks at 4",
        "group maps of two halves of the cohort agree most at 3 and 4 networks (adjusted Rand "
        "index 0.85)",
    )


def test_a_peak_stands_out_from_its_noise():
    clear = np.array([0.1, 0.5, 0.1])[:, None] + 0.01 * SIGNS
    noisy = np.array([0.1, 0.5, 0.1])[:, None] + np.array([[1], [-1], [1]]) * SIGNS
    assert peaks(selection_of([0, 1, 0], test_retest=clear), "test_retest") == (3,)
    assert peaks(selection_of([0, 1, 0], test_retest=noisy), "test_retest") == ()


def test_intervals_are_students_over_subjects_and_ranges_over_splits():
    selection = selection_of([0, 1], noise=[1, 1], split_half=[[0.2, 0.4, 0.3], [0.5, 0.5, 0.5]])
    curve = selection.curve("density")
    values = OFFSETS + SIGNS
    half = 3.182446 * values.std(ddof=1) / 2  # t of 3 degrees of freedom, 97.5 %
    assert curve.low[0] == pytest.approx(values.mean() - half, rel=1e-5)
    assert curve.high[0] == pytest.approx(values.mean() + half, rel=1e-5)
    halves = selection.curve("split_half")
    assert (halves.low[0], halves.high[0]) == (0.2, 0.4)
    assert np.isnan(halves.error).all()


def test_subjects_that_were_not_judged_do_not_count():
    selection = selection_of([0, 1, 0.9], noise=[1, 1, 1])
    selection.scores["density"][:, 0] = np.nan
    assert selection.curve("density").mean[0] == pytest.approx(OFFSETS[1:].mean() - 1 / 3)
    assert recommend(selection).best == 3
    assert selection.measured == ("density",)


@pytest.mark.parametrize("numbers", [(3,), (4, 3)])
def test_there_must_be_something_to_choose_between(numbers):
    with pytest.raises(OptionError, match="Give at least two, rising"):
        selection_of([0] * len(numbers), numbers=numbers)
