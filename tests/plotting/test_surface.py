"""Figures show the labels, how certain they are, and what is missing."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from neuroparcel.brain.colours import network_colours
from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.io.regions import load_region
from neuroparcel.plotting.legend import FADING
from neuroparcel.plotting.paint import (
    NO_DATA,
    border_fields,
    draw_networks,
    paint_parcellation,
)
from neuroparcel.plotting.panel import counted
from neuroparcel.plotting.surface import draw_cohort, draw_parcellation
from neuroparcel.plotting.view import close_up


def painted(parcellation: SoftParcellation, label: str, region) -> np.ndarray:
    """Mean colour of the vertices of one area."""
    view = close_up(parcellation.axis, "CORTEX_LEFT", 300)
    area = region.axis.expand(
        (region.label_of_vertex == label).astype(float), "CORTEX_LEFT", fill=0
    )
    return paint_parcellation(view, parcellation)[view.interpolate(area) > 0.99].mean(axis=0)


def test_colour_follows_label_and_certainty(parcellation, region):
    first, second = np.array(network_colours(2))[:, :3]
    certain, unsure = painted(parcellation, "L_44", region), painted(parcellation, "L_45", region)
    assert np.abs(certain - first).sum() < np.abs(certain - second).sum()
    assert np.abs(unsure - second).sum() < np.abs(unsure - first).sum()
    assert np.ptp(certain) > np.ptp(unsure), "the uncertain colour is paler"


def test_a_sharp_border_between_certain_labels_stays_sharp(parcellation, region):
    """Certain on both sides: no pixel in between may look undecided."""
    one_hot = np.eye(2, dtype=np.float32)[(parcellation.labels - 1)]
    certain = SoftParcellation(parcellation.axis, parcellation.networks, one_hot)
    view = close_up(parcellation.axis, "CORTEX_LEFT", 300)
    mask = view.interpolate(region.axis.expand(np.ones(339), "CORTEX_LEFT", fill=0)) > 0.5
    colours = paint_parcellation(view, certain)[mask]
    assert (np.ptp(colours, axis=1) > 0.4).all(), "every pixel is blue or vermilion"


def test_each_border_is_drawn_once():
    """Three sectors that meet in the middle: each pair's border lies in one field only."""
    row, column = np.mgrid[-50:51, -50:51] + 0.25
    angles = np.array([0.3, 0.3 + 2 * np.pi / 3, 0.3 + 4 * np.pi / 3])
    shares = np.cos(angles) * row[..., None] + np.sin(angles) * column[..., None]
    inside = np.hypot(row, column) < 45
    labels = shares.argmax(axis=-1)
    found = np.zeros(labels.shape, dtype=int)
    for border in border_fields(shares, inside):
        field = border.field
        crossed = field[:, 1:] * field[:, :-1] < 0
        rows, columns = np.nonzero(crossed)
        found[rows + border.row, columns + border.column + 1] += 1
    expected = (labels[:, 1:] != labels[:, :-1]) & inside[:, 1:] & inside[:, :-1]
    assert (found[:, 1:] <= 1).all()
    away_from_the_middle = np.hypot(row, column)[:, 1:] > 5
    np.testing.assert_array_equal(
        (found[:, 1:] == 1)[away_from_the_middle], expected[away_from_the_middle]
    )


def test_networks_are_separated_by_a_line(parcellation):
    """One border, in one piece; none in a parcellation with one winner."""
    view = close_up(parcellation.axis, "CORTEX_LEFT", 300)
    axes = Figure().subplots()
    draw_networks(axes, view, parcellation)
    (borders,) = axes.collections
    assert len(borders.get_paths()) == 1

    one_winner = np.tile(np.float32([0.4, 0.6]), (len(parcellation.axis), 1))
    axes = Figure().subplots()
    draw_networks(axes, view, SoftParcellation(parcellation.axis, ("a", "b"), one_winner))
    assert len(axes.collections) == 0


