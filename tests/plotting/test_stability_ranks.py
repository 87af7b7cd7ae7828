"""Rows without a place: sorted within networks, and none is lost or invented."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.brain.stability import PARTS, VertexEstimate
from neuroparcel.plotting import stability_ranks
from neuroparcel.plotting.stability_ranks import Ranks, draw_parts_ranks, draw_stability_ranks

from .stability_samples import report_of

VALUES = np.array([0.5, 0.9, np.nan, 0.7, 0.6, 0.8])
LABELS = np.array([1, 2, 1, 1, 0, 2])


@pytest.fixture
def nodes() -> SoftParcellation:
    """Six nodes; the fifth has no data."""
    probabilities = np.eye(2, dtype=np.float32)[np.maximum(LABELS, 1) - 1]
    probabilities[4] = np.nan
    names = [f"node {number}" for number in range(6)]
    return SoftParcellation(BrainAxis.from_nodes(names), ("A", "B"), probabilities)


def test_rows_fall_within_networks_and_those_unknown_are_left_out():
    ranks = Ranks.of(LABELS, VALUES)
    assert ranks.rows.tolist() == [3, 0, 1, 5]
    assert ranks.network.tolist() == [0, 0, 1, 1]
    steps = np.diff(ranks.place)
    assert steps[1] > 1
    assert steps[[0, 2]].tolist() == [1, 1]


def test_many_rows_are_thinned_out_and_every_network_is_kept(monkeypatch):
    monkeypatch.setattr(stability_ranks, "_MOST_DRAWN", 100)
    labels = np.repeat([1, 2, 3], [5000, 4000, 2])
    blocks = Ranks.of(labels, np.linspace(1, 0, len(labels))).blocks
    assert [number for number, _ in blocks] == [0, 1, 2]
    assert sum(len(shown) for _, shown in blocks) <= 103


@pytest.mark.parametrize("most_dots", [700, 0])
def test_values_and_names_are_those_of_the_rows(nodes, pixels_of, monkeypatch, most_dots):
    """As dots of single rows, and as lines of many."""
    monkeypatch.setattr(stability_ranks, "_MOST_DOTS", most_dots)
    report = report_of(nodes)
    stable = VertexEstimate(VALUES, VALUES - 0.1, VALUES + 0.1)
    figure = draw_stability_ranks(replace(report, sizes=(replace(report.sizes[0], stable=stable),)))
    (axes,) = figure.axes
    drawn = [line.get_ydata().tolist() for line in axes.lines]
    assert drawn == [[0.7, 0.5], [0.9, 0.8]]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["A", "B"]
    said = [text.get_text() for text in figure.texts]
    assert "least stable: node 0 0.50, node 3 0.70, node 5 0.80, node 1 0.90" in said
    assert np.ptp(pixels_of(figure)) > 0


def test_parts_stand_on_one_another(nodes):
    report = report_of(nodes)
    one = report.sizes[0]
    figure = draw_parts_ranks(report)
    tops = [path.vertices[:, 1].max() for c in figure.axes[0].collections for path in c.get_paths()]
    first = np.flatnonzero(LABELS == 1)
    total = np.nansum([one.parts[part] for part in PARTS], axis=0)
    assert max(tops[: len(PARTS)]) == pytest.approx(total[first].max())
    assert any("population: " in text.get_text() for a in figure.axes for text in a.texts)
    nowhere = {**one.parts, "session": np.full(len(report.axis), np.nan)}
    fewer = draw_parts_ranks(replace(report, sizes=(replace(one, parts=nowhere),)))
    assert len(fewer.axes[0].collections) == len(figure.axes[0].collections) * 2 // 3
