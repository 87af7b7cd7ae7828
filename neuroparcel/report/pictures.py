"""Pictures as text inside a page, no larger than they need to be."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from neuroparcel.report.section import Picture
from neuroparcel.types import IntArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image

WIDEST = 1800
"""Pixels of a figure: twice the width of the page, for screens with fine pixels."""

_DPI = 160
_QUALITY = 84  # of WebP: lines of 1 pixel stay clean
_MAP_QUALITY = 80


def from_figure(figure: Figure, alt: str, caption: str = "") -> Picture:
    """A matplotlib figure as a picture."""
    from PIL import Image

    drawn = BytesIO()
    figure.savefig(drawn, format="png", dpi=_DPI)
    return _picture(Image.open(drawn), _QUALITY, alt, caption)


def from_file(path: Path, alt: str, caption: str = "") -> Picture:
    """A picture file, made smaller where it is wider than :data:`WIDEST`.

    Raises
    ------
    OSError
        If the file is no picture.
    """
    from PIL import Image

    with Image.open(path) as image:
        return _picture(image, _QUALITY, alt, caption)


def from_pixels(pixels: IntArray, alt: str, caption: str = "") -> Picture:
    """Pixels as a picture.

    Parameters
    ----------
    pixels : (row, column, 3) array of uint8
        Red, green and blue.
    alt, caption : str
        See :class:`~neuroparcel.report.section.Picture`.
    """
    from PIL import Image

    return _picture(Image.fromarray(pixels), _MAP_QUALITY, alt, caption)


def _picture(image: Image, quality: int, alt: str, caption: str) -> Picture:
    shown = image.convert("RGB")
    if shown.width > WIDEST:
        shown = shown.resize((WIDEST, round(shown.height * WIDEST / shown.width)))
    encoded = BytesIO()
    shown.save(encoded, format="WEBP", quality=quality, method=4)
    text = base64.b64encode(encoded.getvalue()).decode("ascii")
    return Picture(f"data:image/webp;base64,{text}", shown.width, shown.height, alt, caption)
