"""Gaussian random effects: the evidence is known in closed form."""

from __future__ import annotations

from functools import partial

import torch

from benchmarks.exact import HELD_OUT_SEED, N_HELD_OUT
from benchmarks.exact.common import calibrate as calibrate_posterior
from benchmarks.exact.common import n_weights, time_posterior
from benchmarks.record import Recorder
from neuroparcel.families.adavi import Adavi
from neuroparcel.graph import analyse
from neuroparcel.graph.trace import seeded
from neuroparcel.inference import Schedule, Stage, fit
from neuroparcel.inference.diagnostics import evidence_bound
from neuroparcel.models.toys import gaussian_random_effects, random_effects_log_evidence

CASE = "random effects"
_GROUPS = ("encoder", "shift", "scale", "flow")
_N_STEPS = 1000
_N_DRAWS = 256


def run(recorder: Recorder, seed: int, *, calibrate: bool) -> None:
    """Trained on 1 to 6 groups of 25 to 100 points, asked at 3, 30 and 300 groups of 50."""
    template = analyse(gaussian_random_effects)
    n_steps = 200 if recorder.quick else _N_STEPS
    schedule = Schedule((Stage("posterior", "reverse-kl", n_steps, 2e-3, _GROUPS, 8),))
    with recorder.timed() as clock:
        posterior = fit(template, schedule=schedule, seed=seed, device="cpu")
        seconds = clock.seconds
    recorder.add(CASE, "training", seconds, unit="s", goal="<= 600", seed=seed, clock=clock)
    for n_groups, goal in ((3, "<= 0.001"), (30, "<= 0.003"), (300, "<= 0.003")):
        with seeded(HELD_OUT_SEED + seed):
            _, data = template.simulate((n_groups, 50), N_HELD_OUT)
        exact = random_effects_log_evidence(data.values)
        with torch.no_grad():
            bound = evidence_bound(template, posterior.family(data), data, _N_DRAWS)
        gap = float(bound.gap(exact).relative.median())
        recorder.add(CASE, f"gap at G = {n_groups}", gap, goal=goal, seed=seed)
        analysed = analyse(partial(gaussian_random_effects, n_groups=n_groups))
        difference = n_weights(Adavi(analysed.graph)) - n_weights(posterior.family)
        recorder.add(
            CASE, f"weights more, analysed at G = {n_groups}", difference, goal="<= 0", seed=seed
        )
        milliseconds = time_posterior(posterior, data.values[0])
        recorder.add(
            CASE,
            f"posterior of a new data set, G = {n_groups}",
            milliseconds,
            unit="ms",
            goal="< 20" if n_groups == 3 else "",
            seed=seed,
        )
    recorder.add(CASE, "weights", n_weights(posterior.family), seed=seed)
    if calibrate:
        calibrate_posterior(recorder, CASE, template, posterior, (3, 50))
