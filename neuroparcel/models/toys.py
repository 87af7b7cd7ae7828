"""Small pyramidal models with exact answers beside them."""

from __future__ import annotations

import math

import pyro
import torch
from pyro import distributions as dist
from torch import Tensor

from neuroparcel.distributions.mixture import GaussianMixture

SIGMA_POPULATION, SIGMA_GROUP, SIGMA_POINT = 1.0, 0.2, 0.05  # ADAVI, eq. 6


def gaussian_random_effects(
    points: Tensor | None = None, n_groups: int = 3, n_points: int = 50
) -> Tensor:
    """Groups of points around group means around a population mean, in two dimensions.

    Parameters
    ----------
    points : Tensor, shape (..., group, point, 2), optional
        Observed points; drawn if None.

    References
    ----------
    ADAVI, eq. 6; the sigmas are standard deviations.
    """
    prior = dist.Normal(torch.zeros(2), SIGMA_POPULATION).to_event(1)
    population_mean = pyro.sample("population_mean", prior)
    with pyro.plate("group", n_groups, dim=-2):
        group = dist.Normal(population_mean, SIGMA_GROUP).to_event(1)
        group_mean = pyro.sample("group_mean", group)
        with pyro.plate("point", n_points, dim=-1):
            point = dist.Normal(group_mean, SIGMA_POINT).to_event(1)
            return pyro.sample("points", point, obs=points)


def random_effects_log_evidence(points: Tensor) -> Tensor:
    """Exact log evidence of :func:`gaussian_random_effects`.

    Parameters
    ----------
    points : Tensor, shape (..., group, point, 2)

    Returns
    -------
    Tensor, shape (...)

    Notes
    -----
    Points enter through group means and scatter; the group means are jointly
    Gaussian with variance ``sigma_g^2 + sigma_x^2 / N`` plus a shared ``sigma_mu^2``.
    """
    points = points.double()
    n_groups, n_points, n_features = points.shape[-3:]
    means = points.mean(-2)
    noise = SIGMA_POINT**2
    scatter = (points - means.unsqueeze(-2)).square().sum((-1, -2, -3))
    within = -0.5 * scatter / noise - 0.5 * n_groups * n_features * (
        (n_points - 1) * torch.log(torch.tensor(2 * torch.pi * noise))
        + torch.log(torch.tensor(float(n_points)))
    )
    covariance = torch.eye(n_groups, dtype=points.dtype) * (SIGMA_GROUP**2 + noise / n_points)
    covariance = covariance + SIGMA_POPULATION**2
    zero = torch.zeros(n_groups, dtype=points.dtype)
    between = dist.MultivariateNormal(zero, covariance).log_prob(means.transpose(-1, -2))
    return within + between.sum(-1)


