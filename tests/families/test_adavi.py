"""Laws that hold for ADAVI on every template."""

import pytest
import torch

from neuroparcel.families.adavi import Adavi, AdaviConfig
from neuroparcel.graph import Observation, analyse
from neuroparcel.graph.trace import seeded
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.toys import gaussian_random_effects
from neuroparcel.nets.flows import FlowConfig
from neuroparcel.nets.hierarchical_encoder import EncoderConfig

CONFIG = AdaviConfig(EncoderConfig(size=8, n_heads=2, n_inducing=3), FlowConfig(hidden=16))
MODELS = {"random effects": (gaussian_random_effects, (4, 6)), "MS-HBM": (None, (3, 2, 8))}


@pytest.fixture(params=MODELS.values(), ids=MODELS.keys())
def case(request):
    model, sizes = request.param
    template = analyse(model or MSHBM(torch.eye(3), 2))
    with seeded(0):
        _, data = template.simulate(sizes, 2)
        anchors = None if model else torch.randn(2, 3)
        family = Adavi(template.graph, CONFIG, anchors)
        for parameter in family.parameters():
            parameter.data.add_(0.05 * torch.randn_like(parameter))
    scaled = data.values / data.values.abs().mean()  # the MS-HBM's own prior reaches e^8
    return template, family, Observation(scaled, data.mask)


def test_the_order_of_the_outer_plate_moves_only_its_own_sites(case):
    template, family, data = case
    order = torch.arange(data.plate_sizes[0]).flip(0)
    point = family(data).point()
    moved = family(Observation(data.values[:, order], data.mask[:, order])).point()
    for site in template.graph.latents:
        expected = point[site.name]
        if site.hierarchy < template.graph.n_plates:
            expected = expected[:, :, order]
        torch.testing.assert_close(moved[site.name], expected, atol=1e-3, rtol=1e-3)


def test_masked_ground_variables_add_nothing(case):
    _, family, data = case
    mask = data.mask.clone()
    mask[:, -1] = False
    full = Observation(data.values, mask)
    cut = Observation(data.values[:, :-1], mask[:, :-1])
    point, point_cut = family(full).point(), family(cut).point()
    density, density_cut = family(full).log_prob(point), family(cut).log_prob(point_cut)
    for name, value in density.items():
        torch.testing.assert_close(value, density_cut[name], atol=1e-2, rtol=1e-3)


def test_the_number_of_weights_does_not_depend_on_plate_sizes():
    small = analyse(
        lambda points=None, n_groups=3, n_points=5: gaussian_random_effects(
            points, n_groups, n_points
        )
    )
    large = analyse(
        lambda points=None, n_groups=30, n_points=50: gaussian_random_effects(
            points, n_groups, n_points
        )
    )
    counts = [sum(p.numel() for p in Adavi(t.graph, CONFIG).parameters()) for t in (small, large)]
    assert counts[0] == counts[1]
