"""What is learnt of labels, on cohorts whose truth is known."""

import math
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from neuroparcel.errors import OptionError
from neuroparcel.graph import Observation
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.mshbm_reference import fit_reference
from neuroparcel.models.mshbm_start import estimate_moments
from neuroparcel.models.reference_labels import LabelEvidence
from neuroparcel.parcellation.group_prior import vertex_prior
from neuroparcel.parcellation.label_learning import (
    Sessions,
    _HeldOut,
    _Weights,
    effective_share,
    learn_labels,
)
from neuroparcel.parcellation.label_sources import KnownEvidence, ReferenceAscent, residual_share

N_NETWORKS, N_COMPONENTS, N_VERTICES = 3, 4, 300


def dirichlet(concentration, n_vertices=N_VERTICES):
    law = torch.distributions.Dirichlet(torch.full((N_NETWORKS,), concentration))
    return law.sample((n_vertices,))


def labels_of(theta, n_subjects):
    """One label map a subject, (subject, vertex), the same in all its sessions."""
    return torch.multinomial(theta, n_subjects, replacement=True).T


def profiles_of(labels, distance, n_sessions=2):
    """Profiles (subject, session, vertex, component) with independent noise of variance 1."""
    means = distance * torch.eye(N_NETWORKS, N_COMPONENTS)
    noise = torch.randn(len(labels), n_sessions, labels.shape[1], N_COMPONENTS)
    return means[labels][:, None] + noise, means


def evidence_of(labels, distance=3.0, n_sessions=2):
    """Exact log densities (subject, session, vertex, network), but for a constant."""
    profiles, means = profiles_of(labels, distance, n_sessions)
    return -0.5 * (profiles.unsqueeze(-2) - means).square().sum(-1)


@cache
def cohort(n_subjects=30, distance=3.0):
    """Evidence of a cohort whose labels have a vertex-wise prior, and that prior."""
    torch.manual_seed(0)
    theta = dirichlet(0.5)
    return evidence_of(labels_of(theta, n_subjects), distance), theta


def complete(evidence, neighbours=None):
    return Sessions(torch.ones(evidence.shape[:3], dtype=torch.bool), neighbours=neighbours)


def ring(n_vertices):
    return csr_array((np.roll(np.eye(n_vertices), 1, 0) + np.roll(np.eye(n_vertices), -1, 0)) / 2)


def learn(evidence, **options):
    return learn_labels(KnownEvidence(evidence), complete(evidence), **options)


def test_of_independent_evidence_and_many_subjects_both_weights_are_one():
    """J is then the log score of a posterior predictive, which is best at Bayes' rule.

    Its curvature in log w is about 0.03 nats a vertex here, its noise from 18,000 vertices below
    1e-4; the prior of 29 others is a little too sure, which costs it some of its weight.
    """
    evidence, theta = cohort()
    labels, learning = learn(evidence)
    assert learning.learnt
    assert labels.evidence_weight / learning.factor == pytest.approx(1, abs=0.1)
    assert 0.75 < labels.prior_weight / learning.factor < 1.05
    assert learning.factor <= 1.5
    # A share of 30 labels has a standard deviation of at most 0.09.
    assert float((labels.prior - theta).abs().mean()) < 0.06


def test_evidence_counted_four_times_has_a_quarter_of_the_weight():
    """Each coordinate four times: J and its best are the same in four times the weight."""
    evidence, _ = cohort(10, 1.5)
    once, first = learn(evidence)
    four, fourth = learn(4 * evidence, effective_share=0.25)
    assert four.evidence_weight == pytest.approx(once.evidence_weight / 4, rel=1e-2)
    assert four.prior_weight == pytest.approx(once.prior_weight, rel=1e-2)
    assert fourth.factor == first.factor
    assert fourth.gain > first.gain + 0.01  # at face value, evidence counts four times


def test_the_gain_is_not_negative():
    """Weights of 1 are among those that were tried."""
    for n_subjects in (3, 10):
        _, learning = learn(cohort(n_subjects, 1.5)[0])
        assert learning.gain > -1e-4


