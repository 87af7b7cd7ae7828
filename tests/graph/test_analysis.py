"""What the static analysis reads from a Pyro function, and what it refuses."""

import pyro
import pytest
import torch
from pyro import distributions as dist

from neuroparcel.graph import Observation, analyse
from neuroparcel.graph.trace import _influences, _provenance, seeded
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.toys import gaussian_mixture, gaussian_random_effects, toy_networks


def test_descriptors_of_the_random_effects_model():
    graph = analyse(gaussian_random_effects).graph
    assert [p.name for p in graph.plates] == ["point", "group"]
    assert [p.argument for p in graph.plates] == ["n_points", "n_groups"]
    assert {s.name: s.hierarchy for s in graph.latents} == {"population_mean": 2, "group_mean": 1}
    assert graph.observed.name == "points"
    assert graph.site("group_mean").parents == ("population_mean",)


def test_descriptors_of_the_mshbm():
    graph = analyse(MSHBM(torch.eye(5), 3)).graph
    hierarchy = {s.name: s.hierarchy for s in graph.latents}
    assert hierarchy["subject_networks"] == 2
    assert hierarchy["session_networks"] == 1
    assert {hierarchy[n] for n in ("log_kappa", "mixture_weights", "population_networks")} == {3}
    assert graph.site("mixture_weights").link().size == 2
    assert graph.site("population_networks").event_shape == (3, 5)


def test_log_prob_is_pyro_s_own():
    template = analyse(gaussian_random_effects)
    with seeded(0):
        latents, data = template.simulate((4, 7), 1)
    model = pyro.condition(
        gaussian_random_effects,
        data={
            "population_mean": latents["population_mean"][0],
            "group_mean": latents["group_mean"][0].unsqueeze(1),
            "points": data.values[0],
        },
    )
    expected = pyro.poutine.trace(model).get_trace(n_groups=4, n_points=7).log_prob_sum()
    torch.testing.assert_close(sum(template.log_prob(latents, data).values())[0], expected)


def test_draws_and_data_sets_are_evaluated_side_by_side():
    template = analyse(MSHBM(torch.eye(3), 2))
    with seeded(0):
        latents, data = template.simulate((3, 2, 6), 4)
    together = template.log_prob({k: v.unsqueeze(0) for k, v in latents.items()}, data)
    for row in range(4):
        one = {k: v[row : row + 1] for k, v in latents.items()}
        alone = template.log_prob(one, Observation(data.values[row : row + 1], data.mask[:1]))
        for name, value in alone.items():
            torch.testing.assert_close(together[name][0, row], value[0], rtol=1e-4, atol=1e-3)


def test_a_masked_group_counts_as_absent():
    template = analyse(gaussian_random_effects)
    with seeded(0):
        latents, data = template.simulate((4, 7), 2)
    mask = data.mask.clone()
    mask[:, 3] = False
    masked = template.log_prob(latents, Observation(data.values, mask))
    fewer = {
        "population_mean": latents["population_mean"],
        "group_mean": latents["group_mean"][:, :3],
    }
    absent = template.log_prob(fewer, Observation(data.values[:, :3], mask[:, :3]))
    for name, value in absent.items():
        torch.testing.assert_close(masked[name], value)


def test_proposals_replace_the_prior_in_simulation_only():
    template = analyse(gaussian_random_effects)
    proposal = {"population_mean": dist.Normal(torch.full((2,), 50.0), 0.1).to_event(1)}
    with seeded(0):
        latents, _ = template.simulate((2, 3), 200, proposal)
    assert latents["population_mean"].shape == (200, 2)
    assert float(latents["population_mean"].mean()) == pytest.approx(50, abs=0.05)
    assert float(latents["population_mean"].std()) == pytest.approx(0.1, abs=0.02)
    assert float(latents["group_mean"].mean()) == pytest.approx(50, abs=0.1)


def nameless(data=None, n=3):
    z = pyro.sample("z", dist.Normal(0.0, 1.0))
    with pyro.plate("row", n, dim=-1):
        pyro.sample("x", dist.Normal(z, 1.0), obs=data)


def test_the_observed_site_can_be_named():
    assert analyse(nameless, observed="x").graph.observed.name == "x"


def test_the_observed_site_is_the_one_that_the_optional_argument_reaches():
    assert analyse(nameless).graph.observed.name == "x"


