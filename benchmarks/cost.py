"""Time and memory: one new subject, group training, and how both grow with the data.

Data are drawn around random networks, with the mean cosine that Kong et al. (2019) found
between profile and network. A new subject has two sessions of the whole cortex, 59,412
vertices; its networks are the trained population's (``--emission von-mises-fisher --levels
population --label-prior vertex --family reference``), with one core, in a process of its own,
so that peak memory is its own: libraries and data are in it. Time is from data in memory to
soft labels, the least of several runs.

The table of growth gives processor seconds of five passes over the data with all levels, each
size over the smallest, and the slope of log time on log size. The bounds of the slope, 0.8
and 1.2, are ours: 1 is linear, and what does not grow makes it smaller.

The machine has to be idle: wall times measure the neighbours too.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from benchmarks.model_cohorts import as_read
from benchmarks.record import Recorder, peak_mb
from neuroparcel.brain.model_cohort import DIFFICULTIES, ModelSettings
from neuroparcel.distributions.von_mises_fisher import concentration_of, sample_around
from neuroparcel.graph.observation import Observation
from neuroparcel.graph.trace import seeded
from neuroparcel.inference.device import cpu_threads
from neuroparcel.io.meshes import load_cortex_axis
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.mshbm_reference import fit_reference
from neuroparcel.models.mshbm_simulation import draw_model_cohort
from neuroparcel.models.mshbm_start import Moments, estimate_moments
from neuroparcel.parcellation.label_model import LabelModel
from neuroparcel.parcellation.labels import soft_labels
from neuroparcel.parcellation.networks import ReferenceNetworks
from neuroparcel.pipeline.fitting import learn
from neuroparcel.pipeline.options import FitOptions

N_VERTICES = 59_412  # of the fs_LR 32k cortex
_N_REPEATS = 3
_N_TRAINED = 2_000  # vertices that the population of a new subject was learnt from
_BLOCK = 4_096  # vertices that are drawn at a time
_N_PASSES = 5
_BASE = {"subjects": 4, "sessions": 2, "vertices": 20_000}
_FACTORS = (1, 2, 4, 8)
_VMF = "von-mises-fisher"


@dataclass(frozen=True)
class NewSubject:
    """The size of an individual parcellation, and what it may cost."""

    networks: int
    components: int
    seconds: str = ""
    megabytes: str = ""

    @property
    def case(self) -> str:
        """What the rows of the benchmark are called."""
        return f"new subject, K = {self.networks}, D = {self.components}"


NEW_SUBJECTS = (
    NewSubject(17, 14, "<= 0.5"),
    NewSubject(17, 1_488, "<= 10", "<= 3072"),
    NewSubject(50, 14),
    NewSubject(50, 1_488),
)


def run(recorder: Recorder, seed: int) -> None:
    """All of it; with ``--quick`` 17 networks only, less growth and no group training."""
    with cpu_threads(1):
        _run(recorder, seed)


def _run(recorder: Recorder, seed: int) -> None:
    for one in NEW_SUBJECTS[:2] if recorder.quick else NEW_SUBJECTS:
        _new_subject(recorder, one, seed)
    factors = _FACTORS[:3] if recorder.quick else _FACTORS
    for emission in ("l-normal",) if recorder.quick else ("l-normal", _VMF):
        for axis in _BASE:
            _growth(recorder, emission, axis, factors, seed)
    if not recorder.quick:
        for networks, goal in ((17, "<= 900"), (50, "")):
            _group(recorder, networks, goal, seed)


def _new_subject(recorder: Recorder, one: NewSubject, seed: int) -> None:
    found = _in_a_process("new_subject", networks=one.networks, components=one.components,
                          seed=seed)  # fmt: skip
    add = recorder.add
    add(one.case, "wall time to labels", found["wall"], unit="s", goal=one.seconds, seed=seed)
    add(one.case, "processor time to labels", found["cpu"], unit="s", seed=seed)
    add(one.case, "peak memory", found["peak"], unit="MB", goal=one.megabytes, seed=seed)


def _growth(
    recorder: Recorder, emission: str, axis: str, factors: tuple[int, ...], seed: int
) -> None:
    """Time against one size, the others as they are."""
    case = f"growth with {axis}, {emission}"
    seconds = []
    for factor in factors:
        size = {**_BASE, axis: factor * _BASE[axis]}
        seconds.append(_passes(emission, tuple(size.values()), seed))
        add, name = recorder.add, f"{size[axis]} {axis}"
        add(case, f"{_N_PASSES} passes, {name}", seconds[-1], unit="s", seed=seed)
        add(case, f"over the smallest, {name}", seconds[-1] / seconds[0], seed=seed)
    slope = float(np.polyfit(np.log(factors), np.log(seconds), 1)[0])
    recorder.add(case, "slope of log time on log size", slope, seed=seed)
    recorder.add(case, "slope, from 1", abs(slope - 1), goal="<= 0.2", seed=seed)


def _passes(emission: str, sizes: tuple[int, ...], seed: int) -> float:
    """Processor seconds of some passes over a cohort with all levels, K = 17, D = 14."""
    n_subjects, n_sessions, n_vertices = sizes
    settings = ModelSettings(
        emission=emission,
        n_subjects=n_subjects,
        n_sessions=n_sessions,
        n_networks=17,
        n_components=14,
        seed=seed,
    )
    cohort = draw_model_cohort(settings, n_vertices)
    data = Observation.complete(torch.as_tensor(cohort.coordinates).unsqueeze(0))
    model = MSHBM(torch.eye(14) / 14, 17, emission=emission)
    anchors = torch.as_tensor(cohort.networks["population"]).float()
    start = estimate_moments(data, anchors, model)
    return _least(
        lambda: fit_reference(model, data, start, n_iterations=_N_PASSES, tolerance=-np.inf)
    )[1]


def _group(recorder: Recorder, networks: int, goal: str, seed: int) -> None:
    """Reduction, k-means, networks and labels of ten subjects, from profiles in memory."""
    found = _in_a_process("group_training", networks=networks, seed=seed)
    case = f"group of 10, K = {networks}, D = 14, one core"
    recorder.add(case, "wall time of training", found["wall"], unit="s", goal=goal, seed=seed)
    recorder.add(case, "peak memory", found["peak"], unit="MB", seed=seed)


def new_subject(networks: int, components: int, seed: int) -> dict[str, float]:
    """Label one new subject; seconds and megabytes."""
    with seeded(seed):
        directions = normalize(torch.randn(networks, components), dim=-1)
        prior = torch.distributions.Dirichlet(torch.ones(networks)).sample((N_VERTICES,))
        trained = _trained(directions)
        values = torch.empty(1, 1, 2, N_VERTICES, components)
        for session in range(2):
            _draw(directions, values[0, 0, session])
    population = ReferenceNetworks.with_labels(trained, LabelModel(prior))
    data = Observation.complete(values)
    wall, cpu = _least(lambda: soft_labels(population(data), population.model, LabelModel(prior)))
    return {"wall": wall, "cpu": cpu, "peak": peak_mb()}


def group_training(networks: int, seed: int) -> dict[str, float]:
    """Train on ten subjects; seconds and megabytes."""
    settings = ModelSettings(
        emission=_VMF, n_subjects=10, n_networks=networks, n_components=14, seed=seed
    )
    cohort = as_read(draw_model_cohort(settings, N_VERTICES), load_cortex_axis())
    options = FitOptions(
        subjects=Path("none"),
        output=Path("none"),
        networks=networks,
        roi="cortex",
        features="maps",
        emission=_VMF,
        levels="population",
        variance=1.0,
        label_prior="vertex",
        family="reference",
        seed=seed,
        threads=torch.get_num_threads(),
        quiet=True,
    )
    started = time.perf_counter()
    learn(cohort, options)
    return {"wall": time.perf_counter() - started, "peak": peak_mb()}


def _trained(directions: Tensor) -> Any:
    """The reference of a few vertices around these directions."""
    networks, components = directions.shape
    model = MSHBM(torch.eye(components), networks, levels=("population",), emission=_VMF)
    values = torch.empty(1, 1, 1, _N_TRAINED, components)
    _draw(directions, values[0, 0, 0])
    spread = torch.full((networks,), 0.1)
    start = Moments(directions, spread, spread, _concentration(components), model)
    return fit_reference(model, Observation.complete(values), start, n_iterations=3)


def _draw(directions: Tensor, into: Tensor) -> None:
    """Fill (vertex, component) with unit vectors around random directions."""
    for block in into.split(_BLOCK):
        label = torch.randint(len(directions), (len(block),))
        kappa = _concentration(into.shape[-1]).expand(len(block))
        block.copy_(sample_around(directions[label], kappa))


def _concentration(components: int) -> Tensor:
    return concentration_of(torch.tensor(DIFFICULTIES["realistic"].profile), components)


def _least(task: Callable[[], object]) -> tuple[float, float]:
    """Least wall and processor seconds of several runs."""
    walls, cpus = [], []
    for _ in range(_N_REPEATS):
        wall, cpu = time.perf_counter(), time.process_time()
        task()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return min(walls), min(cpus)


def _in_a_process(name: str, **arguments: Any) -> dict[str, float]:
    """One of the functions of this module, where nothing else takes memory."""
    code = (
        "import json, torch; from benchmarks import cost; "
        "torch.set_num_threads(1); "
        f"print(json.dumps(cost.{name}(**json.loads({json.dumps(json.dumps(arguments))}))))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found
