"""Colours by how they look: OKLab, and what readers without red or green cones see."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np

from neuroparcel.types import FloatArray

Vision: TypeAlias = Literal["normal", "protanopia", "deuteranopia"]

# B. Ottosson (2020), A perceptual color space for image processing.
_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_FROM_OKLAB, _FROM_CONES = np.linalg.inv(_TO_OKLAB), np.linalg.inv(_TO_CONES)

# G. M. Machado, M. M. Oliveira and L. A. F. Fernandes (2009), A physiologically-based model for
# simulation of color vision deficiency, IEEE TVCG 15, 1291-1298, table 1, severity 1; on linear
# RGB.
_SEEN: dict[Vision, FloatArray] = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}


def to_oklab(rgb: FloatArray, vision: Vision = "normal") -> FloatArray:
    """Lightness, green to red, and blue to yellow.

    Equal distances look about equally different; 0.02 is about what can be told side by side.

    Parameters
    ----------
    rgb : (..., 3) array of float
        Red, green and blue of sRGB in [0, 1].
    vision : {"normal", "protanopia", "deuteranopia"}
        Whose eyes.

    Returns
    -------
    (..., 3) array of float

    Examples
    --------
    >>> to_oklab(np.array([1.0, 1.0, 1.0])).round(3) + 0.0
    array([1., 0., 0.])
    """
    rgb = np.asarray(rgb, dtype=np.float64)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ _SEEN[vision].T, 0, 1)
    return np.asarray(np.cbrt(seen @ _TO_CONES.T) @ _TO_OKLAB.T)


def from_oklab(lab: FloatArray) -> FloatArray:
    """Red, green and blue in [0, 1], of the same shape; the nearest where sRGB has no such."""
    linear = np.clip((np.asarray(lab) @ _FROM_OKLAB.T) ** 3 @ _FROM_CONES.T, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
