"""Laws of the links, for each kind of support."""

import pytest
import torch
from torch.distributions import constraints

from neuroparcel.distributions.links import Link
from neuroparcel.errors import NotPyramidalError

CASES = {
    "real scalar": (constraints.real, ()),
    "real matrix": (constraints.independent(constraints.real, 2), (2, 3)),
    "positive": (constraints.independent(constraints.positive, 1), (4,)),
    "interval": (constraints.interval(-10.0, 8.0), ()),
    "interval vector": (constraints.independent(constraints.interval(-10.0, 8.0), 1), (2,)),
    "simplex": (constraints.simplex, (3,)),
    "several simplices": (constraints.independent(constraints.simplex, 1), (2, 3)),
}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def link(request):
    return Link(*request.param)


@pytest.fixture
def unbounded(link):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(5, 2, link.size, dtype=torch.float64, generator=generator)


def test_inverse_undoes_forward(link, unbounded):
    value, log_det = link(unbounded)
    assert value.shape == (5, 2, *link.event_shape)
    assert log_det.shape == (5, 2)
    torch.testing.assert_close(link.inverse(value), unbounded)


def test_log_det_is_that_of_the_autodiff_jacobian(link, unbounded):
    point = unbounded[0, 0]
    jacobian = torch.autograd.functional.jacobian(lambda u: link(u)[0].flatten(), point).reshape(
        -1, link.size
    )
    if len(jacobian) > link.size:  # the last entry of a simplex follows from the others
        width = link.event_shape[-1]
        jacobian = jacobian[[i for i in range(len(jacobian)) if (i + 1) % width]]
    expected = torch.linalg.slogdet(jacobian).logabsdet
    torch.testing.assert_close(link(point)[1], expected)


def test_a_discrete_support_is_refused_by_name():
    with pytest.raises(NotPyramidalError, match=r"site 'label'.*marginalised"):
        Link(constraints.boolean, (), "label")


def test_a_support_without_a_known_volume_is_refused_when_the_link_is_made():
    with pytest.raises(NotPyramidalError, match="site 'factor'"):
        Link(constraints.lower_cholesky, (3, 3), "factor")
