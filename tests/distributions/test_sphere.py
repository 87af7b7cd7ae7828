"""The link onto the sphere and the L-normal distribution: laws and exact integrals."""

import math

import numpy as np
import pytest
import torch

from neuroparcel.brain import links
from neuroparcel.distributions.sphere import LNormal, SphereLink, helmert, helmert_transpose


@pytest.mark.parametrize("n", [1, 2, 7, 140])
def test_link_is_a_bijection_onto_the_positive_orthant(n):
    y = torch.randn(20, n, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    profile = SphereLink()(y)
    assert bool((profile > 0).all())
    torch.testing.assert_close(profile.norm(dim=-1), torch.ones(20, dtype=torch.float64))
    torch.testing.assert_close(SphereLink().inv(profile), y)


def test_helmert_basis_is_orthonormal_with_sum_zero():
    basis = helmert(torch.eye(6, dtype=torch.float64)).T
    torch.testing.assert_close(basis.T @ basis, torch.eye(6, dtype=torch.float64))
    torch.testing.assert_close(basis.sum(0), torch.zeros(6, dtype=torch.float64))
    torch.testing.assert_close(helmert_transpose(torch.eye(7, dtype=torch.float64)), basis)


def test_torch_and_numpy_links_are_equal():
    y = np.random.default_rng(0).normal(size=(5, 8))
    profile = SphereLink()(torch.from_numpy(y)).numpy()
    np.testing.assert_allclose(profile, links.link_forward(y), atol=1e-12)
    np.testing.assert_allclose(links.link_inverse(profile), y, atol=1e-10)


def test_jacobian_is_the_volume_change_on_the_sphere():
    y = torch.tensor([0.3, -1.2, 0.7], dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(SphereLink(), y)
    volume = 0.5 * torch.linalg.slogdet(jacobian.T @ jacobian).logabsdet
    torch.testing.assert_close(SphereLink().log_abs_det_jacobian(y, SphereLink()(y)), volume)


def test_density_integrates_to_one_on_the_quarter_circle():
    angle = torch.linspace(1e-4, math.pi / 2 - 1e-4, 200_001, dtype=torch.float64)
    circle = torch.stack([angle.cos(), angle.sin()], -1)
    law = LNormal(torch.tensor([0.4]).double(), torch.tensor([0.8]).double())
    density = law.log_prob(circle).exp()
    assert float(torch.trapezoid(density, angle)) == pytest.approx(1, abs=1e-4)


def test_density_integrates_to_one_on_the_octant():
    # Midpoint rule in spherical coordinates; the area element is sin(theta).
    n = 800
    grid = (torch.arange(n, dtype=torch.float64) + 0.5) * (math.pi / 2 / n)
    theta, phi = torch.meshgrid(grid, grid, indexing="ij")
    points = torch.stack([theta.sin() * phi.cos(), theta.sin() * phi.sin(), theta.cos()], -1)
    law = LNormal(torch.tensor([0.3, -0.2]).double(), torch.tensor([0.7, 0.9]).double())
    mass = (law.log_prob(points).exp() * theta.sin()).sum() * (math.pi / 2 / n) ** 2
    assert float(mass) == pytest.approx(1, abs=1e-3)
