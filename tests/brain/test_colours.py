"""Colours that are chosen beside others are none of them."""

from __future__ import annotations

import numpy as np

from neuroparcel.brain.colours import colours_apart, network_colours
from neuroparcel.brain.oklab import to_oklab


def test_colours_apart_are_as_far_as_can_be():
    taken = network_colours(7)
    first, second = colours_apart(taken, 2)
    assert colours_apart(taken, 1) == (first,)
    candidates = to_oklab(np.array(network_colours(49))[:, :3])
    distance = np.linalg.norm(candidates[:, None] - to_oklab(np.array(taken)[:, :3]), axis=-1).min(
        axis=1
    )
    assert first == network_colours(49)[int(distance.argmax())]
    assert second not in (*taken, first)


def test_more_colours_than_the_table_has_are_all_different():
    assert len({*network_colours(30), *colours_apart(network_colours(30), 40)}) == 70


def test_without_others_a_colour_is_not_white():
    (colour,) = colours_apart((), 1)
    assert max(colour[:3]) < 1 or min(colour[:3]) < 0.5
