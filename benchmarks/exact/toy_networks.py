"""The MS-HBM in toy dimensions: no exact answer, mean field is the yardstick."""

from __future__ import annotations

from benchmarks.exact import HELD_OUT_SEED, N_HELD_OUT
from benchmarks.exact.common import time_posterior
from benchmarks.exact.restarts import bounds, run_to_convergence
from benchmarks.record import Recorder
from neuroparcel.families.adavi import Adavi, AdaviConfig
from neuroparcel.graph import analyse
from neuroparcel.graph.trace import seeded
from neuroparcel.inference import Schedule, Stage, fit
from neuroparcel.models.toys import toy_networks
from neuroparcel.nets.hierarchical_encoder import EncoderConfig

CASE = "toy networks"
_GROUPS = ("encoder", "shift", "scale", "flow")
_N_STEPS = 800
_N_RESTARTS = 5


def run(recorder: Recorder, seed: int) -> None:
    """Trained and asked at 2 subjects, 2 sessions, 50 vertices, 2 networks."""
    template = analyse(toy_networks)
    n_steps, n_sets, n_restarts = _N_STEPS, N_HELD_OUT, _N_RESTARTS
    if recorder.quick:
        n_steps, n_sets, n_restarts = 100, 4, 2
    schedule = Schedule((Stage("posterior", "reverse-kl", n_steps, 2e-3, _GROUPS, 8),))
    with seeded(seed):
        family = Adavi(template.graph, AdaviConfig(EncoderConfig(n_components=2)))
    sizes = {"subject": 2, "session": 2, "vertex": 50}
    with recorder.timed() as clock:
        posterior = fit(
            template, family, plate_sizes=sizes, schedule=schedule, seed=seed, device="cpu"
        )
        seconds = clock.seconds
    recorder.add(CASE, "training", seconds, unit="s", seed=seed, clock=clock)
    with seeded(HELD_OUT_SEED + seed):
        _, data = template.simulate((2, 2, 50), n_sets)
    with recorder.timed() as clock:
        runs = run_to_convergence(template, data, n_restarts, seed)
        difference = bounds(template, posterior.family, data) - runs.bounds.max(1).values
        recorder.add(
            CASE,
            f"amortized less best of {n_restarts} mean fields",
            float(difference.median()),
            unit="nats",
            seed=seed,
            clock=clock,
        )
    milliseconds = time_posterior(posterior, data.values[0])
    recorder.add(
        CASE, "posterior of a new data set", milliseconds, unit="ms", goal="< 20", seed=seed
    )
