"""Networks and labels of a cohort by each family, and their way through files."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.features import Features
from neuroparcel.brain.identity import Identity
from neuroparcel.brain.reduction import Reduction
from neuroparcel.errors import OptionError
from neuroparcel.graph import Observation
from neuroparcel.inference.data import Fixed
from neuroparcel.inference.trainer import TrainingLimits
from neuroparcel.io.neighbours import load_neighbours
from neuroparcel.io.recipe import Recipe
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.parcellation.agreement import single_session_labels
from neuroparcel.pipeline.devices import device_for
from neuroparcel.pipeline.families import FAMILIES
from neuroparcel.pipeline.options import FitOptions
from neuroparcel.pipeline.saved_model import SavedModel, load_model
from neuroparcel.pipeline.trainers import Start, train_mean_field, train_reference

from .test_saved_model import make_region

SIDE = 6  # of a square of voxels
N_VERTICES, N_NETWORKS, N_COMPONENTS = SIDE**2, 2, 3
SQUARE = BrainAxis(
    "MNI152NLin6Asym",
    np.full(N_VERTICES, "OTHER"),
    np.full(N_VERTICES, -1),
    np.array([[i, j, 0] for i in range(SIDE) for j in range(SIDE)]),
    {},
    np.diag([2.0, 2, 2, 1]),
    (SIDE, SIDE, 1),
)
ANCHORS = 2 * torch.eye(N_NETWORKS, N_COMPONENTS)
STEPS = {"adavi": 6, "mean-field": 30, "reference": None}
every_family = pytest.mark.parametrize("family", FAMILIES)


def options(family, **more):
    return FitOptions(data_dir="unread", output="unwritten", quiet=True, family=family, **more)


@cache
def start(n_subjects=4, seed=0):
    """Two halves of a square, and some border between them; with a signal strength."""
    torch.manual_seed(seed)
    border = torch.randint(2, 5, (n_subjects, 1)) * SIDE
    labels = (torch.arange(N_VERTICES) >= border).long()
    noise = torch.randn(n_subjects, 2, N_VERTICES, N_COMPONENTS)
    mask = torch.ones(1, n_subjects, 2, N_VERTICES, dtype=torch.bool)
    mask[..., 3] = False
    values = (ANCHORS[labels][:, None] + noise) * mask[0].unsqueeze(-1)
    return Start(
        Observation(values.unsqueeze(0), mask),
        MSHBM(4 * torch.eye(N_COMPONENTS), N_NETWORKS),
        ANCHORS,
        0.5 + torch.rand(n_subjects, 2, N_VERTICES),
        load_neighbours(SQUARE),
    )


@cache
def trained(family, label_prior="vertex", smoothness="0.5"):
    given = options(family, label_prior=label_prior, smoothness=smoothness, steps=STEPS[family])
    return FAMILIES[family].train(start(), given)


def labels_of(model, cohort):
    return single_session_labels(model.networks, cohort.data, model.labels, cohort.strength)


@every_family
def test_a_label_model_is_learnt_where_one_is_asked_for(family):
    found = trained(family)
    assert found.networks.name == family
    assert found.learning.learnt
    assert found.labels.smoothness == 0.5
    assert found.labels.prior.shape == (N_VERTICES, N_NETWORKS)
    assert 0.3 < found.learning.effective_share <= 1
    assert (found.history is None) == (STEPS[family] is None)
    paper = trained(family, "global", "0")
    assert (paper.labels, paper.learning, paper.notes) == (None, None, ())


def test_the_reference_is_trained_with_its_labels():
    """New subjects' networks meet the weights and the prior that the labels have."""
    found = trained("reference")
    assert found.networks.labels.weight == found.labels.evidence_weight
    torch.testing.assert_close(found.networks.labels.log_prior, found.labels.log_prior)
    # Two halves: nearly all vertices away from the border are agreed on.
    prior = found.labels.prior
    assert prior[:SIDE].argmax(-1).eq(0).all()
    assert prior[-SIDE:].argmax(-1).eq(1).all()


def test_the_same_seed_trains_the_same_labels():
    given = options("reference", label_prior="vertex", smoothness="0.5")
    again = train_reference(start(), given)
    torch.testing.assert_close(again.labels.prior, trained("reference").labels.prior)
    assert again.labels.settings() == trained("reference").labels.settings()


