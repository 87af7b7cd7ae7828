"""What a link says of itself, and which supports it refuses; its laws are in tests/laws."""

from __future__ import annotations

import pytest
import torch
from pyro.distributions import constraints

from neuroparcel.distributions.links import Link, find_bijection
from neuroparcel.distributions.sphere import positive_orthant
from neuroparcel.errors import NotPyramidalError

NAMES = {
    "identity": constraints.independent(constraints.real, 2),
    "exp": constraints.positive,
    "2 + exp": constraints.greater_than(2.0),
    "-1.5 - exp": constraints.less_than(-1.5),
    "interval (-10, 8)": constraints.interval(-10.0, 8.0),
    "interval (0, 0.1)": constraints.half_open_interval(0.0, float(torch.tensor(0.1))),
    "interval (-1..0, 1..5)": constraints.interval(
        torch.tensor([-1.0, 0.0]), torch.tensor([1.0, 5.0])
    ),
    "softplus": constraints.softplus_positive,
    "stick-breaking": constraints.independent(constraints.simplex, 1),
    "lower Cholesky": constraints.lower_cholesky,
    "softplus Cholesky": constraints.softplus_lower_cholesky,
    "unit Cholesky": constraints.unit_lower_cholesky,
    "correlation Cholesky": constraints.corr_cholesky,
    "correlation": constraints.corr_matrix,
    "positive definite": constraints.positive_definite,
    "ordered": constraints.ordered_vector,
    "positive ordered": constraints.positive_ordered_vector,
    "stereographic": constraints.sphere,
    "positive orthant": positive_orthant,
}


@pytest.mark.parametrize(("name", "support"), NAMES.items(), ids=NAMES)
def test_a_link_has_a_name(name, support):
    bijection = find_bijection(support)
    assert bijection is not None
    assert bijection.name == name


@pytest.mark.parametrize("support", [constraints.boolean, constraints.nonnegative_integer])
def test_a_discrete_support_is_refused_by_name(support):
    with pytest.raises(NotPyramidalError, match=r"site 'label'.*marginalised"):
        Link(support, (), "label")


@pytest.mark.parametrize("support", [constraints.dependent, constraints.symmetric])
def test_a_support_without_a_known_volume_is_refused_when_the_link_is_made(support):
    with pytest.raises(NotPyramidalError, match=r"site 'factor' has the support.*real, positive"):
        Link(support, (3, 3), "factor")


@pytest.mark.parametrize(
    ("support", "event_shape"),
    [
        (constraints.simplex, (1,)),
        (constraints.corr_matrix, (1, 1)),
        (constraints.independent(constraints.simplex, 1), (4, 1)),
    ],
)
def test_a_support_of_one_value_is_refused(support, event_shape):
    with pytest.raises(NotPyramidalError, match=r"site 'weight' has one possible value.*constant"):
        Link(support, event_shape, "weight")
