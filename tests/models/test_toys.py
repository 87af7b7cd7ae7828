"""The exact answers, against brute force."""

import pytest
import torch
from torch.distributions import MultivariateNormal

from neuroparcel.graph import analyse
from neuroparcel.graph.trace import seeded
from neuroparcel.models.toys import (
    SIGMA_GROUP,
    SIGMA_POINT,
    SIGMA_POPULATION,
    gaussian_random_effects,
    random_effects_log_evidence,
    random_effects_posterior,
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
