"""Mean field by gradients meets mean field in closed form; new cohorts leave the population."""

from functools import cache

import pytest
import torch

from neuroparcel.errors import OptionError
from neuroparcel.graph import Observation, analyse
from neuroparcel.graph.trace import seeded
from neuroparcel.inference.data import Fixed
from neuroparcel.inference.diagnostics import evidence_bound
from neuroparcel.inference.posterior import AmortizedPosterior
from neuroparcel.inference.trainer import train
from neuroparcel.models.choices import LEVELS
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.mshbm_reference import fit_reference
from neuroparcel.models.mshbm_start import estimate_moments
from neuroparcel.parcellation.labels import soft_labels
from neuroparcel.parcellation.mean_field_networks import (
    MeanFieldNetworks,
    centres_of,
    mean_field_schedule,
    start_factors,
)
from neuroparcel.parcellation.networks import ClosedNetworks

SIZES, N_NETWORKS, N_COMPONENTS = (4, 2, 60), 2, 3
POPULATION = ("population_networks", "log_epsilon", "log_sigma", "log_kappa", "mixture_weights")


@cache
def cohort(emission="l-normal", seed=0):
    """Profiles around session networks; a session and some vertices are missing."""
    with seeded(seed):
        population = 3 * torch.eye(N_NETWORKS, N_COMPONENTS)
        subject = population + 0.3 * torch.randn(SIZES[0], 1, N_NETWORKS, N_COMPONENTS)
        session = subject + 0.2 * torch.randn(*SIZES[:2], N_NETWORKS, N_COMPONENTS)
        label = torch.randint(N_NETWORKS, SIZES)
        own = session.gather(2, label[..., None].expand(*SIZES, N_COMPONENTS))
        values = own + 0.5 * torch.randn(*SIZES, N_COMPONENTS)
    if emission != "l-normal":
        values = torch.nn.functional.normalize(values, dim=-1)
    mask = torch.ones(1, *SIZES, dtype=torch.bool)
    mask[0, 1, 1], mask[..., :3] = False, False
    return Observation(values.unsqueeze(0) * mask.unsqueeze(-1), mask), population


def model_of(emission="l-normal", kappa="shared", levels=LEVELS):
    covariance = 9 * torch.eye(N_COMPONENTS)
    return MSHBM(covariance, N_NETWORKS, levels=levels, emission=emission, kappa=kappa)


def moments_of(model):
    data, population = cohort(model.emission)
    return estimate_moments(data, population, model)


def started(model):
    data, _ = cohort(model.emission)
    template = analyse(model)
    return template, start_factors(template, data, centres_of(moments_of(model), model))


@cache
def fitted(emission="l-normal", kappa="shared", levels=LEVELS, n_steps=250):
    model = model_of(emission, kappa, levels)
    data, _ = cohort(emission)
    template, family = started(model)
    schedule = mean_field_schedule().scaled(n_steps)
    history = train(family, template, Fixed(data), schedule, seed=0, validation=data)
    return MeanFieldNetworks(AmortizedPosterior(template, family.eval(), history), n_steps)


@cache
def reference():
    model = model_of()
    return fit_reference(model, cohort()[0], moments_of(model))


def test_the_posterior_is_the_reference_s():
    own, drawn = reference().sample(2000), fitted()(cohort()[0]).sample(2000)
    there = cohort()[0].mask[0].any(-1)
    for name, value in own.items():
        sd, gap = value.std(0), drawn[name].mean(0) - value.mean(0)
        ratio = drawn[name].std(0) / sd
        if name == "session_networks":  # those without data are drawn from the model
            sd, gap, ratio = sd[there], gap[there], ratio[there]
        # A third of a posterior deviation, for gradients' noise; another form for the scales.
        assert float((gap / sd).square().mean().sqrt()) < 0.35, name
        assert float(ratio.log().mean().exp()) == pytest.approx(1, abs=0.15), name


def test_no_bound_is_above_the_other():
    """The reference's is lower by the labels that it keeps factors of: by little."""
    data, _ = cohort()
    networks = fitted()
    posterior = networks(data).posterior
    bound = evidence_bound(networks.posterior.template, posterior.conditioned, data, 512)
    error, best = float(bound.standard_error[0]), float(reference().elbo[-1])
    n_vertices = int(data.n_observed)
    assert float(bound.nats[0]) - best < 4 * error + 0.005 * n_vertices
    # What the noise of the gradients leaves: a hundredth of a nat a vertex.
    assert best - float(bound.nats[0]) < 4 * error + 0.01 * n_vertices


