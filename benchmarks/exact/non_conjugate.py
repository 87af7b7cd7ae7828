"""Laplace points around a Gamma location: the evidence is an integral in closed form."""

from __future__ import annotations

import torch

from benchmarks.exact import HELD_OUT_SEED, N_HELD_OUT
from benchmarks.exact.common import calibrate as calibrate_posterior
from benchmarks.exact.common import time_posterior
from benchmarks.exact.restarts import run_to_convergence
from benchmarks.record import Recorder
from neuroparcel.families.adavi import Adavi, AdaviConfig
from neuroparcel.graph import analyse
from neuroparcel.graph.trace import seeded
from neuroparcel.inference import Schedule, Stage, fit
from neuroparcel.inference.diagnostics import evidence_bound
from neuroparcel.models.toys import non_conjugate, non_conjugate_log_evidence
from neuroparcel.nets.flows import FlowConfig
from neuroparcel.nets.hierarchical_encoder import EncoderConfig

CASE = "non-conjugate"
_GROUPS = ("encoder", "shift", "scale", "flow")
_N_STEPS = 4000
# The posterior of a Laplace location hangs on the middle ranks of the points.
_CONFIG = AdaviConfig(EncoderConfig(n_quantiles=9), FlowConfig(hidden=128))
_N_DRAWS = 1000


def run(recorder: Recorder, seed: int, *, calibrate: bool) -> None:
    """Trained and asked at 10 points; beside it mean field in the prior's form."""
    template = analyse(non_conjugate)
    n_steps = 300 if recorder.quick else _N_STEPS
    schedule = Schedule((Stage("posterior", "reverse-kl", n_steps, 5e-3, _GROUPS, 8),))
    with seeded(seed):
        family = Adavi(template.graph, _CONFIG)
    sizes = {"point": 10}
    with recorder.timed() as clock:
        posterior = fit(
            template, family, plate_sizes=sizes, schedule=schedule, seed=seed, device="cpu"
        )
        seconds = clock.seconds
    recorder.add(CASE, "training", seconds, unit="s", seed=seed, clock=clock)
    with seeded(HELD_OUT_SEED + seed):
        _, data = template.simulate((10,), N_HELD_OUT)
    exact = non_conjugate_log_evidence(data.values)
    with torch.no_grad():
        bound = evidence_bound(template, posterior.family(data), data, _N_DRAWS)
    gap = float(bound.gap(exact).nats.median())
    recorder.add(CASE, "gap to the exact evidence", gap, unit="nats", goal="<= 0.2", seed=seed)
    mean_field = run_to_convergence(template, data, 1, seed)
    gap = float((exact - mean_field.bounds[:, 0]).median())
    recorder.add(CASE, "gap of mean field", gap, unit="nats", seed=seed)
    milliseconds = time_posterior(posterior, data.values[0])
    recorder.add(
        CASE, "posterior of a new data set", milliseconds, unit="ms", goal="< 20", seed=seed
    )
    if calibrate:
        calibrate_posterior(recorder, CASE, template, posterior, (10,))
