"""What the static analysis reads from a Pyro function, and what it refuses."""

import pyro
import pytest
import torch
from pyro import distributions as dist

from neuroparcel.errors import NotPyramidalError
from neuroparcel.graph import Observation, analyse
from neuroparcel.graph.trace import seeded
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.toys import gaussian_random_effects


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


def latent_in_the_innermost_plate(x=None, n=5):
    with pyro.plate("row", n, dim=-1):
        z = pyro.sample("z", dist.Normal(0.0, 1.0))
        pyro.sample("x", dist.Normal(z, 1.0), obs=x)


def colliding_plates(x=None, n=4, m=3):
    rows, columns = pyro.plate("row", n, dim=-2), pyro.plate("column", m, dim=-1)
    with columns:
        b = pyro.sample("b", dist.Normal(0.0, 1.0))
    with rows, columns:
        pyro.sample("x", dist.Normal(b, 1.0), obs=x)


def discrete_latent(x=None, n=4):
    k = pyro.sample("k", dist.Bernoulli(0.5))
    with pyro.plate("row", n, dim=-1):
        pyro.sample("x", dist.Normal(k, 1.0), obs=x)


def two_observed(x=None, y=None, n=4):
    z = pyro.sample("z", dist.Normal(0.0, 1.0))
    with pyro.plate("row", n, dim=-1):
        pyro.sample("x", dist.Normal(z, 1.0), obs=torch.zeros(n))
        pyro.sample("y", dist.Normal(z, 1.0), obs=torch.zeros(n))


def no_plate(x=None):
    z = pyro.sample("z", dist.Normal(0.0, 1.0))
    pyro.sample("x", dist.Normal(z, 1.0), obs=x)


def sequential_plate(x=None, n=3):
    z = pyro.sample("z", dist.Normal(0.0, 1.0))
    for i in pyro.plate("row", n):
        pyro.sample(f"x{i}", dist.Normal(z, 1.0))


def control_flow(x=None, n=3):
    z = pyro.sample("z", dist.Normal(0.0, 1.0))
    if float(z) > 0.0:
        pyro.sample("extra", dist.Normal(0.0, 1.0))
    with pyro.plate("row", n, dim=-1):
        pyro.sample("x", dist.Normal(z, 1.0), obs=x)


def nameless(data=None, n=3):
    z = pyro.sample("z", dist.Normal(0.0, 1.0))
    with pyro.plate("row", n, dim=-1):
        pyro.sample("x", dist.Normal(z, 1.0), obs=data)


def gap_between_plates(x=None, n=3):
    z = pyro.sample("z", dist.Normal(0.0, 1.0))
    with pyro.plate("row", n, dim=-2):
        pyro.sample("x", dist.Normal(z, 1.0), obs=x)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (latent_in_the_innermost_plate, "'z' stands in the innermost plate 'row'"),
        (colliding_plates, "plates collide at site 'b'"),
        (discrete_latent, "'k' is discrete.*Marginalise"),
        (two_observed, "observes 2 sites: x, y"),
        (no_plate, "'x' stands in no plate"),
        (sequential_plate, "sequential plate 'row'"),
        (control_flow, "differ in extra"),
        (nameless, "cannot tell which of the sites z, x is observed"),
        (gap_between_plates, "leave gaps between dimensions"),
    ],
    ids=lambda case: getattr(case, "__name__", ""),
)
def test_what_is_no_pyramid_is_refused_with_its_sites(model, message):
    with pytest.raises(NotPyramidalError, match=message):
        analyse(model)


def test_the_observed_site_can_be_named():
    assert analyse(nameless, observed="x").graph.observed.name == "x"


def test_an_unknown_observed_site_is_refused():
    with pytest.raises(NotPyramidalError, match=r"no site 'y'.*z, x"):
        analyse(nameless, observed="y")


def test_analysis_leaves_the_random_state_alone():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    analyse(gaussian_random_effects)
    torch.testing.assert_close(torch.rand(3), expected)
