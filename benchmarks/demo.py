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
from sklearn.cluster import KMeans

from benchmarks.record import Recorder
from neuroparcel.brain.recovery import parcellation_accuracies, reference_accuracies
from neuroparcel.io.simulated import SimulatedCohort, read_truth
from neuroparcel.io.writers import read_parcellations
from neuroparcel.parcellation.agreement import area_agreement, session_agreement
from neuroparcel.pipeline import FitOptions
from neuroparcel.pipeline.fitting import find_inputs, read_cohort, reduce

N_SEEDS = 5


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
        _unseen(recorder, seed, table, Path(folder))


def _simulated(recorder: Recorder, seed: int, folder: Path) -> None:
    case = "simulated"
    with recorder.timed() as clock:
        _command("demo", "--output", str(folder), "--seed", str(seed))
        seconds = clock.seconds
    cohort = SimulatedCohort(folder / "cohort")
    options = FitOptions(
        cohort.subject_list, folder, data_dir=cohort.data_dir, seed=seed, quiet=True
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
        run = json.loads((output / "run.json").read_text())
        found = run["agreement"]
        add = recorder.add
        add(
            case,
            "ARI, population with areas 44/45",
            found["areas"],
            goal=">= 0.8",
            seed=seed,
            clock=clock,
        )
    add(case, "same, spherical k-means", found["kmeans_areas"], seed=seed)
    for name in ("within_subject", "between_subjects"):
        title = f"ARI of single sessions, {name.replace('_', ' ')}"
        add(case, title, found[name], seed=seed)
        add(case, f"{title}, k-means", found[f"kmeans_{name}"], seed=seed)
    gap = found["within_subject"] - found["between_subjects"]
    add(case, "ARI within minus between", gap, goal=">= 0.2", seed=seed)
    _reduced_kmeans(recorder, seed, table)


def _reduced_kmeans(recorder: Recorder, seed: int, table: Path) -> None:
    """The stronger rival for the population map: 2-means of the reduced profiles."""
    case = "mdtb broca-left"
    options = FitOptions(table, table.parent, targets="mmp", seed=seed, quiet=True)
    planned = find_inputs(options)
    cohort, _ = read_cohort(planned, options)
    reduced = reduce(cohort, options).transform(cohort.profiles[cohort.valid])
    labels = np.zeros(cohort.valid.shape, int)
    labels[cohort.valid] = KMeans(2, n_init=10, random_state=seed).fit_predict(reduced) + 1
    majority = np.where((labels == 2).sum((0, 1)) > (labels == 1).sum((0, 1)), 2, 1)
    areas = [str(name) for name in planned.region.label_of_vertex]
    index = area_agreement(majority, areas)
    assert index is not None
    recorder.add(case, "same, 2-means of reduced profiles", index, seed=seed)
    for name, value in session_agreement(labels).items():
        title = f"ARI of single sessions, {name.replace('_', ' ')}, reduced 2-means"
        recorder.add(case, title, value, seed=seed)


def _unseen(recorder: Recorder, seed: int, table: Path, folder: Path) -> None:
    """Train on seven subjects, infer the other three: individual maps of unseen brains."""
    case = "mdtb, 3 unseen subjects"
    header, *rows = table.read_text().splitlines()
    names = sorted({row.split("\t")[0] for row in rows})
    unseen = set(names[7:])
    for name, keep in (("seen", False), ("new", True)):
        chosen = [row for row in rows if (row.split("\t")[0] in unseen) == keep]
        (folder / f"{name}.tsv").write_text("\n".join([header, *chosen]))
    _fit(folder / "seen.tsv", folder / "seen", seed)
    output = folder / "unseen"
    with recorder.timed() as clock:
        _command(
            "infer", "--model", str(folder / "seen"), "--subjects", str(folder / "new.tsv"),
            "--output", str(output), "--seed", str(seed),
        )  # fmt: skip
        found = json.loads((output / "run.json").read_text())["agreement"]
        for name in ("within_subject", "between_subjects"):
            title = f"ARI of single sessions, {name.replace('_', ' ')}"
            recorder.add(case, title, found[name], seed=seed, clock=clock)
        gap = found["within_subject"] - found["between_subjects"]
        recorder.add(case, "ARI within minus between", gap, goal=">= 0.2", seed=seed)


def _fit(table: Path, output: Path, seed: int) -> None:
    _command(
        "fit", "--subjects", str(table), "--roi", "broca-left", "--targets", "mmp",
        "--networks", "2", "--output", str(output), "--seed", str(seed), "--no-figures",
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
