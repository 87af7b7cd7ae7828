"""The HCP S1200 group surfaces on fs_LR 32k, and the cortex within them."""

from __future__ import annotations

from functools import cache
from typing import Literal, get_args

import numpy as np

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import OptionError
from neuroparcel.io.registry import hcp_file
from neuroparcel.types import FloatArray, IntArray

Hemisphere = Literal["left", "right"]
MeshKind = Literal["inflated", "very_inflated", "midthickness", "sphere"]

SPACE = "fsLR"


@cache
def load_cortex_axis() -> BrainAxis:
    """The 59,412 vertices of fs_LR 32k outside the medial wall, left before right."""
    with np.load(hcp_file("fMRI_vertex_info_32k.npz")) as info:
        vertices = {"CORTEX_LEFT": info["grayl"], "CORTEX_RIGHT": info["grayr"]}
        sizes = {"CORTEX_LEFT": int(info["num_meshl"]), "CORTEX_RIGHT": int(info["num_meshr"])}
    return BrainAxis.from_vertices(SPACE, vertices, sizes)


def load_mesh(kind: MeshKind, hemisphere: Hemisphere) -> tuple[FloatArray, IntArray]:
    """Load a surface of the S1200 group average.

    Parameters
    ----------
    kind : {"inflated", "very_inflated", "midthickness", "sphere"}
        Which surface.
    hemisphere : {"left", "right"}
        Which side.

    Returns
    -------
    coordinates : (mesh vertex, 3) array of float32
        In millimetres.
    faces : (face, 3) array of int32
        Corners of the triangles.

    Raises
    ------
    OptionError
        If the kind or hemisphere is unknown.
    """
    import nibabel as nib

    _check("surface", kind, get_args(MeshKind))
    _check("hemisphere", hemisphere, get_args(Hemisphere))
    registration = "" if kind == "sphere" else "_MSMAll"
    side = hemisphere[0].upper()
    image = nib.load(hcp_file(f"S1200.{side}.{kind}{registration}.32k_fs_LR.surf.gii"))
    coordinates, faces = image.agg_data(("pointset", "triangle"))
    return coordinates, faces


def load_sulc(hemisphere: Hemisphere) -> FloatArray:
    """Load the group average sulcal depth.

    Parameters
    ----------
    hemisphere : {"left", "right"}
        Which side.

    Returns
    -------
    (mesh vertex,) array of float32
        Positive in sulci, negative on gyri, as FreeSurfer has it (the HCP file has the
        opposite sign); 0 on the medial wall.
    """
    _check("hemisphere", hemisphere, get_args(Hemisphere))
    from neuroparcel.io.formats.cifti import read_cifti  # which needs the cortex from here

    height = read_cifti(hcp_file("S1200.sulc_MSMAll.32k_fs_LR.dscalar.nii"))
    return height.axis.expand(-height.read()[:, 0], f"CORTEX_{hemisphere.upper()}", fill=0)


def _check(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise OptionError(f"Unknown {what} {value!r}.", f"Use one of {', '.join(known)}.")
