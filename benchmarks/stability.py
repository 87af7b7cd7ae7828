"""Sub-populations of one trained posterior, beside the same sub-populations fitted one by one.

Left Broca's area of the real task maps: 10 subjects, 2 sessions, 339 vertices, the reduced
dimension of the data, 2 networks, labels of the paper. Networks, labels and parts of 300
sub-populations of five subjects are found by the trained posterior; the same sub-populations are
fitted by the closed-form reference and by mean-field variational inference, on the same reduced
data, from the same anchors, with as many threads. Times are those of soft labels from data in
memory, but for mean field, whose fit alone is timed: its smallest number of gradient steps, of
10, 20, 40, ..., 1,280, after which the bound is as high as the trained posterior's; each number
of steps with a schedule of its own.

The reference runs to its own tolerance, which is a higher bound than ours; after how many of its
passes it meets ours stands beside it. How much the bounds differ, and what the trained posterior
and the reference say of the same sub-populations, stands beside the times. Peak memory is that of
processes of their own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from benchmarks.mdtb import folder_of, write_list
from benchmarks.record import Recorder, peak_mb
from neuroparcel.brain.designs import Design
from neuroparcel.brain.label_maps import adjusted_rands, contingencies
from neuroparcel.graph.observation import Observation
from neuroparcel.graph.template import ModelTemplate, analyse
from neuroparcel.inference.device import cpu_threads
from neuroparcel.io.files import write_arrays
from neuroparcel.models.mshbm_reference import fit_reference
from neuroparcel.models.mshbm_start import Moments, estimate_moments
from neuroparcel.parcellation.mean_field_networks import fit_mean_field
from neuroparcel.parcellation.networks import AmortizedNetworks
from neuroparcel.parcellation.observed_cohort import ObservedCohort
from neuroparcel.parcellation.stability import StabilityStudy, plan_study
from neuroparcel.parcellation.stability_blocks import Block, BlockPlace
from neuroparcel.parcellation.stability_measures import measures
from neuroparcel.pipeline import FitOptions, SavedModel, fit, load_model
from neuroparcel.pipeline.fitting import find_inputs
from neuroparcel.pipeline.reading import read_cohort

SIZE, N_SAMPLES, N_THREADS = 5, 300, 2
_STEPS = tuple(10 * 2**power for power in range(8))
_N_ELBO_DRAWS = 256
_OPTIONS = {"roi": "broca-left", "features": "maps", "networks": 2}
Add = Callable[..., None]
Blocks = Mapping[BlockPlace, Block]
_CHILD = """
import json, sys
from pathlib import Path
from benchmarks.stability import cost
print(json.dumps(cost(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
"""


@dataclass(frozen=True)
class Sizes:
    """How many sub-populations are fitted one by one, and of the largest study."""

    reference: int
    mean_field: int
    largest: int
    steps: int | None


FULL = Sizes(reference=30, mean_field=5, largest=10_000, steps=None)
QUICK = Sizes(reference=6, mean_field=1, largest=2_000, steps=300)


def run(recorder: Recorder, seed: int, data: Path | None) -> None:
    """Train once, then time the ways to parcellate sub-populations."""
    sizes = QUICK if recorder.quick else FULL
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = write_list(folder_of(data), folder / "all.tsv")
        case = "mdtb broca-left, 2 networks"
        with recorder.timed() as clock:
            fit(_fit_options(table, folder, seed, sizes.steps))
            recorder.add(case, "training, once", clock.seconds, unit="s", seed=seed)
        with cpu_threads(N_THREADS):
            _compare(recorder, case, _study(folder, N_SAMPLES, seed), sizes, seed)
        _growth(recorder, case, folder, sizes, seed)


def cost(folder: Path, n_samples: int, seed: int) -> dict[str, float]:
    """Seconds and peak memory of a study; runs in a process of its own."""
    with cpu_threads(N_THREADS):
        study = _study(folder, n_samples, seed)
        study.full_group(study.cells[0])
        before = peak_mb()
        with tempfile.TemporaryDirectory() as blocks:
            started = time.perf_counter()
            for place in study.places:
                write_arrays(Path(blocks) / f"{place}.safetensors", study.run(place).to_arrays())
            seconds = time.perf_counter() - started
    return {"seconds": seconds, "before": before, "peak": peak_mb()}


@dataclass
class Stopwatch:
    """Wall and processor seconds since it was made."""

    wall: float = field(default_factory=time.perf_counter)
    processor: float = field(default_factory=time.process_time)

    def stop(self) -> Seconds:
        """Both until now."""
        return Seconds(time.perf_counter() - self.wall, time.process_time() - self.processor)


@dataclass(frozen=True)
class Seconds:
    """Wall and processor seconds."""

    wall: float
    processor: float

    def over(self, n: int) -> Seconds:
        """Of one of so many."""
        return Seconds(self.wall / n, self.processor / n)


def _compare(recorder: Recorder, case: str, study: StabilityStudy, sizes: Sizes, seed: int) -> None:
    def add(measure: str, value: float, unit: str = "", goal: str = "") -> None:
        recorder.add(case, measure, value, unit=unit, goal=goal, seed=seed)

    add(
        "processes that waited for a processor before it began, mean of a minute",
        os.getloadavg()[0],
    )
    what = f"{N_SAMPLES} sub-populations of {SIZE}"
    study.run(study.places[0])  # the first calls of libraries are not timed, here or below
    watch = Stopwatch()
    blocks = {place: study.run(place) for place in study.places}
    found = watch.stop()
    add(f"{what}, soft labels and parts", found.wall, "s", "<= 10")
    add("the same, processor time", found.processor, "s")
    watch = Stopwatch()
    study.report(blocks.__getitem__)
    add("statistics and nulls of these", watch.stop().wall, "s")
    each = found.over(N_SAMPLES)
    add("one sub-population", 1e3 * each.wall, "ms")
    _against_reference(add, study, blocks, each, sizes.reference)
    _against_mean_field(add, study, each, sizes.mean_field)


def _against_reference(
    add: Add, study: StabilityStudy, blocks: Blocks, each: Seconds, n_fitted: int
) -> None:
    """Refits by coordinate ascent: time, and whether they say the same."""
    design = Design(sizes=(SIZE,), n_samples=n_fitted, seed=study.design.seed)
    refits = plan_study(study.model, study.observed, design, method="refit:reference")
    refits.full_group(refits.cells[0])
    watch = Stopwatch()
    found = [refits.run(place) for place in refits.places]
    taken = watch.stop().over(n_fitted)
    add("one sub-population, reference refitted", 1e3 * taken.wall, "ms")
    add("times as fast as the reference", taken.wall / each.wall, "x", ">= 5")
    add("the same, processor time", taken.processor / each.processor, "x")
    ours = np.concatenate([block.labels for block in blocks.values()])[:n_fitted]
    theirs = np.concatenate([block.labels for block in found])
    assert np.array_equal(study.cells[0].members[:n_fitted], refits.cells[0].members)
    index = adjusted_rands(contingencies(ours, theirs, 2))
    add("ARI of its label with the reference's, mean", float(np.nanmean(index)))
    for place, (name, _) in enumerate(measures(2)[:2]):
        column = np.concatenate([block.numbers[:, place] for block in blocks.values()])[:n_fitted]
        other = np.concatenate([block.numbers[:, place] for block in found])
        add(f"{name}, trained posterior", float(column.mean()))
        add(f"{name}, reference refitted", float(other.mean()))


def _against_mean_field(add: Add, study: StabilityStudy, each: Seconds, n_fitted: int) -> None:
    """Refits by gradients until the bound is as high."""
    networks = study.model.networks
    assert isinstance(networks, AmortizedNetworks)  # it was trained above
    template = analyse(study.model.model)
    wall, processor, steps, gaps, passes = [], [], [], [], []
    for members in study.cells[0].members[:n_fitted]:
        data = study.whole.data
        own = Observation(data.values[:, members], data.mask[:, members])
        anchors = torch.as_tensor(study.model.anchors).to(own.values)
        start = estimate_moments(own, anchors, study.model.model)
        bound = networks.posterior(own).elbo(_N_ELBO_DRAWS)
        n_steps, taken = _steps_to(bound, template, own, start)
        wall.append(taken.wall / each.wall)
        processor.append(taken.processor / each.processor)
        steps.append(n_steps)
        ascent = fit_reference(study.model.model, own, start).elbo
        passes.append((int((ascent < bound).sum()) + 1, len(ascent)))
        gaps.append((float(ascent[-1]) - bound) / int(own.n_observed))
    what = "times as fast as mean field to the same bound"
    add(f"{what}, median", float(np.median(wall)), "x", ">= 100")
    add(f"{what}, least", min(wall), "x")
    add(f"{what}, processor time, median", float(np.median(processor)), "x")
    add("steps of mean field to the same bound, median", float(np.median(steps)))
    add("bound of the reference above ours, a vertex", float(np.mean(gaps)), "nats")
    to_bound, to_end = np.median(passes, axis=0)
    add("passes of the reference to the same bound, median", float(to_bound))
    add("passes of the reference to its tolerance, median", float(to_end))


def _steps_to(
    bound: float, template: ModelTemplate, data: Observation, start: Moments
) -> tuple[int, Seconds]:
    """Fewest steps after which mean field is as high, and the seconds of that fit.

    The last number of steps if none is enough, which makes the ratio a lower bound.
    """
    taken = Seconds(0, 0)
    for n_steps in _STEPS:
        watch = Stopwatch()
        posterior = fit_mean_field(template, data, start, n_steps)
        taken = watch.stop()
        if posterior(data).elbo(_N_ELBO_DRAWS) >= bound:
            return n_steps, taken
    return _STEPS[-1], taken


def _growth(recorder: Recorder, case: str, folder: Path, sizes: Sizes, seed: int) -> None:
    """Time and memory of a tenth of the largest study, and of all of it."""
    found = {}
    for n_samples in (sizes.largest // 10, sizes.largest):
        printed = subprocess.run(
            [sys.executable, "-c", _CHILD, str(folder), str(n_samples), str(seed)],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        found[n_samples] = json.loads(printed.splitlines()[-1])
        what = f"{n_samples:,} sub-populations, blocks on disk"
        recorder.add(case, what, found[n_samples]["seconds"], unit="s", seed=seed)
        recorder.add(case, f"{what}, peak", found[n_samples]["peak"], unit="MB", seed=seed)
    small, large = found.values()
    ratio = large["seconds"] / small["seconds"]
    recorder.add(case, "time of ten times as many", ratio, unit="x", goal="<= 12", seed=seed)
    grown = large["peak"] / small["peak"]
    recorder.add(case, "peak of ten times as many", grown, unit="x", goal="<= 1.1", seed=seed)


def _study(folder: Path, n_samples: int, seed: int) -> StabilityStudy:
    model: SavedModel = load_model(folder / "results")
    options = _fit_options(folder / "all.tsv", folder, seed, None)
    cohort, _ = read_cohort(find_inputs(options), options)
    observed = ObservedCohort(cohort, model.reduction)
    return plan_study(model, observed, Design(sizes=(SIZE,), n_samples=n_samples, seed=seed))


def _fit_options(table: Path, folder: Path, seed: int, steps: int | None) -> FitOptions:
    return FitOptions(
        subjects=table,
        output=folder / "results",
        steps=steps,
        seed=seed,
        figures=False,
        gifti=False,
        quiet=True,
        **_OPTIONS,  # type: ignore[arg-type]
    )
