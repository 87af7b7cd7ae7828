"""Factors whose weights all components share: exact where the answer is known."""

import pytest
import torch

from neuroparcel.nets.component_factors import ComponentFactor, FactorSizes
from neuroparcel.nets.flows import FlowConfig
from neuroparcel.nets.regression import coordinate_start

CONFIG = FlowConfig(hidden=16, coupling="affine")
SIZES = {
    "networks": FactorSizes(n_components=3, n=4, n_scalars=2, n_context=5, n_levels=2),
    "scalars": FactorSizes(n_components=3, n=1, n_scalars=2, n_context=5, n_levels=0),
}


@pytest.fixture(params=SIZES.values(), ids=SIZES.keys())
def sizes(request):
    return request.param


def new_factor(sizes, seed=0):
    torch.manual_seed(seed)
    factor = ComponentFactor(sizes, CONFIG).double()
    with torch.no_grad():
        for parameter in factor.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return factor


def inputs(sizes, n_rows=6):
    generator = torch.Generator().manual_seed(1)
    lead = (n_rows, sizes.n_components)
    widths = (sizes.n_summary, sizes.n_context)
    return [torch.randn(*lead, w, dtype=torch.float64, generator=generator) for w in widths]


def test_sampling_knows_its_own_density(sizes):
    conditioned = new_factor(sizes)(*inputs(sizes))
    value, log_prob = conditioned.rsample_and_log_prob(7)
    assert value.shape == (7, 6, sizes.n_components * sizes.n)
    assert conditioned.shift.shape == value.shape[1:]
    torch.testing.assert_close(conditioned.log_prob(value), log_prob, atol=1e-8, rtol=1e-8)


def test_components_do_not_see_one_another(sizes):
    """Another first row of the inputs: only the first row of the event moves."""
    factor = new_factor(sizes)
    summary, context = inputs(sizes)
    before = factor(summary, context).shift.unflatten(-1, (sizes.n_components, sizes.n))
    summary[:, 0] += 1
    after = factor(summary, context).shift.unflatten(-1, (sizes.n_components, sizes.n))
    assert torch.equal(after[:, 1:], before[:, 1:])
    assert bool((after[:, 0] != before[:, 0]).all())


def test_the_start_is_the_shrinkage_of_each_coordinate():
    """Targets that are 0.8 of the way from an upper mean to a lower one, about a centre."""
    sizes = SIZES["networks"]
    torch.manual_seed(0)
    factor = ComponentFactor(sizes, CONFIG).double()
    centre = 5 * torch.randn(3, 4, dtype=torch.float64)
    upper = centre + torch.randn(500, 3, 4, dtype=torch.float64)
    lower = upper + torch.randn(500, 3, 4, dtype=torch.float64)
    noise = 0.1 * torch.randn(500, 3, 4, dtype=torch.float64)
    targets = 0.8 * lower + 0.2 * upper + noise
    scalars = torch.randn(500, 3, 2, dtype=torch.float64)
    summary = torch.cat([scalars, lower, upper], -1)
    factor.start(summary, targets.flatten(-2))
    context = torch.randn(500, 3, 5, dtype=torch.float64)
    rows = factor(summary, context, affine_only=True).rows
    # 1,500 rows a coordinate: the fit is off by 0.1 * sqrt(3 / 1500) = 0.004.
    torch.testing.assert_close(rows.shift, targets - noise, atol=0.05, rtol=0)
    scale = rows.log_scale.exp().mean()
    torch.testing.assert_close(scale, torch.tensor(0.1).double(), atol=0.01, rtol=0)


def test_scalars_start_at_one_line_for_all_components():
    sizes = SIZES["scalars"]
    torch.manual_seed(0)
    factor = ComponentFactor(sizes, CONFIG).double()
    summary = torch.randn(500, 3, 2, dtype=torch.float64) + torch.arange(3)[:, None]
    targets = 2 * summary[..., 0] - summary[..., 1] + 7
    factor.start(summary, targets)
    found = factor(summary, torch.zeros(500, 3, 5).double(), affine_only=True).shift
    torch.testing.assert_close(found, targets, atol=0.05, rtol=0)


def test_what_never_varies_starts_finite(sizes):
    factor = ComponentFactor(sizes, CONFIG).double()
    n = sizes.n_components * sizes.n
    factor.start(
        torch.ones(40, sizes.n_components, sizes.n_summary).double(), torch.ones(40, n).double()
    )
    shift = factor(*inputs(sizes), affine_only=True).shift
    assert bool(torch.isfinite(shift).all())


def test_a_gradient_reaches_every_parameter(sizes):
    factor = new_factor(sizes)
    value, log_prob = factor(*inputs(sizes)).rsample_and_log_prob(8)
    (value.square().sum() + log_prob.sum()).backward()
    assert all(p.grad is not None and bool((p.grad != 0).any()) for p in factor.parameters())


def test_groups_name_every_parameter_once(sizes):
    factor = new_factor(sizes)
    named = [p for group in factor.groups().values() for p in group]
    assert len(named) == len(set(map(id, named))) == len(list(factor.parameters()))


def test_a_regression_by_coordinate_has_the_weights_of_each():
    torch.manual_seed(0)
    weights = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, 0.5]])
    x = torch.randn(3000, 2, 3)
    y = (weights * x).sum(1) + 0.1 * torch.randn(3000, 3)
    torch.testing.assert_close(coordinate_start(x, y), weights, atol=0.02, rtol=0)