def test_mean_field_goes_on_where_it_was_interrupted(tmp_path, monkeypatch):
    """To the factors of an unbroken run; its checkpoint holds all that there is."""
    given = options("mean-field", steps=12)
    limits = TrainingLimits(None, tmp_path / "training.safetensors", checkpoint_every=0.0)
    whole = train_mean_field(start(), given).networks.family.state_dict()
    draw, left = Fixed.draw, iter(range(5))

    def interrupted(self):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return draw(self)

    with monkeypatch.context() as patch:
        patch.setattr(Fixed, "draw", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train_mean_field(start(), given, limits)
    resumed = train_mean_field(start(), given, limits, resume=True)
    assert len(resumed.history.loss) == 12
    for name, weight in resumed.networks.family.state_dict().items():
        torch.testing.assert_close(weight, whole[name], rtol=0, atol=0)


def test_mean_field_can_be_given_a_time():
    found = train_mean_field(start(), options("mean-field", time_budget=0.3), TrainingLimits(0.3))
    assert 1 <= len(found.history.loss) < 400
    assert found.networks.n_steps == 400  # of new subjects, whose time is not bounded


def test_a_short_cohort_is_noted():
    one = start()
    short = replace(
        one,
        data=Observation(one.data.values[:, :1], one.data.mask[:, :1]),
        strength=one.strength[:1],
    )
    given = options("reference", label_prior="vertex")
    found = train_reference(short, given)
    assert any("one subject" in note for note in found.notes)
    assert found.labels.evidence_weight == found.learning.effective_share


@pytest.mark.parametrize(
    ("family", "label_prior", "smoothness"),
    [
        ("adavi", "global", "0"),
        ("adavi", "vertex", "0.5"),
        ("mean-field", "global", "0"),
        ("mean-field", "vertex", "0.5"),
        ("reference", "global", "0"),
        ("reference", "vertex", "0"),
        ("reference", "vertex", "0.5"),
    ],
)
def test_a_saved_model_infers_the_same_labels(tmp_path, family, label_prior, smoothness):
    """Of new subjects, with one session each; bit for bit."""
    found = trained(family, label_prior, smoothness)
    features = tuple("vwxyz")
    components = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 3)))[0].T
    reduction = Reduction("ilr", np.zeros(4), components, np.ones(3), np.full(3, 0.3), np.eye(3))
    recipe = Recipe(make_region(SQUARE), None, Features("maps"), maps=features)
    named = Identity.numbered(N_NETWORKS)
    how = {"sessions": "day"}
    model = SavedModel(recipe, reduction, found.networks, found.labels, ANCHORS.numpy(), named, how)
    model.save(tmp_path)
    again = load_model(tmp_path)
    new = start(2, seed=1)
    expected = labels_of(model, new)
    assert np.isfinite(expected).sum() == 2 * 2 * (N_VERTICES - 1) * N_NETWORKS
    np.testing.assert_array_equal(labels_of(again, new), expected)
    if found.labels is None:
        assert again.labels is None
    else:
        assert again.labels.settings() == found.labels.settings()
        assert (again.labels.neighbours is None) == (smoothness == "0")
        torch.testing.assert_close(again.labels.prior, found.labels.prior, rtol=0, atol=0)
    assert type(again.networks) is type(found.networks)


def test_a_subject_s_labels_do_not_depend_on_who_else_is_there():
    """Whether a cohort has as many subjects as the training cohort, or one."""
    found, new = trained("reference"), start(4, seed=2)
    together = labels_of(found, new)
    alone = labels_of(
        found,
        replace(
            new,
            data=Observation(new.data.values[:, 1:2], new.data.mask[:, 1:2]),
            strength=new.strength[1:2],
        ),
    )
    # The ascents stop at different steps, at gains below 1e-6 nats a vertex.
    np.testing.assert_allclose(alone[0], together[1], atol=2e-2)


def test_the_reference_stays_on_the_cpu():
    assert device_for("reference", "auto").type == "cpu"
    with pytest.raises(OptionError, match=r"reference runs on the CPU, not on 'cuda'.*adavi"):
        device_for("reference", "cuda")
