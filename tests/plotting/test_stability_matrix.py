"""The matrix of agreement puts alike ones together, and counts common subjects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuroparcel.brain.stability import StabilityReport
from neuroparcel.plotting.stability_matrix import (
    draw_agreement,
    has_agreement,
    order_of,
    shared_members,
)

from .stability_samples import report_of


def with_similarity(report: StabilityReport, value: float) -> StabilityReport:
    """The same with one index for all pairs."""
    (one,) = report.sizes
    return replace(report, sizes=(replace(one, similarity=np.full_like(one.similarity, value)),))


def test_alike_sub_populations_stand_together():
    """Two kinds, shuffled: after sorting each kind is one block."""
    kind = np.random.default_rng(0).permutation(np.repeat([0, 1], 8))
    similarity = np.where(kind[:, None] == kind, 0.9, 0.2)
    sorted_kind = kind[order_of(similarity)]
    assert (np.diff(sorted_kind) != 0).sum() == 1
    similarity[0, 1] = similarity[1, 0] = np.nan
    assert sorted(order_of(similarity)) == list(range(16))
    assert list(order_of(np.ones((2, 2)))) == [0, 1]


def test_a_subject_that_was_drawn_twice_is_one():
    shared = shared_members(np.array([[0, 0, 1], [0, 1, 1], [2, 2, 1], [3, 4, 5]]))
    assert shared.tolist() == [[2, 2, 1, 0], [2, 2, 1, 0], [1, 1, 2, 0], [0, 0, 0, 3]]


def test_the_diagonal_says_nothing_and_pairs_are_boxed_by_common_subjects(parcellation, pixels_of):
    """Similarity is made 0.1 for each common subject: medians are that."""
    report = report_of(parcellation, (3,))
    one = report.sizes[0]
    similarity = 0.1 * shared_members(one.members).astype(np.float32)
    figure = draw_agreement(replace(report, sizes=(replace(one, similarity=similarity),)))
    matrix, boxes = figure.axes[0], figure.axes[-1]
    drawn = matrix.images[0].get_array()
    assert drawn.mask.diagonal().all()
    assert drawn.mask.sum() == len(one.members)
    medians = {
        round(float(line.get_segments()[0][0, 1]), 3)
        for line in boxes.collections
        if hasattr(line, "get_segments") and len(set(line.get_segments()[0][:, 1])) == 1
    }
    assert medians <= {0.0, 0.1, 0.2, 0.3}
    assert {0.1, 0.2} <= medians
    assert boxes.get_title(loc="left") == "correlation 1.00"
    assert np.ptp(pixels_of(figure)) > 0


def test_large_sub_populations_are_boxed_in_ranges(parcellation):
    boxes = draw_agreement(report_of(parcellation, (40,), n_subjects=80)).axes[-1]
    names = [tick.get_text() for tick in boxes.get_xticklabels()]
    assert len(names) <= 8
    assert all("\N{EN DASH}" in name for name in names)


@pytest.mark.parametrize("value", [1.0, 0.7])
def test_what_does_not_vary_is_not_the_worst(parcellation, value):
    """The scale ends at 1, and its numbers are no differences of a hidden one."""
    figure = draw_agreement(with_similarity(report_of(parcellation), value))
    matrix, boxes, bar = figure.axes[0], figure.axes[-1], figure.axes[1]
    low, high = matrix.images[0].get_clim()
    assert low < value - 0.05
    assert high == 1
    assert boxes.get_ylim()[0] < value <= 1 <= boxes.get_ylim()[1] < 1.01
    figure.canvas.draw()
    assert bar.yaxis.get_offset_text().get_text() == ""
    assert float(bar.get_yticklabels()[-1].get_text()) == 1


def test_one_sub_population_agrees_with_none(parcellation):
    report = report_of(parcellation)
    (one,) = report.sizes
    alone = replace(one, similarity=one.similarity[:1, :1], shown=one.shown[:1])
    assert has_agreement(report, "all")
    assert not has_agreement(replace(report, sizes=(alone,)), "all")
    assert not has_agreement(with_similarity(report, np.nan), "all")


def test_of_several_sizes_the_ends_are_drawn(parcellation):
    figure = draw_agreement(report_of(parcellation, (2, 5, 8)))
    said = [text.get_text() for text in figure.texts]
    assert "24 sub-populations of 2 of 10 subjects" in said
    assert "24 sub-populations of 8 of 10 subjects" in said
    assert not any("of 5 of" in text for text in said)
