"""A heat map shows every pair of nodes, the nodes of a network side by side."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from neuroparcel.brain.colours import network_colours
from neuroparcel.errors import SpaceError
from neuroparcel.plotting.heatmap import draw_heatmap, mean_within, sort_nodes, spread_out


@pytest.fixture
def labels() -> np.ndarray:
    """Three networks and two nodes without data, mixed."""
    return np.random.default_rng(0).permutation(np.repeat([0, 1, 2, 3], [2, 5, 9, 4]))


@pytest.fixture
def similarity(labels) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, 0.05, (20, 20))
    same = labels[:, None] == labels
    return np.where(same, 0.5, -0.2) + noise + noise.T + 9 * np.eye(20)


def draw(similarity, labels, n_networks: int = 3, **options) -> Figure:
    names = [f"Network {number + 1}" for number in range(n_networks)]
    return draw_heatmap(similarity, labels, names, title="Population", **options)


def texts_of(figure: Figure) -> set[str]:
    return {text.get_text() for text in figure.findobj(Text) if text.get_text()}


def test_nodes_stand_by_network_and_certainty(similarity, labels):
    certainty = np.random.default_rng(2).random(20)
    matrix, beside, above, _ = draw(similarity, labels, certainty=certainty).axes
    order = sort_nodes(labels, certainty)
    assert sorted(order) == list(range(20))
    assert labels[order].tolist() == [1] * 5 + [2] * 9 + [3] * 4 + [0] * 2
    for network in range(4):
        assert (np.diff(certainty[order][labels[order] == network]) < 0).all()
    shown = matrix.images[0].get_array()
    expected = similarity[np.ix_(order, order)]
    off_diagonal = ~np.eye(20, dtype=bool)
    np.testing.assert_array_equal(shown[off_diagonal], expected[off_diagonal])
    assert shown.mask.diagonal().all(), "the diagonal is blank"
    colours = np.array(network_colours(3))[:, :3]
    np.testing.assert_array_equal(beside.images[0].get_array()[0, 0], colours[0])
    np.testing.assert_array_equal(above.images[0].get_array()[0, 13], colours[1])


def test_without_certainty_the_closest_to_their_network_come_first(similarity, labels):
    closeness = mean_within(similarity, labels)
    node = int(np.flatnonzero(labels == 2)[0])
    others = [n for n in np.flatnonzero(labels == 2) if n != node]
    assert closeness[node] == pytest.approx(similarity[node, others].mean())
    shown = draw(similarity, labels).axes[0].images[0].get_array()
    order = sort_nodes(labels, closeness)
    assert shown[0, 1] == similarity[order[0], order[1]]
    assert np.isnan(mean_within(np.eye(1), np.array([1]))).all()


def test_white_is_zero_and_the_diagonal_does_not_set_the_scale(similarity, labels):
    image = draw(similarity, labels).axes[0].images[0]
    low, high = image.get_clim()
    assert low == -high
    assert 0.4 < high < 0.8, "the ones of the diagonal are larger"
    np.testing.assert_allclose(image.cmap(0.5)[:3], 0.97, atol=0.02)
    draw(np.zeros((20, 20)), labels)  # a scale without a span would raise


def test_lines_lie_between_networks(similarity, labels):
    lines = draw(similarity, labels).axes[0].lines
    assert [line.get_ydata()[0] for line in lines[:3]] == [4.5, 13.5, 17.5]
    assert [line.get_xdata()[0] for line in lines[3:]] == [4.5, 13.5, 17.5]


def test_it_says_what_it_shows(similarity, labels, pixels_of):
    names = [f"parcel {n}" for n in range(20)]
    figure = draw(similarity, labels, quantity="mean r", names=names)
    pixels_of(figure)
    assert {
        "Population",
        "Network 2 (9)",
        "no data (2)",
        "mean r",
        "20 nodes, sorted by network",
    } <= texts_of(figure)
    ticks = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert ticks == [names[node] for node in sort_nodes(labels, mean_within(similarity, labels))]


@pytest.mark.parametrize("n_nodes", [30, 419])
def test_all_words_can_be_read(n_nodes, pixels_of):
    """Seventeen networks, most of them of one node: no name touches another or leaves."""
    labels = np.minimum(np.arange(n_nodes) + 1, 17)
    names = [f"parcel {n}" for n in range(n_nodes)]
    figure = draw(np.random.default_rng(0).normal(size=(n_nodes,) * 2), labels, 17, names=names)
    pixels_of(figure)
    assert ("parcel 5" in texts_of(figure)) == (n_nodes == 30), "where there is room"
    words = figure.axes[1].texts
    boxes = sorted((Text.get_window_extent(word) for word in words), key=lambda box: box.y0)
    assert len(boxes) == 17
    assert all(below.y1 <= above.y0 + 1 for below, above in pairwise(boxes))
    assert min(word.get_fontsize() for word in words) >= 8
    assert all(box.x0 >= 0 and box.y0 >= 0 and box.y1 <= figure.bbox.y1 for box in boxes)


def test_places_move_as_little_as_needed():
    apart = np.array([0.0, 3.0, 7.0])
    np.testing.assert_array_equal(spread_out(apart, 2, 0, 9), apart)
    np.testing.assert_allclose(spread_out(np.array([0.0, 5.0, 5.2]), 1, 0, 9), [0, 4.6, 5.6])
    crowded = spread_out(np.full(5, 8.0), 1, 0, 9)
    np.testing.assert_allclose(crowded, [5, 6, 7, 8, 9])
    np.testing.assert_allclose(spread_out(np.full(4, 8.0), 5, 0, 9), [0, 3, 6, 9])


def test_shapes_that_disagree_are_refused(similarity, labels):
    with pytest.raises(SpaceError, match=r"shape \(20, 20\) does not belong to 19 nodes"):
        draw(similarity, labels[:19])
    with pytest.raises(SpaceError, match="There are 3 certainties for 20 nodes"):
        draw(similarity, labels, certainty=np.ones(3))
    with pytest.raises(SpaceError, match="There are 2 names for 20 nodes"):
        draw(similarity, labels, names=["a", "b"])
