"""Reliability diagrams show found against expected, and leave empty bins out."""

from __future__ import annotations

import numpy as np
import pytest

from neuroparcel.parcellation.reliability import Reliability, ReliabilityTable
from neuroparcel.plotting.reliability import draw_reliability

MIDDLE = (np.arange(10) + 0.5) / 10


@pytest.fixture
def table() -> ReliabilityTable:
    """Over-confident labels; no top label below a half."""
    network = Reliability(np.arange(10, 0, -1), MIDDLE, 0.5 * MIDDLE + 0.1, 0.8 * MIDDLE)
    low = MIDDLE < 0.5
    means = [np.where(low, np.nan, one) for one in (MIDDLE, 0.5 * MIDDLE, 0.8 * MIDDLE)]
    return ReliabilityTable(network, Reliability(np.where(low, 0, 4), *means), 0.4, 5, 10)


def test_lines_and_bars_are_the_table_s(table, pixels_of):
    figure = draw_reliability(table)
    assert np.ptp(pixels_of(figure)) > 0
    network, top, bars, top_bars = figure.axes
    for axes, rows in ((network, table.network), (top, table.top)):
        _, expected, found = axes.lines
        filled = rows.count > 0
        np.testing.assert_allclose(expected.get_ydata(), rows.expected[filled])
        np.testing.assert_allclose(found.get_xydata()[:, 0], rows.predicted[filled])
        np.testing.assert_allclose(found.get_ydata(), rows.found[filled])
        assert axes.texts[0].get_text() == f"calibration error {rows.error:.3f}"
    for axes, rows in ((bars, table.network), (top_bars, table.top)):
        heights = [bar.get_height() for bar in axes.patches]
        np.testing.assert_allclose(heights, rows.count / rows.count.sum())
    assert "5 subjects" in figure.get_suptitle()
