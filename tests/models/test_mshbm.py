"""The MS-HBM: its density by hand, its two views, and the moment estimates."""

import torch
from torch.distributions import Normal

from neuroparcel.distributions.sphere import LNormal, SphereLink
from neuroparcel.graph import Observation, analyse
from neuroparcel.graph.trace import seeded
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.mshbm_start import Moments, estimate_moments

SIZES = (3, 2, 5)


def plausible(template, n=1, seed=0):
    """Simulated data whose scales are not those of the vague prior."""
    anchors = 3 * torch.eye(2, 4)
    moments = Moments(
        anchors, torch.tensor([0.3, 0.3]), torch.tensor([0.2, 0.2]), torch.tensor(0.5)
    )
    with seeded(seed):
        return template.simulate(SIZES, n, moments.proposals())


def test_density_by_hand():
    covariance = torch.diag(torch.tensor([1.0, 2.0, 0.5, 4.0]))
    template = analyse(MSHBM(covariance, 2))
    latents, data = plausible(template)
    log_prob = template.log_prob(latents, data)
    one = {name: value[0] for name, value in latents.items()}

    population = Normal(0.0, covariance.diagonal().sqrt()).log_prob(one["population_networks"])
    torch.testing.assert_close(log_prob["population_networks"][0], population.sum())
    epsilon = one["log_epsilon"].exp()[:, None]
    subject = Normal(one["population_networks"], epsilon).log_prob(one["subject_networks"])
    torch.testing.assert_close(log_prob["subject_networks"][0], subject.sum())
    uniform = -torch.log(torch.tensor(18.0))
    torch.testing.assert_close(log_prob["log_kappa"][0], uniform)
    torch.testing.assert_close(log_prob["log_sigma"][0], 2 * uniform)
    kappa, weights = one["log_kappa"].exp(), one["mixture_weights"]
    components = Normal(one["session_networks"][:, :, None], kappa).log_prob(
        data.values[0][:, :, :, None]
    )
    profiles = torch.logsumexp(components.sum(-1) + weights.log(), -1).sum()
    torch.testing.assert_close(log_prob["profiles"][0], profiles)


def test_both_views_have_the_same_posterior():
    """On the sphere and in coordinates the joint differs by what no latent enters."""
    template = analyse(MSHBM(torch.eye(4).double(), 2))
    latents, data = in_double(*plausible(template, 3))
    coordinates = sum(template.log_prob(latents, data).values())
    on_sphere = sphere_log_joint(latents, data.values)
    difference = on_sphere - coordinates
    other, _ = in_double(*plausible(template, 3, seed=9))
    again = sphere_log_joint(other, data.values) - sum(template.log_prob(other, data).values())
    # Network densities move by their own Jacobian, which the change of variables of the
    # latents takes back; what is left depends on the data only.
    torch.testing.assert_close(
        difference + network_jacobian(latents),
        again + network_jacobian(other),
        rtol=0,
        atol=1e-6,
    )


def in_double(latents, data):
    doubled = {name: value.double() for name, value in latents.items()}
    simplex = doubled["mixture_weights"]
    doubled["mixture_weights"] = simplex / simplex.sum(-1, keepdim=True)
    return doubled, Observation(data.values.double(), data.mask)


def sphere_log_joint(latents, values):
    """Log joint with networks and profiles on the sphere, by LNormal (ADAVI, eq. E.10)."""
    link = SphereLink()
    on_sphere = {n: link(latents[n]) for n in latents if n.endswith("networks")}
    profiles = link(values)
    one = torch.ones(4).double()
    population = LNormal(torch.zeros(4).double(), one).log_prob(on_sphere["population_networks"])
    epsilon = latents["log_epsilon"].exp()[:, None, :, None] * one
    subject = LNormal(latents["population_networks"][:, None], epsilon).log_prob(
        on_sphere["subject_networks"]
    )
    sigma = latents["log_sigma"].exp()[:, None, None, :, None] * one
    session = LNormal(latents["subject_networks"][:, :, None], sigma).log_prob(
        on_sphere["session_networks"]
    )
    kappa = latents["log_kappa"].exp()[:, None, None, None, None, None] * one
    component = LNormal(latents["session_networks"][:, :, :, None], kappa).log_prob(
        profiles[:, :, :, :, None]
    )
    weights = latents["mixture_weights"][:, None, None, None]
    profile = torch.logsumexp(component + weights.log(), -1)
    tops = 5 * -torch.log(torch.tensor(18.0).double())
    dirichlet = torch.distributions.Dirichlet(torch.full((2,), 2.0).double())
    return (
        population.sum(-1)
        + subject.sum((1, 2))
        + session.sum((1, 2, 3))
        + profile.sum((1, 2, 3))
        + dirichlet.log_prob(latents["mixture_weights"])
        + tops
    )


def network_jacobian(latents):
    link, total = SphereLink(), 0.0
    for name, value in latents.items():
        if name.endswith("networks"):
            total = total + link.log_abs_det_jacobian(value, link(value)).flatten(1).sum(1)
    return total


def test_moment_estimates_are_near_the_truth():
    anchors = 3 * torch.eye(2, 4)
    with seeded(0):
        subject = anchors + 0.4 * torch.randn(40, 1, 2, 4)
        session = subject + 0.2 * torch.randn(40, 3, 2, 4)
        label = torch.arange(100) % 2
        values = session[:, :, label] + 0.5 * torch.randn(40, 3, 100, 4)
    data = Observation.complete(values.unsqueeze(0))
    moments = estimate_moments(data, anchors)
    # Against the spread of the networks that were drawn, so that only the noise of
    # means of 50 vertices is left: 0.07 each, beside 0.4 and 0.2.
    drawn_epsilon = subject[:, 0].var(0).mean(-1).sqrt()
    drawn_sigma = (session - subject).square().mean((0, 1, 3)).sqrt()
    torch.testing.assert_close(moments.epsilon, drawn_epsilon, rtol=0.15, atol=0)
    torch.testing.assert_close(moments.sigma, drawn_sigma, rtol=0.15, atol=0)
    torch.testing.assert_close(moments.kappa, torch.tensor(0.5), rtol=0.05, atol=0)


def test_moment_estimates_survive_one_subject_with_one_session():
    data = Observation.complete(torch.randn(1, 1, 1, 30, 4))
    moments = estimate_moments(data, 3 * torch.eye(2, 4))
    for scale in (moments.epsilon, moments.sigma, moments.kappa):
        assert bool((scale > 0).all())
        assert bool(torch.isfinite(scale).all())
