"""Test and retest: the nearest session is marked, and the numbers are written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import same_color
from matplotlib.text import Text

from neuroparcel.plotting.retest import draw_retest, nearest_sessions

from .stability_samples import report_of


def test_the_nearest_session_of_each_row():
    distances = np.array([[1.0, 2.0, np.nan], [3.0, 4.0, 5.0], [np.nan, 2.0, 2.0]])
    expected = [[True, False, False], [True, False, False], [False, True, True]]
    assert nearest_sessions(distances).tolist() == expected
    assert not nearest_sessions(np.full((2, 2), np.nan)).any()


@pytest.mark.parametrize("on_surface", [True, False])
def test_dots_on_the_diagonal_are_those_identified(parcellation, pixels_of, on_surface):
    """In the samples the second subject's own session is the farthest of all."""
    report = report_of(parcellation)
    figure = draw_retest(report, on_surface=on_surface)
    (matrix,) = [a for a in figure.axes if a.get_title() == "Distances from session 1"]
    own, wrong = matrix.lines
    assert same_color(own.get_color(), "white")
    np.testing.assert_array_equal(own.get_xdata(), own.get_ydata())
    assert sorted(own.get_ydata()) == [0, *range(2, 10)]
    assert list(wrong.get_ydata()) == [1]
    assert wrong.get_xdata()[0] != 1
    said = {text.get_text() for text in figure.findobj(Text)}
    assert {"90 % (80 to 100 %)", "10 % by chance, p = 0.001", "0.60 (0.50 to 0.70)"} <= said
    assert "consistency, ICC(3,1)" in said
    assert np.ptp(pixels_of(figure)) > 0


def test_distances_are_those_within_and_between_subjects(parcellation):
    report = report_of(parcellation)
    (axes,) = [a for a in draw_retest(report).axes if a.get_title() == "Mean squared difference"]
    distances = report.reliability.distances
    own, others = (np.sort(line.get_ydata()) for line in axes.lines)
    np.testing.assert_allclose(own, np.sort(distances.diagonal()))
    assert len(others) == 90


def test_numbers_that_are_not_known_are_not_written(parcellation):
    report = report_of(parcellation)
    rows = tuple(
        replace(one, value=np.nan) if one.name == "icc2" else one for one in report.statistics
    )
    said = {text.get_text() for text in draw_retest(replace(report, statistics=rows)).texts}
    assert "ICC(3,1)" in said
    assert "ICC(2,1)" not in said