def test_what_the_weights_are_best_at():
    """J written with loops, under the prior of the other subjects."""
    evidence, _ = cohort(6, 1.5)
    labels, learning = learn(evidence)
    best = labels.evidence_weight / learning.factor, labels.prior_weight / learning.factor
    means = torch.stack([torch.stack([labels(s) for s in subject]).mean(0) for subject in evidence])
    priors = [vertex_prior(means[[r for r in range(6) if r != s]].sum(0)) for s in range(6)]

    def score(weight, prior_weight):
        scores = []
        for subject, prior in zip(evidence, priors, strict=True):
            for own, other in ((subject[0], subject[1]), (subject[1], subject[0])):
                label = torch.softmax(weight * own + prior_weight * prior.log(), -1)
                scores.append((label * other.exp()).sum(-1).log().mean())
        return float(torch.stack(scores).mean())

    highest = score(*best)
    for change in (0.7, 1.4):
        assert score(best[0] * change, best[1]) < highest
        assert score(best[0], best[1] * change) < highest


def test_the_prior_counts_where_subjects_agree():
    """Labels that tell nothing of another subject's leave the prior nothing to say."""
    torch.manual_seed(1)
    shared = torch.randint(N_NETWORKS, (1, N_VERTICES)).expand(12, -1)
    apart = torch.randint(N_NETWORKS, (12, N_VERTICES))
    agreed, _ = learn(evidence_of(shared, 1.5))
    shuffled, learning = learn(evidence_of(apart, 1.5))
    weak = torch.tensor([[1.0, 0.0, 0.0]])  # a nat for the first
    spread = (agreed.prior.max(-1).values.mean(), shuffled.prior.max(-1).values.mean())
    assert spread[0] > 0.9
    assert spread[1] < 0.6
    assert shuffled.prior_weight / learning.factor < 0.3
    won = agreed(weak.expand(N_VERTICES, -1)).argmax(-1)
    assert float((won == shared[0]).float().mean()) > 0.95
    leant = shuffled(weak.expand(N_VERTICES, -1)).argmax(-1)
    assert float((leant == 0).float().mean()) > 0.95


@pytest.mark.parametrize(
    ("n_subjects", "n_sessions"), [(1, 2), (5, 1), (1, 1)], ids=["subject", "session", "both"]
)
def test_one_subject_or_session_gives_the_effective_share(n_subjects, n_sessions):
    torch.manual_seed(2)
    evidence = evidence_of(labels_of(dirichlet(0.5), n_subjects), 1.5, n_sessions)
    labels, learning = learn(evidence, effective_share=0.4)
    assert not learning.learnt
    assert math.isnan(learning.gain)
    assert (labels.evidence_weight, labels.prior_weight) == (0.4, 1.0)
    assert learning.notes[-1].startswith("the weight of evidence could not be learnt")
    assert learning.notes[-1].endswith("effective share of the coordinates, 0.4")


def test_the_labels_of_one_subject_are_not_its_own_prior():
    """They would come in twice; confidence is then accuracy plus some 0.15."""
    torch.manual_seed(3)
    truth = labels_of(dirichlet(0.5, 4_000), 1)
    evidence = evidence_of(truth, 1.2)
    labels, learning = learn(evidence)
    assert "one subject" in learning.notes[0]
    torch.testing.assert_close(labels.prior, labels.prior[:1].expand(4_000, -1))
    found = torch.stack([labels(session) for session in evidence[0]])
    accuracy = float((found.argmax(-1) == truth).float().mean())
    assert float(found.max(-1).values.mean()) == pytest.approx(accuracy, abs=0.03)


def test_missing_sessions_and_dead_vertices_leave_no_gap():
    evidence = cohort(8, 1.5)[0].clone()
    mask = torch.ones(evidence.shape[:3], dtype=torch.bool)
    mask[0, 0] = False  # a missing session
    mask[1] = False  # a missing subject
    mask[:, :, 7] = False  # a vertex dead in everybody
    mask[2, 0, 100:], mask[2, 1, :100] = False, False  # two sessions without a common vertex
    evidence[~mask] = 0
    sessions = Sessions(mask, neighbours=ring(N_VERTICES))
    assert {subject for subject, _, _ in sessions.pairs()} == {2, 3, 4, 5, 6, 7}
    assert sessions.present.sum() == 13
    labels, learning = learn_labels(KnownEvidence(evidence), sessions, smoothness=None)
    assert learning.learnt
    torch.testing.assert_close(labels.prior.sum(-1), torch.ones(N_VERTICES))
    around = labels.prior[[6, 8]].mean(0)
    assert float((labels.prior[7] - around).abs().max()) < 0.25  # they have neighbours of their own
    numbers = [*labels.settings().values(), learning.gain, learning.factor]
    assert all(math.isfinite(number) for number in numbers)
    # A mask alone says what is missing: what stands there does not matter.
    noise = torch.where(mask.unsqueeze(-1), evidence, 5 * torch.randn(evidence.shape))
    again, _ = learn_labels(KnownEvidence(noise), sessions, smoothness=None)
    torch.testing.assert_close(again.prior, labels.prior)
    assert again.settings() == pytest.approx(labels.settings(), rel=1e-4)


