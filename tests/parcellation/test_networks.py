"""Networks of a cohort, whatever gave them: their evidence, and which of them are the topmost."""

from dataclasses import dataclass
from functools import cache
from itertools import combinations, product

import pytest
import torch

from neuroparcel.errors import OptionError
from neuroparcel.graph import Observation, analyse
from neuroparcel.inference.posterior import AmortizedPosterior
from neuroparcel.models.choices import EMISSIONS, KAPPAS, LEVELS
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.mshbm_reference import fit_reference
from neuroparcel.models.mshbm_start import estimate_moments
from neuroparcel.parcellation.label_model import LabelModel
from neuroparcel.parcellation.labels import soft_labels
from neuroparcel.parcellation.networks import (
    AmortizedNetworks,
    ClosedNetworks,
    DrawnNetworks,
    ReferenceNetworks,
    top_networks,
)
from neuroparcel.parcellation.training import network_model, start

SIZES, N_NETWORKS, N_COMPONENTS = (3, 2, 30), 3, 4
SUBSETS = [levels for n in (1, 2, 3) for levels in combinations(LEVELS, n)]


@dataclass(frozen=True, eq=False)
class Known:
    """Stands for a posterior: draws that are given."""

    draws: dict
    data: Observation

    def sample(self, n_draws, seed=0):
        return {site: value[:n_draws] for site, value in self.draws.items()}

    def mean(self, site):
        return self.draws[site].mean(0)


def make_model(levels=LEVELS, emission="l-normal", kappa="shared"):
    return MSHBM(
        16 * torch.eye(N_COMPONENTS),
        N_NETWORKS,
        levels=levels,
        emission=emission,
        kappa=kappa,
        log_scale_range=(-2.0, 1.0),
    )


@cache
def template_of(levels, emission, kappa):
    return analyse(make_model(levels, emission, kappa))


@cache
def cohort():
    """Three subjects, one of them with a single session; a vertex is dead in everybody."""
    torch.manual_seed(0)
    means = 4 * torch.eye(N_NETWORKS, N_COMPONENTS)
    labels = torch.randint(N_NETWORKS, (3, 1, 30)).expand(-1, 2, -1)
    mask = torch.ones(1, *SIZES, dtype=torch.bool)
    mask[0, 1, 1], mask[..., 5] = False, False
    values = (means[labels] + torch.randn(*SIZES, N_COMPONENTS)).unsqueeze(0)
    return Observation(values * mask.unsqueeze(-1), mask), means


def draws_from_the_prior(levels, emission, kappa, n=16):
    """Draws in the shapes that a posterior gives."""
    torch.manual_seed(1)
    latents, _ = template_of(levels, emission, kappa).simulate(SIZES, n)
    return latents


@pytest.mark.parametrize(("levels", "emission", "kappa"), list(product(SUBSETS, EMISSIONS, KAPPAS)))
def test_the_evidence_of_draws_is_their_mean_density(levels, emission, kappa):
    """Session by session as for all at once, whichever sites stand in which plate."""
    model, (data, _) = make_model(levels, emission, kappa), cohort()
    if emission != "l-normal":
        data = Observation(torch.nn.functional.normalize(data.values, dim=-1), data.mask)
    draws = draws_from_the_prior(levels, emission, kappa)
    found = DrawnNetworks(Known(draws, data), model).evidence()
    expected = model.component_log_prob(data.values[0], draws).mean(0)
    mask = data.mask[0]
    assert found.shape == (*SIZES, N_NETWORKS)
    torch.testing.assert_close(found[mask], expected[mask], rtol=1e-4, atol=1e-4)
    assert not found[~mask].any()


@cache
def fitted(levels=LEVELS, emission="l-normal"):
    data, means = cohort()
    if emission != "l-normal":
        unit = torch.nn.functional.normalize(data.values, dim=-1)
        data, means = Observation(unit, data.mask), means / 4
    model = make_model(levels, emission)
    return fit_reference(model, data, estimate_moments(data, means, model))


@pytest.mark.parametrize("emission", EMISSIONS)
def test_the_evidence_of_the_reference_is_that_of_each_session(emission):
    networks = ClosedNetworks(fitted(emission=emission))
    found, mask = networks.evidence(), cohort()[0].mask[0]
    for subject, session in mask.any(-1).nonzero().tolist():
        torch.testing.assert_close(
            found[subject, session], networks.posterior.evidence(subject, session)
        )
    assert not found[~mask].any()
    assert bool((found[mask] != 0).any(-1).all())


def test_draws_and_closed_form_agree_on_the_evidence():
    """16 draws of a mean field: a standard error of some 0.3 nats at a distance of 4."""
    posterior = fitted()
    drawn = DrawnNetworks(Known(posterior.sample(16), posterior.data), posterior.model).evidence()
    closed = ClosedNetworks(posterior).evidence()
    mask = posterior.data.mask[0]
    difference = (drawn - closed)[mask]
    assert float(difference.mean().abs()) < 0.3
    assert bool((drawn.argmax(-1) == closed.argmax(-1))[mask].float().mean() > 0.97)


