"""Laws that hold for every variational family on every model."""

import pyro
import pytest
import torch
from pyro import distributions as dist
from pyro.distributions.transforms import CholeskyTransform

from neuroparcel.errors import DataError, OptionError
from neuroparcel.families.adavi import Adavi, AdaviConfig
from neuroparcel.families.auto_normal import PyroAutoNormal
from neuroparcel.families.base import NonAmortizedFamily
from neuroparcel.families.mean_field import MeanField
from neuroparcel.graph import Observation, analyse
from neuroparcel.graph.trace import seeded
from neuroparcel.inference.variational import build_family
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.toys import (
    gaussian_mixture,
    gaussian_random_effects,
    non_conjugate,
    toy_networks,
)
from neuroparcel.nets.flows import FlowConfig
from neuroparcel.nets.hierarchical_encoder import EncoderConfig

SMALL = EncoderConfig(size=8, n_heads=2, n_inducing=3)
BY_COMPONENT = EncoderConfig(size=8, n_heads=2, n_inducing=3, by_component=True)
CLUSTERED = EncoderConfig(size=8, n_heads=2, n_inducing=3, n_components=3)
MODELS = {
    "random effects": (gaussian_random_effects, (4, 6)),
    "non-conjugate": (non_conjugate, (7,)),
    "mixture": (gaussian_mixture, (3, 12)),
    "toy networks": (toy_networks, (2, 2, 9)),
    "MS-HBM": (MSHBM(torch.eye(3), 2), (3, 2, 8)),
}


def new_adavi(template, sizes, **flow):
    encoder = CLUSTERED if template.model is gaussian_mixture else SMALL
    return Adavi(template.graph, AdaviConfig(encoder, FlowConfig(hidden=16, **flow)))


def anchored(template, sizes, encoder=SMALL):
    flow = FlowConfig(hidden=16, coupling="affine")
    anchors = torch.randn(2, template.graph.observed.event_size)
    return Adavi(template.graph, AdaviConfig(encoder, flow), anchors)


FAMILIES = {
    "adavi": new_adavi,
    "adavi, triangular": lambda t, s: new_adavi(t, s, affine="triangular"),
    "adavi, anchors": anchored,
    "adavi, by component": lambda t, s: anchored(t, s, BY_COMPONENT),
    "mean field": lambda t, s: MeanField(t, s, 2),
    "mean field, normal": lambda t, s: MeanField(t, s, 2, "normal"),
    "auto-normal": lambda t, s: PyroAutoNormal(t, s, 2),
}


@pytest.fixture(params=MODELS.values(), ids=MODELS.keys(), scope="module")
def template_and_sizes(request):
    model, sizes = request.param
    return analyse(model), sizes


@pytest.fixture(params=FAMILIES.values(), ids=FAMILIES.keys(), scope="module")
def case(request, template_and_sizes, device, dtype):
    template, sizes = template_and_sizes
    with seeded(0):
        _, data = template.simulate(sizes, 2)
        family = request.param(template, sizes)
        for parameter in family.parameters():
            parameter.data.add_(0.05 * torch.randn_like(parameter))
    # The MS-HBM's own prior reaches e^8.
    values = data.values / data.values.abs().mean()
    return template, family.to(device, dtype), Observation(values.to(dtype), data.mask).to(device)


def test_draws_have_the_shape_and_support_of_their_sites(case):
    template, family, data = case
    draws = family(data).rsample(5)
    names = [plate.name for plate in reversed(template.graph.plates)]
    sizes = dict(zip(names, data.plate_sizes, strict=True))
    for site in template.graph.latents:
        plates = template.graph.plate_shape(site, sizes)
        value = draws.values[site.name]
        assert value.shape == (5, 2, *plates, *site.event_shape)
        assert value.dtype == data.values.dtype
        assert bool(site.support.check(value.cpu().float()).all())
        assert draws.log_prob[site.name].shape == (5, 2)


def test_sampling_knows_its_own_density(case):
    _, family, data = case
    posterior = family(data)
    draws = posterior.rsample(3)
    again = posterior.log_prob(draws.values)
    # Single precision loses digits near the ends of bounded supports.
    tolerance = 2e-2 if data.values.dtype == torch.float32 else 1e-6
    for name, log_prob in draws.log_prob.items():
        torch.testing.assert_close(again[name], log_prob, atol=tolerance, rtol=1e-3)


def test_the_point_is_in_the_support(case):
    template, family, data = case
    point = family(data).point()
    for site in template.graph.latents:
        assert point[site.name].shape[:2] == (1, 2)
        assert bool(site.support.check(point[site.name].cpu().float()).all())


def test_a_gradient_reaches_every_parameter(case):
    template, family, data = case
    draws = family(data).rsample(4)
    loss = sum(draws.log_prob.values()) - sum(template.log_prob(draws.values, data).values())
    family.zero_grad()
    loss.mean().backward()
    without = [n for n, p in family.named_parameters() if p.grad is None or not p.grad.any()]
    assert not without


def test_groups_name_every_parameter_once(case):
    _, family, _ = case
    named = [p for group in family.groups().values() for p in group]
    assert len(named) == len(set(map(id, named))) == len(list(family.parameters()))


def test_settings_and_weights_build_it_again(case):
    template, family, data = case
    again = build_family(family.name, template, family.settings()).to(data.values)
    again.load_state_dict(family.state_dict())
    with seeded(1):
        expected = family(data).rsample(2).values
    with seeded(1):
        found = again(data).rsample(2).values
    for name, value in expected.items():
        assert torch.equal(found[name], value), name


def test_masked_ground_variables_add_nothing(case):
    template, family, data = case
    mask = data.mask.clone()
    mask[:, -1] = False
    point = family(data).point()
    masked = family.condition(family.encode(data), Observation(data.values, mask))
    density = masked.log_prob(point)
    cut = masked.log_prob(  # a value where there is no data does not count
        {
            site.name: torch.cat([value[:, :, :-1], point[site.name][:, :, :1]], 2)
            if site.hierarchy < template.graph.n_plates
            else value
            for site in template.graph.latents
            for value in (point[site.name],)
        }
    )
    for name, value in density.items():
        torch.testing.assert_close(value, cut[name])


def test_auto_normal_refuses_what_pyro_has_no_volume_for():
    def model(x=None, n_points=5):
        factor = pyro.sample("factor", dist.LKJCholesky(3, 1.0))
        lower = dist.TransformedDistribution(dist.Wishart(5.0, torch.eye(2)), CholeskyTransform())
        tril = pyro.sample("tril", lower)
        with pyro.plate("point", n_points, dim=-1):
            mean = factor[..., :2, 0] + tril[..., 0, :]
            pyro.sample("x", dist.Normal(mean, 1.0).to_event(1), obs=x)

    with pytest.raises(OptionError, match="no bijection with a volume for the site 'tril'"):
        PyroAutoNormal(analyse(model), (5,))


def test_a_family_for_one_data_set_refuses_others(case):
    _, family, data = case
    if not isinstance(family, NonAmortizedFamily):
        return family.check(data)
    family.bind(data)
    family.check(data)
    with pytest.raises(DataError, match="fitted to other data; it is not amortized"):
        family.check(Observation(data.values + 1, data.mask))
