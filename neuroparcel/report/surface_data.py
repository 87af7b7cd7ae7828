"""What the surface view needs beside its library: meshes, sulci, colours and packed maps.

Everything is compressed as far as a browser can open by itself (gzip), and then written in
letters (base64). A map is stored in whole numbers of one byte a vertex: the label, the entropy and
the probability of each network in hundredths, which the eye cannot tell from exact ones.
"""

from __future__ import annotations

import base64
import gzip
import struct
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.errors import FileFormatError
from neuroparcel.io.meshes import Hemisphere, load_mesh, load_sulc
from neuroparcel.plotting.paint import MOST_FADED, PALE
from neuroparcel.plotting.paint import NO_DATA as GREY
from neuroparcel.types import FloatArray, IntArray

STEPS = 100
"""A stored value of 100 is 1."""

UNKNOWN, NO_DATA = 0, 255
"""Stored labels outside the region, and of vertices of the region without data."""

MOST_NETWORKS = NO_DATA - 1
"""As many labels fit into one byte."""

_HEMISPHERES: dict[str, Hemisphere] = {"CORTEX_LEFT": "left", "CORTEX_RIGHT": "right"}
_MZ3, _FACES_AND_VERTICES = 0x5A4D, 3  # magic number and contents of an MZ3 file (Surf Ice)
_PER_MM = 32  # coordinates are rounded to this, which halves what they take
_ENTROPY_COLOURS = "cividis"  # those of the figures of uncertainty
_LEVEL = 6  # of compression: the highest takes four times as long for 3 % less
_APART = 4.0  # millimetres that each hemisphere is moved from the midline
_LIBRARY = "_assets/js/niivue.umd.js"  # in nilearn since 0.14; view_surf(engine="niivue") embeds it


def shown_hemispheres(axis: BrainAxis) -> tuple[str, ...]:
    """Structures that the view shows: those that the region touches."""
    return tuple(structure for structure in _HEMISPHERES if structure in axis.structures)


def packed_map(soft: SoftParcellation) -> str:
    """Labels, entropy and probabilities on the whole meshes, hemisphere after hemisphere.

    Parameters
    ----------
    soft : SoftParcellation
        On the fs_LR 32k cortex, of at most :data:`MOST_NETWORKS` networks.

    Returns
    -------
    str
        Of (hemisphere, 2 + network, mesh vertex) uint8.
    """
    labels = np.where(soft.has_data, soft.labels, np.where(soft.is_known, NO_DATA, UNKNOWN))
    shares = np.column_stack([soft.entropy, soft.probabilities])
    values = np.column_stack([labels, np.rint(STEPS * np.nan_to_num(shares))]).astype(np.uint8)
    meshes = [soft.axis.expand(values.T, s, fill=0) for s in shown_hemispheres(soft.axis)]
    return packed(np.stack(meshes).astype(np.uint8).tobytes())


def surface_data(population: SoftParcellation) -> dict[str, Any]:
    """Everything but the maps and the library, as plain JSON values."""
    structures = shown_hemispheres(population.axis)
    return {
        "hemispheres": [_hemisphere(structure) for structure in structures],
        "networks": population.networks,
        "colours": [_bytes(colour[:3]) for colour in population.colours],
        "entropyColours": _entropy_colours(),
        "steps": STEPS,
        "noData": NO_DATA,
        "noDataColour": _bytes(GREY),
        "pale": _bytes(PALE),
        "mostFaded": MOST_FADED,
        "view": best_view(population.axis),
    }


def best_view(axis: BrainAxis) -> str:
    """Where the camera stands first: on the region's side of one hemisphere, else on the left."""
    structures = shown_hemispheres(axis)
    if len(structures) > 1:
        return "left"
    (hemisphere,) = (_HEMISPHERES[structure] for structure in structures)
    across = load_mesh("inflated", hemisphere)[0][:, 0]
    towards_right = across[axis.vertex].mean() > (across.min() + across.max()) / 2
    return "right" if towards_right else "left"


def packed(content: bytes) -> str:
    """Bytes as compressed letters, the same each time."""
    return base64.b64encode(gzip.compress(content, _LEVEL, mtime=0)).decode("ascii")


@cache
def packed_library() -> str:
    """The niivue library that nilearn puts into its own surface views, compressed.

    Raises
    ------
    FileFormatError
        If this nilearn has none.
    """
    spec = find_spec("nilearn")
    assert spec is not None  # a dependency
    assert spec.origin is not None
    path = Path(spec.origin).parent / _LIBRARY
    if not path.is_file():
        raise FileFormatError(
            f"nilearn {version('nilearn')} holds no {_LIBRARY}, which the surface view needs.",
            "Install nilearn 0.14.",
        )
    return packed(path.read_bytes())


@cache
def _hemisphere(structure: str) -> dict[str, str]:
    name = _HEMISPHERES[structure]
    coordinates, faces = load_mesh("inflated", name)
    sideways = np.array([-_APART if name == "left" else _APART, 0, 0])
    return {
        "name": name,
        "mesh": packed(_mz3(coordinates + sideways, faces)),
        "sulci": packed(_sulci(name).tobytes()),
    }


def _mz3(coordinates: FloatArray, faces: IntArray) -> bytes:
    """A mesh as niivue reads it: counts, corners of the triangles, coordinates."""
    head = struct.pack("<HHIII", _MZ3, _FACES_AND_VERTICES, len(faces), len(coordinates), 0)
    rounded = np.rint(coordinates * _PER_MM) / _PER_MM
    return head + faces.astype("<i4").tobytes() + rounded.astype("<f4").tobytes()


def _sulci(hemisphere: Hemisphere) -> IntArray:
    """0 on gyri to 255 in sulci, as the figures shade them, (mesh vertex,) uint8."""
    depth = load_sulc(hemisphere)
    share = 1 / (1 + np.exp(-8 * depth / np.abs(depth).max()))
    return np.rint(255 * share).astype(np.uint8)


def _entropy_colours() -> list[list[int]]:
    from matplotlib import colormaps

    steps = colormaps[_ENTROPY_COLOURS](np.linspace(0, 1, STEPS + 1))[:, :3]
    return [_bytes(colour) for colour in steps]


def _bytes(colour: Sequence[float] | FloatArray) -> list[int]:
    """Red, green and blue in [0, 1] as whole numbers to 255."""
    return [round(255 * float(part)) for part in colour]
