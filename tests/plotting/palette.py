"""The search that found the colours of networks, and how it measures them."""

from __future__ import annotations

from typing import get_args

import numpy as np

from neuroparcel.brain.oklab import Vision, from_oklab, to_oklab
from neuroparcel.plotting.paint import MOST_FADED, PALE

VISIONS: tuple[Vision, ...] = get_args(Vision)
WEIGHTS = np.array([1, 1.6, 1.6])  # two cones see fewer colours, so their distances count more
FADES = np.linspace(0, MOST_FADED, 5)
FADED_WEIGHT = 3.0
STEP = 17  # of 8 bits: 16 values of red, green and blue
LIGHTNESS, LEAST_CHROMA = (0.35, 0.9), 0.07  # neither line nor paper, and no grey
MOST_CHROMA = ([0.5, 0.8, 0.9], [0.21, 0.16, 0.1])  # by lightness: no neon


def faded(rgb: np.ndarray, share: float) -> np.ndarray:
    return from_oklab((1 - share) * to_oklab(rgb) + share * to_oklab(PALE))


def find_palette(first: np.ndarray, n_best: int, n_colours: int) -> np.ndarray:
    """Colours that are as distinct as can be.

    From a grid of sRGB, the colour whose least distance from those chosen is largest is added
    until there are `n_best`; then each but the first is exchanged for a better one as long as
    there is one, and they are put in the order that keeps the first few the most distinct. The
    rest is added as before.

    Parameters
    ----------
    first : (colour, 3) array of float
        Colours that are given.
    n_best, n_colours : int
        How many are exchanged, and how many there are in the end.

    Returns
    -------
    (colour, 3) array of float
    """
    candidates = np.concatenate([first, _candidates()])
    distance = _Distances(candidates)
    chosen = list(range(len(first)))
    _add(chosen, distance, n_best)
    for _ in range(10):
        before = list(chosen)
        for place in range(len(first), n_best):
            others = chosen[:place] + chosen[place + 1 :]
            least = np.min([distance.to(i) for i in others], axis=0)
            if least.max() > least[chosen[place]] + 1e-9:
                chosen[place] = int(least.argmax())
        if chosen == before:
            break
    rest, chosen = chosen[len(first) :], chosen[: len(first)]
    while rest:
        least = np.min([distance.to(i)[rest] for i in chosen], axis=0)
        chosen.append(rest.pop(int(least.argmax())))
    _add(chosen, distance, n_colours)
    return candidates[chosen]


def least_distances(rgb: np.ndarray) -> dict[str, tuple[float, float]]:
    """Smallest OKLab distance of two colours, at full strength and most faded, by vision."""
    pairs = np.triu_indices(len(rgb), 1)
    found = {}
    for vision in VISIONS:
        full, pale = (
            np.linalg.norm(lab[:, None] - lab, axis=-1)[pairs].min()
            for lab in (to_oklab(rgb, vision), to_oklab(faded(rgb, MOST_FADED), vision))
        )
        found[vision] = float(full), float(pale)
    return found


class _Distances:
    """Weighted distances of all candidates from one, the least over three kinds of vision.

    For normal vision a colour also keeps its distance from the others at any fade.
    """

    def __init__(self, candidates: np.ndarray) -> None:
        self._seen = np.stack([to_oklab(candidates, vision) for vision in VISIONS], axis=1)
        self._ramp = np.stack([to_oklab(faded(candidates, share)) for share in FADES], axis=1)
        self._known: dict[int, np.ndarray] = {}

    def to(self, one: int) -> np.ndarray:
        if one not in self._known:
            full = np.linalg.norm(self._seen - self._seen[one], axis=-1) * WEIGHTS
            ramp = np.linalg.norm(self._ramp[:, :, None] - self._ramp[one], axis=-1)
            self._known[one] = np.minimum(full.min(axis=1), FADED_WEIGHT * ramp.min(axis=(1, 2)))
        return self._known[one]


def _candidates() -> np.ndarray:
    levels = np.arange(0, 256, STEP) / 255
    rgb = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
    lightness, *hue = to_oklab(rgb).T
    chroma = np.hypot(*hue)
    fits = (lightness >= LIGHTNESS[0]) & (lightness <= LIGHTNESS[1])
    fits &= (chroma >= LEAST_CHROMA) & (chroma <= np.interp(lightness, *MOST_CHROMA))
    return rgb[fits]


def _add(chosen: list[int], distance: _Distances, n_colours: int) -> None:
    """Add the farthest colour until there are so many."""
    while len(chosen) < n_colours:
        chosen.append(int(np.min([distance.to(i) for i in chosen], axis=0).argmax()))
