"""Laws of the links, for each kind of support and event shapes of any order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import pytest
import torch
from pyro import distributions as dist
from pyro.distributions import constraints
from torch.distributions import Transform

from neuroparcel.distributions.links import Link
from neuroparcel.distributions.sphere import LNormal, positive_orthant
from neuroparcel.distributions.supports import ground_support

# Which entries of an event the volume is counted by; None for a curved surface.
ALL = "all"
ALL_BUT_LAST = "all but the last"
TRIANGLE = "lower triangle"
STRICT_TRIANGLE = "below the diagonal"
SURFACE = "surface"


@dataclass(frozen=True)
class Case:
    support: constraints.Constraint
    event_shape: tuple[int, ...]
    entries: str = ALL


def several(support: constraints.Constraint, n_dims: int) -> constraints.Constraint:
    return constraints.independent(support, n_dims)


VECTOR_INTERVAL = constraints.interval(torch.tensor([-1.0, 0.0]), torch.tensor([1.0, 5.0]))

CASES = {
    "real scalar": Case(constraints.real, ()),
    "real matrix": Case(several(constraints.real, 2), (2, 3)),
    "real of order 3": Case(several(constraints.real, 3), (2, 1, 3)),
    "positive": Case(several(constraints.positive, 1), (4,)),
    "nonnegative scalar": Case(constraints.nonnegative, ()),
    "positive matrix": Case(several(constraints.positive, 2), (2, 2)),
    "softplus positive": Case(several(constraints.softplus_positive, 1), (3,)),
    "above 2": Case(constraints.greater_than(2.0), ()),
    "from -1 on": Case(several(constraints.greater_than_eq(-1.0), 1), (2,)),
    "below 3": Case(several(constraints.less_than(3.0), 2), (1, 2)),
    "above a vector": Case(several(constraints.greater_than(torch.tensor([0.0, 2.0])), 1), (2,)),
    "unit interval": Case(constraints.unit_interval, ()),
    "interval": Case(constraints.interval(-10.0, 8.0), ()),
    "interval vector": Case(several(constraints.interval(-10.0, 8.0), 1), (2,)),
    "interval of its own bounds": Case(several(VECTOR_INTERVAL, 1), (2,)),
    "half-open interval": Case(several(constraints.half_open_interval(0.0, 2.0), 2), (2, 3)),
    "simplex": Case(constraints.simplex, (3,), ALL_BUT_LAST),
    "several simplices": Case(several(constraints.simplex, 1), (3, 4), ALL_BUT_LAST),
    "simplices of order 3": Case(several(constraints.simplex, 2), (2, 1, 3), ALL_BUT_LAST),
    "ordered": Case(constraints.ordered_vector, (4,)),
    "ordered vectors": Case(several(constraints.ordered_vector, 1), (2, 3)),
    "positive ordered": Case(constraints.positive_ordered_vector, (4,)),
    "positive ordered vectors": Case(several(constraints.positive_ordered_vector, 1), (2, 3)),
    "lower Cholesky": Case(constraints.lower_cholesky, (3, 3), TRIANGLE),
    "lower Choleskys": Case(several(constraints.lower_cholesky, 1), (2, 3, 3), TRIANGLE),
    "softplus Cholesky": Case(constraints.softplus_lower_cholesky, (3, 3), TRIANGLE),
    "unit Cholesky": Case(constraints.unit_lower_cholesky, (3, 3), STRICT_TRIANGLE),
    "unit Choleskys": Case(
        several(constraints.unit_lower_cholesky, 2), (1, 2, 2, 2), STRICT_TRIANGLE
    ),
    "positive definite": Case(constraints.positive_definite, (3, 3), TRIANGLE),
    "positive definites": Case(several(constraints.positive_definite, 1), (2, 3, 3), TRIANGLE),
    "one positive definite number": Case(constraints.positive_definite, (1, 1), TRIANGLE),
    "positive semidefinite": Case(constraints.positive_semidefinite, (2, 2), TRIANGLE),
    "correlation Cholesky": Case(constraints.corr_cholesky, (4, 4), STRICT_TRIANGLE),
    "correlation Choleskys": Case(
        several(constraints.corr_cholesky, 1), (2, 3, 3), STRICT_TRIANGLE
    ),
    "correlation": Case(constraints.corr_matrix, (4, 4), STRICT_TRIANGLE),
    "correlations": Case(several(constraints.corr_matrix, 1), (2, 2, 2), STRICT_TRIANGLE),
    "sphere": Case(constraints.sphere, (3,), SURFACE),
    "spheres": Case(several(constraints.sphere, 1), (2, 4), SURFACE),
    "positive orthant": Case(positive_orthant, (4,), SURFACE),
    "positive orthants": Case(several(positive_orthant, 1), (2, 3), SURFACE),
}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def case(request) -> Case:
    return request.param


def link_of(case: Case) -> Link:
    return Link(case.support, case.event_shape)


def coordinates(link: Link, dtype: torch.dtype, scale: float = 1.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    draws = torch.randn(5, 2, link.size, dtype=torch.float64, generator=generator)
    return (scale * draws).to(dtype)


# A correlation matrix rounds its smallest eigenvalue to the precision of its entries.
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 2e-3)])
def test_inverse_undoes_forward(case, dtype, tolerance):
    link = link_of(case)
    unbounded = coordinates(link, dtype)
    value, log_det = link(unbounded)
    assert value.shape == (5, 2, *link.event_shape)
    assert log_det.shape == (5, 2)
    assert value.dtype == log_det.dtype == dtype
    torch.testing.assert_close(link.inverse(value), unbounded, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_lie_in_the_support(case, dtype):
    link = link_of(case)
    value, _ = link(coordinates(link, dtype))
    assert bool(case.support.check(value).all())


def test_log_det_is_that_of_the_autodiff_jacobian(case):
    link = link_of(case)
    point = coordinates(link, torch.float64)[0, 0]
    jacobian = torch.autograd.functional.jacobian(lambda u: link(u)[0], point)
    jacobian = free_rows(jacobian, case)
    expected = torch.linalg.slogdet(jacobian.T @ jacobian).logabsdet / 2
    torch.testing.assert_close(link(point)[1], expected)


def free_rows(jacobian: torch.Tensor, case: Case) -> torch.Tensor:
    """Rows of the entries that count, of a (*event, size) Jacobian."""
    kept = torch.ones(case.event_shape, dtype=torch.bool)
    if case.entries == ALL_BUT_LAST:
        kept[..., -1] = False
    if case.entries in (TRIANGLE, STRICT_TRIANGLE):
        kept = kept.tril(0 if case.entries == TRIANGLE else -1)
    return jacobian[kept]


# Coordinates up to 15 are far in the tail of any fit; the exponential of their square,
# which a positive definite matrix holds, is still a float32.
def test_far_from_the_origin_values_volumes_and_gradients_stay_finite(case):
    link = link_of(case)
    unbounded = coordinates(link, torch.float32, scale=5.0).requires_grad_()
    value, log_det = link(unbounded)
    (gradient,) = torch.autograd.grad(value.square().sum().log() + log_det.sum(), unbounded)
    for tensor in (value, log_det, gradient):
        assert bool(torch.isfinite(tensor).all())


def test_a_batch_is_its_rows(case):
    link = link_of(case)
    unbounded = coordinates(link, torch.float64)
    value, log_det = link(unbounded)
    one_value, one_log_det = link(unbounded[3, 1])
    torch.testing.assert_close(value[3, 1], one_value)
    torch.testing.assert_close(log_det[3, 1], one_log_det)
    torch.testing.assert_close(link.inverse(value)[3, 1], link.inverse(one_value))


@pytest.mark.parametrize("count", [0, 1])
def test_batches_may_be_empty(case, count):
    link = link_of(case)
    value, log_det = link(torch.zeros(2, count, link.size))
    assert value.shape == (2, count, *link.event_shape)
    assert log_det.shape == (2, count)


def test_every_constant_follows_the_coordinates_to_their_device(case):
    """The meta device refuses, like any other, to meet vectors of the CPU."""
    link = link_of(case)
    value, log_det = link(torch.zeros(3, link.size, device="meta"))
    assert value.device.type == log_det.device.type == "meta"
    assert link.inverse(value).device.type == "meta"


def test_vectors_of_coordinates_are_no_longer_than_the_event_needs(case):
    n_entries = torch.zeros(case.event_shape).numel()
    jacobian = torch.zeros(*case.event_shape, 1)
    n_free = free_rows(jacobian, case).numel()
    if case.entries == SURFACE:
        n_free = n_entries - n_entries // case.event_shape[-1]
    assert link_of(case).size == n_free


float64 = partial(torch.tensor, dtype=torch.float64)

# Distribution, points a coordinate, half width of the grid.
DENSITIES = {
    "Dirichlet": (dist.Dirichlet(float64([1.5, 2.0, 3.0])), 161, 3.5),
    "Beta": (dist.Beta(2.0, 3.0), 161, 4.0),
    "Uniform": (dist.Uniform(-10.0, 8.0), 161, 4.5),
    "Pareto": (dist.Pareto(2.0, 3.0), 161, 4.0),
    "VonMises": (dist.VonMises(1.0, 2.0), 161, 4.5),
    "ProjectedNormal": (dist.ProjectedNormal(float64([0.5, 1.0])), 201, 18.0),
    "LNormal": (LNormal(float64([0.2, -0.4]), float64(0.7)), 121, 3.0),
    "Wishart": (dist.Wishart(float64(4.0), float64([[1.0, 0.3], [0.3, 0.5]])), 61, 2.2),
    "LKJCholesky": (dist.LKJCholesky(3, 1.5), 61, 2.2),
    "LKJ": (dist.LKJ(3, 1.5), 61, 2.2),
    "mixture": (
        dist.MixtureSameFamily(
            dist.Categorical(float64([0.3, 0.7])), dist.Gamma(float64([2.0, 5.0]), 1.0)
        ),
        161,
        3.5,
    ),
}


@pytest.mark.parametrize(("density", "n_points", "width"), DENSITIES.values(), ids=DENSITIES)
def test_densities_integrate_to_one_over_the_coordinates(density, n_points, width):
    """Trapezoids after ``u = sinh(t)``, which converge fast for smooth integrands.

    The widths leave tails under 1e-4; wider ones leave float64 for the matrices.
    """
    link = Link(ground_support(density), tuple(density.event_shape))
    t = torch.linspace(-width, width, n_points, dtype=torch.float64)
    grid = torch.cartesian_prod(*[t] * link.size).reshape(-1, link.size)
    value, log_det = link(grid.sinh())
    log_weight = link.size * (t[1] - t[0]).log() + grid.cosh().log().sum(-1)
    density.__dict__["_validate_args"] = False  # LKJ checks tighter than it draws
    log_mass = (density.log_prob(value) + log_det + log_weight).logsumexp(0)
    assert float(log_mass) == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize(
    "make",
    [partial(Link, constraints.simplex, (5,)), partial(Link, constraints.corr_cholesky, (4, 4))],
)
def test_volumes_in_float32_are_those_of_float64_far_away(make):
    """Coordinates up to 60, where a volume from the rounded value would be infinite."""
    link = make()
    unbounded = coordinates(link, torch.float64, scale=20.0)
    assert float(unbounded.abs().max()) > 40
    torch.testing.assert_close(
        link(unbounded.float())[1].double(), link(unbounded)[1], rtol=1e-5, atol=1e-3
    )


def test_a_uniform_prior_holds_wherever_the_link_leads():
    link = Link(constraints.interval(-10.0, 8.0), ())
    value, _ = link(torch.tensor([[-1e4], [-90.0], [0.0], [90.0], [1e4]]))
    assert bool(torch.isfinite(dist.Uniform(-10.0, 8.0).log_prob(value)).all())


def test_torch_s_registry_is_left_alone():
    with pytest.raises(NotImplementedError):
        torch.distributions.biject_to(constraints.lower_cholesky)
    assert isinstance(Link(constraints.lower_cholesky, (2, 2))._transform, Transform)
