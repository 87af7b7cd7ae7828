"""The figure of a difference: the same colours for matched networks, and nothing where equal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.figure import Figure

from neuroparcel.brain.colours import network_colours
from neuroparcel.brain.comparison import (
    NetworkMap,
    Pairs,
    match_by_overlap,
    measure,
    network_agreement,
)
from neuroparcel.io.meshes import load_cortex_axis
from neuroparcel.plotting.difference import draw_difference


@pytest.fixture(scope="module")
def first(parcellation) -> NetworkMap:
    """Areas 44 and 45."""
    return NetworkMap.of_parcellation("runs/first", parcellation)


@pytest.fixture(scope="module")
def second(first) -> NetworkMap:
    """The same with the numbers exchanged, in colours of its own, but for 50 vertices."""
    labels = 3 - first.labels
    labels[:50] = 3
    names = ("front", "back", "stranger")
    return NetworkMap("atlas", first.axis, names, network_colours(9)[6:], labels)


def draw(first: NetworkMap, second: NetworkMap, pairs: Pairs | None = None) -> Figure:
    matched = match_by_overlap(first, second) if pairs is None else pairs
    return draw_difference(
        first,
        second,
        matched,
        networks=network_agreement(first, second, matched),
        agreement=measure(first, second, matched),
        region="broca-left",
    )


def texts(figure: Figure) -> list[str]:
    inside = [text.get_text() for axes in figure.axes for text in axes.texts]
    return [*(text.get_text() for text in figure.texts), *inside]


def pictures(figure: Figure) -> list[np.ndarray]:
    """What is painted on the surfaces, in the order drawn."""
    return [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images]


def test_what_is_said(first, second):
    said = texts(draw(first, second))
    for words in ("first and atlas", "A  first", "B  atlas", "difference", "Network 1", "back"):
        assert words in said, words
    assert any(text.startswith("broca-left: 339 vertices, adjusted Rand index 0.") for text in said)
    place = said.index("stranger")
    assert said[place - 1] == "\N{EN DASH}"  # it has no match


def test_matched_networks_have_one_colour(first):
    """Equal but for numbers, names and colours: the pictures are the same, if matched."""
    plain = replace(first, probabilities=None)
    other = replace(
        plain, labels=3 - plain.labels, colours=network_colours(4)[2:], networks=("b", "a")
    )
    ours, theirs, _, _inset = pictures(draw(plain, other))
    np.testing.assert_array_equal(ours, theirs)
    ours, theirs, _, _inset = pictures(draw(plain, other, ()))
    assert (ours != theirs).any()


def test_the_difference_is_where_the_maps_differ(first, second):
    """At 50 of 339 vertices."""
    plain = replace(first, probabilities=None)
    zero = np.array(colormaps["cividis"](0.0)[:3])
    _, _, values, _inset = pictures(draw(plain, second))
    _, _, none, _inset = pictures(draw(plain, plain))
    inside = np.isclose(none, zero, atol=0.01).all(axis=-1)
    assert inside.sum() > 1000
    differs = ~np.isclose(values, zero, atol=0.01).all(axis=-1) & inside
    assert differs.sum() / inside.sum() == pytest.approx(50 / 339, abs=0.08)


def test_much_of_a_hemisphere_is_seen_from_both_sides():
    cortex = load_cortex_axis()
    axis = cortex.restrict(cortex.structure == "CORTEX_RIGHT")
    halves = 1 + (axis.vertex > 16000)
    right = NetworkMap("cortex", axis, ("low", "high"), network_colours(2), halves)
    figure = draw(right, right)
    assert len(pictures(figure)) == 3 * 2
    assert texts(figure).count("right medial") == 3


def test_a_long_table_is_cut_but_for_the_matches(first):
    """85 networks of four vertices each, of which two are matched."""
    numbers = 1 + np.arange(len(first.axis)) // 4
    names = tuple(f"parcel {n}" for n in range(85))
    many = NetworkMap("many", first.axis, names, network_colours(len(names)), numbers)
    said = texts(draw(first, many))
    n_shown = sum(text.startswith("parcel ") for text in said)
    assert 2 < n_shown < 40
    assert f"and {85 - n_shown} more without a match" in said


def test_matches_that_do_not_fit_on_a_page_are_counted(first):
    """112 networks of three vertices each, every one its own match."""
    numbers = 1 + np.arange(len(first.axis)) // 3
    names = tuple(f"parcel {n}" for n in range(numbers.max()))
    many = NetworkMap("many", first.axis, names, network_colours(len(names)), numbers)
    figure = draw(many, many)
    said = texts(figure)
    n_shown = sum(text.startswith("parcel ") for text in said) // 2
    assert 20 < n_shown < len(names)
    assert f"and {len(names) - n_shown} more" in said
    assert figure.get_figheight() < 10
