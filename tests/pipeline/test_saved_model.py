"""A model that went through files knows its anatomy and gives the same posterior."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from neuroparcel.brain.atlas import Region, Targets
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.cleaning import Cleaning
from neuroparcel.brain.features import Features
from neuroparcel.brain.identity import Identity
from neuroparcel.brain.reduction import Reduction
from neuroparcel.errors import CheckpointError
from neuroparcel.families.adavi import Adavi, AdaviConfig
from neuroparcel.graph.template import analyse
from neuroparcel.inference.posterior import AmortizedPosterior
from neuroparcel.io.recipe import Recipe
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.nets.flows import FlowConfig
from neuroparcel.nets.hierarchical_encoder import EncoderConfig, Encoding
from neuroparcel.parcellation.networks import AmortizedNetworks
from neuroparcel.pipeline.saved_model import SavedModel, load_model

N_FEATURES = 5

NODES = BrainAxis.from_nodes([f"parcel {n}" for n in range(6)])
VOXELS = BrainAxis(
    "MNI152NLin6Asym",
    np.full(3, "OTHER"),
    np.full(3, -1),
    np.array([[1, 0, 2], [0, 0, 0], [2, 2, 1]]),
    {},
    np.diag([2.0, 2, 2, 1]),
    (3, 3, 3),
)
FSAVERAGE = BrainAxis.from_vertices("fsaverage", {"CORTEX_LEFT": [7, 3]}, {"CORTEX_LEFT": 10242})


def make_region(axis: BrainAxis) -> Region:
    return Region("part", axis, ("a", "b"), np.array((["a", "b"] * len(axis))[: len(axis)]))


def correlations(axis: BrainAxis) -> Recipe:
    """Features are correlations with single nodes."""
    targets = Targets("nodes", NODES, np.arange(6) - 1, tuple("vwxyz"))
    cleaning = Cleaning(detrend=True, band_pass=(0.01, 0.1))
    return Recipe(make_region(axis), targets, Features("fisher-z", "clip"), cleaning, max_dead=0.2)


def maps(axis: BrainAxis) -> Recipe:
    """Features are maps of the files; there are no targets."""
    return Recipe(make_region(axis), None, Features("maps"), maps=tuple("vwxyz"))


def make_model(recipe: Recipe) -> SavedModel:
    """An untrained model of two networks in three components."""
    components = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 3)))[0].T
    reduction = Reduction("ilr", np.zeros(4), components, np.ones(3), np.full(3, 0.3), np.eye(3))
    template = analyse(MSHBM(torch.eye(3), 2, (-4.0, 1.0), 3.0))
    config = AdaviConfig(EncoderConfig(size=8), FlowConfig())
    anchors = torch.eye(2, 3)
    torch.manual_seed(0)
    family = Adavi(template.graph, config, anchors).eval()
    population = Encoding(torch.randn(1, 4), torch.randn(1, 8))
    posterior = AmortizedPosterior(template, family)
    settings = {"sessions": "run", "more": {"of": [1, None]}}
    networks = AmortizedNetworks(posterior, population)
    colours = ((0.1, 0.2, 0.3, 1.0), (0.4, 0.5, 0.6, 1.0))
    named = Identity(("DefaultA", "Unmatched1"), colours, "yeo17", "overlap", (0.7, None))
    return SavedModel(recipe, reduction, networks, None, anchors.numpy(), named, settings)


@pytest.mark.parametrize(
    ("axis", "make_recipe"),
    [
        (NODES, maps),
        (NODES.restrict([4, 1]), correlations),
        (VOXELS, maps),
        (FSAVERAGE, correlations),
    ],
    ids=["nodes", "some nodes", "voxels", "vertices"],
)
def test_a_model_comes_back(tmp_path, axis, make_recipe):
    model = make_model(make_recipe(axis))
    model.save(tmp_path / "model")
    again = load_model(tmp_path)
    assert again.region.axis == axis
    assert again.region.axis.nodes == axis.nodes
    np.testing.assert_array_equal(again.region.label_of_vertex, model.region.label_of_vertex)
    assert again.recipe.digest() == model.recipe.digest()
    assert again.recipe.features == model.recipe.features
    assert (again.recipe.targets is None) == (make_recipe is maps)
    assert again.feature_names == tuple("vwxyz")
    assert again.settings == model.settings
    assert again.n_networks == 2
    assert again.identity == model.identity
    np.testing.assert_array_equal(again.anchors, model.anchors)
    weights = again.networks.posterior.family.state_dict()
    for name, weight in model.networks.posterior.family.state_dict().items():
        torch.testing.assert_close(weights[name], weight, rtol=0, atol=0)
    assert again.model.log_scale_range == model.model.log_scale_range


def test_a_recipe_of_another_length_is_refused():
    model = make_model(maps(NODES))
    with pytest.raises(CheckpointError, match="4 features does not belong to a reduction of 5"):
        replace(model, recipe=replace(model.recipe, maps=tuple("vwxy")))


def test_models_of_another_format_are_refused(tmp_path):
    config, *_ = make_model(maps(NODES)).save(tmp_path)
    text = config.read_text()
    config.write_text(text.replace('"format": 6', '"format": 2'))
    with pytest.raises(CheckpointError, match=r"has the format 2; this version reads 6"):
        load_model(tmp_path)
    config.write_text(text[:50])
    with pytest.raises(CheckpointError, match="is damaged"):
        load_model(tmp_path)
    config.unlink()
    with pytest.raises(CheckpointError, match="no saved model at"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda config: {"format": config["format"]}, r"model\.json is damaged \(no 'recipe'\)"),
        (lambda config: {**config, "recipe": 5}, r"model\.json is damaged \("),
        (lambda config: {**config, "family": []}, r"model\.json is damaged \("),
        (
            lambda config: {**config, "model": {}},
            r"model\.json is damaged \(no 'log_scale_range'\)",
        ),
        (lambda config: {**config, "identity": None}, r"model\.json is damaged \("),
        (lambda config: [config], r"model\.json is damaged \(it is no JSON object\)"),
    ],
    ids=["only the format", "recipe", "family", "model", "identity", "a list"],
)
def test_models_that_lack_something_are_refused(tmp_path, change, said):
    config, *_ = make_model(maps(NODES)).save(tmp_path)
    config.write_text(json.dumps(change(json.loads(config.read_text()))))
    with pytest.raises(CheckpointError, match=said) as raised:
        load_model(tmp_path)
    assert raised.value.tip == "Put it back, or fit again."


def test_a_model_without_its_arrays_is_refused(tmp_path):
    _, arrays, _ = make_model(maps(NODES)).save(tmp_path)
    arrays.unlink()
    with pytest.raises(CheckpointError, match=r"anatomy\.safetensors does not exist.*Put it back"):
        load_model(tmp_path)
