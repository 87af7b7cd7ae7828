"""Results of a fit with a cohort of nodes, quickly: the model is built and not trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neuroparcel.brain.identity import Identity
from neuroparcel.brain.parcellation import CohortParcellation
from neuroparcel.graph.trace import seeded
from neuroparcel.inference.posterior import AmortizedPosterior
from neuroparcel.io.files import write_json
from neuroparcel.io.writers import write_parcellations
from neuroparcel.parcellation.networks import AmortizedNetworks
from neuroparcel.parcellation.training import network_model
from neuroparcel.pipeline.fitting import find_inputs, prepare
from neuroparcel.pipeline.options import FitOptions
from neuroparcel.pipeline.reading import read_cohort
from neuroparcel.pipeline.saved_model import SavedModel

N_SUBJECTS, N_NODES, N_FRAMES = 6, 12, 40
SESSIONS = ("day1", "day2")
SUBJECTS = tuple(f"sub-{number:02}" for number in range(1, N_SUBJECTS + 1))


def write_cohort(folder: Path, subjects: tuple[str, ...] = SUBJECTS) -> Path:
    """Time series of nodes, the first half of which share a signal; and a table of them."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    mix = np.repeat(np.eye(2), N_NODES // 2, axis=1)
    rows = ["subject\tsession\tpath"]
    for subject in subjects:
        for session in SESSIONS:
            noise = 0.7 * rng.normal(size=(N_FRAMES, N_NODES))
            series = rng.normal(size=(N_FRAMES, 2)) @ mix + noise
            name = f"{subject}_{session}.npy"
            np.save(folder / name, series.astype(np.float32))
            rows.append(f"{subject}\t{session}\t{name}")
    table = folder / "cohort.tsv"
    table.write_text("\n".join(rows) + "\n")
    return table


def write_results(folder: Path) -> Path:
    """``cohort/`` and ``results/`` in a folder; gives the latter."""
    table, results = write_cohort(folder / "cohort"), folder / "results"
    options = FitOptions(subjects=table, output=results, networks=2, quiet=True)
    planned = find_inputs(options)
    cohort, _ = read_cohort(planned, options)
    prepared = prepare(cohort, options)
    start = prepared.start
    with seeded(0):
        built = network_model(start.data, start.model, start.anchors)
    posterior = AmortizedPosterior(built.template, built.family.eval())
    networks = AmortizedNetworks(posterior, posterior(start.data).encodings[-1])
    names = Identity.numbered(2)
    settings = {"sessions": "day", "seed": 0}
    anchors = prepared.clustering.anchors.numpy()
    SavedModel(planned.recipe, prepared.reduction, networks, None, anchors, names, settings).save(
        results / "model"
    )
    write_parcellations(results, _labels(cohort.axis, names.networks), sources={})
    content = {"status": "complete", "command": "fit", "options": options.fingerprint()}
    record = {"inputs": planned.input_record(), "region": {"name": "nodes"}}
    write_json(results / "run.json", {**content, **record})
    return results


def _labels(axis, networks) -> CohortParcellation:
    p = np.full((N_NODES, 2), 0.25, np.float32)
    p[: N_NODES // 2, 0] = p[N_NODES // 2 :, 1] = 0.75
    subject = np.stack([p] * N_SUBJECTS)
    session = np.stack([subject] * len(SESSIONS), axis=1)
    return CohortParcellation(axis, networks, SUBJECTS, SESSIONS, p, subject, session)
