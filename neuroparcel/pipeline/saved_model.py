"""A trained model on disk: all that new subjects need, as tensors and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neuroparcel.brain.atlas import Region
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.identity import Identity
from neuroparcel.brain.reduction import Reduction
from neuroparcel.errors import CheckpointError
from neuroparcel.inference.checkpoints import load_tensors, save_tensors
from neuroparcel.io.files import parsing, read_arrays, write_arrays, write_json
from neuroparcel.io.neighbours import load_neighbours
from neuroparcel.io.recipe import Recipe
from neuroparcel.io.recipe_arrays import recipe_from, recipe_to_arrays, recipe_to_json
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.parcellation.label_model import LabelModel
from neuroparcel.parcellation.networks import TrainedNetworks, under
from neuroparcel.pipeline.devices import device_for
from neuroparcel.pipeline.families import saved_family
from neuroparcel.pipeline.model_file import ANATOMY_FILE, CONFIG_FILE, read_config
from neuroparcel.versions import versions

_WEIGHTS = "weights.safetensors"
_TIP = "Put it back, or fit again."
_FORMAT = 6


@dataclass(frozen=True, eq=False)
class SavedModel:
    """A fit, without its cohort.

    Attributes
    ----------
    recipe : Recipe
        How profiles are made, for new subjects: region, targets, features and cleaning.
    reduction : Reduction
    networks : TrainedNetworks
        What the training cohort said of them.
    labels : LabelModel, optional
        How evidence becomes labels; by default as in the paper.
    anchors : ndarray, shape (network, component)
        Its k-means centres, that the networks are numbered by.
    identity : Identity
        What the networks are called, and their colours.
    settings : mapping
        What else new subjects are treated by (``sessions``); plain JSON.

    Raises
    ------
    CheckpointError
        If the recipe makes profiles of another length than the reduction takes.
    """

    recipe: Recipe
    reduction: Reduction
    networks: TrainedNetworks
    labels: LabelModel | None
    anchors: np.ndarray
    identity: Identity
    settings: Mapping[str, Any]

    def __post_init__(self) -> None:
        n_features = len(self.recipe.feature_names)
        if n_features != self.reduction.n_targets:
            raise CheckpointError(
                f"A recipe of {n_features} features does not belong to a reduction of "
                f"{self.reduction.n_targets}."
            )

    @property
    def region(self) -> Region:
        """The region whose networks these are."""
        return self.recipe.region

    @property
    def feature_names(self) -> tuple[str, ...]:
        """What each value of a profile belongs to: targets, or maps."""
        return self.recipe.feature_names

    @property
    def n_networks(self) -> int:
        """Number of networks."""
        return self.model.n_networks

    @property
    def model(self) -> MSHBM:
        """The MS-HBM, with its hyper-parameters."""
        return self.networks.model

    def save(self, folder: Path) -> list[Path]:
        """Write the model into a folder; returns the files."""
        arrays = {
            **recipe_to_arrays(self.recipe),
            "anchors": np.asarray(self.anchors),
            **{f"reduction/{k}": v for k, v in self.reduction.to_arrays().items()},
        }
        config = {
            "format": _FORMAT,
            "n_networks": self.n_networks,
            "identity": self.identity.to_json(),
            "versions": versions(),
            "model": _model_settings(self.model),
            "family": {"name": self.networks.name, **self.networks.settings()},
            "labels": None if self.labels is None else self.labels.settings(),
            "link": self.reduction.link,
            "settings": dict(self.settings),
            "recipe": recipe_to_json(self.recipe),
        }
        weights = self.networks.to_tensors()
        if self.labels is not None:
            weights["labels/prior"] = self.labels.prior
        weights["model/population_covariance"] = self.model.population_covariance
        save_tensors(folder / _WEIGHTS, weights, {"format": _FORMAT})
        write_arrays(folder / ANATOMY_FILE, arrays)
        write_json(folder / CONFIG_FILE, config)
        return [folder / CONFIG_FILE, folder / ANATOMY_FILE, folder / _WEIGHTS]


def load_model(path: Path, device: str = "cpu") -> SavedModel:
    """Read a model that :meth:`SavedModel.save` wrote.

    Parameters
    ----------
    path : Path
        Its folder, or the results folder that has it as ``model``.
    device : str
        ``auto`` or the name of a device, see :func:`~neuroparcel.pipeline.devices.device_for`.

    Raises
    ------
    CheckpointError
        If a file is missing, damaged, or of another format.
    OptionError
        If the device is not there, or not for this model.
    """
    folder = path if (path / CONFIG_FILE).is_file() else path / "model"
    config = _read_config(folder)
    tensors, _ = load_tensors(folder / _WEIGHTS)
    with parsing(folder / CONFIG_FILE, _TIP, CheckpointError):
        arrays = read_arrays(folder / ANATOMY_FILE)
        recipe = recipe_from(config["recipe"], arrays)
        reduction = Reduction.from_arrays(config["link"], under("reduction", arrays))
        identity = Identity.from_json(config["identity"])
        family = saved_family(config["family"].pop("name"))
    chosen = device_for(family.name, device)
    with parsing(folder / CONFIG_FILE, _TIP, CheckpointError):
        model = _model(config, tensors, chosen)
        labels = _labels(config["labels"], tensors, recipe.region.axis, chosen)
        load = family.networks.from_saved
        return SavedModel(
            recipe=recipe,
            reduction=reduction,
            networks=load(model, labels, config["family"], tensors, folder / _WEIGHTS),
            labels=labels,
            anchors=arrays["anchors"],
            identity=identity,
            settings=config["settings"],
        )


def _model(config: Mapping[str, Any], tensors: Mapping[str, Tensor], device: torch.device) -> MSHBM:
    covariance = tensors["model/population_covariance"].to(device)
    return MSHBM(covariance, config["n_networks"], **_as_arguments(config["model"]))


def _labels(
    settings: Mapping[str, Any] | None,
    tensors: Mapping[str, Tensor],
    axis: BrainAxis,
    device: torch.device,
) -> LabelModel | None:
    if settings is None:
        return None
    neighbours = load_neighbours(axis) if settings["smoothness"] else None
    return LabelModel(tensors["labels/prior"].to(device), neighbours=neighbours, **settings)


def _model_settings(model: MSHBM) -> dict[str, Any]:
    return {
        "log_scale_range": list(model.log_scale_range),
        "concentration": model.concentration,
        "levels": list(model.levels),
        "emission": model.emission,
        "kappa": model.kappa,
    }


def _as_arguments(settings: Mapping[str, Any]) -> dict[str, Any]:
    lists = {key: tuple(settings[key]) for key in ("log_scale_range", "levels")}
    return {**settings, **lists}


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG_FILE
    if not path.is_file():
        tip = "Give the results folder of neuroparcel fit, or its folder model."
        raise CheckpointError(f"no saved model at {folder}.", tip)
    config = read_config(folder, _TIP, CheckpointError)
    if config.get("format") != _FORMAT:
        raise CheckpointError(
            f"{path} has the format {config.get('format')}; this version reads {_FORMAT}.",
            "Fit again, or use the version of neuroparcel that wrote it.",
        )
    return config
