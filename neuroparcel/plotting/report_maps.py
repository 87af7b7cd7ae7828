"""Small maps without words, side by side, for a page that names them itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.plotting.paint import paint_parcellation
from neuroparcel.plotting.panel import SIDES, hemispheres_of
from neuroparcel.plotting.view import close_up, hemisphere_from, is_seen_at_once
from neuroparcel.types import FloatArray, IntArray

_GAP = 0.04  # between maps, as a share of their longer side


def paint_small(parcellation: SoftParcellation, n_pixels: int) -> IntArray:
    """Paint a parcellation as a figure of it shows it, without lines, names and legend.

    A region that one camera sees is painted close up, hemisphere beside hemisphere. Of others
    the outer side of each hemisphere stands above its inner side.

    Parameters
    ----------
    parcellation : SoftParcellation
        On the fs_LR 32k cortex.
    n_pixels : int
        Length of the longer side of each map.

    Returns
    -------
    (row, column, 3) array of uint8
        Red, green and blue, on white.
    """
    if is_seen_at_once(parcellation.axis):
        rows = [[close_up(parcellation.axis, s, n_pixels) for s in parcellation.axis.structures]]
    else:
        structures = hemispheres_of(parcellation.axis)
        rows = [
            [hemisphere_from(structure, direction, n_pixels) for structure, direction in row]
            for row in zip(*([(s, d) for d in SIDES[s].values()] for s in structures), strict=True)
        ]
    gap = round(_GAP * n_pixels)
    painted = [[paint_parcellation(view, parcellation) for view in row] for row in rows]
    stacked = _joined([_joined(row, 1, gap) for row in painted], 0, gap)
    return np.asarray(np.rint(255 * stacked), dtype=np.uint8)


def _joined(pictures: Sequence[FloatArray], along: int, gap: int) -> FloatArray:
    """Pictures one after the other along an axis, centred across it, white between them."""
    across = 1 - along
    size = max(picture.shape[across] for picture in pictures)
    parts: list[FloatArray] = []
    for number, picture in enumerate(pictures):
        missing = size - picture.shape[across]
        margins = [(0, 0), (0, 0), (0, 0)]
        margins[across] = (missing // 2, missing - missing // 2)
        margins[along] = (gap if number else 0, 0)
        parts.append(np.pad(picture, margins, constant_values=1.0))
    return np.concatenate(parts, axis=along)
