"""The same trainings on a GPU, where there is one, and how much faster a step is."""

from __future__ import annotations

import time

import torch

from benchmarks.exact import networks
from benchmarks.record import Recorder
from neuroparcel.graph import Observation, analyse
from neuroparcel.graph.trace import seeded
from neuroparcel.inference import Schedule, Stage, fit
from neuroparcel.inference.trainer import train
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.toys import gaussian_random_effects
from neuroparcel.parcellation.training import network_model, start

_GROUPS = ("encoder", "shift", "scale", "flow")
_N_STEPS = 60


def run(recorder: Recorder, seed: int) -> None:
    """Nothing without a GPU."""
    if not torch.cuda.is_available():
        print("no GPU here: its rows are left out")
        return
    name = torch.cuda.get_device_name().replace(",", "")
    data, _, _ = networks.simulate(seed)
    anchors = networks.kmeans_anchors(data, seed)
    whole = networks.SCHEDULE
    with recorder.timed() as clock:
        _train_networks(data.to("cuda"), anchors, whole, seed)
        recorder.add(
            networks.CASE,
            f"training on {name}",
            clock.seconds,
            unit="s",
            goal="<= 120",
            seed=seed,
            clock=clock,
        )
    short = whole.scaled(_N_STEPS)
    seconds = {d: _train_networks(data.to(d), anchors, short, seed) for d in ("cpu", "cuda")}
    ratio = seconds["cpu"] / seconds["cuda"]
    recorder.add(networks.CASE, f"CPU over GPU time, {name}", ratio, seed=seed)
    seconds = {d: _train_toy(d, seed) for d in ("cpu", "cuda")}
    ratio = seconds["cpu"] / seconds["cuda"]
    recorder.add("random effects", f"CPU over GPU time, {name}", ratio, seed=seed)


def _train_networks(
    data: Observation, anchors: torch.Tensor, schedule: Schedule, seed: int
) -> float:
    """Seconds of the training alone."""
    with seeded(seed):
        model = network_model(data, MSHBM(torch.eye(networks.N_COMPONENTS), len(anchors)), anchors)
        start(model)
    started = time.monotonic()
    train(model.family, model.template, model.stream, schedule, seed=seed)
    _finish()
    return time.monotonic() - started


def _train_toy(device: str, seed: int) -> float:
    schedule = Schedule((Stage("posterior", "reverse-kl", _N_STEPS, 2e-3, _GROUPS, 8),))
    template = analyse(gaussian_random_effects)
    fit(template, schedule=schedule, seed=seed, device=device)  # the first call warms up
    started = time.monotonic()
    fit(template, schedule=schedule, seed=seed, device=device)
    _finish()
    return time.monotonic() - started


def _finish() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