def test_labels_agree_with_the_reference_s():
    model, data = model_of(), cohort()[0]
    own = soft_labels(ClosedNetworks(reference()), model)[2]
    found = soft_labels(fitted()(data), model)[2]
    there = data.mask[0].numpy()
    assert abs(found - own)[there].mean() < 0.01
    assert (found.argmax(-1) == own.argmax(-1))[there].mean() > 0.99


def test_factors_start_as_wide_as_the_data_leave_them():
    """At the estimates; log scales about as uncertain as the reference finds them to be."""
    model = model_of()
    template, family = started(model)
    data, _ = cohort()
    draws = AmortizedPosterior(template, family)(data).sample(4000)
    moments, own = moments_of(model), reference().sample(4000)
    spread = 0.1 * float(moments.epsilon.mean())
    for level in LEVELS[1:]:
        there = data.mask[0].any(-1) if level == "session" else slice(None)
        networks = draws[f"{level}_networks"].mean(0)[there]
        expected = moments.networks.expand_as(networks)
        torch.testing.assert_close(networks, expected, rtol=0, atol=0.2 * spread + 0.02)
    for name in ("log_epsilon", "log_sigma", "log_kappa"):
        ratio = (draws[name].std(0) / own[name].std(0)).log().mean().exp()
        assert 0.5 < float(ratio) < 2, name


@pytest.mark.parametrize(
    ("emission", "kappa", "levels"),
    [
        ("l-normal", "shared", LEVELS),
        ("von-mises-fisher", "session", LEVELS),
        ("l-normal", "network", ("subject", "session")),
        ("von-mises-fisher", "shared", ("population",)),
    ],
)
def test_new_subjects_leave_the_population_as_it_was(emission, kappa, levels):
    networks = fitted(emission, kappa, levels, n_steps=10)
    data, _ = cohort(emission)
    new = Observation(data.values[:, [0, 3], :1], data.mask[:, [0, 3], :1])
    found, trained = networks(new), networks(data)
    graph = networks.posterior.template.graph
    kept = [site.name for site in graph.latents if site.hierarchy == graph.n_plates]
    family = found.posterior.conditioned
    for name in kept:
        for weight, own in zip(
            family.factors[name].parameters(),
            networks.family.factors[name].parameters(),
            strict=True,
        ):
            assert torch.equal(weight, own), name
    assert {"mixture_weights", "population_networks"} & set(kept)
    values = found.sample(3)
    assert all(bool(torch.isfinite(value).all()) for value in values.values())
    assert found.evidence().shape == (2, 1, SIZES[2], N_NETWORKS)
    again = networks(new).sample(3)
    assert all(torch.equal(again[name], value) for name, value in values.items())
    assert trained.posterior.conditioned.factors[kept[0]] is networks.family.factors[kept[0]]


def test_a_training_subject_seen_as_new_has_the_same_networks():
    networks, (data, _) = fitted(), cohort()
    one = Observation(data.values[:, 2:3], data.mask[:, 2:3])
    alone, together = networks(one).sample(1000), networks(data).sample(1000)
    for name in ("subject_networks", "session_networks"):
        sd = together[name][:, 2].std(0)
        gap = (alone[name][:, 0].mean(0) - together[name][:, 2].mean(0)) / sd
        assert float(gap.square().mean().sqrt()) < 0.3, name


def test_another_population_can_take_its_place():
    networks, (data, _) = fitted(n_steps=10), cohort(seed=1)
    other = networks.repopulated(data)
    assert other.family.fitted_to == data.digest()
    centre = other(data).mean("population_networks")
    assert not torch.equal(centre, networks(cohort()[0]).mean("population_networks"))
    torch.testing.assert_close(
        networks(data, new_population=True).mean("population_networks"), centre
    )


def test_factors_are_not_refined():
    with pytest.raises(OptionError, match=r"--refine is for amortized networks.*mean-field"):
        fitted(n_steps=10).refined(10)
