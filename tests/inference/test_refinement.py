"""Refinement never lowers the bound, moves what it may, and leaves a kept population alone."""

from __future__ import annotations

import pyro
import pytest
import torch
from pyro import distributions as dist

from neuroparcel.errors import DataError, OptionError
from neuroparcel.families.adavi import Adavi
from neuroparcel.graph import Observation, analyse
from neuroparcel.graph.trace import seeded
from neuroparcel.inference.posterior import AmortizedPosterior
from neuroparcel.inference.refinement import Refinement, draws_within


def model(x=None, n_groups=3, n_points=20):
    mu = pyro.sample("mu", dist.Normal(torch.zeros(2), 1.0).to_event(1))
    with pyro.plate("group", n_groups, dim=-2):
        mu_g = pyro.sample("mu_g", dist.Normal(mu, 0.2).to_event(1))
        with pyro.plate("point", n_points, dim=-1):
            return pyro.sample("x", dist.Normal(mu_g, 0.3).to_event(1), obs=x)


@pytest.fixture(scope="module")
def posterior():
    """Of random weights: there is much to gain."""
    template = analyse(model)
    with seeded(0):
        family = Adavi(template.graph).eval()
        with torch.no_grad():
            for weight in family.parameters():  # some of which start at 0
                weight += 0.1 * torch.randn_like(weight)
    return AmortizedPosterior(template, family)


@pytest.fixture(scope="module")
def population(posterior):
    with seeded(1):
        values = posterior.template.simulate((6, 20), 1)[1].values[0]
    return posterior(values).encodings[-1]


@pytest.fixture(scope="module")
def points(posterior):
    """Three groups; a part of one, and all of another, is missing."""
    with seeded(2):
        values = posterior.template.simulate((4, 20), 1)[1].values[0]
    values[1, :5], values[2] = torch.nan, torch.nan
    return values


def test_the_bound_rises_and_a_kept_population_stays(posterior, population, points):
    plain = posterior(points, population)
    refined = posterior.refine(points, 30, population=population)
    found = refined.refinement
    assert (found.n_steps, found.n_members, found.n_observed) == (30, 4, 55)
    assert found.n_improved == 3  # the group without data has nothing to gain
    assert found.gain > 5 * found.standard_error > 0
    assert refined.elbo(500) > plain.elbo(500)
    before, after = plain.sample(20), refined.sample(20)
    assert torch.equal(before["mu"], after["mu"])
    assert refined.encodings[-1] is population
    assert not torch.equal(before["mu_g"][:, 0], after["mu_g"][:, 0])


def test_groups_do_not_depend_on_one_another(posterior, population, points):
    together = posterior.refine(points, 10, population=population)
    alone = posterior.refine(points[1:2], 10, population=population)
    for part in ("summary", "embedding"):
        one, every = (getattr(q.encodings[0], part) for q in (alone, together))
        torch.testing.assert_close(one[:, 0], every[:, 1], rtol=1e-4, atol=1e-5)


def test_without_a_population_to_keep_all_move_together(posterior, points):
    plain, refined = posterior(points), posterior.refine(points, 30)
    found = refined.refinement
    assert (found.n_members, found.n_improved) == (1, 1)
    assert found.gain > 0
    assert not torch.equal(plain.sample(5)["mu"], refined.sample(5)["mu"])


@pytest.mark.parametrize("keep", [True, False])
def test_no_steps_change_nothing(posterior, population, points, keep):
    given = population if keep else None
    plain, same = posterior(points, given), posterior.refine(points, 0, population=given)
    assert same.refinement is None
    for name, value in plain.sample(5).items():
        assert torch.equal(value, same.sample(5)[name]), name


@pytest.mark.parametrize("learning_rate", [1e3, float("inf")])
def test_what_lowers_the_bound_is_not_kept(posterior, population, points, learning_rate):
    plain = posterior(points, population)
    found = posterior.refine(points, 3, population=population, learning_rate=learning_rate)
    assert found.refinement.n_improved == 0
    assert found.refinement.gain == found.refinement.standard_error == 0
    for name, value in plain.sample(5).items():
        assert torch.equal(value, found.sample(5)[name]), name


def test_latents_of_the_population_alone_are_not_refined():
    def flat(x=None, n_points=6):
        mu = pyro.sample("mu", dist.Normal(torch.zeros(2), 1.0).to_event(1))
        with pyro.plate("point", n_points, dim=-1):
            return pyro.sample("x", dist.Normal(mu, 0.5).to_event(1), obs=x)

    template = analyse(flat)
    posterior = AmortizedPosterior(template, Adavi(template.graph).eval())
    values = torch.randn(6, 2)
    kept = posterior(values).encodings[-1]
    with pytest.raises(DataError, match="all latents are the population's, which is kept"):
        posterior.refine(values, 5, population=kept)
    with pytest.raises(OptionError, match="-1 steps of refinement"):
        posterior.refine(values, -1)


def test_parts_of_a_cohort_add_up():
    one = Refinement(
        5, before=-2.0, after=-1.0, standard_error=0.3, n_members=2, n_improved=1, n_observed=30
    )
    two = Refinement(
        5, before=-4.0, after=-3.5, standard_error=0.1, n_members=1, n_improved=1, n_observed=10
    )
    both = Refinement.total([one, two])
    assert both.before == pytest.approx(-2.5)
    assert both.after == pytest.approx(-1.625)
    assert both.gain == pytest.approx(0.875)
    assert both.standard_error == pytest.approx(((9**2 + 1) ** 0.5) / 40)
    assert (both.n_steps, both.n_members, both.n_improved, both.n_observed) == (5, 3, 2, 40)
    assert Refinement.total([]) is None


def test_large_data_take_fewer_draws():
    mask = torch.ones(1, 1, 1, dtype=torch.bool)
    small = Observation(torch.zeros(1, 1, 1, 4), mask)
    large = Observation(torch.zeros(1).expand(1, 1, 1, 2**22), mask)
    assert (draws_within(small, 16), draws_within(large, 16)) == (16, 4)
    assert draws_within(Observation(torch.zeros(1).expand(1, 1, 1, 2**25), mask), 16) == 1
