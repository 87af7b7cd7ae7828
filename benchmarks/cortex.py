"""Individual parcellations of real cortex beside the peers' figures, by an outside scorer.

Labels of a subject whom the model has not seen are made from one session, and scored on the
other one. The scorer is a folder with ``score.py`` and ``reference.json``, named by the
environment variable ``NEUROPARCEL_SCORER``; its docstring defines the metrics.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.record import Recorder, peak_mb
from neuroparcel.brain.connectome import Cohort
from neuroparcel.errors import OptionError
from neuroparcel.parcellation.agreement import area_agreement, single_session_labels
from neuroparcel.parcellation.observations import observe, observed_strength
from neuroparcel.pipeline.fitting import Learnt, find_inputs, learn
from neuroparcel.pipeline.options import FitOptions
from neuroparcel.pipeline.planning import Plan
from neuroparcel.pipeline.reading import read_cohort

_SHOWN = ("pll", "pll_raw", "own", "own_avg", "loo", "loo_avg", "loo2_avg", "hom", "dcbc")
_MORE = ("pll2", "ari_gap", "ident", "ent")
_LOWER = ("own", "own_avg", "loo", "loo_avg", "loo2_avg")
_N_SEEDS = 5
_CALIBRATED = ", calibrated"
_PEER = "hbp"  # HierarchBayesParcel, that no metric may fall behind

_MAPS: dict[str, Any] = {
    "roi": "cortex",
    "features": "maps",
    "emission": "von-mises-fisher",
    "variance": 1.0,
}
_CORRELATIONS: dict[str, Any] = {"targets": "mmp"}
_LABELS: dict[str, Any] = {"label_prior": "vertex", "family": "reference"}
_POPULATION = {"levels": "population"}
_DIRECTIONS = {"levels": "population", "positive": "signed", "emission": "von-mises-fisher"}


@dataclass(frozen=True)
class Task:
    """One row of the goals, and one way to fit it: a region, a number of networks, options."""

    name: str
    networks: int
    variant: str
    options: Mapping[str, Any]

    @property
    def case(self) -> str:
        """What the rows of the benchmark are called."""
        return f"{self.name}, {self.networks} networks, {self.variant}"

    @property
    def goals(self) -> Mapping[str, float]:
        """What is asked for beside the peer's figures."""
        return _GOALS[self.name, self.networks]


_GOALS: Mapping[tuple[str, int], Mapping[str, float]] = {
    ("cortex", 17): {"pll": 2.80, "pll_raw": 2.75, "loo_avg": 0.282},
    ("cortex", 7): {"pll": 2.18, "pll_raw": 2.10, "loo_avg": 0.345},
    ("ifg", 4): {"pll": 7.00, "pll_raw": 6.70, "loo_avg": 0.390},
    ("broca", 2): {"pll": 7.50, "pll_raw": 7.20, "loo_avg": 0.375},
}


def _cortex(networks: int) -> list[Task]:
    """Directions of task maps, around networks of the population alone or of all levels."""
    return [
        Task("cortex", networks, "population level", {**_MAPS, **_POPULATION}),
        Task("cortex", networks, "all levels", _MAPS),
    ]


def _frontal(name: str, networks: int) -> list[Task]:
    """Correlation profiles of a small region; no way of fitting is best on every metric."""
    options = {"roi": f"{name}-left", **_CORRELATIONS}
    return [
        Task(name, networks, "all levels", options),
        Task(name, networks, "population level", {**options, **_POPULATION}),
        Task(name, networks, "population level, signed", {**options, **_DIRECTIONS}),
    ]


TASKS = (*_cortex(17), *_cortex(7), *_frontal("ifg", 4), *_frontal("broca", 2))


def run(recorder: Recorder, seed: int, data: Path | None) -> None:
    """Fit five folds of each task, score them, and note our figures beside the peer's."""
    scorer = Scorer.load(data)
    for task in TASKS[-3:] if recorder.quick else TASKS:
        _run_task(recorder, scorer, task, seed)


@dataclass(frozen=True, eq=False)
class Scorer:
    """The outside scorer, its stored figures and the data that both read."""

    module: ModuleType
    peers: list[dict[str, Any]]
    data: Path

    @classmethod
    def load(cls, data: Path | None) -> Scorer:
        """The scorer that the environment names.

        Raises
        ------
        OptionError
            If it, or the data, are not there.
        """
        found = os.environ.get("NEUROPARCEL_SCORER", "")
        root = data or Path(os.environ.get("NEUROPARCEL_TEST_DATA", ""))
        maps = root / "mdtb_cortex"
        for path, name in ((Path(found) / "score.py", "NEUROPARCEL_SCORER"), (maps, "--data")):
            if not path.exists():
                raise OptionError(f"there is no {path}.", f"Name its folder with {name}.")
        spec = importlib.util.spec_from_file_location("score", Path(found) / "score.py")
        assert spec is not None
        assert spec.loader is not None  # the file is there
        module = importlib.util.module_from_spec(spec)
        sys.modules["score"] = module
        spec.loader.exec_module(module)
        peers = json.loads((Path(found) / "reference.json").read_text(encoding="utf-8"))["records"]
        return cls(module, peers, maps)

    def table(self, folder: Path) -> Path:
        """A list of all recordings: subject, session, path."""
        rows = ["subject\tsession\tpath"]
        for subject in self.module.SUBJECTS:
            for session in (1, 2):
                (path,) = self.data.glob(f"sub-{subject}/sub-{subject}_ses-{session}_*.dscalar.nii")
                rows.append(f"{subject}\t{session}\t{path.resolve()}")
        path = folder / "all.tsv"
        path.write_text("\n".join([*rows, ""]), encoding="utf-8")
        return path

    def figures_of(self, method: str, task: Task, subjects: list[str]) -> dict[str, np.ndarray]:
        """A peer's figures on these subjects, metric by metric."""
        for record in self.peers:
            if (record["task"], record["K"], record["method"]) == (
                task.name,
                task.networks,
                method,
            ):
                rows = [record["subjects"].index(name) for name in subjects]
                return {
                    metric: np.array([values[row] for row in rows], float)
                    for metric, values in record["values"].items()
                }
        raise OptionError(f"the scorer has no figures of {method} for {task.case}.")


