"""The whole cortex is drawn from both sides."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from neuroparcel.brain.atlas import Region
from neuroparcel.brain.colours import network_colours
from neuroparcel.brain.parcellation import CohortParcellation, SoftParcellation
from neuroparcel.io.meshes import load_cortex_axis, load_mesh
from neuroparcel.io.regions import load_region
from neuroparcel.plotting.paint import paint_parcellation
from neuroparcel.plotting.panel import draw_cohort_panel, draw_panel
from neuroparcel.plotting.view import hemisphere_from, is_seen_at_once


@pytest.fixture(scope="module")
def cortex() -> SoftParcellation:
    """The left hemisphere is network 1, the right one network 2 in front and 3 behind."""
    axis = load_cortex_axis()
    labels = np.zeros(len(axis), int)
    right = axis.rows_in("CORTEX_RIGHT")
    labels[right] = np.where(load_mesh("sphere", "right")[0][axis.vertex[right], 1] > 0, 1, 2)
    return SoftParcellation(axis, ("a", "b", "c"), np.eye(3, dtype=np.float32)[labels])


def texts_of(figure: Figure) -> set[str]:
    return {text.get_text() for text in figure.findobj(Text)}


def test_a_close_up_is_for_what_one_camera_sees(cortex):
    assert is_seen_at_once(load_region("broca-left").axis)
    assert is_seen_at_once(load_region("L_44,R_44").axis)
    assert not is_seen_at_once(cortex.axis)
    assert not is_seen_at_once(cortex.axis.restrict(cortex.axis.rows_in("CORTEX_LEFT")))


@pytest.mark.parametrize("direction", ["left", "right"])
def test_each_side_has_the_colours_of_its_hemisphere(cortex, direction):
    """Anterior is on the right seen from the right, on the left seen from the left."""
    view = hemisphere_from("CORTEX_RIGHT", direction, 120)
    picture = paint_parcellation(view, cortex)
    half = picture.shape[1] // 4
    front, back = (picture[:, -half:], picture[:, :half])[:: 1 if direction == "right" else -1]
    first, behind = np.array(network_colours(3))[1:, :3]
    for part, own, other in ((front, first, behind), (back, behind, first)):
        colour = part[np.ptp(part, axis=-1) > 0.2].mean(axis=0)
        assert np.abs(colour - own).sum() < np.abs(colour - other).sum()


def test_a_panel_says_what_it_shows(cortex, pixels_of):
    region = Region("cortex", cortex.axis, ("cortex",), np.full(len(cortex.axis), "cortex"))
    figure = draw_panel(cortex, "sub-07", region=region)
    assert {
        "sub-07",
        "cortex: 3 networks, 59,412 vertices",
        *(f"{side} {aspect}" for side in ("left", "right") for aspect in ("lateral", "medial")),
        *cortex.networks,
    } <= texts_of(figure)
    pixels_of(figure)


def test_one_hemisphere_has_two_views(cortex):
    rows = cortex.axis.rows_in("CORTEX_LEFT")
    left = SoftParcellation(cortex.axis.restrict(rows), cortex.networks, cortex.probabilities[rows])
    texts = texts_of(draw_panel(left, "Left"))
    assert "left medial" in texts
    assert not any("right" in text for text in texts)


def test_the_overview_shows_population_and_subjects(cortex, pixels_of):
    p = cortex.probabilities
    dead = p.copy()
    dead[:3000] = np.nan
    subjects = np.stack([p, dead, p])
    cohort = CohortParcellation(
        cortex.axis, cortex.networks, ("s0", "s1", "s2"), ("1",), p, subjects, subjects[:, None]
    )
    figure = draw_cohort_panel(cohort, max_subjects=2, title="Everybody")
    texts = texts_of(figure)
    assert {"Everybody", "Population", "s0", "s1", "no data"} <= texts
    assert not {"s2", "network border"} & texts
    assert "3 networks, the first 2 of 3 subjects" in texts
    pixels_of(figure)


def test_long_names_stay_on_the_page(cortex):
    names = ("a", "b", "a network of many words")
    figure = draw_panel(SoftParcellation(cortex.axis, names, cortex.probabilities), "x")
    figure.draw_without_rendering()
    right = figure.bbox.x1
    shown = [text for text in figure.findobj(Text) if text.get_text() == names[2]]
    assert shown
    assert all(text.get_window_extent().x1 <= right for text in shown)
