"""ADAVI that reads the components of a mixture one by one."""

import json

import pyro
import pytest
import torch
from pyro import distributions as dist

from neuroparcel.errors import OptionError
from neuroparcel.families.adavi import Adavi, AdaviConfig
from neuroparcel.graph import Observation, analyse
from neuroparcel.graph.trace import seeded
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.mshbm_start import Moments
from neuroparcel.nets.component_factors import ComponentFactor
from neuroparcel.nets.flows import ConditionalFlow, FlowConfig
from neuroparcel.nets.hierarchical_encoder import EncoderConfig

D = 4
CONFIG = AdaviConfig(
    EncoderConfig(size=8, n_heads=2, n_inducing=3, by_component=True),
    FlowConfig(hidden=16, coupling="affine"),
)
NETWORKS = ("population_networks", "subject_networks", "session_networks")


def new_family(anchors, config=CONFIG):
    template = analyse(MSHBM(torch.eye(anchors.shape[-1]), len(anchors)))
    torch.manual_seed(3)
    family = Adavi(template.graph, config, anchors)
    with torch.no_grad():
        for name, parameter in family.named_parameters():
            if not name.endswith("anchors"):
                parameter.add_(0.05 * torch.randn_like(parameter))
    return template, family


def cohort(anchors, *sizes):
    with seeded(5):
        label = torch.randint(len(anchors), sizes)
        values = anchors[label] + 0.5 * torch.randn(*sizes, anchors.shape[-1])
    return Observation.complete(values.unsqueeze(0))


def count(n_networks, n_components):
    _, family = new_family(torch.randn(n_networks, n_components))
    return sum(p.numel() for p in family.parameters())


def test_only_the_anchors_grow_with_the_number_of_networks():
    for n_components in (D, 11):
        counts = [count(k, n_components) for k in (2, 3, 9)]
        assert counts[1] - counts[0] == n_components
        assert counts[2] - counts[0] == 7 * n_components


def test_the_order_of_the_anchors_is_that_of_the_posteriors_networks():
    anchors = 3 * torch.randn(5, D, generator=torch.Generator().manual_seed(0))
    data = cohort(anchors, 3, 2, 40)
    order = torch.tensor([3, 0, 4, 1, 2])
    _, family = new_family(anchors)
    _, other = new_family(anchors[order])
    q, moved = family(data), other(data)
    points, others = q.point(), moved.point()
    for name in (*NETWORKS, "log_epsilon", "log_sigma"):
        dim = -2 if name in NETWORKS else -1
        expected = points[name].index_select(dim, order)
        torch.testing.assert_close(others[name], expected, atol=1e-4, rtol=1e-4)
        scales = q.flows[name].rows.log_scale.index_select(-2, order)
        torch.testing.assert_close(moved.flows[name].rows.log_scale, scales, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(others["log_kappa"], points["log_kappa"], atol=1e-4, rtol=1e-4)


def test_every_site_has_the_factor_of_its_shape():
    _, family = new_family(torch.randn(3, D))
    rows = {n: f.sizes for n, f in family.factors.items() if isinstance(f, ComponentFactor)}
    assert {n: (s.n_components, s.n, s.n_levels) for n, s in rows.items()} == {
        "population_networks": (3, D, 1),
        "subject_networks": (3, D, 2),
        "session_networks": (3, D, 3),
        "log_epsilon": (3, 1, 0),
        "log_sigma": (3, 1, 0),
        "mixture_weights": (2, 1, 1),  # sticks
    }
    assert isinstance(family.factors["log_kappa"], ConditionalFlow)


def test_supports_that_tie_the_components_have_one_factor_for_all():
    """Rows of a Cholesky factor are not free of one another; other simplexes are no shares."""

    def model(points=None, n_points=7):
        tril = pyro.sample("tril", dist.LKJCholesky(3, 1.0))
        other = pyro.sample("other", dist.Dirichlet(torch.ones(4)))
        with pyro.plate("point", n_points, dim=-1):
            mean = tril[..., 2, :2] + other[..., :2]
            return pyro.sample("points", dist.Normal(mean, 1.0).to_event(1), obs=points)

    family = Adavi(analyse(model).graph, CONFIG, torch.randn(3, 2))
    assert all(isinstance(factor, ConditionalFlow) for factor in family.factors.values())


def test_the_regression_finds_networks_and_shares():
    """Before any training; of a simulated cohort that the regression has not seen."""
    anchors = 4 * torch.eye(3, D)
    template, family = new_family(anchors)
    with torch.no_grad():
        for factor in family.factors.values():  # as new, but for the encoder
            for name, parameter in factor.named_parameters():
                if "network.2" in name or "gates.2" in name or "couplings" in name:
                    parameter.zero_()
    moments = Moments(anchors, torch.full((3,), 0.4), torch.full((3,), 0.2), torch.tensor(0.5))
    proposals = moments.proposals()
    with seeded(1):
        draws = [template.simulate((4, 2, 60), 4, proposals) for _ in range(12)]
    family.start(draws[:-1])
    latents, data = draws[-1]
    point = family(data).point()
    # Of the deviations from the anchors. Four subjects that differ as much as the prior is
    # wide leave 0.45 of the population's; 20 vertices of spread 0.5 are little for a session.
    for name, share in zip(NETWORKS, (0.9, 0.6, 0.5), strict=True):
        error = (point[name][0] - latents[name]).square().mean().sqrt()
        assert error < share * (latents[name] - anchors).square().mean().sqrt(), name
    # 480 vertices a data set: shares are off by 0.02.
    torch.testing.assert_close(
        point["mixture_weights"][0], latents["mixture_weights"], atol=0.08, rtol=0
    )
    torch.testing.assert_close(point["log_kappa"][0], latents["log_kappa"], atol=0.2, rtol=0)


def test_settings_survive_json():
    _, family = new_family(torch.randn(3, D))
    settings = json.loads(json.dumps(family.settings()))
    assert settings["config"]["encoder"]["by_component"] is True
    again = Adavi.from_settings(family.graph, settings)
    again.load_state_dict(family.state_dict())
    data = cohort(torch.randn(3, D), 2, 2, 20)
    for name, value in family(data).point().items():
        assert torch.equal(again(data).point()[name], value), name


def test_settings_of_older_models_describe_components_together():
    _, family = new_family(torch.randn(3, D))
    settings = json.loads(json.dumps(family.settings()))
    del settings["config"]["encoder"]["by_component"], settings["config"]["encoder"]["max_attended"]
    older = Adavi.from_settings(family.graph, settings)
    assert all(isinstance(factor, ConditionalFlow) for factor in older.factors.values())


def test_components_without_anchors_are_refused():
    graph = analyse(MSHBM(torch.eye(D), 3)).graph
    with pytest.raises(OptionError, match="one by one where anchors fix them"):
        Adavi(graph, CONFIG)


def test_attention_reads_at_least_one_element():
    with pytest.raises(OptionError, match="max_attended must be at least 1 element, not 0"):
        EncoderConfig(max_attended=0)
