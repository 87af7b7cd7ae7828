"""How fast recordings become profiles, and how much memory that takes.

The recordings are made here: random numbers in the shape of the Human Connectome Project's,
91,282 grayordinates x 1,200 frames of float32, 439 MB each. Each timing of one run is taken in a
process of its own, so that the peak memory is that run's; the reading of its bytes with
``numpy.fromfile`` is timed beside it.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.record import Recorder
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.features import Features
from neuroparcel.io.cells import make_cell
from neuroparcel.io.layout import CohortFiles, Recording, find_cohort
from neuroparcel.io.meshes import load_cortex_axis
from neuroparcel.io.recipe import Recipe
from neuroparcel.io.regions import load_region
from neuroparcel.io.store import build_store, open_store
from neuroparcel.io.targets import load_targets
from neuroparcel.io.writers.cifti_writer import write_dtseries

N_FRAMES = 1200
_N_VOXELS = 31_870
_VOLUME = (91, 109, 91)
_TO_MM = np.diag([-2.0, 2.0, 2.0, 1.0])
_RUNS = ("LR", "RL")
_MANY = (1000, 4)  # subjects x runs that are looked for


def run(recorder: Recorder, seed: int) -> None:
    """Time reading, throughput, discovery and the store.

    Parameters
    ----------
    recorder : Recorder
    seed : int
        Of the random numbers in the files.
    """
    with tempfile.TemporaryDirectory(prefix="neuroparcel-loading-") as name:
        folder = Path(name)
        files = [_write_run(folder, seed + number) for number in range(2 if recorder.quick else 4)]
        for case, roi, seconds, megabytes in (
            ("one run, IFG x 1,488", "ifg-left", 1.5, 1024),
            ("one run, cortex x 1,488", "cortex", None, 2560),
        ):
            _one_run(recorder, case, files[0], roi, seconds, megabytes)
        _throughput(recorder, folder, files)
        _discovery(recorder, folder)
        _store(recorder, folder, seed)


def _write_run(folder: Path, seed: int, n_frames: int = N_FRAMES) -> Path:
    """A recording of noise about a baseline, a block of rows at a time."""
    rng = np.random.default_rng(seed)
    axis = _grayordinates()
    series = rng.standard_normal((len(axis), n_frames), dtype=np.float32)
    series *= 100
    series += 10_000
    return write_dtseries(folder / f"run-{seed}-{n_frames}.dtseries.nii", axis, series, step=0.72)


def _grayordinates() -> BrainAxis:
    """The 59,412 vertices of the cortex, and as many voxels as the HCP has below it."""
    cortex = load_cortex_axis()
    voxel = np.stack(np.unravel_index(np.arange(_N_VOXELS) + 300_000, _VOLUME), axis=1)
    structure = np.repeat(
        ["THALAMUS_LEFT", "CEREBELLUM_LEFT"], [_N_VOXELS // 2, _N_VOXELS - _N_VOXELS // 2]
    )
    return BrainAxis(
        cortex.space,
        np.concatenate([cortex.structure, structure]),
        np.concatenate([cortex.vertex, np.full(_N_VOXELS, -1)]),
        np.concatenate([cortex.voxel, voxel]),
        cortex.mesh_size,
        _TO_MM,
        _VOLUME,
    )


def _one_run(
    recorder: Recorder, case: str, path: Path, roi: str, beyond: float | None, megabytes: int
) -> None:
    """Median time and peak memory of one recording, and of reading its bytes."""
    bytes_alone, made, peaks = [], [], []
    for _ in range(3 if recorder.quick else 7):
        bytes_alone.append(_in_process("bytes", path, roi)["seconds"])
        measured = _in_process("cell", path, roi)
        made.append(measured["seconds"])
        peaks.append(measured["peak_mb"])
    recorder.add(case, "reading the bytes alone", median(bytes_alone), unit="s")
    recorder.add(case, "time", median(made), unit="s", goal="<= 8" if beyond is None else "")
    recorder.add(
        case,
        "time less reading the bytes alone",
        median(made) - median(bytes_alone),
        unit="s",
        goal="" if beyond is None else f"<= {beyond}",
    )
    recorder.add(case, "peak memory", median(peaks), unit="MB", goal=f"<= {megabytes}")


def _in_process(what: str, path: Path, roi: str) -> dict[str, float]:
    """Measure in a fresh process with one thread."""
    command = [sys.executable, "-m", "benchmarks.loading", what, str(path), roi]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, check=True, text=True, env=environment)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def _measure(what: str, path: Path, roi: str) -> dict[str, float]:
    """Seconds and peak memory of reading the bytes, or of making profiles of them."""
    if what == "bytes":
        started = time.perf_counter()
        np.fromfile(path, np.uint8)
    else:
        recipe = Recipe(load_region(roi), load_targets("seeds"))
        started = time.perf_counter()
        make_cell([Recording("s", "1", "1", (path,))], recipe)
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "peak_mb": _peak_mb()}


def _peak_mb() -> float:
    """Peak resident memory of this process; ``ru_maxrss`` would count its parent's, too."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return float(fields["VmHWM"].split()[0]) / 1024