def test_ties_have_one_colour(parcellation):
    """Sessions that disagree: rounding of the interpolation must not decide pixel by pixel."""
    even = np.full((len(parcellation.axis), 2), 0.5, dtype=np.float32)
    tied = SoftParcellation(parcellation.axis, parcellation.networks, even)
    view = close_up(parcellation.axis, "CORTEX_LEFT", 300)
    inside = view.interpolate(parcellation.axis.expand(even[:, 0], "CORTEX_LEFT", fill=0)) > 0.3
    colours = paint_parcellation(view, tied)[inside]
    assert (colours[:, 2] > colours[:, 0]).all(), "all are the tint of the first network, blue"


def test_vertices_without_data_are_grey(parcellation, region):
    probabilities = parcellation.probabilities.copy()
    probabilities[region.label_of_vertex == "L_44"] = np.nan
    holes = SoftParcellation(parcellation.axis, parcellation.networks, probabilities)
    colour = painted(holes, "L_44", region)
    assert np.ptp(colour) < 0.02
    assert abs(colour.mean() - NO_DATA.mean()) < 0.15
    assert "no data" in texts_of(draw_parcellation(holes, "With holes"))


def texts_of(figure: Figure) -> set[str]:
    return {text.get_text() for text in figure.findobj(Text)}


def test_a_close_up_says_what_it_shows(parcellation, region, pixels_of):
    figure = draw_parcellation(parcellation, "sub-07", region=region)
    shown = {
        "sub-07",
        "broca-left: 2 networks, 339 vertices",
        "Network 1",
        "Network 2",
        FADING,
        "left hemisphere",
    }
    assert shown | {
        "anterior",
        "superior",
        "L_44",
        "L_45",
        "network border",
        "area border",
    } <= texts_of(figure)
    assert len(np.unique(pixels_of(figure).reshape(-1, 3), axis=0)) > 1000


def test_areas_are_drawn_only_if_known(parcellation):
    texts = texts_of(draw_parcellation(parcellation, "Population"))
    assert "area border" not in texts
    assert not any("vertices" in text for text in texts)


@pytest.mark.parametrize("n_subjects", [1, 3, 5])
def test_the_overview_shows_population_and_subjects(make_cohort, region, pixels_of, n_subjects):
    figure = draw_cohort(make_cohort(n_subjects), region=region)
    assert {"Population", *(f"s{number}" for number in range(n_subjects))} <= texts_of(figure)
    assert f"broca-left: 2 networks, {counted(n_subjects, 'subject')}" in texts_of(figure)
    pixels_of(figure)


def test_a_large_cohort_says_what_it_leaves_out(make_cohort):
    figure = draw_cohort(make_cohort(5), max_subjects=3)
    assert "s3" not in texts_of(figure)
    assert "2 networks, the first 3 of 5 subjects" in texts_of(figure)


def test_some_subjects_of_a_cohort(make_cohort):
    """The population stays everybody's, and that is said."""
    texts = texts_of(draw_cohort(make_cohort(5), subjects=("s1", "s4")))
    assert {"s1", "s4", "2 networks, 2 of 5 subjects"} <= texts
    assert "s0" not in texts


def test_a_region_on_both_sides_and_many_networks(pixels_of):
    region = load_region("L_44,R_44")
    n_networks = 9
    shares = np.random.default_rng(0).dirichlet(np.ones(n_networks), len(region.axis))
    names = tuple(f"Network {number + 1}" for number in range(n_networks))
    parcellation = SoftParcellation(region.axis, names, shares.astype(np.float32))
    figure = draw_parcellation(parcellation, "Both", region=region)
    assert {"left hemisphere", "right hemisphere", "Network 9"} <= texts_of(figure)
    pixels_of(figure)


def test_no_figure_is_left_open(parcellation):
    """Drawing must not touch pyplot, whose figures live on."""
    draw_parcellation(parcellation, "Population")
    if "matplotlib.pyplot" in sys.modules:
        assert sys.modules["matplotlib.pyplot"].get_fignums() == []
