"""Plates whose members cannot change places are found out, and all others pass."""

from __future__ import annotations

import pyro
import pytest
import torch
from pyro import distributions as dist

from neuroparcel.errors import NotPyramidalError
from neuroparcel.graph import analyse
from neuroparcel.graph.exchangeability import check_exchangeable
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.toys import (
    gaussian_mixture,
    gaussian_random_effects,
    non_conjugate,
    toy_networks,
)

TIMES = torch.linspace(-1, 1, 20)
OFFSETS = 0.01 * TIMES / TIMES.std()  # of a spread of 1
AGES = torch.tensor([-1.0, 0.0, 1.0])


def standard(name, loc=0.0, scale=1.0):
    return pyro.sample(name, dist.Normal(loc, scale))


def regression_on_time(y=None, n_groups=4):
    w = pyro.sample("w", dist.Normal(torch.zeros(2), 1.0).to_event(1))
    with pyro.plate("group", n_groups, dim=-2):
        line = pyro.sample("line", dist.Normal(w, 0.3).to_event(1))
        with pyro.plate("time", 20, dim=-1):
            pyro.sample("y", dist.Normal(line[..., 0] + line[..., 1] * TIMES, 0.2), obs=y)


def regression_with_a_time_axis(y=None, n_groups=4):
    w = pyro.sample("w", dist.Normal(torch.zeros(2), 1.0).to_event(1))
    with pyro.plate("group", n_groups, dim=-1):
        mean = w[..., :1] + w[..., 1:] * TIMES
        pyro.sample("y", dist.Normal(mean, 0.2).to_event(1), obs=y)


def ages_of_groups(x=None, n=5):
    slope = standard("slope")
    with pyro.plate("group", 3, dim=-2):
        mean = standard("mean", slope * AGES.unsqueeze(-1), 0.3)
        with pyro.plate("row", n, dim=-1):
            standard_x(mean, x)


def standard_x(mean, x, scale=0.2):
    pyro.sample("x", dist.Normal(mean, scale), obs=x)


def first_of_two(x=None, n=5):
    """Two members: half of the random orders change nothing."""
    z = standard("z")
    with pyro.plate("group", 2, dim=-2):
        mean = standard("mean", z, torch.tensor([[0.1], [1.0]]))
        with pyro.plate("row", n, dim=-1):
            standard_x(mean, x)


def one_special_row(x=None):
    """A scale that is another one for a member of many."""
    z = standard("z")
    scale = torch.ones(400)
    scale[7] = 2.0
    with pyro.plate("row", 400, dim=-1):
        standard_x(z, x, scale)


def table_of_constants(x=None, n=5):
    """Rows are alike to a shift of all groups together, and not within each group."""
    z = standard("z")
    table = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    with pyro.plate("group", 2, dim=-2), pyro.plate("row", 2, dim=-1):
        standard_x(z + table, x)


def ring(x=None, n=5):
    """Neighbours in a ring: a shift changes nothing, another order does."""
    z = standard("z")
    with pyro.plate("group", 6, dim=-2):
        mean = standard("mean", z)
        with pyro.plate("row", n, dim=-1):
            standard_x(mean + mean.roll(1, -2), x)


def one_row_by_default(x=None, n=1):
    """Nothing changes places in the plate of the analysis, but in a larger one."""
    z = standard("z")
    with pyro.plate("row", n, dim=-1):
        standard_x(z * torch.arange(n), x)


def within_groups_of_subjects(x=None, n_subjects=3, n_sessions=4, n=5):
    """Sessions are tied across subjects, so that one subject's cannot be reordered."""
    z = standard("z")
    with pyro.plate("subject", n_subjects, dim=-3):
        subject = standard("subject_mean", z)
        with pyro.plate("session", n_sessions, dim=-2):
            session = standard("session_mean", subject)
            with pyro.plate("row", n, dim=-1):
                standard_x(session + session.mean(-3, keepdim=True), x)


@pytest.mark.parametrize(
    ("model", "plate", "site"),
    [
        (regression_on_time, "time", "y"),
        (ages_of_groups, "group", "mean"),
        (first_of_two, "group", "mean"),
        (one_special_row, "row", "x"),
        (table_of_constants, "row", "x"),
        (ring, "group", "x"),
        (one_row_by_default, "row", "x"),
        (within_groups_of_subjects, "session", "x"),
    ],
)
def test_what_runs_along_a_plate_is_refused_with_plate_and_site(model, plate, site):
    message = rf"plate '{plate}' are not exchangeable: the density of site '{site}' .*to_event\(1\)"
    with pytest.raises(NotPyramidalError, match=message):
        analyse(model)


def unchecked(model, monkeypatch):
    """A template of which only the order within plates is left to check."""
    with monkeypatch.context() as patch:
        patch.setattr("neuroparcel.graph.batching.check_exchangeable", lambda template: None)
        return analyse(model)


def check_with_seeds(template, seeds, monkeypatch):
    """Refusals with each seed: None where the model passes."""
    for seed in seeds:
        monkeypatch.setattr("neuroparcel.graph.exchangeability._SEED", seed)
        try:
            check_exchangeable(template)
            yield None
        except NotPyramidalError as error:
            yield str(error)


def offset_rows(x=None, n_groups=4):
    """Each row has an offset of its own, a hundredth of the spread."""
    z = standard("z")
    with pyro.plate("group", n_groups, dim=-2):
        mean = standard("mean", z, 0.5)
        with pyro.plate("row", 20, dim=-1):
            standard_x(mean + 0.2 * OFFSETS, x)


