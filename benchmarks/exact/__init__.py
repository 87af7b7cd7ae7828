"""The engine against exact answers, on the models of the ADAVI paper.

One module a model. Every figure is of weights that were trained here, with a seed
of their own for each repetition; held-out data sets and the simulations of the
calibration have seeds that are written below, before anything was run.
"""

from __future__ import annotations

from benchmarks.record import Recorder

HELD_OUT_SEED = 1_000  # plus the seed of the repetition
CALIBRATION_SEED = 2_000
N_SEEDS = 3
N_HELD_OUT = 20


def run(recorder: Recorder, seed: int) -> None:
    """All models; one repetition and shorter trainings with ``--quick``."""
    from benchmarks.exact import (
        accelerator,
        mixture,
        networks,
        non_conjugate,
        random_effects,
        toy_networks,
    )

    seeds = range(seed, seed + (1 if recorder.quick else N_SEEDS))
    for one in seeds:
        random_effects.run(recorder, one, calibrate=one == seed)
        non_conjugate.run(recorder, one, calibrate=one == seed)
        mixture.run(recorder, one)
        toy_networks.run(recorder, one)
        networks.run(recorder, one)
        accelerator.run(recorder, one)
    recorder.add_medians()