def test_strength_counts_like_evidence():
    evidence, _ = cohort(6, 1.5)
    strength = 0.5 + torch.rand(evidence.shape[:3], generator=torch.Generator().manual_seed(0))
    mask = torch.ones(evidence.shape[:3], dtype=torch.bool)
    weighted, _ = learn_labels(KnownEvidence(evidence), Sessions(mask, strength))
    product, _ = learn(evidence * strength.unsqueeze(-1))
    # Equal but for rounding, which moves where the search for the weights ends.
    torch.testing.assert_close(weighted.prior, product.prior, rtol=0, atol=2e-3)
    assert weighted.settings() == pytest.approx(product.settings(), rel=1e-2)


def test_the_same_seed_gives_the_same_labels():
    torch.manual_seed(4)
    evidence = evidence_of(labels_of(dirichlet(0.5, 3_500), 3), 1.5)
    first, again, other = (learn(evidence, seed=seed)[0] for seed in (0, 0, 1))
    assert first.settings() == again.settings()
    torch.testing.assert_close(first.prior, again.prior, rtol=0, atol=0)
    assert first.settings() != other.settings()  # judged on other vertices
    assert first.settings() == pytest.approx(other.settings(), rel=0.1)


@pytest.mark.parametrize("size", [0.0, 1e2, 1e5, 1e9, 1e20])
def test_evidence_of_any_size_has_finite_weights(size):
    """None at all, or of noiseless profiles, whose kappa is at its bound."""
    labels, learning = learn(size * cohort(4, 1.5)[0])
    assert all(math.isfinite(number) for number in labels.settings().values())
    assert bool(torch.isfinite(labels.prior).all())
    assert math.isfinite(learning.factor)


def test_weights_are_raised_to_one_standard_error():
    """A loss of x^2 on average, with a paired error of x / sqrt(3): equal at 0.577."""

    class Constructed(_HeldOut):
        def __init__(self, squares, slopes):
            self.squares, self.slopes = torch.tensor(squares), torch.tensor(slopes)

        def __call__(self, weights):
            assert weights.evidence / weights.prior == pytest.approx(0.3)  # raised together
            x = weights.prior - 1
            return torch.tensor([5.0, -7.0, 2.0]) - self.squares * x**2 - self.slopes * x

    best = _Weights(0.3, 1.0)
    assert Constructed([1.0, 1, 1], [-1.0, 0, 1]).most_decisive(best) == 1.5
    assert Constructed([1.0, 2, 3], [0.0, 0, 0]).most_decisive(best) == 1.0  # all agree
    assert Constructed([-1.0, 0, 2], [0.0, 0, 0]).most_decisive(best) == 4.0  # none can tell


def test_smoothness_is_chosen_where_labels_are_smooth():
    torch.manual_seed(5)
    blocks = torch.arange(N_VERTICES).div(50, rounding_mode="floor") % N_NETWORKS
    shift = torch.randint(N_VERTICES, (6,)).tolist()
    smooth = evidence_of(torch.stack([blocks.roll(s) for s in shift]), 1.0)
    rough = evidence_of(torch.randint(N_NETWORKS, (6, N_VERTICES)), 1.0)
    chosen = [
        learn_labels(
            KnownEvidence(evidence), complete(evidence, ring(N_VERTICES)), smoothness=None
        )[0].smoothness
        for evidence in (smooth, rough)
    ]
    assert chosen[0] >= 1
    assert chosen[1] == 0


def test_a_smoothness_that_cannot_be_had():
    evidence, _ = cohort(4, 1.5)
    with pytest.raises(OptionError, match=r"only where vertices have neighbours"):
        learn(evidence, smoothness=0.5)
    labels, learning = learn(evidence, smoothness=None)
    assert labels.smoothness == 0
    assert learning.notes == ("the smoothness could not be chosen, as there is no mesh; it is 0",)
    once = evidence[:, :1]
    _, learning = learn_labels(
        KnownEvidence(once), complete(once, ring(N_VERTICES)), smoothness=None
    )
    assert "as no session is repeated; it is 0" in learning.notes[0]
    given, _ = learn_labels(
        KnownEvidence(evidence), complete(evidence, ring(N_VERTICES)), smoothness=0.7
    )
    assert given.smoothness == 0.7


