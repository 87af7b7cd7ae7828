"""Templates of models whose events have any order, on latents and on the data."""

from __future__ import annotations

import pyro
import pytest
import torch
from pyro import distributions as dist
from torch.distributions import constraints

from neuroparcel.graph import analyse
from neuroparcel.graph.trace import seeded


def scalars(x=None, n_groups=3, n=4):
    scale = pyro.sample("scale", dist.HalfNormal(1.0))
    with pyro.plate("group", n_groups, dim=-2):
        mean = pyro.sample("mean", dist.Normal(0.0, scale))
        with pyro.plate("row", n, dim=-1):
            pyro.sample("x", dist.Normal(mean, 1.0), obs=x)


def matrices(x=None, n_groups=3, n=4):
    """Matrix-valued data with a Cholesky factor of the covariance and a matrix of loadings."""
    factor = pyro.sample("factor", dist.LKJCholesky(3, 2.0))
    spread = pyro.sample("spread", dist.Wishart(torch.tensor(6.0), torch.eye(2)))
    loadings = pyro.sample("loadings", dist.Normal(torch.zeros(2, 3), 1.0).to_event(2))
    with pyro.plate("group", n_groups, dim=-2):
        mean = pyro.sample("mean", dist.Normal(loadings, 0.1).to_event(2))
        with pyro.plate("row", n, dim=-1):
            mean = mean + spread.diagonal(dim1=-2, dim2=-1).unsqueeze(-1)
            noise = dist.MultivariateNormal(mean, scale_tril=factor.unsqueeze(-3)).to_event(1)
            pyro.sample("x", noise, obs=x)


def order_three(x=None, n_groups=3, n=4):
    shares = pyro.sample("shares", dist.Dirichlet(torch.ones(2, 5, 3)).to_event(2))
    with pyro.plate("group", n_groups, dim=-2):
        cuts = pyro.sample("cuts", dist.Normal(shares, 1.0).to_event(3))
        with pyro.plate("row", n, dim=-1):
            pyro.sample("x", dist.Normal(cuts, 1.0).to_event(3), obs=x)


def counts(x=None, n_groups=3, n=4):
    rate = pyro.sample("rate", dist.Gamma(2.0, 1.0))
    with pyro.plate("group", n_groups, dim=-2):
        gain = pyro.sample("gain", dist.LogNormal(0.0, 0.1))
        with pyro.plate("row", n, dim=-1):
            pyro.sample("x", dist.Poisson(rate * gain), obs=x)


# Torch's Wishart sampler says so when it draws again.
pytestmark = pytest.mark.filterwarnings("ignore:Singular sample detected")

MODELS = {model.__name__: model for model in (scalars, matrices, order_three, counts)}


@pytest.fixture(params=MODELS.values(), ids=MODELS)
def model(request):
    return request.param


def test_simulations_have_the_shapes_of_the_descriptors(model):
    template = analyse(model)
    with seeded(0):
        latents, data = template.simulate((5, 6), 7)
    sizes = {"group": 5, "row": 6}
    for site in template.graph.latents:
        plates = template.graph.plate_shape(site, sizes)
        assert latents[site.name].shape == (7, *plates, *site.event_shape)
        element = latents[site.name].reshape(-1, *site.event_shape)
        assert bool(site.support.check(element).all())
    assert data.values.shape == (7, 5, 6, *template.graph.observed.event_shape)
    assert data.mask.shape == (7, 5, 6)


def test_log_prob_is_pyro_s_own(model):
    template = analyse(model)
    with seeded(0):
        latents, data = template.simulate((5, 6), 2)
    found = template.log_prob({k: v.unsqueeze(0) for k, v in latents.items()}, data)
    for row in range(2):
        given = {"x": data.values[row]}
        for site in template.graph.latents:
            value = latents[site.name][row]
            plates = value.shape[: value.dim() - len(site.event_shape)]
            ones = (1,) * (len(plates) and site.hierarchy)
            given[site.name] = value.reshape((*plates, *ones, *site.event_shape))
        conditioned = pyro.condition(model, data=given)
        with pyro.validation_enabled(False):  # LKJ checks tighter than float32 rounds
            trace = pyro.poutine.trace(conditioned).get_trace(n_groups=5, n=6)
            trace.compute_log_prob()
        for name, value in found.items():
            expected = trace.nodes[name]["log_prob_sum"]
            torch.testing.assert_close(value[0, row], expected, rtol=1e-4, atol=1e-3)


def test_draws_through_the_links_are_evaluated_with_finite_gradients(model):
    template = analyse(model)
    with seeded(0):
        _, data = template.simulate((5, 6), 2)
        unbounded = {
            site.name: torch.randn(
                4,
                2,
                *template.graph.plate_shape(site, {"group": 5, "row": 6}),
                site.link().size,
                requires_grad=True,
            )
            for site in template.graph.latents
        }
    values = {name: template.graph.site(name).link()(u)[0] for name, u in unbounded.items()}
    log_prob = template.log_prob(values, data)
    assert all(value.shape == (4, 2) for value in log_prob.values())
    total = torch.stack([value.sum() for value in log_prob.values()]).sum()
    for gradient in torch.autograd.grad(total, list(unbounded.values())):
        assert bool(torch.isfinite(gradient).all())


def test_the_support_of_each_site_is_that_of_one_ground_variable():
    graph = analyse(order_three).graph
    assert graph.site("shares").support.event_dim == 3
    assert isinstance(graph.site("cuts").support.base_constraint, type(constraints.real))
