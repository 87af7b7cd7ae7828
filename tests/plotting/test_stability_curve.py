"""Curves and histograms of agreement show the numbers of the report."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.text import Text

from neuroparcel.brain.stability import StabilityReport
from neuroparcel.plotting.stability import curve_of, sizes_of
from neuroparcel.plotting.stability_curve import draw_curve, has_curve
from neuroparcel.plotting.stability_spread import draw_spread, pairs_of

from .stability_samples import report_of


def texts_of(figure: Figure) -> str:
    return " | ".join(text.get_text() for text in figure.findobj(Text) if text.get_text())


@pytest.fixture(scope="module")
def curve(parcellation) -> StabilityReport:
    return report_of(parcellation, (2, 5, 8))


def test_lines_are_the_means_and_bands_the_intervals(curve, pixels_of):
    figure = draw_curve(curve)
    stable, full, between, networks = figure.axes
    for axes, name in ((stable, "stable"), (full, "ari_full"), (between, "ari_between")):
        found = curve_of(curve, name, "all")
        np.testing.assert_allclose(axes.lines[0].get_xdata(), [2, 5, 8])
        np.testing.assert_allclose(axes.lines[0].get_ydata(), [one.value for one in found])
        band = axes.collections[0].get_paths()[0].vertices[:, 1]
        assert {one.low for one in found} <= set(band.tolist())
        assert {one.high for one in found} <= set(band.tolist())
    for line, name in zip(networks.lines, curve.networks, strict=True):
        found = curve_of(curve, "dice_full", "all", name)
        np.testing.assert_allclose(line.get_ydata(), [one.value for one in found])
    assert "95 % interval of the mean, over subjects" in texts_of(figure)
    assert np.ptp(pixels_of(figure)) > 0


def test_pairs_without_a_common_subject_end_where_there_are_none(curve):
    between = draw_curve(curve).axes[2]
    labels = [line.get_label() for line in between.lines]
    assert labels == ["any two", "without a common subject"]
    np.testing.assert_allclose(between.lines[1].get_xdata(), [2, 5])


def test_intervals_over_the_same_subjects_are_no_bands_beside_those_over_others(curve):
    """They are narrower, and would look the better."""

    def with_kind(name: str, kind: str) -> StabilityReport:
        rows = (replace(o, interval=kind) if o.name == name else o for o in curve.statistics)
        return replace(curve, statistics=tuple(rows))

    def bands(report: StabilityReport) -> list[int]:
        axes = draw_curve(report).axes[2]
        return [len(c.get_paths()) for c in axes.collections if isinstance(c, PolyCollection)]

    assert bands(curve) == [1, 1]
    mixed = with_kind("ari_disjoint", "samples")
    assert bands(mixed) == [1, 0]
    assert "mean, over subjects;" in texts_of(draw_curve(mixed))
    rows = tuple(replace(one, interval="samples") for one in curve.statistics)
    only = replace(curve, statistics=rows)
    assert bands(only) == [1, 1]
    assert "mean, over sub-populations of these subjects;" in texts_of(draw_curve(only))


def test_groups_have_a_colour_each_and_no_networks(parcellation):
    report = report_of(parcellation, (2, 5), ("F", "M"))
    stable, _full, between, legend = draw_curve(report).axes
    assert len({str(line.get_color()) for line in stable.lines}) == 2
    assert [line.get_label() for line in between.lines][::2] == ["F", "M"]
    assert not legend.lines
    first, second = (line.get_xdata() for line in stable.lines)
    assert (first < second).all()  # side by side, so that bars can be told apart


def test_sizes_far_apart_are_drawn_on_a_logarithmic_axis(parcellation):
    report = report_of(parcellation, (2, 5, 20), n_subjects=30)
    assert draw_curve(report).axes[0].get_xscale() == "log"


def test_the_null_is_drawn_where_there_is_one(curve):
    assert "rotations" not in texts_of(draw_curve(curve))
    rows = tuple(
        replace(one, null=0.1) if one.name == "ari_full" else one for one in curve.statistics
    )
    figure = draw_curve(replace(curve, statistics=rows))
    np.testing.assert_allclose(figure.axes[1].lines[-1].get_ydata(), [0.1] * 3)
    assert "dotted: random rotations of the map" in texts_of(figure)


def test_one_size_has_no_curve(parcellation, curve):
    assert has_curve(curve)
    assert not has_curve(report_of(parcellation, (5,), ("F", "M")))


def test_histograms_count_every_sub_population_and_pair(parcellation, pixels_of):
    report = report_of(parcellation)
    figure = draw_spread(report)
    full, between, networks = figure.axes
    n = report.sizes[0].n_samples
    assert sum(bar.get_height() for bar in full.patches) == n
    assert sum(bar.get_height() for bar in between.patches) == n * (n - 1) / 2
    assert [tick.get_text() for tick in networks.get_yticklabels()] == list(report.networks)
    thin, thick, dot = networks.lines[:3]
    found = curve_of(report, "dice_full", "all", report.networks[0])[0]
    assert tuple(thin.get_xdata()) == (found.q05, found.q95)
    assert tuple(thick.get_xdata()) == (found.low, found.high)
    assert dot.get_xdata() == [found.value]
    assert np.ptp(pixels_of(figure)) > 0


def test_unknown_indices_are_left_out_of_histograms(parcellation):
    report = report_of(parcellation)
    index = report.sizes[0].ari_full.copy()
    index[:3] = np.nan
    broken = replace(report, sizes=(replace(report.sizes[0], ari_full=index),))
    full = draw_spread(broken).axes[0]
    assert sum(bar.get_height() for bar in full.patches) == len(index) - 3


def test_designs_of_certain_pairs_show_no_others(parcellation):
    report = report_of(parcellation, kind="split-half")
    assert not len(pairs_of(report, sizes_of(report, "all")[0]))
    figure = draw_spread(report)
    assert not figure.axes[1].patches
    assert figure.axes[1].get_title(loc="left") == "Between the halves"
    assert figure.axes[1].get_xlabel() == "adjusted Rand index"
    assert "12 pairs of sub-populations of 5 of 10 subjects, without a common" in texts_of(figure)


def test_two_sessions_of_a_sub_population_are_not_two_sub_populations(parcellation):
    report = report_of(parcellation, (2, 5), kind="test-retest", groups=("F",))
    said = texts_of(draw_curve(report))
    assert "Between the sessions" in said
    assert "With the full group" in said
    assert "population |" not in said.replace("subjects of a sub-population |", "")


def test_a_single_sub_population_has_no_pairs(parcellation):
    report = report_of(parcellation)
    (one,) = report.sizes
    alone = replace(one, n_samples=1, similarity=one.similarity[:1, :1], ari_full=np.array([0.9]))
    rows = (replace(o, low=np.nan, high=np.nan) for o in report.statistics if o.size is not None)
    known = tuple(o for o in rows if not o.name.startswith("ari_between"))
    figure = draw_spread(replace(report, sizes=(alone,), statistics=known))
    assert figure.axes[1].get_xlabel() == "there are no pairs"
    assert "1 sub-population of 5 of 10 subjects" in texts_of(figure)
    assert "95 % interval" not in texts_of(figure)


def test_histograms_of_what_does_not_vary_end_at_1(parcellation):
    report = report_of(parcellation)
    (one,) = report.sizes
    flat = replace(one, ari_full=np.ones_like(one.ari_full))
    full = draw_spread(replace(report, sizes=(flat,))).axes[0]
    assert max(bar.get_x() + bar.get_width() for bar in full.patches) <= 1 + 1e-9
