"""The table of descriptors that ``print(template)`` shows (ADAVI, eq. A.1)."""

from __future__ import annotations

import pyro
import torch
from pyro import distributions as dist

from neuroparcel.graph import analyse
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.toys import gaussian_random_effects

RANDOM_EFFECTS = """\
    plate  Card  set by
P1  group     3  n_groups
P0  point    50  n_points

site               Hier  Shape  ground  Link      parents
population_mean       2  (2,)        1  identity  -
group_mean            1  (2,)        3  identity  population_mean
points (observed)     0  (2,)      150  identity  group_mean"""


def abundances(counts=None, n_lakes=4):
    """Counts of species in lakes: a simplex, a matrix and data without a link."""
    shares = pyro.sample("shares", dist.Dirichlet(torch.ones(3)))
    pyro.sample("correlation", dist.LKJCholesky(3))
    with pyro.plate("lake", n_lakes, dim=-2):
        depth = pyro.sample("depth", dist.Uniform(0.5, 30.0))
        with pyro.plate("visit", 6, dim=-1):
            rate = dist.Poisson(depth.unsqueeze(-1) * shares).to_event(1)
            pyro.sample("counts", rate, obs=counts)


ABUNDANCES = """\
    plate  Card  set by
P1  lake      4  n_lakes
P0  visit     6  (fixed)

site               Hier  Shape   ground  Link                  parents
shares                2  (3,)         1  stick-breaking        -
correlation           2  (3, 3)       1  correlation Cholesky  -
depth                 1  ()           4  interval (0.5, 30)    -
counts (observed)     0  (3,)        24  none                  shares, depth"""


def test_the_table_of_the_random_effects_model():
    assert str(analyse(gaussian_random_effects)) == RANDOM_EFFECTS


def test_the_table_of_a_model_with_a_simplex_and_a_matrix():
    assert str(analyse(abundances)) == ABUNDANCES


def test_long_lists_of_parents_go_on_in_the_next_line():
    lines = str(analyse(MSHBM(torch.eye(5), 3))).splitlines()
    assert max(len(line) for line in lines) < 100
    assert lines[-2].endswith("log_kappa, mixture_weights,")
    assert lines[-1].strip() == "session_networks"
    assert lines[-1].index("session") == lines[-2].index("log_kappa")


def test_even_a_model_of_many_long_names_stays_readable():
    def model(data=None, n=3):
        names = [f"a_rather_long_name_of_site_number_{i}" for i in range(9)]
        total = sum(pyro.sample(name, dist.Normal(0.0, 1.0)) for name in names)
        with pyro.plate("row", n, dim=-1):
            pyro.sample("data", dist.Normal(total, 1.0), obs=data)

    lines = str(analyse(model)).splitlines()
    assert max(len(line) for line in lines) < 105
    assert sum("a_rather_long_name_of_site_number_8" in line for line in lines) == 2


def test_ground_variables_are_counted_by_the_plates_of_a_site():
    graph = analyse(MSHBM(torch.eye(5), 3)).graph
    counts = {site.name: graph.n_ground(site) for site in (*graph.latents, graph.observed)}
    assert counts["population_networks"] == 1
    assert counts["subject_networks"] == 3
    assert counts["session_networks"] == 3 * 2
    assert counts["profiles"] == 3 * 2 * 20