def _throughput(recorder: Recorder, folder: Path, files: Sequence[Path]) -> None:
    """Build a store on one core and on two; subjects have one session of two runs each."""
    for roi, n_runs in (("ifg-left", 24), ("cortex", 12)):
        n_runs = n_runs // 3 if recorder.quick else n_runs
        cohort = _linked(folder / f"linked-{roi}", files, n_runs)
        recipe = Recipe(load_region(roi), load_targets("seeds"))
        times: dict[int, list[float]] = {1: [], 2: []}
        for number in range(1 if recorder.quick else 3):
            for n_jobs, seconds in times.items():
                store = folder / f"store-{roi}-{number}-{n_jobs}"
                started = time.perf_counter()
                report = build_store(store, cohort, recipe, dtype="float16", n_jobs=n_jobs)
                seconds.append(time.perf_counter() - started)
                assert report.ok, report.summary()
                _remove(store)
        named = f"{n_runs} runs, {roi} x 1,488"
        recorder.add(named, "time on one core", median(times[1]), unit="s")
        recorder.add(named, "time on two cores", median(times[2]), unit="s")
        ratio = median(one / two for one, two in zip(*times.values(), strict=True))
        recorder.add(named, "throughput of two cores to one", ratio, goal=">= 1.7")


def _linked(folder: Path, files: Sequence[Path], n_runs: int) -> CohortFiles:
    """Recordings that are hard links to a few distinct files."""
    folder.mkdir()
    recordings = []
    for number in range(n_runs):
        path = folder / f"{number}.dtseries.nii"
        path.hardlink_to(files[number % len(files)])
        subject, run = divmod(number, 2)
        recordings.append(Recording(f"sub-{subject:02d}", "1", _RUNS[run], (path,)))
    return CohortFiles(tuple(recordings))


def _discovery(recorder: Recorder, folder: Path) -> None:
    """Find 1,000 subjects x 4 runs, laid out as the HCP does and as fMRIPrep does."""
    layouts: dict[str, Callable[[Path, int, int], None]] = {
        "HCP layout": _lay_out_hcp,
        "fMRIPrep layout": _lay_out_bids,
    }
    for case, lay_out in layouts.items():
        root = folder / case.replace(" ", "-")
        for subject in range(_MANY[0]):
            for number in range(_MANY[1]):
                lay_out(root, subject, number)
        times = []
        for _ in range(3):
            started = time.perf_counter()
            found = find_cohort(None, root)
            times.append(time.perf_counter() - started)
            assert len(found.recordings) == _MANY[0] * _MANY[1]
        named = f"discovery of 1,000 x 4 runs, {case}"
        recorder.add(named, "time", median(times), unit="s", goal="<= 2")


def _lay_out_hcp(root: Path, subject: int, number: int) -> None:
    name = f"rfMRI_REST{number // 2 + 1}_{_RUNS[number % 2]}"
    place = root / f"{100_000 + subject}" / "MNINonLinear" / "Results" / name
    place.mkdir(parents=True)
    (place / f"{name}_Atlas_MSMAll_hp2000_clean.dtseries.nii").touch()


def _lay_out_bids(root: Path, subject: int, number: int) -> None:
    session, run = divmod(number, 2)
    place = root / f"sub-{subject:04d}" / f"ses-{session + 1}" / "func"
    place.mkdir(parents=True, exist_ok=True)
    (root / "dataset_description.json").write_text('{"Name": "x", "DatasetType": "derivative"}')
    stem = f"sub-{subject:04d}_ses-{session + 1}_task-rest_run-{run + 1}"
    (place / f"{stem}_space-fsLR_den-91k_bold.dtseries.nii").touch()
    (place / f"{stem}_desc-confounds_timeseries.tsv").touch()


def _store(recorder: Recorder, folder: Path, seed: int) -> None:
    """Open a store of 100 subjects x 2 sessions, and read the profiles of five subjects."""
    short = _write_run(folder, seed, n_frames=20)
    n_subjects = 20 if recorder.quick else 100
    recordings = []
    for number in range(2 * n_subjects):
        path = folder / f"short-{number}.dtseries.nii"
        path.hardlink_to(short)
        subject, session = divmod(number, 2)
        recordings.append(Recording(f"sub-{subject:03d}", f"{session + 1}", "1", (path,)))
    recipe = Recipe(load_region("ifg-left"), load_targets("seeds"))
    for dtype in ("float32", "float16"):
        store = folder / f"store-{dtype}"
        build_store(store, CohortFiles(tuple(recordings)), recipe, dtype=dtype)
        times = [_time_opening(store, n_subjects, number) for number in range(15)]
        case = f"store of {n_subjects} subjects, {dtype}"
        goal = "<= 0.1"
        recorder.add(case, "opening and reading 5 subjects", median(times), unit="s", goal=goal)


def _time_opening(store: Path, n_subjects: int, number: int) -> float:
    first = number % (n_subjects - 4)
    started = time.perf_counter()
    opened = open_store(store)
    cohort = opened.cohort(Features(), subjects=opened.subjects[first : first + 5])
    total = sum(profiles.shape[0] for _, _, profiles in cohort.cells())
    seconds = time.perf_counter() - started
    assert total == cohort.valid.sum()
    return seconds


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder)


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1], Path(sys.argv[2]), sys.argv[3])))
