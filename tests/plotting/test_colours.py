"""Networks can be told apart by their colours: certain or not, colour-blind or not."""

from __future__ import annotations

import numpy as np
import pytest

from neuroparcel.brain.colours import network_colours
from neuroparcel.brain.oklab import from_oklab, to_oklab
from neuroparcel.plotting.paint import MOST_FADED, NO_DATA, PALE, faded_colours

from .palette import VISIONS, find_palette, least_distances

N_BEST, N_FOUND = 20, 64
# OKLab distances, full and most faded. Before this palette, of 17: 0.025 and 0.009 (normal),
# 0.006 and 0.002 (protanopia), 0.012 and 0.005 (deuteranopia).
LEAST = {
    7: {"normal": (0.155, 0.062), "protanopia": (0.095, 0.037), "deuteranopia": (0.076, 0.030)},
    17: {"normal": (0.123, 0.049), "protanopia": (0.088, 0.035), "deuteranopia": (0.075, 0.030)},
    20: {"normal": (0.109, 0.043), "protanopia": (0.069, 0.025), "deuteranopia": (0.073, 0.029)},
}


def rgb(n_networks: int) -> np.ndarray:
    return np.array(network_colours(n_networks))[:, :3]


@pytest.mark.parametrize("n_networks", LEAST)
def test_every_pair_can_be_told_apart(n_networks):
    found = least_distances(rgb(n_networks))
    for vision in VISIONS:
        full, faded = found[vision]
        least_full, least_faded = LEAST[n_networks][vision]
        assert full > least_full
        assert faded > least_faded


def test_the_table_is_what_the_search_finds():
    found = find_palette(rgb(7), N_BEST, N_FOUND)
    np.testing.assert_array_equal(np.rint(255 * found), np.rint(255 * rgb(N_FOUND)))


def test_more_networks_than_the_table_has_colours():
    many = network_colours(90)
    assert many[:N_FOUND] == network_colours(N_FOUND)
    assert len(set(many)) == 90


def test_oklab_comes_back_and_knows_grey():
    colours = np.random.default_rng(0).uniform(size=(200, 3))
    np.testing.assert_allclose(from_oklab(to_oklab(colours)), colours, atol=1e-6)
    grey = to_oklab(np.full((5, 3), [[0.1], [0.3], [0.5], [0.7], [0.9]]))
    np.testing.assert_allclose(grey[:, 1:], 0, atol=1e-6)
    assert (np.diff(grey[:, 0]) > 0).all()


@pytest.mark.parametrize(("vision", "pair"), [("protanopia", 0), ("deuteranopia", 1)])
def test_red_and_green_meet_for_the_colour_blind(vision, pair):
    """Pairs of one brightness to these eyes: far apart to others, and near to them."""
    red, green = ([[0.80, 0.20, 0.1], [0.36, 0.36, 0.1]], [[0.75, 0.30, 0.2], [0.51, 0.51, 0.2]])[
        pair
    ]
    apart = {
        eyes: np.linalg.norm(np.diff(to_oklab([red, green], eyes), axis=0)) for eyes in VISIONS
    }
    assert apart[vision] < 0.3 * apart["normal"]


def test_certain_is_full_colour_and_undecided_can_still_be_told():
    """Straight in OKLab from the colour to pale: hue stays, chroma falls, all by one share."""
    colours = network_colours(5)
    ramp = faded_colours(colours, np.array([0.0, 0.5, 1.0]))
    assert ramp.shape == (5, 3, 3)
    np.testing.assert_allclose(ramp[:, 0], rgb(5), atol=1e-6)
    from_pale = to_oklab(ramp) - to_oklab(PALE)
    for place, share in enumerate((0, 0.5, 1)):
        kept = (1 - share * MOST_FADED) * from_pale[:, 0]
        np.testing.assert_allclose(from_pale[:, place], kept, atol=1e-5)
    hue = np.arctan2(*np.moveaxis(to_oklab(ramp)[..., 1:], -1, 0))
    assert (np.abs(hue - hue[:, :1]) < 0.02).all()
    undecided = ramp[:, 2]
    nearest = np.linalg.norm(to_oklab(undecided)[:, None] - to_oklab(undecided), axis=-1)
    assert (nearest[~np.eye(5, dtype=bool)] > 0.06).all()


def test_no_network_looks_like_a_hole():
    """At no fade is the colour of the first 20 that of vertices without data."""
    ramp = faded_colours(network_colours(N_BEST), np.linspace(0, 1, 9))
    assert np.linalg.norm(to_oklab(ramp) - to_oklab(NO_DATA), axis=-1).min() > 0.05