def test_the_effective_share_of_known_covariances():
    def share(matrix):
        return effective_share(torch.as_tensor(matrix, dtype=torch.float64))

    assert share(np.eye(7)) == pytest.approx(1)
    assert share(1e-9 * np.eye(7)) == pytest.approx(1)
    assert share(np.ones((7, 7))) == pytest.approx(1 / 7)  # one coordinate, seven times
    assert share(np.diag([3.0, 1.0])) == pytest.approx(16 / 10 / 2)
    assert share(np.zeros((7, 7))) == 1  # noiseless: nothing is known to be correlated
    some = np.diag([3.0, 1.0, 2.0])
    turned = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    assert share(turned @ some @ turned.T) == pytest.approx(share(some))
    assert share(np.kron(some, np.ones((4, 4)))) == pytest.approx(share(some) / 4)


def test_the_share_of_residuals_knows_repeated_coordinates():
    """Of 3,000 residuals of four coordinates: 1 less about (D + 1) / 3,000."""
    torch.manual_seed(6)
    profiles, means = profiles_of(labels_of(dirichlet(0.5), 5), 8.0)
    mask = torch.ones(1, 5, 2, N_VERTICES, dtype=torch.bool)
    mask[0, 0, 1], mask[0, :, :, 3] = False, False
    profiles[~mask[0]] = 100.0  # what is masked does not count
    once = residual_share(Observation(profiles[None], mask), means)
    assert once == pytest.approx(1, abs=0.01)
    four = residual_share(
        Observation(profiles[None].repeat(1, 1, 1, 1, 4), mask), means.repeat(1, 4)
    )
    assert four == pytest.approx(once / 4)


def test_an_ascent_learns_networks_along_with_labels():
    """Each step raises the bound, and the networks end up at the truth."""
    torch.manual_seed(7)
    profiles, means = profiles_of(labels_of(dirichlet(0.5), 4), 4.0)
    data = Observation(profiles[None], torch.ones(1, 4, 2, N_VERTICES, dtype=torch.bool))
    model = MSHBM(10 * torch.eye(N_COMPONENTS), N_NETWORKS)
    moments = estimate_moments(data, means + 0.8 * torch.randn(means.shape), model)
    ascent = ReferenceAscent(model, data, moments)
    bounds = []
    for _ in range(6):
        evidence = ascent.evidence(LabelEvidence())
        bounds.append(float(ascent.posterior.elbo[-1]))
    assert all(after >= before - 1e-6 * abs(before) for before, after in pairwise(bounds))
    alike = fit_reference(model, data, moments)
    torch.testing.assert_close(
        ascent.posterior.mean("population_networks"),
        alike.mean("population_networks"),
        atol=0.05,
        rtol=0,
    )
    torch.testing.assert_close(evidence[1, 0], ascent.posterior.evidence(1, 0))
    labels, learning = learn_labels(
        ReferenceAscent(model, data, moments),
        Sessions(data.mask[0]),
        effective_share=residual_share(data, means),
    )
    # 600 vertices a subject and network: a standard error of 0.05, and subjects do not differ.
    assert labels.evidence_weight / learning.factor == pytest.approx(1, abs=0.15)


def test_weights_that_networks_answer_settle(monkeypatch):
    """The larger the weight that networks were found with, the smaller the next best one."""

    class Source:
        weight = 1.0

        def evidence(self, labels):
            self.weight = labels.weight
            return torch.zeros(2, 2, 5, 3)

    class Answering:
        def __init__(self, *_):
            pass

        def best(self, _):
            return _Weights(1 / source.weight, 1.0)

        def most_decisive(self, _):
            return 1.0

        def __call__(self, _):
            return torch.zeros(2)

    source = Source()
    monkeypatch.setattr("neuroparcel.parcellation.label_learning._HeldOut", Answering)
    sessions = Sessions(torch.ones(2, 2, 5, dtype=torch.bool))
    labels, learning = learn_labels(source, sessions, effective_share=0.25)
    assert learning.last_change < 0.05
    assert labels.evidence_weight == pytest.approx(1)