@pytest.mark.parametrize("levels", SUBSETS)
def test_the_topmost_networks_are_those_of_sessions_with_data(levels):
    """A session without data has the prior's mean; it does not pull on the others'."""
    posterior = fitted(levels)
    top = top_networks(ClosedNetworks(posterior), posterior.model)
    assert top.shape == (N_NETWORKS, N_COMPONENTS)
    mean = posterior.mean(f"{levels[0]}_networks")
    if levels[0] == "session":
        mean = torch.stack([mean[0, 0], mean[0, 1], mean[1, 0], mean[2, 0], mean[2, 1]]).mean(0)
    elif levels[0] == "subject":
        mean = mean.mean(0)
    torch.testing.assert_close(top, mean)
    # A session has about 10 vertices a network, of variance 1 a coordinate.
    torch.testing.assert_close(top, cohort()[1], rtol=0, atol=0.75)


def test_new_subjects_meet_the_labels_that_trained_the_reference():
    """Weights and prior of the label model stand in the fit; a signal strength comes along."""
    posterior, (data, _) = fitted(), cohort()
    torch.manual_seed(2)
    prior = torch.distributions.Dirichlet(torch.ones(N_NETWORKS)).sample((30,))
    labels = LabelModel(prior, 0.3, 1.5)
    networks = ReferenceNetworks.with_labels(posterior, labels)
    one = Observation(data.values[:, :1, :1], data.mask[:, :1, :1])
    strength = torch.rand(1, 1, 30)
    found = networks(one, strength).posterior
    assert found.labels.weight == 0.3
    torch.testing.assert_close(found.labels.log_prior, 1.5 * prior.log())
    torch.testing.assert_close(found.labels.strength, strength)
    plain = ReferenceNetworks.with_labels(posterior, None)(one).posterior
    assert (plain.labels.weight, plain.labels.log_prior) == (1.0, None)
    kept = plain.mean("population_networks")
    torch.testing.assert_close(kept, posterior.mean("population_networks"))
    own = ReferenceNetworks.with_labels(posterior, None)(one, new_population=True).posterior
    assert not torch.equal(own.mean("population_networks"), kept)


@cache
def amortized(levels=LEVELS):
    """Untrained, but for the start: far from the posterior."""
    data, means = cohort()
    torch.manual_seed(3)
    model = network_model(data, make_model(levels), means)
    start(model)
    posterior = AmortizedPosterior(model.template, model.family.eval())
    return AmortizedNetworks(posterior, posterior(data).encodings[-1])


def test_refined_networks_of_new_subjects_keep_the_population():
    networks, (data, _) = amortized(), cohort()
    new = Observation(data.values[:, 1:], data.mask[:, 1:])
    plain, refined = networks(new), networks.refined(30, seed=1)(new)
    assert plain.refinement is None
    assert refined.refinement.gain > 0
    assert refined.refinement.n_members == refined.refinement.n_improved == 2
    before, after = plain.sample(8), refined.sample(8)
    for site in ("population_networks", "log_epsilon", "log_sigma", "log_kappa", "mixture_weights"):
        assert torch.equal(before[site], after[site]), site
    for site in ("subject_networks", "session_networks"):
        assert not torch.equal(before[site], after[site]), site
    same = networks.refined(0)(new).sample(8)
    assert all(torch.equal(same[site], value) for site, value in before.items())


def test_the_reference_is_not_refined():
    with pytest.raises(OptionError, match=r"--refine is for amortized networks.*reference"):
        ReferenceNetworks.with_labels(fitted(), None).refined(10)
    assert ClosedNetworks(fitted()).refinement is None


def test_networks_of_the_population_alone_are_not_refined():
    with pytest.raises(OptionError, match="--refine moves networks of subjects and sessions"):
        amortized(("population",)).refined(10)


@pytest.mark.parametrize("evidence", ["mean", "product"])
def test_labels_of_a_label_model_are_those_of_its_equation(evidence):
    posterior, mask = fitted(), cohort()[0].mask[0]
    networks, strength = ClosedNetworks(posterior), 0.5 + torch.rand(SIZES)
    labels = LabelModel(torch.full((30, N_NETWORKS), 1 / N_NETWORKS), 0.2, 1.0)
    population, subject, session = (
        torch.from_numpy(level)
        for level in soft_labels(
            networks, posterior.model, labels, strength=strength, evidence=evidence
        )
    )
    weighted = 0.2 * strength.unsqueeze(-1) * networks.evidence()
    torch.testing.assert_close(session[mask], torch.softmax(weighted, -1)[mask])
    assert bool(session[~mask].isnan().all())
    expected = torch.softmax(weighted.sum(1), -1) if evidence == "product" else session.nanmean(1)
    there = mask.any(1)
    torch.testing.assert_close(subject[there], expected[there])
    assert bool(subject[~there].isnan().all())
    torch.testing.assert_close(population, subject.nanmean(0), equal_nan=True)
