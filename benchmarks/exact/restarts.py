"""Mean-field variational inference from many starts, all runs side by side."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from neuroparcel.families.base import VariationalFamily
from neuroparcel.families.mean_field import MeanField
from neuroparcel.graph import ModelTemplate, Observation
from neuroparcel.graph.trace import seeded
from neuroparcel.inference.data import Batch
from neuroparcel.inference.diagnostics import evidence_bound
from neuroparcel.inference.objectives import OBJECTIVES

_RATES = (2e-2, 4e-3, 8e-4)  # Adam; the last one brings the noise below 0.1 nat
_BLOCK = 500
_MIN_GAIN = 0.1  # nats in a block; a run that gains less has finished at its rate
_MAX_BLOCKS = 40
_N_DRAWS = 4


@dataclass(frozen=True, eq=False)
class Restarts:
    """Many mean-field runs.

    Attributes
    ----------
    bounds : Tensor, shape (batch, restart)
        Evidence bound of each run, in nats.
    family : MeanField
        All runs, the restarts of a data set one after the other.
    n_steps : Tensor of int, shape (batch * restart,)
        Steps of each run, over all rates.
    n_cut : int
        Runs that still gained when their steps at a rate were used up.
    """

    bounds: Tensor
    family: MeanField
    n_steps: Tensor
    n_cut: int


def run_to_convergence(
    template: ModelTemplate, data: Observation, n_restarts: int, seed: int
) -> Restarts:
    """Every run until it gains less than 0.1 nat in 500 steps, at three falling rates.

    A run that a block of steps made worse goes back to where it was.
    """
    copies = data.take_sets(torch.arange(data.batch_size).repeat_interleave(n_restarts))
    n_steps = torch.zeros(copies.batch_size, dtype=torch.long)
    with seeded(seed):
        family = MeanField(template, data.plate_sizes, copies.batch_size)
        n_cut = sum(_run_rate(template, family, copies, rate, n_steps) for rate in _RATES)
    found = bounds(template, family, copies).reshape(-1, n_restarts)
    return Restarts(found, family, n_steps, n_cut)


@torch.no_grad()
def bounds(
    template: ModelTemplate, family: VariationalFamily, data: Observation, n_draws: int = 1000
) -> Tensor:
    """Evidence bound of each data set, always from the same noise."""
    return evidence_bound(template, family(data), data, n_draws, seed=1).nats


def _run_rate(
    template: ModelTemplate, family: MeanField, data: Observation, rate: float, n_steps: Tensor
) -> int:
    """All runs at one rate; counts their steps, and returns how many were cut short."""
    running = torch.arange(data.batch_size)
    for _ in range(_MAX_BLOCKS):
        part = data.take_sets(running)
        moved = _rows(template, family, part, running)
        before = bounds(template, moved, part, 256)
        _descend(template, moved, part, rate)
        gain = bounds(template, moved, part, 256) - before
        _keep(family, moved, running, gain > 0)
        n_steps[running] += _BLOCK
        running = running[gain >= _MIN_GAIN]
        if len(running) == 0:
            break
    return len(running)


def _descend(template: ModelTemplate, family: MeanField, data: Observation, rate: float) -> None:
    optimiser = torch.optim.Adam(family.parameters(), lr=rate)
    for _ in range(_BLOCK):
        loss = OBJECTIVES["reverse-kl"](family(data), template, Batch(data), _N_DRAWS)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


@torch.no_grad()
def _rows(template: ModelTemplate, family: MeanField, data: Observation, rows: Tensor) -> MeanField:
    """A family of its own for some of the runs."""
    part = MeanField(template, data.plate_sizes, data.batch_size)
    for own, all_runs in zip(part.parameters(), family.parameters(), strict=True):
        own.copy_(all_runs[rows])
    return part


@torch.no_grad()
def _keep(family: MeanField, part: MeanField, rows: Tensor, better: Tensor) -> None:
    for all_runs, moved in zip(family.parameters(), part.parameters(), strict=True):
        all_runs[rows[better]] = moved[better]
