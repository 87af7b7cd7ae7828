"""Every MS-HBM that can be built: its sites, its density by hand, and what it refuses."""

import math
from functools import cache
from itertools import combinations, product

import pytest
import torch
from scipy.special import ive
from torch.distributions import Dirichlet, MultivariateNormal, Normal
from torch.nn.functional import normalize

from neuroparcel.errors import OptionError
from neuroparcel.graph import analyse
from neuroparcel.graph.trace import seeded
from neuroparcel.models.choices import EMISSIONS, KAPPAS, LEVELS
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.mshbm_start import estimate_moments

SIZES = (3, 2, 5)
COVARIANCE = torch.diag(torch.tensor([1.0, 2.0, 0.5, 4.0])).double()
N_NETWORKS, N_COMPONENTS = 2, 4
RANGE = (-3.0, 1.0)  # so narrow that double precision holds any draw from the prior
SUBSETS = [levels for n in (1, 2, 3) for levels in combinations(LEVELS, n)]
MODELS = list(product(SUBSETS, EMISSIONS, KAPPAS))
every_model = pytest.mark.parametrize(("levels", "emission", "kappa"), MODELS)


@cache
def template_of(levels, emission, kappa):
    model = MSHBM(
        COVARIANCE,
        N_NETWORKS,
        levels=levels,
        emission=emission,
        kappa=kappa,
        log_scale_range=RANGE,
    )
    return analyse(model)


def draw(template, n=2):
    with seeded(0):
        return template.simulate(SIZES, n)


def von_mises_fisher(values, networks, kappa):
    """Log density by scipy's Bessel function, of orders and arguments that it can do."""
    order = N_COMPONENTS / 2 - 1
    bessel = torch.from_numpy(ive(order, kappa.numpy())).log() + kappa
    constant = order * kappa.log() - (order + 1) * math.log(2 * math.pi) - bessel
    return constant + kappa * (values * normalize(networks, dim=-1)).sum(-1)


def by_hand(levels, emission, kappa, latents, values):
    """Log joint of one data set, written without plates, link or engine."""
    one = {name: value.double() for name, value in latents.items()}
    covariance = COVARIANCE if emission == "l-normal" else COVARIANCE / COVARIANCE.trace()
    prior = MultivariateNormal(torch.zeros(N_COMPONENTS).double(), covariance)
    log_range = math.log(RANGE[1] - RANGE[0])
    total = Dirichlet(torch.full((2,), 2.0).double()).log_prob(one["mixture_weights"])
    networks = None
    for level, scale in zip(LEVELS, ("", "log_epsilon", "log_sigma"), strict=True):
        if level not in levels:
            continue
        here = one[f"{level}_networks"]
        wide = here.reshape(*here.shape[:-2], *(1,) * (4 - here.dim()), *here.shape[-2:])
        if networks is None:
            assert scale not in one
            total = total + prior.log_prob(here).sum()
        else:
            total = total - N_NETWORKS * log_range
            spread = one[scale].exp().unsqueeze(-1)
            total = total + Normal(networks, spread).log_prob(wide).sum()
        networks = wide
    log_kappa = one["log_kappa"]
    width = RANGE[1] - RANGE[0] + (0 if emission == "l-normal" else math.log(N_COMPONENTS))
    total = total - log_kappa.numel() * math.log(width)
    if kappa == "session":
        log_kappa = log_kappa[:, :, None, None]
    # Now (subject, session, vertex, network), with ones.
    spread = log_kappa.exp().expand(*SIZES, N_NETWORKS)
    at, around = values.double().unsqueeze(-2), networks.unsqueeze(2)
    if emission == "l-normal":
        components = Normal(around, spread.unsqueeze(-1)).log_prob(at).sum(-1)
    else:
        components = von_mises_fisher(at, around, spread)
    profiles = torch.logsumexp(components + one["mixture_weights"].log(), -1)
    return total + profiles.sum(), components, profiles


@every_model
def test_the_sites_are_those_of_the_levels(levels, emission, kappa):
    graph = template_of(levels, emission, kappa).graph
    plates = {site.name: graph.n_plates - site.hierarchy for site in graph.latents}
    expected = {f"{level}_networks": LEVELS.index(level) for level in levels}
    expected |= {"mixture_weights": 0, "log_kappa": 2 if kappa == "session" else 0}
    if "subject" in levels[1:]:
        expected["log_epsilon"] = 0
    if "session" in levels[1:]:
        expected["log_sigma"] = 0
    assert plates == expected
    assert set(graph.observed.parents) == {
        f"{levels[-1]}_networks", "log_kappa", "mixture_weights"
    }  # fmt: skip


