"""Small pyramidal models with exact answers beside them."""

from __future__ import annotations

import pyro
import torch
from pyro import distributions as dist
from torch import Tensor

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
