"""The exact answers, against brute force."""

import itertools

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from torch.distributions import MultivariateNormal

from neuroparcel.graph import analyse
from neuroparcel.graph.trace import seeded
from neuroparcel.models.toys import (
    LAPLACE_SCALE,
    RATE,
    SIGMA_GROUP,
    SIGMA_POINT,
    SIGMA_POPULATION,
    gaussian_mixture,
    gaussian_random_effects,
    non_conjugate,
    non_conjugate_log_evidence,
    random_effects_log_evidence,
    random_effects_posterior,
    toy_networks,
)


@pytest.fixture(scope="module")
def points():
    with seeded(0):
        return gaussian_random_effects(n_groups=3, n_points=4).double()


def joint_covariance(n_groups, n_points):
    """Of one coordinate of (population, groups, points)."""
    n = n_groups * n_points
    up = torch.zeros(1 + n_groups + n, 1 + n_groups + n).double()
    up[0, 0] = SIGMA_POPULATION
    for g in range(n_groups):
        up[1 + g, 0], up[1 + g, 1 + g] = SIGMA_POPULATION, SIGMA_GROUP
        for i in range(n_points):
            row = 1 + n_groups + g * n_points + i
            up[row] = up[1 + g]
            up[row, row] = SIGMA_POINT
    return up @ up.T


def test_evidence_is_the_joint_gaussian_density(points):
    covariance = joint_covariance(3, 4)[4:, 4:]
    law = MultivariateNormal(torch.zeros(12).double(), covariance)
    expected = sum(law.log_prob(points[..., d].flatten()) for d in range(2))
    torch.testing.assert_close(random_effects_log_evidence(points), expected)


def test_posterior_is_gaussian_conditioning(points):
    covariance = joint_covariance(3, 4)
    gain = covariance[:4, 4:] @ torch.linalg.inv(covariance[4:, 4:])
    mean = torch.stack([gain @ points[..., d].flatten() for d in range(2)], -1)
    sd = (covariance[:4, :4] - gain @ covariance[4:, :4]).diagonal().sqrt()
    exact = random_effects_posterior(points)
    torch.testing.assert_close(exact["population_mean"][0], mean[0])
    torch.testing.assert_close(exact["group_mean"][0], mean[1:])
    torch.testing.assert_close(exact["population_mean"][1].double(), sd[0], rtol=1e-5, atol=0)
    torch.testing.assert_close(exact["group_mean"][1].double(), sd[1], rtol=1e-5, atol=0)


@pytest.mark.parametrize(("n_groups", "median"), [(3, 449), (30, 4519)])
def test_evidence_has_the_stated_median(n_groups, median):
    template = analyse(gaussian_random_effects)
    with seeded(1):
        _, data = template.simulate((n_groups, 50), 400)
    found = float(random_effects_log_evidence(data.values).median())
    # The spread of one evidence is about sqrt(100 G) nats; of a median of 400, a twentieth.
    assert found == pytest.approx(median, abs=4 * (100 * n_groups) ** 0.5 / 20)


def quadrature(points):
    """Log evidence of one coordinate, by adaptive quadrature between the kinks."""

    def log_joint(location):
        distance = np.abs(points - location).sum()
        likelihood = -distance / LAPLACE_SCALE - len(points) * np.log(2 * LAPLACE_SCALE)
        return np.log(RATE) - RATE * location + likelihood

    kinks = np.sort(np.clip(points, 0, None))
    # Past the last kink the integrand falls by e a unit at least; e^-50 is left.
    knots = [0.0, *kinks, *(kinks[-1] + np.array([0.1, 0.5, 2, 10, 50]))]
    top = max(map(log_joint, knots))
    pieces = [
        quad(lambda a: np.exp(log_joint(a) - top), low, high, epsabs=1e-15, limit=200)[0]
        for low, high in itertools.pairwise(knots)
        if high > low
    ]
    return top + np.log(sum(pieces))


def test_the_non_conjugate_evidence_is_that_of_quadrature():
    template = analyse(non_conjugate)
    with seeded(3):
        _, data = template.simulate((7,), 5)
    data.values[0, :3] = -1.0  # points on the wrong side of the prior's edge, and ties
    found = non_conjugate_log_evidence(data.values)
    for points, evidence in zip(data.values.double().numpy(), found, strict=True):
        expected = quadrature(points[:, 0]) + quadrature(points[:, 1])
        assert float(evidence) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(
    ("model", "hierarchies"),
    [(gaussian_mixture, [2, 1, 1]), (toy_networks, [3, 3, 3, 3, 3, 2, 1]), (non_conjugate, [1])],
)
def test_toys_are_pyramids(model, hierarchies):
    template = analyse(model)
    assert [site.hierarchy for site in template.graph.latents] == hierarchies
    with seeded(0):
        latents, data = template.simulate(tuple(range(3, 3 + template.graph.n_plates)), 2)
    log_prob = template.log_prob({k: v.unsqueeze(0) for k, v in latents.items()}, data)
    assert all(bool(torch.isfinite(value).all()) for value in log_prob.values())


def test_the_mixture_is_the_sum_over_assignments():
    """Against the mixture written with explicit assignments, enumerated."""
    template = analyse(gaussian_mixture)
    with seeded(1):
        latents, data = template.simulate((2, 3), 1)
    means, weights = latents["group_means"][0].double(), latents["weights"][0].double()
    points = data.values[0].double()
    law = torch.distributions.Normal(means.unsqueeze(1), SIGMA_POINT)
    each = law.log_prob(points.unsqueeze(2)).sum(-1) + weights.log().unsqueeze(1)
    expected = torch.logsumexp(each, -1).sum()
    given = {name: value.unsqueeze(0) for name, value in latents.items()}
    found = template.log_prob(given, data)["points"][0, 0]
    assert float(found) == pytest.approx(float(expected), rel=1e-5)
