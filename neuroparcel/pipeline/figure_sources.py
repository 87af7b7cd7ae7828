"""What figures of networks are drawn from: their profiles, and where the targets lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuroparcel.brain.atlas import Targets
from neuroparcel.io.files import parsing, read_arrays
from neuroparcel.io.meshes import load_cortex_axis
from neuroparcel.io.network_profiles import NETWORKS_FILE, read_network_profiles
from neuroparcel.io.recipe_arrays import recipe_from
from neuroparcel.pipeline.model_file import (
    ANATOMY_FILE,
    CONFIG_FILE,
    MODEL_TIP,
    find_model,
    read_config,
)
from neuroparcel.types import FloatArray


@dataclass(frozen=True, eq=False)
class RunNetworks:
    """The population's networks of a run.

    Parameters
    ----------
    names : tuple of str
        Of the targets, or maps.
    profiles : (network, target) array of float64
    targets : Targets, optional
        Where they lie; None for maps, or if the run's model is not there any more.
    why_nowhere : str
        Why the targets cannot be drawn on the surface; empty if they can.
    """

    names: tuple[str, ...]
    profiles: FloatArray
    targets: Targets | None
    why_nowhere: str = ""


def read_networks(results: Path, options: Mapping[str, Any]) -> RunNetworks | None:
    """The networks that a run has left behind; None if it has no file of them.

    Parameters
    ----------
    results : Path
        Of the run.
    options : mapping
        Of the run: ``infer`` names there the model that it used.

    Raises
    ------
    FileFormatError
        If a file is damaged.
    """
    if not (results / NETWORKS_FILE).is_file():
        return None
    names, profiles = read_network_profiles(results)
    if options.get("features") == "maps":
        return RunNetworks(names, profiles, None, "maps have no place on the surface")
    targets = _read_targets(results, options)
    return RunNetworks(names, profiles, targets, _why_nowhere(targets))


def _read_targets(results: Path, options: Mapping[str, Any]) -> Targets | None:
    folder = find_model(results, options)
    if folder is None:
        return None
    config = read_config(folder)
    with parsing(folder / CONFIG_FILE, MODEL_TIP):
        return recipe_from(config["recipe"], read_arrays(folder / ANATOMY_FILE)).targets


def _why_nowhere(targets: Targets | None) -> str:
    if targets is None:
        return "the model that says where the targets lie is gone, or its features are maps"
    axis, cortex = targets.axis, load_cortex_axis()
    if axis.is_nodes:
        return "the targets are nodes, which have no place"
    if axis.mesh_size.items() <= cortex.mesh_size.items() and axis.is_surface.any():
        return ""
    return "the targets do not lie on the fs_LR 32k cortex"