def _run_task(recorder: Recorder, scorer: Scorer, task: Task, seed: int) -> None:
    module = scorer.module
    geometry = module.geometry(task.name)
    profiles, valid = module.build(task.name, str(scorer.data), module.SUBJECTS, geometry)
    dcbc = module.DCBC(geometry["mm"], geometry["hemi"])
    with tempfile.TemporaryDirectory() as folder:
        options = FitOptions(
            subjects=scorer.table(Path(folder)),
            output=Path(folder) / "none",
            networks=task.networks,
            seed=seed,
            quiet=True,
            **_LABELS,
            **task.options,
        )
        planned = find_inputs(options)
        cohort, _ = read_cohort(planned, options)
    if task.name == "broca":
        _record_areas(recorder, task, cohort, options, planned)
    found: dict[str, list[float]] = {}
    subjects: list[str] = []
    clock_sum = 0.0
    for train, test in module.folds():
        with recorder.timed() as clock:
            learnt = learn(cohort.select(train), options)
            clock_sum += clock.seconds
        rows = {
            "train": [module.SUBJECTS.index(s) for s in train],
            "test": [module.SUBJECTS.index(s) for s in test],
        }
        unit = module.unit(profiles[rows["train"]])
        networks = _networks(_labels(learnt, cohort.select(train)), unit)
        mean = module.train_mean(profiles[rows["train"]])
        cache: dict[Any, Any] = {}  # of what a fold's scores share
        for suffix, one in (("", learnt), (_CALIBRATED, _calibrated(learnt, seed))):
            scores = module.score(
                profiles[rows["test"]],
                valid[rows["test"]],
                _labels(one, cohort.select(test)),
                networks,
                mean,
                geometry,
                dcbc,
                cache,
            )
            for metric, values in scores.items():
                found.setdefault(metric + suffix, []).extend(values.tolist())
        subjects += test
    peer = scorer.figures_of(_PEER, task, subjects)
    _record(recorder, task, found, peer, seed)
    recorder.add(task.case, "group training, a fold", clock_sum / 5, unit="s", seed=seed)
    recorder.add(task.case, "peak memory", peak_mb(), unit="MB", seed=seed)


def _record_areas(
    recorder: Recorder, task: Task, cohort: Cohort, options: FitOptions, planned: Plan
) -> None:
    """Agreement of the population map of all subjects with areas 44 and 45, over seeds."""
    areas = [str(name) for name in planned.recipe.region.label_of_vertex]
    for seed in range(options.seed, options.seed + _N_SEEDS):
        labels = _labels(learn(cohort, replace(options, seed=seed)), cohort)
        population = np.nanmean(labels, (0, 1)).argmax(-1) + 1
        index = area_agreement(population, areas)
        assert index is not None  # the atlas names both areas
        name = "population map, ARI with MMP 44 and 45"
        recorder.add(task.case, name, index, goal=">= 0.8", seed=seed)


def _labels(learnt: Learnt, cohort: Cohort) -> np.ndarray:
    """Soft labels of each session by itself, (subject, session, vertex, network)."""
    data = observe(cohort, learnt.reduction)
    trained = learnt.trained
    return single_session_labels(trained.networks, data, trained.labels, observed_strength(cohort))


def _calibrated(learnt: Learnt, seed: int) -> Learnt:
    """The same with labels that are recalibrated on the training subjects' sessions."""
    return replace(learnt, trained=learnt.trained.calibrated(learnt.start, seed))


def _networks(labels: np.ndarray, profiles: np.ndarray) -> np.ndarray:
    """Label-weighted mean of unit profiles, (feature, network), columns of unit norm."""
    total = np.einsum("stnk,stnd->dk", np.nan_to_num(labels), profiles, optimize=True)
    unit: np.ndarray = total / np.maximum(np.linalg.norm(total, axis=0, keepdims=True), 1e-12)
    return unit


def _record(
    recorder: Recorder,
    task: Task,
    found: Mapping[str, list[float]],
    peer: Mapping[str, np.ndarray],
    seed: int,
) -> None:
    for metric in (*_SHOWN, *_MORE):
        ours, theirs = float(np.mean(found[metric])), float(np.mean(peer[metric]))
        sign = "<=" if metric in _LOWER else ">="
        bound = task.goals.get(metric, None if metric == "ent" else theirs)
        goal = "" if bound is None else f"{sign} {bound:.6g}"
        recorder.add(task.case, metric, ours, goal=goal, seed=seed)
        recorder.add(task.case, f"{metric}, HierarchBayesParcel", theirs, seed=seed)
    for metric in ("pll", "pll_raw"):
        ours = float(np.mean(found[metric + _CALIBRATED]))
        recorder.add(task.case, metric + _CALIBRATED, ours, seed=seed)
    better = int((np.array(found["pll"]) > peer["pll"]).sum())
    recorder.add(task.case, "subjects with a better pll, of 10", better, goal=">= 9", seed=seed)