def offset_narrow_rows(x=None, n_groups=6):
    """The same where rounding moves the density more than the offsets do."""
    narrow_rows(x, n_groups, 20, 1e-3 * OFFSETS.unsqueeze(-1))


class OffsetMSHBM(MSHBM):
    """Each vertex has networks of its own, a hundredth of the spread from the session's."""

    def _emission(self, weights, networks, log_kappa):
        offsets = log_kappa.exp()[..., None, None] * OFFSETS.reshape(20, 1, 1)
        return super()._emission(weights, networks + offsets, log_kappa)


@pytest.mark.parametrize(
    ("model", "plate", "site"),
    [
        (regression_on_time, "time", "y"),
        (ages_of_groups, "group", "mean"),
        (first_of_two, "group", "mean"),
        (one_special_row, "row", "x"),
        (table_of_constants, "row", "x"),
        (ring, "group", "x"),
        (one_row_by_default, "row", "x"),
        (within_groups_of_subjects, "session", "x"),
        (offset_rows, "row", "x"),
        (offset_narrow_rows, "row", "x"),
        (OffsetMSHBM(torch.eye(10), 3), "vertex", "profiles"),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_what_runs_along_a_plate_is_refused_with_any_draw(model, plate, site, monkeypatch):
    template = unchecked(model, monkeypatch)
    for refusal in check_with_seeds(template, range(15), monkeypatch):
        assert refusal is not None
        assert f"plate '{plate}'" in refusal
        assert f"site '{site}'" in refusal


def deviations(x=None, n_groups=3, n=4):
    """A mean over the plate knows no order."""
    z = standard("z")
    with pyro.plate("group", n_groups, dim=-2):
        mean = standard("mean", z)
        with pyro.plate("row", n, dim=-1):
            standard_x(mean - mean.mean(-2, keepdim=True), x)


def ones(x=None, n_groups=1, n=1):
    z = standard("z")
    with pyro.plate("group", n_groups, dim=-2):
        mean = standard("mean", z)
        with pyro.plate("row", n, dim=-1):
            standard_x(mean, x)


def one_fixed(x=None, n=3):
    z = standard("z")
    with pyro.plate("group", 1, dim=-2), pyro.plate("row", n, dim=-1):
        standard_x(z * torch.ones(1, 1), x)


def narrow(x=None, n_groups=6, n=200):
    """Densities as narrow as single precision is coarse, of a mean from a matrix product."""
    narrow_rows(x, n_groups, n)


def narrow_rows(x, n_groups, n, offsets=0.0):
    z = pyro.sample("z", dist.Normal(torch.zeros(30), 100.0).to_event(1))
    with pyro.plate("group", n_groups, dim=-2):
        w = pyro.sample("w", dist.Normal(z, 1.0).to_event(1))
        with pyro.plate("row", n, dim=-1):
            mean = w @ torch.linspace(-1, 1, 900).reshape(30, 30) + offsets
            pyro.sample("x", dist.Normal(mean, 1e-3).to_event(1), obs=x)


def counts(x=None, n_groups=3, n=4):
    rate = pyro.sample("rate", dist.Gamma(2.0, 1.0))
    with pyro.plate("group", n_groups, dim=-2):
        gain = pyro.sample("gain", dist.LogNormal(0.0, 1.0))
        with pyro.plate("row", n, dim=-1):
            pyro.sample("x", dist.Poisson(rate * gain), obs=x)


def heavy_tails(x=None, n_groups=3, n=4):
    scale = pyro.sample("scale", dist.HalfCauchy(1e4))
    with pyro.plate("group", n_groups, dim=-2):
        mean = pyro.sample("mean", dist.StudentT(1.0, 0.0, scale))
        with pyro.plate("row", n, dim=-1):
            standard_x(mean, x, 1e-2)


@pytest.mark.parametrize(
    "model",
    [
        gaussian_random_effects,
        gaussian_mixture,
        non_conjugate,
        toy_networks,
        MSHBM(torch.eye(5), 3),
        regression_with_a_time_axis,
        deviations,
        ones,
        one_fixed,
        narrow,
        counts,
        heavy_tails,
    ],
    ids=lambda model: getattr(model, "__name__", type(model).__name__),
)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_members_that_change_places_pass_with_any_draw(model, seed, monkeypatch):
    template = unchecked(model, monkeypatch)
    monkeypatch.setattr("neuroparcel.graph.exchangeability._SEED", seed)
    check_exchangeable(template)


def random_covariance(n_components, scale, seed=0):
    generator = torch.Generator().manual_seed(seed)
    factor = torch.randn(n_components, n_components + 2, generator=generator)
    return scale * factor @ factor.T / len(factor.T)


@pytest.mark.parametrize(
    "model",
    [
        *(
            MSHBM(random_covariance(10, scale), 2)
            for scale in (1.7e-3, 4.8e-3, 2.3e-2, 4.7e-2, 1.3, 2.2, 8.9, 61.0, 350.0)
        ),
        MSHBM(random_covariance(30, 5e-2), 2),
        MSHBM(random_covariance(30, 100.0), 4),
        MSHBM(random_covariance(30, 40.0), 5, levels=("session",), kappa="network"),
    ],
    ids=lambda model: f"{len(model.population_covariance)}-{model.prior_tril[0, 0]:.2g}",
)
def test_profiles_that_single_precision_cannot_resolve_pass(model, monkeypatch):
    """Networks of thousands and spreads of 1e-4: squares cancel to steps of thousands."""
    template = unchecked(model, monkeypatch)
    assert set(check_with_seeds(template, range(4), monkeypatch)) == {None}
