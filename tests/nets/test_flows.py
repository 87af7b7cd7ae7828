"""Laws of the conditional flows."""

import pytest
import torch

from neuroparcel.errors import OptionError
from neuroparcel.nets.flows import ConditionalFlow, FlowConfig
from neuroparcel.nets.regression import linear_start

CONFIGS = {
    "splines": FlowConfig(hidden=16),
    "affine couplings": FlowConfig(hidden=16, coupling="affine"),
    "triangular": FlowConfig(hidden=16, affine="triangular"),
    "Gaussian": FlowConfig(hidden=16, n_couplings=0, affine="triangular"),
}


def make_flow(n, *, trained, config=CONFIGS["splines"]):
    torch.manual_seed(0)
    flow = ConditionalFlow(n, 3, 5, config).double()
    if trained:
        with torch.no_grad():
            for parameter in flow.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
    return flow


@pytest.fixture(params=[1, 2, 5])
def n(request):
    return request.param


@pytest.fixture(params=CONFIGS.values(), ids=CONFIGS.keys())
def config(request):
    return request.param


def condition(flow):
    generator = torch.Generator().manual_seed(1)
    summary = torch.randn(4, 3, dtype=torch.float64, generator=generator)
    context = torch.randn(4, 5, dtype=torch.float64, generator=generator)
    return flow(summary, context)


def test_sampling_knows_its_own_density(n, config):
    conditioned = condition(make_flow(n, trained=True, config=config))
    value, log_prob = conditioned.rsample_and_log_prob(6)
    assert value.shape == (6, 4, n)
    torch.testing.assert_close(conditioned.log_prob(value), log_prob, atol=1e-6, rtol=1e-6)


def test_the_density_is_that_of_the_map(n, config):
    """Change of variables, with the Jacobian by automatic differentiation."""
    conditioned = condition(make_flow(n, trained=True, config=config))

    def draw(base):
        return _from_base(conditioned, base)

    base = torch.randn(4, n, dtype=torch.float64)
    value = draw(base)
    jacobian = torch.autograd.functional.jacobian(draw, base)
    for row in range(4):
        log_det = torch.linalg.slogdet(jacobian[row, :, row]).logabsdet
        standard = torch.distributions.Normal(0.0, 1.0).log_prob(base[row]).sum()
        expected = standard - log_det
        torch.testing.assert_close(conditioned.log_prob(value)[row], expected, atol=1e-6, rtol=0)


def _from_base(conditioned, base):
    value = base if conditioned.transform is None else conditioned.transform(base)
    if conditioned.mixing is not None:
        value = value + (conditioned.mixing @ value.unsqueeze(-1)).squeeze(-1)
    return conditioned.shift + conditioned.log_scale.exp() * value


def test_a_triangular_block_has_the_covariance_of_its_factor():
    conditioned = condition(make_flow(3, trained=True, config=CONFIGS["Gaussian"]))
    factor = conditioned.log_scale.exp().diag_embed() @ (
        torch.eye(3, dtype=torch.float64) + conditioned.mixing
    )
    law = torch.distributions.MultivariateNormal(conditioned.shift, scale_tril=factor)
    value = torch.randn(5, 4, 3, dtype=torch.float64)
    torch.testing.assert_close(conditioned.log_prob(value), law.log_prob(value))


@pytest.mark.parametrize("field", ["coupling", "affine"])
def test_unknown_shapes_are_refused(field):
    with pytest.raises(OptionError, match=r"no .* 'round'"):
        FlowConfig(**{field: "round"})


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


def test_a_gradient_reaches_every_parameter(n, config):
    flow = make_flow(n, trained=True, config=config)
    value, log_prob = condition(flow).rsample_and_log_prob(8)
    (value.square().sum() + log_prob.sum()).backward()
    assert all(p.grad is not None and bool((p.grad != 0).any()) for p in flow.parameters())


def test_groups_name_every_parameter_once(n, config):
    flow = make_flow(n, trained=False, config=config)
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
