"""Scores of labels on a subject that was not seen, with networks that are known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.connectome import Cohort
from neuroparcel.brain.homogeneity import correlation_rows, homogeneity
from neuroparcel.graph.observation import Observation
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.parcellation import selection_scores
from neuroparcel.parcellation.label_model import LabelModel
from neuroparcel.parcellation.selection_scores import Judge

N_VERTICES, KAPPA = 60, 0.5
NETWORKS = torch.tensor([[1.0, 0, 0], [0, 1, 0]])
WEIGHTS = torch.tensor([0.3, 0.7])
AXIS = BrainAxis.from_vertices("toy", {"CORTEX_LEFT": np.arange(60)}, {"CORTEX_LEFT": 60})


@dataclass(frozen=True)
class KnownNetworks:
    """All mass on the same networks, whatever the data."""

    data: Observation
    model: MSHBM

    def sample(self, n_draws, seed=0):
        return {
            "population_networks": NETWORKS.expand(n_draws, 2, 3),
            "log_kappa": torch.full((n_draws,), math.log(KAPPA)),
            "mixture_weights": WEIGHTS.expand(n_draws, 2),
        }

    def mean(self, site):
        return self.sample(1)[site][0]

    def evidence(self):
        return log_density(self.data.values[0])


@dataclass(frozen=True)
class Known:
    """Networks that were known before any training."""

    model: MSHBM
    name = "known"

    def __call__(self, data, strength=None, *, new_population=False):
        return KnownNetworks(data, self.model)


def log_density(values: torch.Tensor) -> torch.Tensor:
    """Of an isotropic normal, by hand."""
    squares = (values.unsqueeze(-2) - NETWORKS).square().sum(-1)
    return -squares / (2 * KAPPA**2) - 3 * math.log(KAPPA * math.sqrt(2 * math.pi))


@pytest.fixture
def values() -> torch.Tensor:
    """(1, 1, session, vertex, component), of three sessions."""
    generator = torch.Generator().manual_seed(0)
    noise = 0.5 * torch.randn(1, 1, 3, N_VERTICES, 3, generator=generator)
    return NETWORKS[torch.arange(N_VERTICES) % 2] + noise


def subject(sessions: int, valid: np.ndarray | None = None) -> Cohort:
    """A subject with random profiles; its coordinates are given apart."""
    rng = np.random.default_rng(0)
    profiles = rng.normal(size=(1, sessions, N_VERTICES, 5))
    profiles /= np.linalg.norm(profiles, axis=-1, keepdims=True)
    valid = np.ones(profiles.shape[:3], bool) if valid is None else valid
    return Cohort(
        ("sub-1",),
        tuple(f"ses-{i}" for i in range(sessions)),
        (profiles * valid[..., None]).astype(np.float32),
        valid,
        AXIS,
        tuple("abcde"),
        signed=True,
    )


def judge_of(labels=None, population=None, n_parcels=2) -> Judge:
    model = MSHBM(torch.eye(3), 2, levels=("population",))
    parcels = [np.arange(N_VERTICES) % n_parcels + 1]
    return Judge(Known(model), labels, parcels, population)


def test_the_density_is_that_of_one_session_given_the_labels_of_another(values):
    """Of two sessions, both ways; dead vertices of either do not count."""
    valid = np.ones((1, 2, N_VERTICES), bool)
    valid[0, 0, 3] = valid[0, 1, 7] = False
    data = Observation(values[:, :, :2], torch.from_numpy(valid)[None])
    found = judge_of().by_sessions(subject(2, valid), data)
    first, second = log_density(values[0, 0, :2])
    both = torch.from_numpy(valid[0].all(0))
    expected = [
        torch.logsumexp(torch.log_softmax(t + WEIGHTS.log(), -1) + v, -1)[both].mean()
        for t, v in ((first, second), (second, first))
    ]
    assert found["density"] == pytest.approx(float(sum(expected)) / 2, abs=1e-5)
    assert found["used"] == 2


def test_a_missing_session_is_no_session(values):
    valid = np.ones((1, 3, N_VERTICES), bool)
    valid[0, 1] = False
    data = Observation(values, torch.from_numpy(valid)[None])
    chosen = [0, 2]
    alone = Observation(values[:, :, chosen], torch.ones(1, 1, 2, N_VERTICES, dtype=torch.bool))
    found = judge_of().by_sessions(subject(3, valid), data)
    expected = judge_of().by_sessions(subject(3, valid).select(sessions=["ses-0", "ses-2"]), alone)
    assert found == pytest.approx(expected)


def test_one_session_says_nothing_of_another(values):
    data = Observation(values[:, :, :1], torch.ones(1, 1, 1, N_VERTICES, dtype=torch.bool))
    assert judge_of().by_sessions(subject(1), data) == {}


def test_labels_of_one_session_are_homogeneous_in_the_other(values):
    data = Observation(values[:, :, :2], torch.ones(1, 1, 2, N_VERTICES, dtype=torch.bool))
    cohort = subject(2)
    found = judge_of().by_sessions(cohort, data)
    maps = (log_density(values[0, 0, :2]) + WEIGHTS.log()).argmax(-1).numpy() + 1
    rows = [correlation_rows(cohort.profiles[0, day]) for day in (0, 1)]
    inside = [homogeneity(rows[1], maps[0]), homogeneity(rows[0], maps[1])]
    chance = [homogeneity(row, np.arange(N_VERTICES) % 2 + 1) for row in rows]
    assert found["homogeneity"] == pytest.approx(np.mean(inside), abs=1e-6)
    assert found["homogeneity_gain"] == pytest.approx(np.mean(inside) - np.mean(chance), abs=1e-6)


@pytest.mark.parametrize("prior", [None, [0.5, 0.5]])
def test_held_out_vertices_are_a_mixture_under_their_prior(monkeypatch, values, prior):
    """All vertices are hidden, so the density is the mean over all."""
    monkeypatch.setattr(selection_scores, "_HIDDEN", 1.1)
    data = Observation(values[:, :, :1], torch.ones(1, 1, 1, N_VERTICES, dtype=torch.bool))
    labels = None if prior is None else LabelModel(torch.tensor([prior]))
    population = np.arange(N_VERTICES) % 2 + 1
    found = judge_of(labels, population).by_vertices(subject(1), data)
    weights = WEIGHTS if prior is None else torch.tensor(prior)
    expected = torch.logsumexp(log_density(values[0, 0, 0]) + weights.log(), -1).mean()
    assert found["density"] == pytest.approx(float(expected), abs=1e-5)
    assert "test_retest" not in found
    assert found["homogeneity_gain"] == pytest.approx(0)  # the map is the random parcels


def test_networks_of_another_session_lie_around_the_subjects():
    model = MSHBM(torch.eye(3), 2)
    n_draws = 4000
    draws = {
        "subject_networks": NETWORKS.expand(n_draws, 1, 2, 3),
        "session_networks": torch.full((n_draws, 1, 1, 2, 3), 9.0),
        "log_sigma": torch.tensor([0.1, 0.4]).log().expand(n_draws, 2),
    }
    torch.manual_seed(0)
    found = selection_scores._for_another_session(model, draws)["session_networks"]
    assert found.shape == (n_draws, 1, 1, 2, 3)
    torch.testing.assert_close(found.mean(0)[0, 0], NETWORKS, atol=0.03, rtol=0)
    spread = torch.tensor([[0.1], [0.4]]).expand(2, 3)
    torch.testing.assert_close(found.std(0)[0, 0], spread, rtol=0.06, atol=0)
