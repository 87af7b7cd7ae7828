"""The von Mises-Fisher distribution against mpmath, closed forms and its own draws."""

import math

import mpmath
import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from neuroparcel.distributions.von_mises_fisher import (
    MAX_CONCENTRATION,
    VonMisesFisher,
    concentration_of,
    log_normaliser,
    mean_resultant_length,
)

DIMENSIONS = [2, 3, 4, 5, 7, 14, 33, 100, 360, 1175, 1488, 2000]
CONCENTRATIONS = [1e-3, 0.03, 1.0, 5.0, 17.0, 40.0, 200.0, 1500.0, 1e4, 1e5, 1e8]


def exact(n_features, concentration):
    """Log normaliser and mean resultant length, to 40 digits."""
    with mpmath.workdps(40):
        kappa, order = mpmath.mpf(concentration), mpmath.mpf(n_features) / 2 - 1
        here, above = mpmath.besseli(order, kappa), mpmath.besseli(order + 1, kappa)
        constant = order * mpmath.log(kappa) - (order + 1) * mpmath.log(2 * mpmath.pi)
        return float(constant - mpmath.log(here)), float(above / here)


@pytest.mark.parametrize("n_features", DIMENSIONS)
def test_normaliser_and_mean_length_are_those_of_mpmath(n_features):
    kappa = torch.tensor(CONCENTRATIONS, dtype=torch.float64)
    values = [exact(n_features, concentration) for concentration in CONCENTRATIONS]
    expected, lengths = torch.tensor(values, dtype=torch.float64).unbind(-1)
    # Asked for is 1e-6; the expansion is cut at 3e-11 and double precision holds 1e-11 of 1e5.
    torch.testing.assert_close(log_normaliser(kappa, n_features), expected, rtol=1e-10, atol=1e-10)
    found = mean_resultant_length(kappa, n_features)
    torch.testing.assert_close(found, lengths, rtol=1e-13, atol=0)


