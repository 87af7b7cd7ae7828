"""A recipe as JSON and named arrays, and back: what a store and a saved model keep of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from neuroparcel.brain.atlas import Region, Targets
from neuroparcel.brain.cleaning import Cleaning
from neuroparcel.brain.features import Features
from neuroparcel.io.axis_arrays import axis_from, axis_to_arrays, axis_to_json
from neuroparcel.io.recipe import Recipe


def recipe_to_json(recipe: Recipe) -> dict[str, Any]:
    """What of a recipe fits into JSON; :meth:`Recipe.to_json` is for digests and lacks names."""
    region, targets = recipe.region, recipe.targets
    return {
        "region": {
            "name": region.name,
            "labels": list(region.labels),
            "label_of_vertex": [str(name) for name in region.label_of_vertex],
            "axis": axis_to_json(region.axis),
        },
        "targets": None
        if targets is None
        else {
            "name": targets.name,
            "names": list(targets.names),
            "axis": axis_to_json(targets.axis),
        },
        "features": asdict(recipe.features),
        "cleaning": asdict(recipe.cleaning),
        "maps": list(recipe.maps),
        "max_dead": recipe.max_dead,
    }


def recipe_to_arrays(recipe: Recipe) -> dict[str, np.ndarray]:
    """What of a recipe is arrays."""
    arrays = axis_to_arrays("region", recipe.region.axis)
    if recipe.targets is not None:
        arrays |= axis_to_arrays("targets", recipe.targets.axis)
        arrays["targets/assignment"] = np.asarray(recipe.targets.assignment)
    return arrays


def recipe_from(config: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Recipe:
    """The recipe that :func:`recipe_to_json` and :func:`recipe_to_arrays` took apart."""
    region, targets, cleaning = config["region"], config["targets"], dict(config["cleaning"])
    if cleaning["band_pass"] is not None:
        cleaning["band_pass"] = tuple(cleaning["band_pass"])
    return Recipe(
        region=Region(
            region["name"],
            axis_from("region", region["axis"], arrays),
            tuple(region["labels"]),
            np.asarray(region["label_of_vertex"]),
        ),
        targets=None
        if targets is None
        else Targets(
            targets["name"],
            axis_from("targets", targets["axis"], arrays),
            arrays["targets/assignment"],
            tuple(targets["names"]),
        ),
        features=Features(**config["features"]),
        cleaning=Cleaning(**cleaning),
        maps=tuple(config["maps"]),
        max_dead=config["max_dead"],
    )