@every_model
def test_density_by_hand(levels, emission, kappa):
    template = template_of(levels, emission, kappa)
    latents, data = draw(template)
    log_prob = sum(template.log_prob(latents, data).values())
    model = template.model
    for i in range(2):
        one = {name: value[i] for name, value in latents.items()}
        expected, components, profiles = by_hand(levels, emission, kappa, one, data.values[i])
        torch.testing.assert_close(log_prob[i], expected, rtol=1e-8, atol=1e-8)
        found = model.component_log_prob(data.values[i], one)
        torch.testing.assert_close(found, components, rtol=1e-8, atol=1e-8)
        found = model.mixture(one).log_prob(data.values[i])
        torch.testing.assert_close(found, profiles, rtol=1e-8, atol=1e-8)


@every_model
def test_leading_dimensions_are_kept(levels, emission, kappa):
    template = template_of(levels, emission, kappa)
    latents, data = draw(template)
    together = template.model.component_log_prob(data.values, latents)
    assert together.shape == (2, *SIZES, N_NETWORKS)
    one = {name: value[1] for name, value in latents.items()}
    alone = template.model.component_log_prob(data.values[1], one)
    torch.testing.assert_close(together[1], alone)
    shape = [size if level in levels else 1 for level, size in zip(LEVELS[1:], SIZES, strict=False)]
    if levels[-1] == "session":
        shape[0] = SIZES[0]
    assert template.model.networks(latents).shape == (2, *shape, N_NETWORKS, N_COMPONENTS)


@every_model
def test_proposals_are_made_for_sites_that_are_there(levels, emission, kappa):
    template = template_of(levels, emission, kappa)
    latents, data = draw(template, 1)
    anchors = torch.eye(N_NETWORKS, N_COMPONENTS).double()
    proposals = estimate_moments(data, anchors, template.model).proposals()
    scales = {name for name in latents if name.startswith("log_")}
    assert set(proposals) == {f"{levels[0]}_networks", *scales}
    for seed in range(3):
        with seeded(seed):
            drawn, values = template.simulate(SIZES, 2, proposals)
        # Minus infinity where a proposal goes beyond the prior's support.
        log_prob = sum(template.log_prob(drawn, values).values())
        assert bool(torch.isfinite(log_prob).all())


def test_only_the_shape_of_the_covariance_counts_on_the_sphere():
    plain, scaled = (
        MSHBM(factor * COVARIANCE, 2, emission="von-mises-fisher") for factor in (1.0, 300.0)
    )
    torch.testing.assert_close(plain.prior_tril, scaled.prior_tril)
    covariance = plain.prior_tril @ plain.prior_tril.T
    assert float(covariance.trace()) == pytest.approx(1)


def test_another_device_has_the_same_model():
    model = MSHBM(
        COVARIANCE,
        3,
        levels=("subject", "session"),
        emission="von-mises-fisher",
        kappa="network",
        log_scale_range=RANGE,
        concentration=1.5,
    )
    moved = model.to("cpu")
    assert moved is not model
    for name in ("n_networks", "levels", "emission", "kappa", "log_scale_range", "concentration"):
        assert getattr(moved, name) == getattr(model, name)
    torch.testing.assert_close(moved.population_covariance, model.population_covariance)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"levels": ()}, r"the levels are \(\)\. Choose one or more of population, subject"),
        ({"levels": ("session", "subject")}, r"the levels are \(session, subject\)\."),
        ({"levels": ("subject", "subject")}, r"the levels are \(subject, subject\)\."),
        ({"levels": ("group",)}, "unknown level 'group'. Choose one of population, subject"),
        ({"emission": "normal"}, "unknown emission 'normal'. Choose one of l-normal, von-mises"),
        ({"kappa": "vertex"}, "unknown kappa 'vertex'. Choose one of shared, network, session"),
        ({"n_networks": 0}, "0 networks were asked for. Give at least one"),
        ({"log_scale_range": (2.0, 2.0)}, r"the log scales have the range \(2.0, 2.0\)"),
        ({"log_scale_range": (float("-inf"), 2.0)}, r"the range \(-inf, 2.0\). Give two numbers"),
        ({"concentration": 0.0}, "the concentration 0.0. Give a positive number"),
        ({"population_covariance": torch.ones(2, 3)}, r"has the shape \(2, 3\). Give a square"),
        ({"population_covariance": torch.ones(2, 2)}, "is not positive definite. Give the cov"),
        (
            {"population_covariance": torch.zeros(2, 2), "emission": "von-mises-fisher"},
            "is not positive definite. Give the cov",
        ),
    ],
)
def test_what_no_model_can_be_built_of(arguments, message):
    with pytest.raises(OptionError, match=message):
        MSHBM(**{"population_covariance": torch.eye(3), "n_networks": 2, **arguments})


def test_one_level_can_be_named_alone():
    assert MSHBM(torch.eye(3), 2, levels="subject").levels == ("subject",)
    assert MSHBM(torch.eye(3), 2, levels=["subject", "session"]).levels == ("subject", "session")
