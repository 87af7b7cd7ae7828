"""A trained model on disk: all that new subjects need, as tensors and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from neuroparcel.brain.atlas import Region
from neuroparcel.brain.reduction import Reduction
from neuroparcel.errors import CheckpointError
from neuroparcel.families.adavi import Adavi
from neuroparcel.graph.template import analyse
from neuroparcel.inference.checkpoints import load_tensors, load_weights, save_tensors
from neuroparcel.inference.posterior import AmortizedPosterior
from neuroparcel.io.files import read_arrays, write_arrays, write_json
from neuroparcel.io.recipe import Recipe
from neuroparcel.io.recipe_arrays import recipe_from, recipe_to_arrays, recipe_to_json
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.nets.hierarchical_encoder import Encoding
from neuroparcel.versions import versions

_CONFIG, _ARRAYS, _WEIGHTS = "model.json", "anatomy.safetensors", "weights.safetensors"
_FORMAT = 3


@dataclass(frozen=True, eq=False)
class SavedModel:
    """A fit, without its cohort.

    Attributes
    ----------
    recipe : Recipe
        How profiles are made, for new subjects: region, targets, features and cleaning.
    reduction : Reduction
    posterior : AmortizedPosterior
    population : Encoding
        What the training cohort said of the population.
    anchors : ndarray, shape (network, component)
        Its k-means centres, that the networks are numbered by.
    settings : mapping
        What else new subjects are treated by (``sessions``); plain JSON.

    Raises
    ------
    CheckpointError
        If the recipe makes profiles of another length than the reduction takes.
    """

    recipe: Recipe
    reduction: Reduction
    posterior: AmortizedPosterior
    population: Encoding
    anchors: np.ndarray
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
            **recipe_to_arrays(self.recipe),
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
            "recipe": recipe_to_json(self.recipe),
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
        recipe=recipe_from(config["recipe"], arrays),
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
