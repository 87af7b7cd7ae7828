"""The interface admits factors that look at the sites drawn before them.

A family for the random effects model whose group factor is conditioned on the
sampled population mean: with free weights, the exact posterior is in its reach,
while independent factors lose the correlation of population and groups.
"""

import math
from dataclasses import dataclass

import torch
from torch import nn

from neuroparcel.families.base import ConditionedFamily, Draws, NonAmortizedFamily
from neuroparcel.graph import Observation, analyse
from neuroparcel.graph.trace import seeded
from neuroparcel.inference import Schedule, Stage, fit
from neuroparcel.inference.diagnostics import evidence_bound
from neuroparcel.models.toys import (
    SIGMA_GROUP,
    SIGMA_POINT,
    SIGMA_POPULATION,
    gaussian_random_effects,
    random_effects_log_evidence,
)


def log_normal(value, loc, log_scale):
    standard = (value - loc) / log_scale.exp()
    return (-0.5 * standard.square() - log_scale - 0.5 * math.log(2 * math.pi)).sum(-1)


class Structured(NonAmortizedFamily):
    """Free normals; a group's mean is linear in the population's if ``looks``."""

    name = "structured"

    def __init__(self, n_groups, *, looks):
        super().__init__((n_groups, 1), 1)
        self.loc = nn.Parameter(torch.zeros(2))
        self.log_scale = nn.Parameter(torch.zeros(2))
        self.group_loc = nn.Parameter(torch.zeros(n_groups, 2))
        self.group_log_scale = nn.Parameter(torch.full((n_groups, 2), -2.0))
        self.weight = nn.Parameter(torch.zeros(()), requires_grad=looks)
        self.looks = looks

    def condition(self, encodings, data, *, affine_only=False):
        return StructuredPosterior(self, data)

    def settings(self):
        return {}

    def groups(self):
        weight = [self.weight] if self.looks else []
        rest = [self.loc, self.log_scale, self.group_loc, self.group_log_scale]
        return {"factors": rest + weight}


@dataclass(frozen=True, eq=False)
class StructuredPosterior(ConditionedFamily):
    family: Structured
    data: Observation

    def rsample(self, n_draws):
        f = self.family
        noise = torch.randn(n_draws, 1, 2)
        population = f.loc + f.log_scale.exp() * noise
        centre = f.group_loc + f.weight * population.unsqueeze(-2)
        groups = (
            centre + f.group_log_scale.exp() * torch.randn(n_draws, *f.group_loc.shape)[:, None]
        )
        values = {"population_mean": population, "group_mean": groups}
        return Draws(values, self.log_prob(values))

    def log_prob(self, values):
        f = self.family
        population, groups = values["population_mean"], values["group_mean"]
        centre = f.group_loc + f.weight * population.unsqueeze(-2)
        by_group = log_normal(groups, centre, f.group_log_scale)
        return {
            "population_mean": log_normal(population, f.loc, f.log_scale),
            "group_mean": self.data.sum_present(by_group, 1),
        }

    def point(self):
        f = self.family
        groups = f.group_loc + f.weight * f.loc
        return {"population_mean": f.loc[None, None], "group_mean": groups[None, None]}


def test_a_factor_that_sees_its_parent_reaches_the_exact_evidence():
    template = analyse(gaussian_random_effects)
    with seeded(1):
        # A single point a group: groups are uncertain, and move with the population.
        data = template.simulate((8, 1), 1)[1]
    exact = random_effects_log_evidence(data.values)
    # Few steps of many draws: a draw costs little beside a step, and quiets Adam.
    stages = Schedule((Stage("posterior", "reverse-kl", 200, 1e-1, ("factors",), 256),))
    gaps = {}
    for looks in (True, False):
        family = Structured(8, looks=looks)
        posterior = fit(template, family, data=data, schedule=stages, device="cpu")
        bound = evidence_bound(template, posterior(data).conditioned, data, 4000)
        gaps[looks] = float(bound.gap(exact).nats)
    # Monte Carlo error of a bound is about 0.005; Adam leaves up to 0.011 at three seeds.
    assert abs(gaps[True]) < 0.02
    assert abs(gaps[False] - mean_field_gap(8)) < 0.02
    assert mean_field_gap(8) > 0.05


def mean_field_gap(n_groups):
    """Of a Gaussian with this precision: half of (sum of log diagonal less log determinant)."""
    groups, points = SIGMA_GROUP**-2, SIGMA_POINT**-2
    precision = torch.diag(torch.full((1 + n_groups,), groups + points))
    precision[0, 0] = SIGMA_POPULATION**-2 + n_groups * groups
    precision[0, 1:] = precision[1:, 0] = -groups
    one_coordinate = 0.5 * (precision.diagonal().log().sum() - torch.logdet(precision))
    return 2 * float(one_coordinate)
