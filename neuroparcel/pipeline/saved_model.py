"""A trained model on disk: all that new subjects need, as tensors and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from neuroparcel.brain.atlas import Region, Targets
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.reduction import Reduction
from neuroparcel.errors import CheckpointError
from neuroparcel.families.adavi import Adavi
from neuroparcel.graph.template import analyse
from neuroparcel.inference.checkpoints import load_tensors, load_weights, save_tensors
from neuroparcel.inference.posterior import AmortizedPosterior
from neuroparcel.io.files import read_arrays, write_arrays, write_json
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.nets.hierarchical_encoder import Encoding
from neuroparcel.versions import versions

_CONFIG, _ARRAYS, _WEIGHTS = "model.json", "anatomy.safetensors", "weights.safetensors"
_FORMAT = 2


@dataclass(frozen=True, eq=False)
class SavedModel:
    """A fit, without its cohort.

    Attributes
    ----------
    region : Region
    targets : Targets
    reduction : Reduction
    posterior : AmortizedPosterior
    population : Encoding
        What the training cohort said of the population.
    anchors : ndarray, shape (network, component)
        Its k-means centres, that the networks are numbered by.
    settings : mapping
        How profiles were made (``positive``, ``sessions``), for new subjects.
    """

    region: Region
    targets: Targets
    reduction: Reduction
    posterior: AmortizedPosterior
    population: Encoding
    anchors: np.ndarray
    settings: Mapping[str, Any]

    @property
    def n_networks(self) -> int:
        """Number of networks."""
        return int(self.posterior.template.graph.site("mixture_weights").event_shape[0])

    @property
    def model(self) -> MSHBM:
        """The MS-HBM, with its hyper-parameters."""
        return cast(MSHBM, self.posterior.template.model)

    @property
    def family(self) -> Adavi:
        """The trained variational family."""
        return cast(Adavi, self.posterior.family)

    def save(self, folder: Path) -> list[Path]:
        """Write the model into a folder; returns the files."""
        arrays = {
            **_axis_arrays("region", self.region.axis),
            **_axis_arrays("targets", self.targets.axis),
            "targets/assignment": np.asarray(self.targets.assignment),
            "anchors": np.asarray(self.anchors),
            **{f"reduction/{k}": v for k, v in self.reduction.to_arrays().items()},
        }
        config = {
            "format": _FORMAT,
            "n_networks": self.n_networks,
            "versions": versions(),
            "model": {
                "log_scale_range": list(self.model.log_scale_range),
                "concentration": self.model.concentration,
            },
            "family": self.family.settings(),
            "link": self.reduction.link,
            "settings": dict(self.settings),
            "region": {
                "name": self.region.name,
                "labels": list(self.region.labels),
                "label_of_vertex": [str(name) for name in self.region.label_of_vertex],
                "axis": _axis_json(self.region.axis),
            },
            "targets": {
                "name": self.targets.name,
                "names": list(self.targets.names),
                "axis": _axis_json(self.targets.axis),
            },
        }
        weights = {f"family/{k}": v for k, v in self.posterior.family.state_dict().items()}
        weights["population/summary"] = self.population.summary
        weights["population/embedding"] = self.population.embedding
        save_tensors(folder / _WEIGHTS, weights, {"format": _FORMAT})
        write_arrays(folder / _ARRAYS, arrays)
        write_json(folder / _CONFIG, config)
        return [folder / _CONFIG, folder / _ARRAYS, folder / _WEIGHTS]


def load_model(path: Path, device: torch.device | str = "cpu") -> SavedModel:
    """Read a model that :meth:`SavedModel.save` wrote.

    Parameters
    ----------
    path : Path
        Its folder, or the results folder that has it as ``model``.
    device : torch.device or str

    Raises
    ------
    CheckpointError
        If a file is missing, damaged, or of another format.
    """
    folder = path if (path / _CONFIG).is_file() else path / "model"
    config = _read_config(folder / _CONFIG)
    tensors, _ = load_tensors(folder / _WEIGHTS)
    arrays = read_arrays(folder / _ARRAYS)
    reduction = Reduction.from_arrays(config["link"], _below("reduction/", arrays))
    covariance = torch.as_tensor(reduction.prior_covariance, dtype=torch.float32, device=device)
    low, high = config["model"]["log_scale_range"]
    model = MSHBM(covariance, config["n_networks"], (low, high), config["model"]["concentration"])
    template = analyse(model)
    family = Adavi.from_settings(template.graph, config["family"])
    load_weights(family, _below("family/", tensors), folder / _WEIGHTS)
    population = _below("population/", tensors)
    return SavedModel(
        region=Region(
            config["region"]["name"],
            _axis("region", config["region"]["axis"], arrays),
            tuple(config["region"]["labels"]),
            np.asarray(config["region"]["label_of_vertex"]),
        ),
        targets=Targets(
            config["targets"]["name"],
            _axis("targets", config["targets"]["axis"], arrays),
            arrays["targets/assignment"],
            tuple(config["targets"]["names"]),
        ),
        reduction=reduction,
        posterior=AmortizedPosterior(template, family.to(device).eval()),
        population=Encoding(population["summary"].to(device), population["embedding"].to(device)),
        anchors=arrays["anchors"],
        settings=config["settings"],
    )


def _read_config(path: Path) -> dict[str, Any]:
    tip = "Give the results folder of neuroparcel fit, or its folder model."
    if not path.is_file():
        raise CheckpointError(f"no saved model at {path.parent}.", tip)
    try:
        config = dict(json.loads(path.read_text(encoding="utf-8")))
    except json.JSONDecodeError as error:
        raise CheckpointError(f"{path} is damaged ({error}).", tip) from error
    if config.get("format") != _FORMAT:
        raise CheckpointError(
            f"{path} has the format {config.get('format')}; this version reads {_FORMAT}.",
            "Fit again, or use the version of neuroparcel that wrote it.",
        )
    return config


def _below(prefix: str, named: Mapping[str, Any]) -> dict[str, Any]:
    return {k.removeprefix(prefix): v for k, v in named.items() if k.startswith(prefix)}


def _axis_json(axis: BrainAxis) -> dict[str, Any]:
    names = sorted({str(name) for name in axis.structure})
    return {
        "space": axis.space,
        "structures": names,
        "mesh_size": dict(axis.mesh_size),
        "volume_shape": list(axis.volume_shape) if axis.volume_shape else None,
    }


def _axis_arrays(prefix: str, axis: BrainAxis) -> dict[str, np.ndarray]:
    names = sorted({str(name) for name in axis.structure})
    arrays = {
        f"{prefix}/structure": np.searchsorted(names, axis.structure.astype(str)).astype(np.int32),
        f"{prefix}/vertex": np.asarray(axis.vertex),
        f"{prefix}/voxel": np.asarray(axis.voxel),
    }
    if axis.affine is not None:
        arrays[f"{prefix}/affine"] = np.asarray(axis.affine)
    return arrays


def _axis(prefix: str, config: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> BrainAxis:
    names = np.asarray(config["structures"])
    return BrainAxis(
        space=config["space"],
        structure=names[arrays[f"{prefix}/structure"]],
        vertex=arrays[f"{prefix}/vertex"],
        voxel=arrays[f"{prefix}/voxel"],
        mesh_size=config["mesh_size"],
        affine=arrays.get(f"{prefix}/affine"),
        volume_shape=tuple(config["volume_shape"]) if config["volume_shape"] else None,
    )
