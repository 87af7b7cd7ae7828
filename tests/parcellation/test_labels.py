"""Soft labels against Bayes' rule, on posteriors that are known."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import OptionError
from neuroparcel.families.base import ConditionedFamily, Draws
from neuroparcel.graph import Observation, analyse
from neuroparcel.inference.posterior import Posterior
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.parcellation.label_model import LabelModel
from neuroparcel.parcellation.labels import parcellate, soft_labels
from neuroparcel.parcellation.networks import DrawnNetworks

KAPPA, WEIGHTS = 0.7, torch.tensor([0.3, 0.7])
MODEL = MSHBM(torch.eye(4), 2)


@dataclass(frozen=True)
class Known(ConditionedFamily):
    """A posterior that puts all its mass on given networks."""

    networks: torch.Tensor

    def rsample(self, n_draws):
        values = {
            "session_networks": self.networks.expand(n_draws, 1, *self.networks.shape),
            "log_kappa": torch.full((n_draws, 1), KAPPA).log(),
            "mixture_weights": WEIGHTS.expand(n_draws, 1, 2),
        }
        return Draws(values, {})

    def log_prob(self, values):
        return {}

    def point(self):
        return {}


@pytest.fixture
def data():
    values = torch.randn(1, 3, 2, 6, 4, generator=torch.Generator().manual_seed(0))
    mask = torch.ones(1, 3, 2, 6, dtype=torch.bool)
    mask[0, 1, 1] = False  # a missing session
    mask[0, :, :, 5] = False  # a vertex dead in everybody
    mask[0, 0, 0, 2] = False  # and one in one session
    return Observation(values * mask.unsqueeze(-1), mask)


@pytest.fixture
def networks():
    return torch.randn(3, 2, 2, 4, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def posterior(data, networks):
    template = analyse(MODEL)
    return DrawnNetworks(Posterior(template, data, Known(networks), ()), MODEL)


def evidence(data, networks):
    """log p(y | l), with the factor 1 / (2 kappa^2) that ADAVI's eq. E.13 leaves out."""
    difference = data.values[0].unsqueeze(-2) - networks.unsqueeze(2)
    return -difference.square().sum(-1) / (2 * KAPPA**2)


def test_session_labels_are_bayes_rule(posterior, data, networks):
    _, _, session = soft_labels(posterior, MODEL, n_draws=3)
    expected = torch.softmax(evidence(data, networks) + WEIGHTS.log(), -1).numpy()
    mask = data.mask[0].numpy()
    np.testing.assert_allclose(session[mask], expected[mask], atol=1e-5)
    assert np.isnan(session[~mask]).all()


def test_the_mean_goes_over_sessions_then_subjects(posterior):
    population, subject, session = soft_labels(posterior, MODEL, n_draws=3)
    np.testing.assert_allclose(subject[0, 0], session[0, :, 0].mean(0), atol=1e-6)
    np.testing.assert_allclose(subject[1], session[1, 0], atol=1e-6)
    np.testing.assert_allclose(subject[0, 2], session[0, 1, 2], atol=1e-6)
    np.testing.assert_allclose(population[:5], subject[:, :5].mean(0), atol=1e-6)
    assert np.isnan(population[5]).all()


def test_the_product_multiplies_the_evidence_of_sessions(posterior, data, networks):
    _, subject, _ = soft_labels(posterior, MODEL, evidence="product", n_draws=3)
    joint = (evidence(data, networks) * data.mask[0].unsqueeze(-1)).sum(1) + WEIGHTS.log()
    expected = torch.softmax(joint, -1).numpy()
    np.testing.assert_allclose(subject[:, :5], expected[:, :5], atol=1e-5)
    assert np.isnan(subject[:, 5]).all()


AXIS = BrainAxis.from_vertices("fsLR", {"CORTEX_LEFT": range(6)}, {"CORTEX_LEFT": 6})
NAMES = (("a", "b", "c"), ("1", "2"))
PRIOR = torch.tensor([0.2, 0.8]).expand(6, 2)


@pytest.mark.parametrize("evidence", ["mean", "product"])
@pytest.mark.parametrize("labels", [None, LabelModel(PRIOR)], ids=["global", "vertex"])
def test_without_data_there_is_the_prior_and_a_mark(posterior, data, labels, evidence):
    found = parcellate(posterior, MODEL, AXIS, *NAMES, labels, evidence=evidence)
    prior = (WEIGHTS if labels is None else PRIOR[0]).numpy()
    mask = data.mask[0].numpy()
    np.testing.assert_array_equal(found.has_data, mask)
    np.testing.assert_allclose(found.session[0, 0, 2], prior, atol=1e-6)  # dead in one session
    np.testing.assert_allclose(found.session[0, :, 5], [prior, prior], atol=1e-6)
    assert np.isnan(found.session[1, 1]).all()  # the session is missing
    np.testing.assert_allclose(found.subject[:, 5], [prior] * 3, atol=1e-6)
    np.testing.assert_allclose(found.population[5], prior, atol=1e-6)
    assert found.of_population().has_data.tolist() == [True] * 5 + [False]
    assert found.of_subject("a").has_data.tolist() == [True] * 5 + [False]


@pytest.mark.parametrize("labels", [None, LabelModel(PRIOR)], ids=["global", "vertex"])
def test_the_prior_does_not_count_where_there_are_data(posterior, data, labels):
    """With data the maps are those that are judged, which know nothing of filling."""
    found = parcellate(posterior, MODEL, AXIS, *NAMES, labels)
    judged = soft_labels(posterior, MODEL, labels)
    mask = data.mask[0].numpy()
    for level, (mine, theirs) in {
        (0, 1): (found.population, judged[0]),
        (1,): (found.subject, judged[1]),
        (): (found.session, judged[2]),
    }.items():
        there = mask.any(level) if level else mask
        np.testing.assert_array_equal(mine[there], theirs[there])
        assert np.isnan(theirs[~there]).all()


def test_an_unknown_evidence_is_refused(posterior):
    with pytest.raises(OptionError, match=r"unknown evidence 'sum'.*mean, product"):
        soft_labels(posterior, MODEL, evidence="sum")
