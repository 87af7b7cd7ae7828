"""Diagnostics pass the exact posterior, and fail those that are wrong in a known way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyro
import pytest
import torch
from pyro import distributions as dist
from scipy.stats import chisquare, norm
from torch import Tensor

from neuroparcel.errors import OptionError, TrainingError
from neuroparcel.families.base import ConditionedFamily, Draws
from neuroparcel.graph import Observation, analyse
from neuroparcel.graph.trace import seeded
from neuroparcel.inference import calibration as calibration_module
from neuroparcel.inference import diagnostics
from neuroparcel.inference.calibration import (
    Calibration,
    break_ties,
    simulation_based_calibration,
)
from neuroparcel.inference.diagnostics import evidence_bound, log_weights, pareto_k
from neuroparcel.inference.uniformity import (
    central_cover,
    chi_square_p_values,
    ecdf_difference,
    holm,
    simultaneous_band,
)
from neuroparcel.models.toys import (
    SIGMA_GROUP,
    SIGMA_POINT,
    gaussian_random_effects,
    random_effects_log_evidence,
    random_effects_posterior,
)

SIZES = (3, 5)


@dataclass(frozen=True, eq=False)
class Gaussian(ConditionedFamily):
    """The exact joint posterior of the random effects, made wider and moved on demand.

    All deviations from the joint mean are multiplied by ``width``; ``bias`` is in
    posterior standard deviations of the population mean.
    """

    data: Observation
    width: float = 1.0
    bias: float = 0.0

    def __post_init__(self) -> None:
        points = self.data.values
        mean, sd = random_effects_posterior(points)["population_mean"]
        noise, group = SIGMA_POINT**2 / points.shape[-2], SIGMA_GROUP**2
        for name, value in {
            "mean": mean + self.bias * sd,
            "sd": self.width * sd.to(mean),
            "group_sd": self.width * (group * noise / (group + noise)) ** 0.5,
            "shrink": noise / (group + noise),
            "averages": points.mean(-2),
        }.items():
            object.__setattr__(self, name, value)

    def _laws(self, population: Tensor | None) -> tuple[dist.Normal, dist.Normal | None]:
        first = dist.Normal(self.mean, self.sd, validate_args=False)
        if population is None:
            return first, None
        centre = (1 - self.shrink) * self.averages + self.shrink * population.unsqueeze(-2)
        return first, dist.Normal(centre, self.group_sd, validate_args=False)

    def rsample(self, n_draws: int) -> Draws:
        population = self._laws(None)[0].rsample((n_draws,))
        values = {"population_mean": population, "group_mean": self._laws(population)[1].rsample()}
        return Draws(values, self.log_prob(values))

    def log_prob(self, values):
        first, second = self._laws(values["population_mean"])
        return {
            "population_mean": first.log_prob(values["population_mean"]).sum(-1),
            "group_mean": second.log_prob(values["group_mean"]).sum((-1, -2)),
        }

    def point(self):
        centre = self._laws(self.mean)[1].mean
        return {"population_mean": self.mean.unsqueeze(0), "group_mean": centre.unsqueeze(0)}


@pytest.fixture(scope="module")
def template():
    return analyse(gaussian_random_effects)


@pytest.fixture(scope="module")
def data(template):
    with seeded(3):
        _, simulated = template.simulate(SIZES, 4)
    return Observation(simulated.values.double(), simulated.mask)


def calibrate(template, width=1.0, bias=0.0, **options):
    def condition(data):
        return Gaussian(data, width, bias)

    return simulation_based_calibration(template, condition, SIZES, **options)


@pytest.fixture(scope="module")
def exact(template):
    return calibrate(template)


def test_the_exact_posterior_meets_the_evidence_draw_by_draw(template, data):
    """In double precision each of the weights is the evidence but for rounding."""
    bound = evidence_bound(template, Gaussian(data), data, n_draws=50)
    evidence = random_effects_log_evidence(data.values)
    assert bound.nats.shape == bound.standard_error.shape == (4,)
    gap = bound.gap(evidence)
    # The prior's own zeros are single precision, and so are some constants: 1e-6 of 50 nats.
    assert float(gap.nats.abs().max()) < 1e-4
    assert float(gap.relative.abs().max()) < 1e-5
    assert float(bound.standard_error.max()) < 1e-5
    assert torch.equal(
        pareto_k(template, Gaussian(data), data), torch.full((4,), -torch.inf).double()
    )


def test_the_exact_posterior_has_no_tail_in_single_precision_either(template, data):
    single = Observation(data.values.float(), data.mask)
    assert float(pareto_k(template, Gaussian(single), single).max()) == -torch.inf


def test_the_gap_is_the_divergence_of_scaled_gaussians(template, data):
    """8 coordinates whose standard deviations are halved: KL(q, p) = 8 (1/8 - 1/2 + log 2)."""
    bound = evidence_bound(template, Gaussian(data, 0.5), data, n_draws=4000)
    gap = bound.gap(random_effects_log_evidence(data.values))
    expected = 8 * (0.125 - 0.5 + np.log(2))
    errors = (gap.nats - expected).abs() / gap.standard_error
    assert float(errors.max()) < 4  # 4 data sets, 4 standard errors: p < 3e-4
    # log w = const - (1 - f^2) z^2 / 2 summed over 8: variance 8 * 2 * (3/8)^2 a draw.
    torch.testing.assert_close(
        gap.standard_error, torch.full((4,), (2.25 / 4000) ** 0.5).double(), rtol=0.1, atol=0
    )
    torch.testing.assert_close(
        gap.relative, gap.nats / random_effects_log_evidence(data.values).abs()
    )


def test_pareto_k_knows_light_tails_from_heavy_ones(template, data):
    """Gaussians scaled by f have weights that are bounded if f > 1, and else k = 1 - f^2.

    A posterior that is a little wide is therefore good, one that is far too narrow is not.
    """
    assert float(pareto_k(template, Gaussian(data, 1.2), data, seed=1).max()) < 0.5
    assert float(pareto_k(template, Gaussian(data, 0.25), data, seed=1).min()) > 0.7


def test_diagnostics_are_reproducible_and_chunks_bound_memory(template, data, monkeypatch):
    posterior = Gaussian(data, 0.5)
    weights = log_weights(template, posterior, data, 30, seed=1)
    assert torch.equal(weights, log_weights(template, posterior, data, 30, seed=1))
    assert not torch.equal(weights, log_weights(template, posterior, data, 30, seed=2))
    sizes = []
    rsample = Gaussian.rsample
    monkeypatch.setattr(Gaussian, "rsample", lambda self, n: sizes.append(n) or rsample(self, n))
    monkeypatch.setattr(diagnostics, "_CHUNK", 7 * data.values.numel())
    assert log_weights(template, posterior, data, 30).shape == (30, 4)
    assert sizes == [7, 7, 7, 7, 2]


def test_a_weight_that_is_nan_is_told(template, data):
    values = data.values.clone()
    values[1] = torch.nan
    broken = Observation(values, data.mask)
    found = pareto_k(template, Gaussian(broken), broken)
    assert found.isnan().tolist() == [False, True, False, False]
    assert bool(evidence_bound(template, Gaussian(broken), broken).nats[1].isnan())


def test_too_few_draws_are_refused(template, data):
    with pytest.raises(OptionError, match=r"1 draws give no standard error.*at least 2"):
        evidence_bound(template, Gaussian(data), data, n_draws=1)
    with pytest.raises(OptionError, match=r"99 draws are too few.*at least 100"):
        pareto_k(template, Gaussian(data), data, n_draws=99)


def test_calibration_passes_the_exact_posterior(exact):
    assert exact.ranks["population_mean"].shape == (500, 2)
    assert exact.ranks["group_mean"].shape == (500, 3, 2)
    assert {site: p.shape for site, p in exact.holm().items()} == {
        "population_mean": (2,),
        "group_mean": (2,),
    }
    assert exact.worst()[2] > 0.01  # seed 0; an exact posterior fails one seed in a hundred


@pytest.mark.parametrize(
    ("width", "bias"),
    [(0.5, 0.0), (2.0, 0.0), (1.0, 0.5)],
    ids=["over-confident", "under-confident", "biased"],
)
def test_calibration_fails_what_is_wrong(template, width, bias):
    wrong = calibrate(template, width, bias)
    site, coordinate, p_value = wrong.worst()
    assert p_value < 1e-4
    assert p_value == min(np.min(p) for p in wrong.holm().values())
    assert wrong.holm()[site][coordinate] == p_value
    assert float(wrong.holm()["population_mean"].max()) < 1e-4


@pytest.mark.parametrize("width", [0.5, 1.0, 2.0])
def test_coverage_is_that_of_a_scaled_gaussian(template, exact, width):
    """An interval of level c, scaled by f, holds the truth at 2 Phi(f z_c) - 1."""
    found = exact if width == 1 else calibrate(template, width)
    levels = (0.5, 0.8, 0.95)
    expected = 2 * norm.cdf(width * norm.ppf((1 + np.asarray(levels)) / 2)) - 1
    for coverage in found.coverage(levels).values():
        # 200 ranks place the ends of an interval to 1/200, which matters only if width != 1.
        slack = 0.0 if width == 1 else 0.01
        assert np.all(np.abs(coverage.share - expected) < 4 * coverage.standard_error + slack)
    at_95 = found.coverage_by_hierarchy((0.95,))
    assert list(at_95) == [1, 2]
    assert all((c.share < 0.75).all() == (width < 1) for c in at_95.values())


def test_a_posterior_that_repeats_the_prior_is_calibrated_but_loses_evidence(template, data):
    """What calibration cannot see, and the bound can."""
    found = simulation_based_calibration(template, lambda d: Prior(template, d), SIZES)
    assert found.worst()[2] > 0.01
    bound = evidence_bound(template, Prior(template, data), data)
    assert bool((bound.gap(random_effects_log_evidence(data.values)).nats > 100).all())


@dataclass(frozen=True, eq=False)
class Prior(ConditionedFamily):
    """Draws from the model's prior, whatever the data."""

    template: object
    data: Observation

    def rsample(self, n_draws: int) -> Draws:
        n = self.data.batch_size
        values, _ = self.template.simulate(self.data.plate_sizes, n_draws * n)
        values = {name: v.reshape(n_draws, n, *v.shape[1:]) for name, v in values.items()}
        return Draws(values, self.log_prob(values))

    def log_prob(self, values):
        joint = self.template.log_prob(values, self.data)
        return {name: joint[name] for name in values}

    def point(self):
        return self.rsample(1).values


