"""The main job: the simulated cohort with known truth, and real brains.

Each simulated cohort is fitted by the command line in a process of its own, so
that wall time and peak memory are what a user sees.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.record import Recorder
from neuroparcel.brain.recovery import parcellation_accuracies, reference_accuracies
from neuroparcel.io.simulated import SimulatedCohort, read_truth
from neuroparcel.io.writers import read_parcellations
from neuroparcel.parcellation.agreement import (
    hard_labels,
    session_agreement,
    single_session_labels,
)
from neuroparcel.parcellation.observations import observe
from neuroparcel.pipeline import FitOptions, load_model
from neuroparcel.pipeline.fitting import find_inputs, reduce
from neuroparcel.pipeline.reading import read_cohort
from neuroparcel.pipeline.results import read_history

N_SEEDS = 5
N_FOLDS = 5
RIVALS = {"kmeans": "spherical k-means", "reduced_kmeans": "k-means of reduced profiles"}


def run(recorder: Recorder, seed: int, data: Path | None) -> None:
    """Five seeds of the simulated cohort, then of the real one where it lies."""
    seeds = range(seed, seed + (2 if recorder.quick else N_SEEDS))
    with tempfile.TemporaryDirectory() as folder:
        for one in seeds:
            _simulated(recorder, one, Path(folder) / f"simulated{one}")
        named = data or Path(os.environ.get("NEUROPARCEL_TEST_DATA", ""))
        if not (named / "mdtb_cortex").is_dir():
            print("no real data: set NEUROPARCEL_TEST_DATA or give --data")
            return
        table = _real_table(named / "mdtb_cortex", Path(folder) / "cohort.tsv")
        for one in seeds:
            _real(recorder, one, table, Path(folder) / f"real{one}")
        _before_training(recorder, seed, table, Path(folder) / "untrained")
        _unseen(recorder, seed, table, Path(folder))


def _simulated(recorder: Recorder, seed: int, folder: Path) -> None:
    case = "simulated"
    with recorder.timed() as clock:
        _command("demo", "--output", str(folder), "--seed", str(seed))
        seconds = clock.seconds
    cohort = SimulatedCohort(folder / "cohort")
    options = FitOptions(
        subjects=cohort.subject_list,
        output=folder,
        data_dir=cohort.data_dir,
        seed=seed,
        quiet=True,
    )
    truth = read_truth(cohort.folder)
    profiles, _ = read_cohort(find_inputs(options), options)
    reference = reference_accuracies(profiles, reduce(profiles, options), truth, seed)
    found = parcellation_accuracies(read_parcellations(folder / "results"), truth)
    add = recorder.add
    add(case, "oracle, subject accuracy", reference["oracle"], goal=">= 0.96", seed=seed)
    add(case, "k-means, subject accuracy", reference["kmeans"], goal="<= 0.93", seed=seed)
    add(case, "k-means, subject accuracy", reference["kmeans"], goal=">= 0.85", seed=seed)
    add(case, "population accuracy", found["population"], goal=">= 0.95", seed=seed, clock=clock)
    add(case, "subject accuracy", found["subject"], seed=seed, clock=clock)
    behind = reference["oracle"] - found["subject"]
    add(case, "subject accuracy behind the oracle", behind, goal="<= 0.02", seed=seed)
    ahead = found["subject"] - reference["kmeans"]
    add(case, "subject accuracy ahead of k-means", ahead, goal="> 0", seed=seed)
    add(case, "wall time of the demo", seconds, unit="s", goal="<= 240", seed=seed, clock=clock)
    peak = _peak_of_children()
    add(case, "peak memory of the demo", peak, unit="MB", goal="<= 4096", seed=seed, clock=clock)


def _real(recorder: Recorder, seed: int, table: Path, output: Path) -> None:
    case = "mdtb broca-left"
    with recorder.timed() as clock:
        _fit(table, output, seed)
        seconds = clock.seconds
    found = json.loads((output / "run.json").read_text())["agreement"]
    add = recorder.add
    add(
        case,
        "ARI, population with areas 44/45",
        found["areas"],
        goal=">= 0.8",
        seed=seed,
        clock=clock,
    )
    for prefix, rival in RIVALS.items():
        add(case, f"same, {rival}", found[f"{prefix}_areas"], seed=seed)
    for name in ("within_subject", "between_subjects"):
        title = f"ARI of single sessions, {name.replace('_', ' ')}"
        add(case, title, found[name], seed=seed)
        for prefix, rival in RIVALS.items():
            add(case, f"{title}, {rival}", found[f"{prefix}_{name}"], seed=seed)
    gap = found["within_subject"] - found["between_subjects"]
    add(case, "ARI within minus between", gap, goal=">= 0.2", seed=seed)
    add(case, "wall time of the fit, without figures", seconds, unit="s", seed=seed, clock=clock)
    _density(recorder, case, output, seed)


def _density(recorder: Recorder, case: str, output: Path, seed: int) -> None:
    """Held-out density beside its rivals, and the reverse KL that training lowers."""
    run = json.loads((output / "run.json").read_text())
    for name, value in run["heldout_nats_per_vertex"].items():
        recorder.add(case, f"held-out density, {name}", value, unit="nats", seed=seed)
    loss = float(read_history(output).validation_loss[-1])
    recorder.add(case, "reverse KL of the cohort a vertex", loss, unit="nats", seed=seed)


def _before_training(recorder: Recorder, seed: int, table: Path, output: Path) -> None:
    """Three steps of training: what the start by regression gives by itself."""
    case = "mdtb, 3 training steps"
    _fit(table, output, seed, "--steps", "3")
    found = json.loads((output / "run.json").read_text())["agreement"]
    recorder.add(case, "ARI, population with areas 44/45", found["areas"], seed=seed)
    gap = found["within_subject"] - found["between_subjects"]
    recorder.add(case, "ARI within minus between", gap, seed=seed)
    _density(recorder, case, output, seed)


def _unseen(recorder: Recorder, seed: int, table: Path, folder: Path) -> None:
    """Five folds of two subjects, each labelled by a model that has not seen them."""
    case = "mdtb, unseen subjects"
    header, *rows = table.read_text().splitlines()
    names = sorted({row.split("\t")[0] for row in rows})
    labels = []
    with recorder.timed() as clock:
        for fold in range(N_FOLDS):
            held_out = set(names[fold::N_FOLDS])
            lists = {}
            for part, keep in (("seen", False), ("new", True)):
                chosen = [row for row in rows if (row.split("\t")[0] in held_out) == keep]
                lists[part] = folder / f"{part}{fold}.tsv"
                lists[part].write_text("\n".join([header, *chosen]))
            _fit(lists["seen"], folder / f"fold{fold}", seed)
            labels.append(_labels_of_new(folder / f"fold{fold}", lists["new"]))
        found = session_agreement(np.concatenate(labels))
    for name, value in found.items():
        title = f"ARI of single sessions, {name.replace('_', ' ')}"
        recorder.add(case, title, value, seed=seed, clock=clock)
    gap = found["within_subject"] - found["between_subjects"]
    recorder.add(case, "ARI within minus between", gap, goal=">= 0.2", seed=seed)


def _labels_of_new(results: Path, table: Path) -> np.ndarray:
    """Hard labels (subject, session, vertex) of new subjects, each session by itself."""
    model = load_model(results)
    options = FitOptions(subjects=table, output=table.parent, targets="mmp", quiet=True)
    cohort, _ = read_cohort(find_inputs(options), options)
    data = observe(cohort, model.reduction)
    return hard_labels(single_session_labels(model.networks, data, model.labels))


def _fit(table: Path, output: Path, seed: int, *more: str) -> None:
    _command(
        "fit", "--subjects", str(table), "--roi", "broca-left", "--targets", "mmp",
        "--networks", "2", "--output", str(output), "--seed", str(seed), "--no-figures", *more,
    )  # fmt: skip


def _command(*arguments: str) -> None:
    """The command line, in a process of its own."""
    code = "from neuroparcel_cli.main import main; main()"
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, stdout=subprocess.DEVNULL)


def _real_table(folder: Path, table: Path) -> Path:
    rows = ["subject\tsession\tpath"]
    for file in sorted(folder.glob("sub-*/*.dscalar.nii")):
        session = file.name.split("_ses-")[1].split("_")[0]
        rows.append(f"{file.parent.name}\t{session}\t{file.resolve()}")
    table.write_text("\n".join(rows))
    return table


def _peak_of_children() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
