"""Colours of networks, that can be told apart."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from neuroparcel.brain.oklab import to_oklab

Colour: TypeAlias = tuple[float, float, float, float]
"""Red, green, blue and alpha in [0, 1]."""

# Seven of M. Okabe and K. Ito (2008), Color Universal Design, then what tests/plotting/palette.py
# finds: as far from one another as can be in OKLab, to normal and to red- and green-blind eyes.
_TABLE = (
    "0072B2 D55E00 009E73 CC79A7 E69F00 56B4E9 F0E442 553300 660099 88EEFF 9977EE 55CC77 774477",
    "3344CC 770044 CC2244 FFBBBB 336600 443366 337766 BBDD88 773333 AA9944 6644AA FF88CC AA3300",
    "8899FF DDBBFF 7788CC FF9966 2266DD 994499 992255 55BBBB AA7744 88DDCC 444488 DDBB22 668800",
    "CC7777 AA6699 551177 8866CC 33BB88 BB44AA CC66CC AACC99 007744 88BB44 CC3377 00CCDD CC8800",
    "AAEECC 995544 663377 5599AA 008888 882299 446699 3377EE 662255 880011 EE99AA 886622",
)
_COLOURS = tuple(colour for row in _TABLE for colour in row.split())
_GOLDEN_RATIO = 0.618034
_N_SPARE = 40  # colours to choose from, beside as many as are wanted


def network_colours(n_networks: int) -> tuple[Colour, ...]:
    """A colour for each network by its number.

    A network keeps its colour whatever the number of networks. The first seven are safe for
    colour-blind readers, the first 20 as distinct as can be for them and for others; from the
    65th on, hues only step around the colour wheel.
    """
    return tuple(_colour(number) for number in range(n_networks))


def colours_apart(taken: Sequence[Colour], n: int) -> tuple[Colour, ...]:
    """Colours of networks that have none, unlike those in use and one another.

    Parameters
    ----------
    taken : sequence of Colour
        In use.
    n : int
        How many more.

    Returns
    -------
    tuple of Colour
        Of :func:`network_colours`, the next always as far as can be from all before, in OKLab.
    """
    spare = network_colours(len(taken) + _N_SPARE + n)
    places = to_oklab(np.array(spare)[:, :3])
    used = to_oklab(np.array(taken)[:, :3]) if taken else to_oklab(np.ones((1, 3)))
    nearest = np.linalg.norm(places[:, None] - used, axis=-1).min(axis=1)
    chosen = []
    for _ in range(n):
        best = int(nearest.argmax())
        chosen.append(spare[best])
        nearest = np.minimum(nearest, np.linalg.norm(places - places[best], axis=-1))
    return tuple(chosen)


def _colour(number: int) -> Colour:
    if number < len(_COLOURS):
        red, green, blue = (int(_COLOURS[number][i : i + 2], 16) / 255 for i in (0, 2, 4))
    else:
        red, green, blue = colorsys.hsv_to_rgb(number * _GOLDEN_RATIO % 1, 0.5, 0.7)
    return red, green, blue, 1.0
