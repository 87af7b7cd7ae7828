"""A brain axis as JSON and named arrays, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neuroparcel.brain.axis import BrainAxis


def axis_to_json(axis: BrainAxis) -> dict[str, Any]:
    """What of an axis fits into JSON: names and sizes."""
    return {
        "space": axis.space,
        "structures": sorted(axis.structures),
        "mesh_size": dict(axis.mesh_size),
        "volume_shape": list(axis.volume_shape) if axis.volume_shape else None,
        "nodes": list(axis.nodes),
    }


def axis_to_arrays(prefix: str, axis: BrainAxis) -> dict[str, np.ndarray]:
    """What of an axis is arrays, each name with a prefix and a slash before it."""
    names = sorted(axis.structures)
    arrays = {
        f"{prefix}/structure": np.searchsorted(names, axis.structure).astype(np.int32),
        f"{prefix}/vertex": np.asarray(axis.vertex),
        f"{prefix}/voxel": np.asarray(axis.voxel),
    }
    if axis.affine is not None:
        arrays[f"{prefix}/affine"] = np.asarray(axis.affine)
    return arrays


def axis_from(
    prefix: str, config: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> BrainAxis:
    """The axis that :func:`axis_to_json` and :func:`axis_to_arrays` took apart."""
    names = np.asarray(config["structures"], dtype=np.str_)
    return BrainAxis(
        space=config["space"],
        structure=names[arrays[f"{prefix}/structure"]],
        vertex=arrays[f"{prefix}/vertex"],
        voxel=arrays[f"{prefix}/voxel"],
        mesh_size=config["mesh_size"],
        affine=arrays.get(f"{prefix}/affine"),
        volume_shape=tuple(config["volume_shape"]) if config["volume_shape"] else None,
        nodes=tuple(config.get("nodes", ())),
    )