def mixed_events(x=None, n_points=3):
    """A simplex and a triangular matrix."""
    shares = pyro.sample("shares", dist.Dirichlet(torch.ones(3)))
    factor = pyro.sample("factor", dist.LKJCholesky(2, 1.0))
    with pyro.plate("point", n_points, dim=-1):
        law = dist.MultivariateNormal(shares[..., :2], scale_tril=factor)
        pyro.sample("x", law, obs=x)


def test_simplices_and_matrices_are_ranked_entry_by_entry():
    template = analyse(mixed_events)
    found = simulation_based_calibration(
        template, lambda d: Prior(template, d), (2,), n_simulations=200, n_draws=39
    )
    assert found.ranks["shares"].shape == (200, 3)
    assert found.ranks["factor"].shape == (200, 2, 2)
    # The first row of a correlation's factor is (1, 0), always.
    np.testing.assert_array_equal(found.varies["factor"], [[False, False], [True, True]])
    np.testing.assert_array_equal(np.isnan(found.holm()["factor"]), ~found.varies["factor"])
    # Draws that all equal the truth are ordered at random (seed 0).
    assert chi_square_p_values(found.ranks["factor"][:, 0, 0], 40, 20) > 0.01
    assert found.varies["shares"].all()
    assert found.worst()[2] > 0.01
    assert np.isfinite(found.coverage()["factor"].share).all()


