"""Gaussian mixture with random effects, against the best of many mean-field runs."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.exact import HELD_OUT_SEED, N_HELD_OUT
from benchmarks.exact.common import time_posterior
from benchmarks.exact.restarts import bounds, run_to_convergence
from benchmarks.record import Recorder
from neuroparcel.families.adavi import Adavi, AdaviConfig
from neuroparcel.graph import Observation, analyse
from neuroparcel.graph.trace import seeded
from neuroparcel.inference import AmortizedPosterior, Schedule, Stage, fit
from neuroparcel.inference.diagnostics import evidence_bound
from neuroparcel.models.toys import gaussian_mixture
from neuroparcel.nets.hierarchical_encoder import EncoderConfig

CASE = "Gaussian mixture"
_GROUPS = ("encoder", "shift", "scale", "flow")
_N_STEPS = 1000
_N_RESTARTS = 20
_REFINEMENT_STEPS = 200
_SAME_MODE = 0.1  # population means closer than this are of one mode; components lie 1 apart


def run(recorder: Recorder, seed: int) -> None:
    """Trained on 3 groups of 50 points; every data set is clustered by the encoder."""
    template = analyse(gaussian_mixture)
    n_steps, n_sets, n_restarts = _N_STEPS, N_HELD_OUT, _N_RESTARTS
    if recorder.quick:
        n_steps, n_sets, n_restarts = 150, 5, 5
    schedule = Schedule((Stage("posterior", "reverse-kl", n_steps, 2e-3, _GROUPS, 8),))
    with seeded(seed):
        family = Adavi(template.graph, AdaviConfig(EncoderConfig(n_components=3)))
    sizes = {"group": 3, "point": 50}
    with recorder.timed() as clock:
        posterior = fit(
            template, family, plate_sizes=sizes, schedule=schedule, seed=seed, device="cpu"
        )
        seconds = clock.seconds
    recorder.add(CASE, "training", seconds, unit="s", seed=seed, clock=clock)
    with seeded(HELD_OUT_SEED + seed):
        _, data = template.simulate((3, 50), n_sets)
    amortized = bounds(template, posterior.family, data)
    with recorder.timed() as clock:
        runs, n_run, mean_field = run_to_convergence(template, data, n_restarts, seed)
        recorder.add(CASE, "steps of the longest mean-field run", n_run, seed=seed, clock=clock)
    best, chosen = runs.max(1)
    recorder.add(
        CASE,
        "amortized less best mean field",
        float((amortized - best).median()),
        unit="nats",
        goal=">= -60",
        seed=seed,
    )
    single = float((runs.median(1).values - best).median())
    recorder.add(CASE, "one mean-field run less best", single, unit="nats", seed=seed)
    with recorder.timed() as clock:
        refined, centres = _refined(posterior, data)
        recorder.add(CASE, "refinement of one", clock.seconds / n_sets, unit="s", seed=seed)
    _compare(recorder, seed, refined, best)
    rows = torch.arange(n_sets) * n_restarts + chosen
    with torch.no_grad():
        rivals = mean_field.factors["population_means"].centre()[rows]  # type: ignore[operator]
    recorder.add(CASE, "share in another mode", _other_modes(centres, rivals), seed=seed)
    milliseconds = time_posterior(posterior, data.values[0])
    recorder.add(
        CASE, "posterior of a new data set", milliseconds, unit="ms", goal="< 20", seed=seed
    )


def _refined(posterior: AmortizedPosterior, data: Observation) -> tuple[Tensor, Tensor]:
    """Bounds after refinement, and the refined population means."""
    found, centres = [], []
    for index in range(data.batch_size):
        one = data.take_sets(torch.tensor([index]))
        refined = posterior.refine(one, _REFINEMENT_STEPS)
        bound = evidence_bound(posterior.template, refined.conditioned, one, 1000, seed=1)
        found.append(bound.nats[0])
        centres.append(refined.mean("population_means"))
    return torch.stack(found), torch.stack(centres)


def _compare(recorder: Recorder, seed: int, refined: Tensor, best: Tensor) -> None:
    ahead = refined - best
    n_ahead = int((ahead >= 0).sum()) * N_HELD_OUT / len(ahead)
    recorder.add(
        CASE,
        "refined at least best mean field",
        n_ahead,
        unit="of 20",
        goal=">= 15",
        seed=seed,
    )
    recorder.add(
        CASE, "refined less best mean field", float(ahead.median()), unit="nats", seed=seed
    )
    recorder.add(CASE, "the same, worst data set", float(ahead.min()), unit="nats", seed=seed)


def _other_modes(ours: Tensor, theirs: Tensor) -> float:
    """Share of data sets whose components do not match one to one."""
    distance = torch.cdist(ours, theirs)
    matched = (distance.min(-1).values < _SAME_MODE).all(-1)
    matched &= (distance.min(-2).values < _SAME_MODE).all(-1)
    return float((~matched).float().mean())