def random_effects_posterior(points: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Exact posterior mean and standard deviation of each site.

    Returns
    -------
    dict
        ``population_mean``: (mean (..., 2), sd ()); ``group_mean``: (mean
        (..., group, 2), sd ()), marginal over the population mean.
    """
    n_groups, n_points = points.shape[-3], points.shape[-2]
    means = points.mean(-2)
    noise, group = SIGMA_POINT**2 / n_points, SIGMA_GROUP**2
    precision = n_groups / (group + noise) + 1 / SIGMA_POPULATION**2
    population = means.sum(-2) / (group + noise) / precision
    shrink = noise / (group + noise)
    group_mean = (1 - shrink) * means + shrink * population.unsqueeze(-2)
    variance = group * noise / (group + noise) + shrink**2 / precision
    sd = torch.tensor([1 / precision, variance]).sqrt()
    return {"population_mean": (population, sd[0]), "group_mean": (group_mean, sd[1])}


RATE, LAPLACE_SCALE = 0.5, 0.3  # ADAVI, eq. 7


def non_conjugate(points: Tensor | None = None, n_points: int = 10) -> Tensor:
    """Laplace points around a Gamma location, in two dimensions.

    Parameters
    ----------
    points : Tensor, shape (..., point, 2), optional
        Observed points; drawn if None.

    References
    ----------
    ADAVI, eq. 7, with the concentration 1.
    """
    prior = dist.Gamma(torch.ones(2), torch.full((2,), RATE)).to_event(1)
    location = pyro.sample("location", prior)
    with pyro.plate("point", n_points, dim=-1):
        point = dist.Laplace(location, LAPLACE_SCALE).to_event(1)
        return pyro.sample("points", point, obs=points)


def non_conjugate_log_evidence(points: Tensor) -> Tensor:
    r"""Exact log evidence of :func:`non_conjugate`.

    Parameters
    ----------
    points : Tensor, shape (..., point, 2)

    Returns
    -------
    Tensor, shape (...)

    Notes
    -----
    The log of likelihood times prior is linear in the location between two points,
    so the integral over each such piece, from :math:`u` with the value
    :math:`f(u)` and the slope :math:`s`, is :math:`f(u) (e^{s \Delta} - 1) / s`.
    A slope is never zero, for the rate times the scale is no even integer.
    """
    values = points.double().transpose(-1, -2)  # (..., coordinate, point)
    n_points = values.shape[-1]
    start = torch.zeros_like(values[..., :1])
    knots = torch.cat([start, values.clamp_min(0).sort(-1).values], -1)
    distance = (knots.unsqueeze(-1) - values.unsqueeze(-2)).abs().sum(-1)
    constant = math.log(RATE) - n_points * math.log(2 * LAPLACE_SCALE)
    log_value = constant - RATE * knots - distance / LAPLACE_SCALE
    below = (values.unsqueeze(-2) <= knots.unsqueeze(-1)).double().sum(-1)
    slope = (n_points - 2 * below) / LAPLACE_SCALE - RATE
    width = torch.cat([knots.diff(dim=-1), torch.full_like(start, torch.inf)], -1)
    # A rising piece is integrated from its right end, so that nothing overflows.
    rise = torch.where(slope > 0, slope * width, torch.zeros_like(width))
    piece = -torch.expm1(-slope.abs() * width) / slope.abs()
    return torch.logsumexp(log_value + rise + piece.log(), -1).sum(-1)


def gaussian_mixture(
    points: Tensor | None = None, n_groups: int = 3, n_points: int = 50, n_components: int = 3
) -> Tensor:
    """Groups of points around components that move from group to group; two dimensions.

    Parameters
    ----------
    points : Tensor, shape (..., group, point, 2), optional
        Observed points; drawn if None.

    References
    ----------
    ADAVI, eq. 8, with the assignments summed out.
    """
    prior = dist.Normal(torch.zeros(n_components, 2), SIGMA_POPULATION).to_event(2)
    population_means = pyro.sample("population_means", prior)
    with pyro.plate("group", n_groups, dim=-2):
        group = dist.Normal(population_means, SIGMA_GROUP).to_event(2)
        group_means = pyro.sample("group_means", group)
        weights = pyro.sample("weights", dist.Dirichlet(torch.ones(n_components)))
        with pyro.plate("point", n_points, dim=-1):
            scale = group_means.new_tensor(SIGMA_POINT)
            mixture = GaussianMixture(weights, group_means, scale)
            return pyro.sample("points", mixture, obs=points)


def toy_networks(
    profiles: Tensor | None = None,
    n_subjects: int = 2,
    n_sessions: int = 2,
    n_vertices: int = 50,
    n_networks: int = 2,
) -> Tensor:
    """The MS-HBM in toy dimensions: profiles on a quarter of the circle.

    Networks and profiles are link coordinates, of which two features have one
    (:class:`neuroparcel.distributions.sphere.SphereLink`).

    Parameters
    ----------
    profiles : Tensor, shape (..., subject, session, vertex, 1), optional
        Observed link coordinates; drawn if None.

    References
    ----------
    ADAVI, eq. E.12.
    """
    ones = torch.ones(n_networks)
    network = dist.Uniform(-4 * ones.unsqueeze(-1), 4 * ones.unsqueeze(-1)).to_event(2)
    population = pyro.sample("population_networks", network)
    log_epsilon = pyro.sample("log_epsilon", dist.Uniform(-2 * ones, -1 * ones).to_event(1))
    log_sigma = pyro.sample("log_sigma", dist.Uniform(-3 * ones, -2 * ones).to_event(1))
    log_kappa = pyro.sample("log_kappa", dist.Uniform(torch.tensor(-4.0), torch.tensor(-3.0)))
    weights = pyro.sample("mixture_weights", dist.Dirichlet(2 * ones))
    with pyro.plate("subject", n_subjects, dim=-3):
        subject = dist.Normal(population, log_epsilon.exp().unsqueeze(-1)).to_event(2)
        subject_networks = pyro.sample("subject_networks", subject)
        with pyro.plate("session", n_sessions, dim=-2):
            session = dist.Normal(subject_networks, log_sigma.exp().unsqueeze(-1)).to_event(2)
            session_networks = pyro.sample("session_networks", session)
            with pyro.plate("vertex", n_vertices, dim=-1):
                profile = GaussianMixture(weights, session_networks, log_kappa.exp().unsqueeze(-1))
                return pyro.sample("profiles", profile, obs=profiles)
