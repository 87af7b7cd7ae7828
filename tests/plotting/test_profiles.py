"""Networks as profiles: names can be read, and targets stand where they belong."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from matplotlib.text import Text

from neuroparcel.brain.colours import network_colours
from neuroparcel.errors import SpaceError
from neuroparcel.io.targets import load_targets
from neuroparcel.plotting.profiles import contrasts, draw_profiles, sides_of, sort_targets

MAPS = ["ToM", "VideoAct", "SpatialNavigation", "VisualSearchLarge", "rest"] * 2


def draw(n_networks: int, targets: list[str], *, positive: bool = False, **options):
    values = np.random.default_rng(0).normal(size=(n_networks, len(targets)))
    names = [f"Network {number + 1}" for number in range(n_networks)]
    profiles = np.abs(values) if positive else values
    return draw_profiles(profiles, targets, names, network_colours(n_networks), **options)


@pytest.mark.parametrize(
    ("n_networks", "n_targets"), [(1, 3), (2, 10), (17, 10), (40, 40), (50, 14), (50, 1488)]
)
def test_words_stay_apart_and_on_the_page(n_networks, n_targets):
    targets = [f"{MAPS[number % 10]} {number}" for number in range(n_targets)]
    figure = draw(n_networks, targets)
    figure.draw_without_rendering()
    texts = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    boxes = [text.get_window_extent() for text in texts]
    for (one, first), (other, second) in combinations(zip(texts, boxes, strict=True), 2):
        assert not first.overlaps(second), (one.get_text(), other.get_text())
    for text, box in zip(texts, boxes, strict=True):
        assert 0 <= box.x0 < box.x1 <= figure.bbox.x1, text.get_text()
        assert 0 <= box.y0 < box.y1 <= figure.bbox.y1, text.get_text()


def test_conditions_are_written_horizontally():
    figure = draw(17, MAPS)
    shown = figure.axes[0].get_yticklabels()
    assert [text.get_text() for text in shown] == MAPS
    assert all(text.get_rotation() == 0 for text in shown)


def test_cells_stand_in_the_row_of_their_target_and_the_column_of_their_network():
    profiles = np.zeros((2, 3))
    profiles[1, 2], profiles[0, 0] = 1.0, -1.0
    figure = draw_profiles(profiles, ["a", "b", "c"], ["x", "y"], network_colours(2))
    image = figure.axes[0].images[0]
    values = np.asarray(image.get_array()).reshape(3, -1, 2)[:, 0]
    np.testing.assert_array_equal(values, profiles.T)
    strip = figure.axes[1].images[0].get_array()
    np.testing.assert_allclose(strip[0], np.array(network_colours(2))[:, :3])


@pytest.mark.parametrize(("n_networks", "n_targets"), [(2, 10), (17, 10), (3, 300)])
def test_a_picture_has_no_colours_but_those_of_its_cells(pixels_of, n_networks, n_targets):
    """Neither between networks nor between targets; no colour comes from two cells."""
    figure = draw(n_networks, [f"t{number}" for number in range(n_targets)])
    figure.set_dpi(200)
    axes = figure.axes[0]
    axes.set_axis_off()  # no ticks and no frame over it
    box = axes.get_window_extent()
    picture = pixels_of(figure)[::-1]  # rows from below, as boxes count
    inside = picture[int(box.y0) + 2 : int(box.y1) - 2, int(box.x0) + 2 : int(box.x1) - 2].reshape(
        -1, 3
    )
    image = axes.images[0]
    cells = 255 * image.cmap(image.norm(image.get_array()))[..., :3].reshape(-1, 3)
    assert len(inside) > 10_000
    found = np.unique(inside, axis=0)
    distance = np.abs(found[:, None] - cells).max(axis=-1).min(axis=1)
    assert distance.max() < 2  # what is left is rounding


def test_more_targets_than_pixels_are_averaged_in_their_own_network(pixels_of):
    """Two networks, -1 and 1 at all of 3,000 targets: the border between the rows is sharp."""
    profiles = np.repeat([[-1.0], [1.0]], 3000, axis=1)
    figure = draw_profiles(profiles, ["t"] * 3000, ["a", "b"], network_colours(2))
    figure.set_dpi(200)
    box = figure.axes[0].get_window_extent()
    middle = int((box.x0 + box.x1) / 2)
    column = pixels_of(figure)[::-1][int(box.y0) + 4 : int(box.y1) - 4, middle].astype(int)
    ends = np.stack([column[0], column[-1]])
    assert np.abs(ends[0] - ends[1]).max() > 50
    distance = np.abs(column[:, None] - ends).max(axis=-1).min(axis=1)
    assert (distance > 2).sum() < 0.1 * len(column)


def test_positive_profiles_are_drawn_less_their_mean():
    signed = np.array([[1.0, -2.0], [0.0, 3.0]])
    np.testing.assert_array_equal(contrasts(signed)[0], signed)
    positive, said = contrasts(np.array([[1.0, 2.0], [3.0, 2.0]]))
    np.testing.assert_array_equal(positive, [[-1, 0], [1, 0]])
    assert "less the mean" in said
    alone = np.array([[1.0, 2.0]])
    np.testing.assert_array_equal(contrasts(alone)[0], alone)


def test_many_targets_stand_by_hemisphere_and_by_network():
    seeds = load_targets("seeds")
    sides = sides_of(seeds)
    assert sides == ["left"] * 744 + ["right"] * 744
    profiles = np.random.default_rng(0).normal(size=(3, 1488))
    order = sort_targets(profiles, np.array([side == "right" for side in sides]))
    assert sorted(order) == list(range(1488))
    assert (np.diff(np.array(sides)[order] == "right") >= 0).all()
    best = profiles.argmax(axis=0)[order]
    for half in (slice(744), slice(744, None)):
        assert (np.diff(best[half]) >= 0).all()
    texts = {text.get_text() for text in draw(3, list(seeds.names), sides=sides).findobj(Text)}
    assert {"744 left", "744 right"} <= texts


def test_shapes_that_disagree_are_refused():
    with pytest.raises(SpaceError, match=r"shape \(2, 3\) should be \(2, 2\)"):
        draw_profiles(np.ones((2, 3)), ["a", "b"], ["x", "y"], network_colours(2))
    with pytest.raises(SpaceError, match="1 sides do not belong to 2 targets"):
        draw_profiles(np.ones((1, 2)), ["a", "b"], ["x"], network_colours(1), sides=["left"])
