"""Laws of the conditional flows."""

import pytest
import torch

from neuroparcel.nets.flows import ConditionalFlow, FlowConfig
from neuroparcel.nets.regression import linear_start


def make_flow(n, *, trained):
    torch.manual_seed(0)
    flow = ConditionalFlow(n, 3, 5, FlowConfig(hidden=16)).double()
    if trained:
        with torch.no_grad():
            for parameter in flow.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
    return flow


@pytest.fixture(params=[1, 2, 5])
def n(request):
    return request.param


def condition(flow):
    generator = torch.Generator().manual_seed(1)
    summary = torch.randn(4, 3, dtype=torch.float64, generator=generator)
    context = torch.randn(4, 5, dtype=torch.float64, generator=generator)
    return flow(summary, context)


def test_sampling_knows_its_own_density(n):
    conditioned = condition(make_flow(n, trained=True))
    value, log_prob = conditioned.rsample_and_log_prob(6)
    assert value.shape == (6, 4, n)
    torch.testing.assert_close(conditioned.log_prob(value), log_prob, atol=1e-6, rtol=1e-6)


def test_the_couplings_start_as_the_identity(n):
    flow = make_flow(n, trained=False)
    conditioned = condition(flow)
    value = torch.randn(7, 4, n, dtype=torch.float64)
    plain = flow(torch.randn(4, 3).double(), torch.randn(4, 5).double(), affine_only=True)
    torch.testing.assert_close(conditioned.log_prob(value), plain.log_prob(value))


def test_density_integrates_to_one():
    conditioned = condition(make_flow(1, trained=True))
    grid = torch.linspace(-60, 60, 200_001, dtype=torch.float64)
    density = conditioned.log_prob(grid.reshape(-1, 1, 1)).exp()
    mass = torch.trapezoid(density, grid, dim=0)
    torch.testing.assert_close(mass, torch.ones(4, dtype=torch.float64), atol=1e-4, rtol=0)


def test_a_gradient_reaches_every_parameter(n):
    flow = make_flow(n, trained=True)
    value, log_prob = condition(flow).rsample_and_log_prob(8)
    (value.square().sum() + log_prob.sum()).backward()
    assert all(p.grad is not None and bool((p.grad != 0).any()) for p in flow.parameters())


def test_groups_name_every_parameter_once(n):
    flow = make_flow(n, trained=False)
    named = [p for group in flow.groups().values() for p in group]
    assert len(named) == len(set(map(id, named))) == len(list(flow.parameters()))


def test_linear_start_is_the_regression():
    torch.manual_seed(0)
    summaries = torch.randn(2000, 3)
    weight = torch.tensor([[1.0, -2.0, 0.0], [0.5, 0.0, 3.0]])
    targets = summaries @ weight.T + torch.tensor([4.0, -1.0]) + 0.1 * torch.randn(2000, 2)
    shift, log_scale = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    linear_start(shift, log_scale, summaries, targets)
    # Standard error of a coefficient: 0.1 / sqrt(2000) = 0.002.
    torch.testing.assert_close(shift.weight.data, weight, atol=0.02, rtol=0)
    torch.testing.assert_close(shift.bias.data, torch.tensor([4.0, -1.0]), atol=0.02, rtol=0)
    scale = log_scale(summaries).exp().mean(0)
    torch.testing.assert_close(scale.data, torch.tensor([0.1, 0.1]), atol=0.02, rtol=0)