def test_draws_are_ranked_in_chunks_and_reproducibly(template, monkeypatch):
    options = {"n_simulations": 20, "n_draws": 19, "n_bins": 4, "batch_size": 8}
    first, again = (calibrate(template, seed=5, **options) for _ in range(2))
    for site, ranks in first.ranks.items():
        np.testing.assert_array_equal(ranks, again.ranks[site])
    other = calibrate(template, seed=6, **options)
    assert any((ranks != other.ranks[site]).any() for site, ranks in first.ranks.items())
    sizes = []
    rsample = Gaussian.rsample
    monkeypatch.setattr(Gaussian, "rsample", lambda self, n: sizes.append(n) or rsample(self, n))
    monkeypatch.setattr(calibration_module, "_CHUNK", 8 * 8 * 10)
    calibrate(template, **options)
    assert sizes == [10, 9, 10, 9, 19]  # batches of 8, 8 and 4 data sets of 8 latent numbers


def test_ties_are_broken_evenly():
    with seeded(0):
        ranks = break_ties(torch.full((10_000,), 5), torch.full((10_000,), 9)).numpy()
    assert (ranks.min(), ranks.max()) == (5, 14)
    assert chi_square_p_values(ranks - 5, 10, 10) > 0.01  # seed 0


def test_a_posterior_that_draws_nan_is_refused(template):
    with pytest.raises(TrainingError, match=r"gives NaN for site 'population_mean'.*narrow"):
        calibrate(template, bias=float("nan"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_draws": 200}, "200 draws give 201 ranks, which 20 bins do not divide.*Take 199 draws"),
        ({"n_draws": 9}, "10 ranks.*Take 19 draws"),
        ({"n_bins": 1}, "1 bins do not divide.*at least 2"),
        ({"n_simulations": 99}, "99 simulations are too few.*at least 100"),
    ],
)
def test_numbers_that_do_not_go_together_are_refused(template, options, message):
    with pytest.raises(OptionError, match=message):
        calibrate(template, **options)


