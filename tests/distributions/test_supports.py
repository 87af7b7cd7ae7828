"""The support of one ground variable, whatever plates and wrappers are around it."""

from __future__ import annotations

import math

import pytest
import torch
from pyro import distributions as dist
from torch.distributions import constraints

from neuroparcel.distributions.supports import (
    VaryingSupportError,
    element_support,
    ground_support,
    innermost,
)

CASES = {
    "scalar bounds": (dist.Uniform(0.0, 1.0), (0.0, 1.0)),
    "bounds in a plate": (dist.Uniform(-2.0, 3.0).expand((4, 3)), (-2.0, 3.0)),
    "the same bounds in an event": (dist.Uniform(torch.zeros(2), 1.0).to_event(1), (0.0, 1.0)),
    "masked": (dist.Uniform(torch.zeros(3), 2.0).mask(torch.tensor([True, True, False])), (0, 2)),
    "angle": (dist.VonMises(torch.zeros(3), 1.0), (-math.pi, math.pi)),
    "angles": (dist.VonMises(torch.zeros(3), 1.0).to_event(1), (-math.pi, math.pi)),
    "two angles": (
        dist.SineBivariateVonMises(0.0, 0.0, 1.0, 1.0, correlation=torch.tensor(0.1)),
        (-math.pi, math.pi),
    ),
}


@pytest.mark.parametrize(("distribution", "bounds"), CASES.values(), ids=CASES)
def test_bounds_are_numbers(distribution, bounds):
    support = ground_support(distribution)
    element = element_support(support)
    assert (element.lower_bound, element.upper_bound) == pytest.approx(bounds)
    assert support.event_dim == len(distribution.event_shape)


def test_bounds_that_differ_in_the_event_keep_its_shape():
    low = torch.tensor([[0.0], [1.0]])
    support = ground_support(dist.Uniform(low, 2.0).expand((5, 2, 1)).to_event(2))
    assert support.event_dim == 2
    torch.testing.assert_close(element_support(support).lower_bound, low)
    assert element_support(support).upper_bound == 2.0


@pytest.mark.parametrize(
    "distribution",
    [
        dist.Uniform(torch.tensor([0.0, 1.0]), 2.0),
        dist.Pareto(torch.tensor([1.0, 2.0]), 1.0),
        dist.Uniform(torch.tensor([[0.0, 1.0], [0.5, 1.0]]), 2.0).to_event(1),
    ],
)
def test_bounds_that_differ_between_ground_variables_are_an_error(distribution):
    with pytest.raises(VaryingSupportError):
        ground_support(distribution)


def test_a_half_line_keeps_its_kind():
    assert type(ground_support(dist.Pareto(torch.ones(3), 1.0))) is constraints.greater_than_eq


def test_a_mixture_lives_where_its_components_do():
    weights = dist.Categorical(torch.ones(3, 2))
    positive = dist.MixtureSameFamily(weights, dist.Gamma(torch.ones(3, 2), 1.0))
    assert element_support(ground_support(positive)).lower_bound == 0
    vectors = dist.MixtureSameFamily(weights, dist.Gamma(torch.ones(3, 2, 4), 1.0).to_event(1))
    support = ground_support(vectors.to_event(1))
    assert support.event_dim == 2
    assert element_support(support).lower_bound == 0


def test_a_distribution_that_does_not_say_is_unknown():
    class Silent(dist.TorchDistribution):
        def __init__(self) -> None:
            super().__init__(validate_args=False)

    assert ground_support(Silent()) is constraints.dependent


def test_wrappers_are_taken_off():
    base = dist.Normal(torch.zeros(2, 3), 1.0)
    assert innermost(base.to_event(1).mask(True)) is base
    assert isinstance(innermost(base.to_event(1).expand((4, 2))), dist.Normal)
