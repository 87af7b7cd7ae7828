"""Results folders as a fit leaves them, written by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import CohortParcellation
from neuroparcel.inference.stages import TrainingHistory
from neuroparcel.io.files import write_json, write_text
from neuroparcel.io.meshes import load_cortex_axis, load_mesh
from neuroparcel.io.regions import load_region
from neuroparcel.io.writers import write_parcellations
from neuroparcel.io.writers.similarity import write_similarity
from neuroparcel.parcellation.reliability import Reliability, ReliabilityTable
from neuroparcel.pipeline.options import FitOptions
from neuroparcel.pipeline.reliability_file import write_reliability
from neuroparcel.pipeline.results import write_history
from neuroparcel.versions import versions

SUBJECTS = ("sub-01", "sub<b>&2")
"""The second has a name that would be an element of the page if it were not escaped."""

SESSIONS = ("1", "2")
NETWORKS = ("Language & co", "Motor")
NODES = BrainAxis.from_nodes([f"node {number}" for number in range(12)])
RARELY = 0.25  # probability of the network that is not the most probable one


def broca() -> BrainAxis:
    """Left areas 44 and 45."""
    return load_region("broca-left").axis


def both_sides() -> BrainAxis:
    """The outer side of each hemisphere, from the central sulcus forward."""
    cortex = load_cortex_axis()
    rows = []
    for side in ("left", "right"):
        own = cortex.rows_in(f"CORTEX_{side.upper()}")
        points = load_mesh("inflated", side)[0][cortex.vertex[own]]
        rows.append(own[(np.abs(points[:, 0]) > 30) & (points[:, 1] > -20)])
    return cortex.restrict(np.concatenate(rows))


def cohort(axis: BrainAxis, networks: tuple[str, ...] = NETWORKS) -> CohortParcellation:
    """Two subjects; the first half of the rows is the first network's, with probability 0.75.

    The second subject lacks the second session, has all networks even, and no data in row 0.
    """
    first = np.arange(len(axis)) < len(axis) // 2
    population = np.full((len(axis), len(networks)), RARELY / (len(networks) - 1), np.float32)
    population[first, 0] = population[~first, 1] = 1 - RARELY
    even = np.full_like(population, 1 / len(networks))
    session = np.stack([[population, population], [even, np.full_like(even, np.nan)]])
    data = np.isfinite(session).all(axis=-1)
    data[1, 0, 0] = False
    subject = np.stack([population, even])
    return CohortParcellation(
        axis, networks, SUBJECTS, SESSIONS, population, subject, session, data
    )


def record(axis: BrainAxis, files: list[str], **changed: Any) -> dict[str, Any]:
    """What ``run.json`` holds."""
    options = FitOptions(output=Path("out"), subjects=Path("cohort.tsv"), networks=2)
    inputs = {f"/data/{name}.npy": {"subject": name, "session": "1", "bytes": 10} for name in "ab"}
    content = {
        "status": "complete",
        "command": "fit",
        "options": options.fingerprint(),
        "versions": versions(),
        "inputs": inputs,
        "warnings": ["subject sub<b>&2, session 2: the session is missing."],
        "verdict": {"good": False, "messages": ["held-out vertices: -5.00 nats"]},
        "heldout_nats_per_vertex": {"model": -5.0, "kmeans": -8.0, "session_kmeans": -4.0},
        "agreement": {"within_subject": 0.5, "kmeans_within_subject": 0.25},
        "prior_only": {"population": 0, "subjects": {SUBJECTS[1]: 1}},
        "region": {
            "name": "broca-left",
            "labels": ["L_44"],
            "label_of_vertex": ["L_44"] * len(axis),
        },
        "recipe": {"cleaning": {"detrend": True, "confounds": None, "band_pass": [0.01, 0.08]}},
        "labels": {"prior": "global"},
        "reduction": {"n_targets": 14, "n_components": 6, "residual_variance": 0.2},
        "files": files,
    }
    return {**content, **changed}


def write_results(folder: Path, axis: BrainAxis, *, figures: bool = True, **changed: Any) -> Path:
    """A results folder; small pictures stand for the figures, which take long to draw."""
    maps = cohort(axis)
    files = write_parcellations(folder, maps, sources={})
    profiles = ["target\t" + "\t".join(NETWORKS), "hand\t3\t5", "word\t3.5\t3", "rest\t9\t9", ""]
    files.append(write_text(folder / "desc-population_networks.tsv", "\n".join(profiles)))
    if axis.is_nodes:
        files.append(write_similarity(folder, np.eye(len(axis)), axis.names))
    if figures:
        for name in ("population", "uncertainty", "reliability", "training"):
            (folder / "figures").mkdir(exist_ok=True)
            Image.new("RGB", (40, 20), "white").save(folder / "figures" / f"{name}.png")
    names = sorted(str(file.relative_to(folder)) for file in files)
    write_json(folder / "run.json", record(axis, names, **changed))
    return folder


def add_training(folder: Path) -> None:
    """The course of a training, of three steps."""
    steps = np.arange(3)
    history = TrainingHistory(
        steps, ("one",) * 3, ("reverse-kl",) * 3, np.ones(3), np.array([2]), np.array([0.5])
    )
    write_history(folder, history)


def add_reliability(folder: Path) -> Mapping[str, Any]:
    """A table of reliability; what ``run.json`` says of it under ``labels``."""
    count, means = np.ones(10, int), np.linspace(0.05, 0.95, 10)
    rows = Reliability(count, means, means - 0.05, means)
    table = ReliabilityTable(rows, rows, 0.5, 2, 4)
    write_reliability(folder, table)
    return {
        "prior": "vertex",
        "evidence_weight": 0.5,
        "prior_weight": 0.9,
        "smoothness": 0.0,
        "temperature": 1.0,
        "uniform_share": 0.0,
        "calibration": None,
        "reliability": table.summary(),
    }
