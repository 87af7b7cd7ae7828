"""What the cases share: training by the clock, timing a posterior, calibration."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import median

import torch
from torch import Tensor

from benchmarks.exact import CALIBRATION_SEED
from benchmarks.record import Recorder
from neuroparcel.families.base import VariationalFamily
from neuroparcel.graph import ModelTemplate
from neuroparcel.inference import AmortizedPosterior
from neuroparcel.inference.calibration import simulation_based_calibration

N_CALIBRATION = 500
_LEVEL = 0.95


def n_weights(family: VariationalFamily) -> int:
    """Trainable numbers."""
    return sum(parameter.numel() for parameter in family.parameters())


def time_posterior(posterior: AmortizedPosterior, values: Tensor, n_repeats: int = 30) -> float:
    """Milliseconds of processor time to condition on a data set and draw once, median.

    Of one thread; unlike wall time it does not grow when others use the machine.
    """
    times = []
    for _ in range(n_repeats):
        started = time.process_time()
        posterior(values).sample(1)
        times.append(time.process_time() - started)
    return 1e3 * median(times)


def calibrate(
    recorder: Recorder,
    case: str,
    template: ModelTemplate,
    posterior: AmortizedPosterior,
    plate_sizes: Sequence[int],
) -> None:
    """Simulation-based calibration of all coordinates, Holm-corrected."""
    with recorder.timed() as clock, torch.no_grad():
        calibration = simulation_based_calibration(
            template,
            posterior.family,
            tuple(plate_sizes),
            n_simulations=100 if recorder.quick else N_CALIBRATION,
            seed=CALIBRATION_SEED,
        )
    site, _, p_value = calibration.worst()
    recorder.add(
        case,
        f"smallest p of SBC ({site})",
        p_value,
        goal="> 0.01",
        seed=CALIBRATION_SEED,
        clock=clock,
    )
    for name, coverage in calibration.coverage((_LEVEL,)).items():
        recorder.add(
            case,
            f"cover of 95 % intervals, {name}",
            float(coverage.share[0]),
            seed=CALIBRATION_SEED,
        )
