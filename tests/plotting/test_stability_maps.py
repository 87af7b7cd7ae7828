"""Maps of stability: the colours are those of the numbers, on scales that can be compared."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.text import Text

from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.brain.stability import PARTS, StabilityReport, VertexEstimate
from neuroparcel.plotting.paint import MOST_FADED, PALE, faded_colours
from neuroparcel.plotting.stability_maps import draw_parts, draw_stability_map, shares_of
from neuroparcel.plotting.stable_population import draw_stable_population

from .stability_samples import report_of

AT_LEAST = 0.03  # of a picture's pixels: half of the region has about a tenth


def texts_of(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def pictures(figure: Figure) -> list[np.ndarray]:
    """What is painted on the surfaces, in the order drawn; the inset is last."""
    shown = [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images]
    return [picture for picture in shown if picture.ndim == 3 and len(picture) > 1]


def share_of(picture: np.ndarray, level: float) -> float:
    """Pixels in the colour of a level of the scale."""
    return float(np.isclose(picture, colormaps["cividis"](level)[:3], atol=0.01).all(-1).mean())


def with_stable(report: StabilityReport, value: np.ndarray, low: np.ndarray) -> StabilityReport:
    """The same numbers at each size."""
    estimate = VertexEstimate(value, low, value)
    return replace(report, sizes=tuple(replace(one, stable=estimate) for one in report.sizes))


@pytest.fixture
def in_44(region) -> np.ndarray:
    return np.asarray(region.label_of_vertex) == "L_44"


def test_the_low_end_stands_beside_the_probability(parcellation, in_44):
    """Area 44 is certain, area 45 has 0.5 with an interval from 0."""
    value, low = np.where(in_44, 1.0, 0.5), np.where(in_44, 1.0, 0.0)
    figure = draw_stability_map(with_stable(report_of(parcellation), value, low))
    probability, low_end, _inset = pictures(figure)
    for picture, level in ((probability, 0.5), (low_end, 0.0)):
        assert share_of(picture, 1.0) > AT_LEAST
        assert share_of(picture, level) > AT_LEAST
    said = texts_of(figure)
    assert "24 sub-populations of 5 of 10 subjects; intervals hold 95 %, over subjects" in said
    assert {"0", "0.5", "1"} <= set(said)


def test_a_scale_of_stable_labels_begins_at_a_half_and_says_so(parcellation):
    """One vertex of 339 is below, which is less than 1 %."""
    value = np.full(len(parcellation.axis), 0.75)
    value[0] = 0.1
    figure = draw_stability_map(with_stable(report_of(parcellation), value, value))
    assert share_of(pictures(figure)[0], 0.5) > 2 * AT_LEAST
    assert {"≤ 0.5", "0.75", "1"} <= set(texts_of(figure))


@pytest.mark.parametrize(
    ("sizes", "names"),
    [
        ((2, 5), ["2 subjects", "5 subjects", "2 subjects, low end", "5 subjects, low end"]),
        ((2, 5, 8), ["2 subjects", "5 subjects", "8 subjects"]),
        (
            (2, 3, 4, 5, 8),
            ["2 subjects", "8 subjects", "2 subjects, low end", "8 subjects, low end"],
        ),
    ],
)
def test_few_sizes_are_all_drawn_and_of_many_the_ends(parcellation, sizes, names):
    figure = draw_stability_map(report_of(parcellation, sizes))
    drawn = [text for text in texts_of(figure) if re.match(r"\d+ subjects", text)]
    assert sorted(drawn) == sorted(names)
    assert len(pictures(figure)) == len(names) + 1


def test_parts_share_one_scale(parcellation):
    """The largest ends it, half of it is in the middle."""
    report = report_of(parcellation)
    n = len(report.axis)
    parts = {"population": np.zeros(n), "subject": np.full(n, 0.4), "session": np.full(n, 0.2)}
    figure = draw_parts(replace(report, sizes=(replace(report.sizes[0], parts=parts),)))
    for picture, level in zip(pictures(figure), (0.0, 1.0, 0.5), strict=False):
        assert share_of(picture, level) > 2 * AT_LEAST
    assert {"0", "0.2", "0.4"} <= set(texts_of(figure))


def test_shares_are_of_the_sums_over_vertices(parcellation):
    one = report_of(parcellation).sizes[0]
    parts = {"population": [0.0, 1.0], "subject": [2.0, 4.0], "session": [np.nan, 3.0]}
    shares = shares_of(replace(one, parts={name: np.array(v) for name, v in parts.items()}))
    assert shares == pytest.approx({"population": 0.1, "subject": 0.6, "session": 0.3})
    nothing = shares_of(replace(one, parts=dict.fromkeys(PARTS, np.zeros(2))))
    assert set(nothing.values()) == {0.0}


def test_a_part_that_is_not_known_has_no_map(parcellation):
    """Sessions cannot be told from their subject where there is one of each."""
    report = report_of(parcellation)
    nowhere = {**report.sizes[0].parts, "session": np.full(len(report.axis), np.nan)}
    figure = draw_parts(replace(report, sizes=(replace(report.sizes[0], parts=nowhere),)))
    assert len(pictures(figure)) == len(pictures(draw_parts(report))) - 1
    assert not any("session:" in text for text in texts_of(figure))


def test_the_intervals_of_shares_are_written(parcellation):
    said = " ".join(texts_of(draw_parts(report_of(parcellation))))
    assert "population: 4.5 % (2.5 to 6.5 %)" in said


def test_unstable_labels_are_pale_whatever_their_entropy(parcellation, in_44, pixels_of):
    """Area 44 is certain but unstable, area 45 undecided but stable: left and right differ."""
    stable = np.where(in_44, 0.5, 1.0)
    figure = draw_stable_population(with_stable(report_of(parcellation), stable, stable))
    undecided, unstable, _inset = pictures(figure)

    def colours(picture: np.ndarray) -> np.ndarray:
        """Mean distance from pale of the pixels of each network, by hue."""
        full = faded_colours(parcellation.colours, np.array([0.0, 1.0]))
        found = []
        for bright, pale in full:
            near = np.minimum(np.abs(picture - bright).sum(-1), np.abs(picture - pale).sum(-1))
            found.append(np.median(np.abs(picture[near < 0.25] - PALE).sum(-1)))
        return np.array(found)

    left, right = colours(undecided), colours(unstable)
    assert right[0] < left[0] * (1 - 0.5 * MOST_FADED)
    assert right[1] > left[1]
    said = texts_of(figure)
    assert {"pale where undecided", "pale where unstable", "full colour → pale"} <= set(said)
    assert np.ptp(pixels_of(figure)) > 0


def test_many_networks_have_their_legend_below(parcellation):
    """Of 13 networks it would be taller than the maps."""
    probabilities = np.eye(13, dtype=np.float32)[np.arange(len(parcellation.axis)) % 13]
    names = tuple(f"Network {n}" for n in range(13))
    soft = SoftParcellation(parcellation.axis, names, probabilities)
    figure = draw_stable_population(report_of(soft))
    last = max(figure.axes, key=lambda axes: len(axes.images))
    assert len(last.images) == 13
    assert last.get_position().y1 < min(a.get_position().y0 for a in figure.axes[:2])


def test_a_group_is_named_and_holes_are_explained(parcellation):
    data = np.arange(len(parcellation.axis)) > 20
    holes = SoftParcellation(
        parcellation.axis, parcellation.networks, parcellation.probabilities, data
    )
    said = " ".join(texts_of(draw_stability_map(report_of(holes, groups=("F", "M")), "M")))
    assert "Stability of labels: M" in said
    assert "dark grey: no data" in said
