"""Truncated inverse gammas against incomplete gamma functions, and at their extremes."""

import math
from itertools import product

import pytest
import torch
from scipy import special

from neuroparcel.graph.trace import seeded
from neuroparcel.models.reference_scales import Concentration, TruncatedInverseGamma

BOUNDS = (-10.0, 8.0)


def law(shape, rate, bounds=BOUNDS):
    return TruncatedInverseGamma(
        torch.tensor(shape, dtype=torch.float64), torch.tensor(rate, dtype=torch.float64), bounds
    )


def mass(shape, rate, bounds):
    """Of a standard gamma between the bounds; both differences are of numbers below 1/2."""
    low, high = (math.exp(-2 * bound) for bound in reversed(bounds))
    if special.gammainc(shape, rate * high) < 0.5:
        return special.gammainc(shape, rate * high) - special.gammainc(shape, rate * low)
    return special.gammaincc(shape, rate * low) - special.gammaincc(shape, rate * high)


CASES = [
    case
    for case in product((0.5, 3.0, 200.0), (0.1, 2.0, 90.0), (BOUNDS, (-1.0, 0.5)))
    if mass(*case) > 1e-290  # elsewhere incomplete gammas underflow, so they are not used
]


@pytest.mark.parametrize(("shape", "rate", "bounds"), CASES)
def test_moments_are_ratios_of_incomplete_gammas(shape, rate, bounds):
    found, own = law(shape, rate, bounds), mass(shape, rate, bounds)
    expected = shape / rate * mass(shape + 1, rate, bounds) / own
    assert float(found.mean_inverse) == pytest.approx(expected, rel=1e-8)
    constant = special.gammaln(shape) - shape * math.log(rate) + math.log(own)
    assert float(found.log_normaliser) == pytest.approx(constant, rel=1e-8, abs=1e-8)


def test_incomplete_gammas_reach_all_cases_but_one():
    assert len(CASES) == 17


def test_without_effect_of_the_bounds_the_log_is_a_digamma():
    found = law(40.0, 7.0)
    expected = math.log(7.0) - special.digamma(40.0)
    assert float(found.mean_log_square) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("shape", [0.0, 1e-6, 0.5, 1e4, 1e9])
@pytest.mark.parametrize("rate", [0.0, 1e-12, 1.0, 1e12])
def test_extreme_arguments_stay_inside_the_bounds(shape, rate):
    found = law(shape, rate)
    low, high = (math.exp(-2 * bound) for bound in reversed(BOUNDS))
    assert low * (1 - 1e-12) <= float(found.mean_inverse) <= high * (1 + 1e-12)
    assert BOUNDS[0] - 1e-9 <= float(found.mean_log) <= BOUNDS[1] + 1e-9
    assert float(found.divergence()) >= -1e-9
    with seeded(0):
        drawn = found.sample_log(50)
    assert bool(((drawn >= BOUNDS[0]) & (drawn <= BOUNDS[1])).all())


def test_nothing_known_is_the_prior():
    found = law(0.0, 0.0)
    assert float(found.divergence()) == pytest.approx(0, abs=1e-12)
    assert float(found.mean_log) == pytest.approx(-1, abs=1e-12)


def test_moments_are_derivatives_of_the_normaliser():
    shape, rate, step = 2.5, 0.3, 1e-5
    sides = [law(shape, rate + sign * step).log_normaliser for sign in (1, -1)]
    slope = -float(sides[0] - sides[1]) / (2 * step)
    assert float(law(shape, rate).mean_inverse) == pytest.approx(slope, rel=1e-7)
    sides = [law(shape + sign * step, rate).log_normaliser for sign in (1, -1)]
    slope = -float(sides[0] - sides[1]) / (2 * step)
    assert float(law(shape, rate).mean_log_square) == pytest.approx(slope, rel=1e-7)


@pytest.mark.parametrize(("shape", "rate"), [(3.0, 2.0), (0.0, 0.0), (1e6, 2e5), (2.0, 1e12)])
def test_draws_have_the_moments(shape, rate):
    found = law([shape, shape], [rate, rate])
    with seeded(0):
        drawn = found.sample_log(20_000)
    assert drawn.shape == (20_000, 2)
    error = 4 * drawn.std(0) / math.sqrt(20_000) + 1e-6  # four standard errors of the mean
    assert bool(((drawn.mean(0) - found.mean_log).abs() < error).all())


def test_concentrations_are_drawn_inside_the_bounds_around_the_mode():
    found = Concentration(
        torch.tensor([2.0, 10.0]).double(), torch.tensor([0.1, 1e9]).double(), (-1.0, 10.0)
    )
    with seeded(0):
        drawn = found.sample_log(20_000)
    assert float(drawn[:, 0].mean()) == pytest.approx(2.0, abs=0.004)
    assert float(drawn[:, 0].std()) == pytest.approx(0.1, rel=0.03)
    # One that the data say nothing of is uniform.
    assert float(drawn[:, 1].mean()) == pytest.approx(4.5, abs=0.1)
    assert -1 <= float(drawn.min()) <= float(drawn.max()) <= 10