def test_in_three_dimensions_the_normaliser_is_elementary():
    kappa = torch.logspace(-3, 5, 200, dtype=torch.float64)
    # log (kappa / (4 pi sinh kappa)), with the sinh written so that it does not overflow
    sinh = kappa + (-torch.expm1(-2 * kappa)).log() - math.log(2)
    expected = kappa.log() - math.log(4 * math.pi) - sinh
    torch.testing.assert_close(log_normaliser(kappa, 3), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("n_features", [2, 3, 14, 1488])
def test_at_concentration_zero_the_sphere_is_uniform(n_features):
    zero = torch.zeros((), dtype=torch.float64, requires_grad=True)
    half = n_features / 2
    log_surface = math.log(2) + half * math.log(math.pi) - math.lgamma(half)
    constant = log_normaliser(zero.detach(), n_features)
    assert float(constant) == pytest.approx(-log_surface, abs=1e-9)
    length = mean_resultant_length(zero, n_features)
    (slope,) = torch.autograd.grad(length, zero)
    assert float(length.detach()) == 0
    assert float(slope) == pytest.approx(1 / n_features)


@pytest.mark.parametrize("n_features", [2, 3, 50, 2000])
def test_the_derivative_of_the_normaliser_is_minus_the_mean_length(n_features):
    kappa = torch.tensor([1e-3, 0.5, 20.0, 3e3, 1e5], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(log_normaliser(kappa, n_features).sum(), kappa)
    torch.testing.assert_close(-slope, mean_resultant_length(kappa, n_features))
    some = torch.tensor([0.01, 1.0, 30.0, 2e3], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: log_normaliser(x, n_features), some)
    assert torch.autograd.gradgradcheck(lambda x: log_normaliser(x, n_features), some)


def test_single_precision_comes_back_from_double():
    kappa = torch.tensor([1e-3, 3.0, 1e5], requires_grad=True)
    value = log_normaliser(kappa, 1488)
    value.sum().backward()
    assert value.dtype == kappa.grad.dtype == torch.float32
    torch.testing.assert_close(value.double(), log_normaliser(kappa.double(), 1488))


@pytest.mark.parametrize("n_features", DIMENSIONS)
def test_the_concentration_of_a_mean_length_is_its_own(n_features):
    kappa = torch.logspace(-3, 5, 100, dtype=torch.float64)
    found = concentration_of(mean_resultant_length(kappa, n_features), n_features)
    # At 1e5 in two dimensions the length is 5e-6 from 1, of which doubles hold 4e-11.
    torch.testing.assert_close(found, kappa, rtol=1e-9, atol=0)


def test_no_length_has_an_infinite_concentration():
    length = torch.tensor([-1e-7, 0.0, 1e-12, 1.0, 1.0 + 1e-7])
    found = concentration_of(length, 14)
    largest = torch.tensor(MAX_CONCENTRATION)
    expected = torch.stack([*3 * [torch.tensor(0.0)], largest, largest])
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-10)
    assert float(concentration_of(torch.tensor(1.0), 14, 300.0)) == 300.0


@pytest.mark.parametrize("kappa", [0.0, 0.3, 4.0, 60.0])
def test_the_density_integrates_to_one(kappa):
    """Over the sphere in three dimensions: Gauss-Legendre nodes of the height, even angles."""
    heights, weights = np.polynomial.legendre.leggauss(80)
    angle = np.arange(80) * 2 * np.pi / 80
    radius = np.sqrt(1 - heights**2)[:, None]
    height = np.broadcast_to(heights[:, None], (80, 80))
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle), height], -1)
    law = VonMisesFisher(torch.tensor([0.3, -2.0, 1.0]).double(), torch.tensor(kappa).double())
    density = law.log_prob(torch.from_numpy(points)).exp().numpy()
    assert (weights[:, None] * density).sum() * 2 * np.pi / 80 == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize(
    ("n_features", "kappa"), [(2, 0.5), (3, 0.01), (3, 1e5), (14, 60.0), (2000, 50.0), (2000, 1e5)]
)
def test_draws_have_the_mean_length_and_the_direction(n_features, kappa):
    torch.manual_seed(0)
    direction = normalize(torch.randn(n_features, dtype=torch.float64), dim=-1)
    law = VonMisesFisher(5 * direction, torch.tensor(kappa, dtype=torch.float64))
    n_draws = 4000
    drawn = law.sample((n_draws,))
    norm = torch.linalg.vector_norm(drawn, dim=-1)
    torch.testing.assert_close(norm, torch.ones_like(norm))
    cosine = drawn @ direction
    error = 4 * float(cosine.std()) / math.sqrt(n_draws)
    assert float(cosine.mean()) == pytest.approx(float(law.mean @ direction), abs=error)
    aside = drawn.mean(0) - cosine.mean() * direction
    # Each of the D - 1 coordinates across has the variance (1 - cos^2) / (D - 1), over n draws.
    expected = math.sqrt(float((1 - cosine.square()).mean()) / n_draws)
    assert float(torch.linalg.vector_norm(aside)) < 3.5 * expected


def test_cosines_in_three_dimensions_follow_their_exponential_law():
    torch.manual_seed(1)
    kappa, n_draws = 3.0, 20_000
    direction = torch.tensor([0.0, 0.0, 1.0]).double()
    law = VonMisesFisher(direction, torch.tensor(kappa).double())
    cosine = law.sample((n_draws,))[:, 2].sort().values
    cumulative = (torch.expm1(kappa * (cosine + 1))) / math.expm1(2 * kappa)
    steps = (torch.arange(n_draws).double() + 0.5) / n_draws
    # Kolmogorov and Smirnov: 1.95 / sqrt(n) is passed once in a thousand.
    assert float((cumulative - steps).abs().max()) < 1.95 / math.sqrt(n_draws)


def test_a_batch_of_directions_and_concentrations_broadcasts():
    loc, kappa = torch.randn(4, 1, 6), torch.tensor([0.0, 3.0, 1e4])
    law = VonMisesFisher(loc, kappa)
    drawn = law.expand(torch.Size([5, 4, 3])).sample((2,))
    assert drawn.shape == (2, 5, 4, 3, 6)
    assert law.log_prob(drawn).shape == (2, 5, 4, 3)
    alone = VonMisesFisher(loc[1, 0], kappa[2]).log_prob(drawn[..., 1, 2, :])
    torch.testing.assert_close(law.log_prob(drawn)[..., 1, 2], alone)
    assert bool(VonMisesFisher.support.check(drawn).all())