def made_of(ranks, n_draws=19, n_bins=4):
    site = {"z": np.asarray(ranks)}
    return Calibration(site, {"z": np.ones((), bool)}, {"z": 1}, n_draws, n_bins)


def test_ranks_outside_the_number_of_draws_are_refused():
    with pytest.raises(ValueError, match="ranks of site 'z' are not between 0 and 19"):
        made_of(np.arange(21).repeat(20)[:, None])


def test_standard_errors_count_simulations_not_ground_variables():
    """100 copies of one rank a simulation tell no more than the one."""
    ranks = np.random.default_rng(0).integers(0, 20, (400, 100))
    one, copies = ranks[:, :1], np.repeat(ranks[:, :1], 100, axis=1)
    error = {
        name: made_of(r).coverage((0.5,))["z"].standard_error[0]
        for name, r in {"one": one, "copies": copies, "independent": ranks}.items()
    }
    assert error["copies"] == pytest.approx(error["one"])
    assert error["one"] == pytest.approx(0.5 / 20, rel=0.01)
    assert error["independent"] == pytest.approx(0.5 / 200, rel=0.15)


def test_p_values_take_one_ground_variable_of_a_simulation():
    """The second variable of each simulation is off; the first is not."""
    ranks = np.stack([np.tile(np.arange(20), 10), np.zeros(200, int)], axis=1)
    assert made_of(ranks).p_values()["z"] == pytest.approx(1)
    assert made_of(ranks[:, ::-1]).p_values()["z"] < 1e-100


def test_chi_square_is_scipy_s():
    ranks = np.random.default_rng(1).integers(0, 20, (300, 2))
    for column, p_value in zip(ranks.T, chi_square_p_values(ranks, 20, 5), strict=True):
        counts = np.bincount(column // 4, minlength=5)
        assert p_value == pytest.approx(chisquare(counts).pvalue)


def test_holm_of_a_known_case():
    raw = np.array([0.01, np.nan, 0.04, 0.03, 0.9])
    np.testing.assert_allclose(holm(raw), [0.04, np.nan, 0.09, 0.09, 0.9])
    assert holm(np.array([0.9, 0.8])).tolist() == [1, 1]


@pytest.mark.parametrize("n_ranks", [20, 51])
@pytest.mark.parametrize("level", [0.05, 0.5, 0.9])
def test_uniform_ranks_are_covered_at_the_level(n_ranks, level):
    assert central_cover(np.arange(n_ranks), n_ranks, level).mean() == pytest.approx(level)


def test_the_band_holds_whole_lines_at_its_probability():
    lower, upper = simultaneous_band(100, 50, 0.95)
    random = np.random.default_rng(7)
    n_tries = 2000
    inside = 0
    for _ in range(n_tries):
        line = ecdf_difference(random.integers(0, 50, 100), 50)
        inside += bool(((lower <= line) & (line <= upper)).all())
    # Ranks are discrete, so the band is a little wide; 0.005 is the error of 2000 tries.
    assert 0.94 < inside / n_tries < 0.975


def test_the_ecdf_of_even_ranks_is_flat():
    assert np.abs(ecdf_difference(np.tile(np.arange(20), 3), 20)).max() < 1e-12
    np.testing.assert_allclose(ecdf_difference(np.zeros(5, int), 4), [0.75, 0.5, 0.25])


def test_a_calibration_prints_a_table(exact):
    lines = str(exact).splitlines()
    assert lines[0] == "500 simulations x 199 draws; coverage in per cent"
    head = ["site", "hierarchy", "coordinates", "least", "p", "(Holm)", "50%", "80%", "90%", "95%"]
    assert lines[1].split() == head
    assert lines[2].split()[:3] == ["population_mean", "2", "2"]
    assert lines[3].split()[:3] == ["group_mean", "1", "2"]
    share, _, error = lines[2].split()[-3:]
    assert float(share) == pytest.approx(95, abs=4 * float(error) + 0.1)