def clampable(x=None, z=None, n=3):
    z = pyro.sample("z", dist.Normal(0.0, 1.0), obs=z)
    with pyro.plate("row", n, dim=-1):
        pyro.sample("x", dist.Normal(z, 1.0), obs=x)


def test_a_latent_that_may_be_given_a_value_is_none_of_the_data():
    graph = analyse(clampable, observed="x").graph
    assert [site.name for site in graph.latents] == ["z"]


def multinomial(x=None, n=4):
    """Pyro loses its marks in the sampler of the observed site."""
    gain = pyro.sample("gain", dist.Gamma(2.0, 1.0))
    logits = pyro.sample("logits", dist.Normal(torch.zeros(3), 1.0).to_event(1))
    pyro.sample("unused", dist.Normal(logits.sum(-1), 1.0))
    with pyro.plate("row", n, dim=-1):
        scaled = torch.relu(logits) * gain.unsqueeze(-1)
        pyro.sample("x", dist.Multinomial(12, logits=scaled), obs=x)


def test_parents_are_found_by_their_influence_where_pyro_loses_track():
    graph = analyse(multinomial).graph
    assert graph.observed.parents == ("gain", "logits")
    assert graph.site("unused").parents == ("logits",)
    assert graph.site("gain").parents == graph.site("logits").parents == ()


@pytest.mark.parametrize(
    "model",
    [gaussian_random_effects, gaussian_mixture, toy_networks, MSHBM(torch.eye(3), 2)],
    ids=["random effects", "mixture", "networks", "mshbm"],
)
def test_influences_and_provenance_agree(model):
    with seeded(0), torch.no_grad(), pyro.validation_enabled(False):
        marks, influences = _provenance(model), _influences(model)
    for name, found in marks.items():
        assert found - {name} == influences[name] - {name}


def test_analysis_leaves_the_random_state_alone():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    analyse(gaussian_random_effects)
    torch.testing.assert_close(torch.rand(3), expected)


class Regression(pyro.nn.PyroModule):
    """A model as a module, whose arguments are those of ``forward``."""

    def forward(self, y=None, n_rows=4):
        slope = pyro.sample("slope", dist.Normal(0.0, 1.0))
        with pyro.plate("row", n_rows, dim=-1):
            pyro.sample("y", dist.Normal(slope, 1.0), obs=y)


def test_a_module_is_read_through_its_forward():
    graph = analyse(Regression()).graph
    assert graph.observed.name == "y"
    assert graph.plates[0].argument == "n_rows"


def test_recorded_values_are_no_sites():
    def model(x=None, n=4):
        z = pyro.sample("z", dist.Normal(0.0, 1.0))
        scale = pyro.deterministic("scale", z.exp())
        with pyro.plate("row", n, dim=-1):
            pyro.sample("x", dist.Normal(0.0, scale), obs=x)

    template = analyse(model)
    assert [site.name for site in template.graph.latents] == ["z"]
    assert template.graph.observed.parents == ("z",)
    with seeded(0):
        latents, data = template.simulate((5,), 2)
    log_prob = template.log_prob(latents, data)
    assert set(log_prob) == {"z", "x"}
    expected = dist.Normal(0.0, latents["z"].exp().unsqueeze(-1)).log_prob(data.values).sum(-1)
    torch.testing.assert_close(log_prob["x"], expected)


def bounded(x=None, n_groups=3, n=4):
    with pyro.plate("group", n_groups, dim=-2):
        share = pyro.sample("share", dist.Uniform(0.0, 2.0))
        with pyro.plate("row", n, dim=-1):
            pyro.sample("x", dist.Normal(share, 1.0), obs=x)


def test_the_link_of_a_bounded_site_holds_at_any_plate_size():
    link = analyse(bounded).graph.site("share").link()
    assert link.name == "interval (0, 2)"
    value, log_det = link(torch.zeros(6, 7, 1))
    torch.testing.assert_close(value, torch.ones(6, 7))
    torch.testing.assert_close(log_det, torch.full((6, 7), 0.5).log())


def test_the_data_may_have_any_support():
    """Bounds that depend on a latent matter for a link only, and data have none."""

    def model(x=None, n=4):
        top = pyro.sample("top", dist.Gamma(2.0, 1.0))
        with pyro.plate("row", n, dim=-1):
            pyro.sample("x", dist.Uniform(0.0, top), obs=x)

    assert analyse(model).graph.observed.parents == ("top",)
