"""A recipe is told by its digest, and comes back from JSON and arrays."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from neuroparcel.brain.atlas import Region, Targets
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.cleaning import Cleaning
from neuroparcel.brain.features import Features
from neuroparcel.errors import ConnectomeError, OptionError
from neuroparcel.io.files import read_arrays, write_arrays
from neuroparcel.io.recipe import Recipe
from neuroparcel.io.recipe_arrays import recipe_from, recipe_to_arrays, recipe_to_json

AFFINE = np.array([[-2.0, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])


def region_on(axis: BrainAxis, name: str = "r") -> Region:
    return Region(name, axis, ("x", "y"), np.resize(["x", "y"], len(axis)))


def targets_on(axis: BrainAxis, n: int = 4) -> Targets:
    names = tuple(f"t{number}" for number in range(n))
    return Targets("some", axis, np.resize([*range(n), -1], len(axis)), names)


def surface(n: int = 9, mesh: int = 20) -> BrainAxis:
    return BrainAxis.from_vertices("fsLR", {"CORTEX_LEFT": np.arange(n)}, {"CORTEX_LEFT": mesh})


def volume(affine: np.ndarray = AFFINE) -> BrainAxis:
    voxel = np.argwhere(np.ones((2, 2, 2)))
    return BrainAxis(
        "MNI152NLin6Asym", ["OTHER"] * 8, [-1] * 8, voxel, {}, affine, volume_shape=(3, 3, 3)
    )


def nodes(*names: str) -> BrainAxis:
    return BrainAxis.from_nodes(names or tuple("abcdefgh"))


def recipe(axis: BrainAxis | None = None) -> Recipe:
    places = surface() if axis is None else axis
    return Recipe(region_on(places.restrict(np.arange(5))), targets_on(places))


BAND = (0.01, 0.1)
OTHER_RECIPES = {
    "vertices": replace(recipe(), region=region_on(surface(4))),
    "order of vertices": replace(recipe(), region=region_on(surface().restrict([1, 0, 2, 3, 4]))),
    "mesh": replace(recipe(), region=region_on(surface(5, mesh=30))),
    "name of the region": replace(recipe(), region=region_on(surface(5), "s")),
    "number of targets": replace(recipe(), targets=targets_on(surface(), 5)),
    "assignment of targets": replace(
        recipe(), targets=replace(recipe().targets, assignment=np.resize([3, 2, 1, 0, -1], 9))
    ),
    "names of targets": replace(recipe(), targets=replace(recipe().targets, names=tuple("abcd"))),
    "binary": replace(recipe(), features=Features("binary")),
    "z-score": replace(recipe(), cleaning=Cleaning(z_score=True)),
    "detrend": replace(recipe(), cleaning=Cleaning(detrend=True)),
    "band": replace(recipe(), cleaning=Cleaning(band_pass=BAND)),
    "other band": replace(recipe(), cleaning=Cleaning(band_pass=(0.01, 0.08))),
    "confounds": replace(recipe(), cleaning=Cleaning(confounds="simple")),
    "other confounds": replace(recipe(), cleaning=Cleaning(confounds="compcor")),
    "censor": replace(recipe(), cleaning=Cleaning(censor=True)),
    "global signal": replace(recipe(), cleaning=Cleaning(global_signal=True)),
    "max dead": replace(recipe(), max_dead=0.2),
    "nodes": recipe(nodes()),
    "volume": recipe(volume()),
    "maps": Recipe(region_on(surface(5)), None, Features("maps"), maps=tuple("abc")),
    "order of maps": Recipe(region_on(surface(5)), None, Features("maps"), maps=tuple("bac")),
}


def test_what_matters_changes_the_digest():
    digests = {"plain": recipe().digest()}
    digests |= {name: other.digest() for name, other in OTHER_RECIPES.items()}
    assert len(set(digests.values())) == len(digests)


def test_the_digest_stays_with_the_numbers():
    """Made twice it is the same; what is done when profiles are used is no part of it."""
    assert recipe().digest() == recipe().digest()
    for features in (Features("correlation", "clip"), Features("fisher-z")):
        assert replace(recipe(), features=features).digest() == recipe().digest()


def test_where_a_volume_lies_changes_the_digest():
    moved = AFFINE.copy()
    moved[0, 3] += 2
    assert recipe(volume(moved)).digest() != recipe(volume()).digest()


def test_the_names_of_nodes_change_the_digest():
    assert recipe(nodes()).digest() != recipe(nodes(*"abcdefgz")).digest()


@pytest.mark.parametrize("name", ["band", "nodes", "volume", "maps", "binary", "confounds"])
def test_a_recipe_comes_back(name, tmp_path):
    given = OTHER_RECIPES[name]
    config = json.loads(json.dumps(recipe_to_json(given)))
    write_arrays(tmp_path / "recipe.safetensors", recipe_to_arrays(given))
    back = recipe_from(config, read_arrays(tmp_path / "recipe.safetensors"))
    assert back.digest() == given.digest()
    assert back.features == given.features
    assert back.cleaning == given.cleaning
    assert back.region.axis == given.region.axis
    assert back.region.labels == given.region.labels
    np.testing.assert_array_equal(back.region.label_of_vertex, given.region.label_of_vertex)
    assert back.feature_names == given.feature_names
    assert back.max_dead == given.max_dead


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"targets": None}, ConnectomeError, "Correlations need targets"),
        ({"features": Features("maps"), "maps": ("a", "b")}, ConnectomeError, "share 2 maps; a"),
        (
            {"features": Features("maps"), "maps": tuple("abc"), "cleaning": Cleaning(censor=True)},
            OptionError,
            r"Maps are used as they are and cannot be cleaned \(censor\)",
        ),
    ],
)
def test_what_makes_no_recipe(change, error, message):
    with pytest.raises(error, match=message):
        replace(recipe(), **change)
