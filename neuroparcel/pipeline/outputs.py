"""From a posterior to the files of a run; shared by ``fit`` and ``infer``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from neuroparcel.brain.connectome import Cohort
from neuroparcel.io.writers import full_axis_of, write_parcellations
from neuroparcel.io.writers.similarity import write_similarity
from neuroparcel.parcellation.agreement import (
    area_agreement,
    hard_labels,
    session_agreement,
    single_session_labels,
)
from neuroparcel.parcellation.heldout import heldout_density
from neuroparcel.parcellation.label_learning import Sessions, subject_labels
from neuroparcel.parcellation.labels import parcellate
from neuroparcel.parcellation.networks import CohortNetworks, top_networks
from neuroparcel.parcellation.observations import observed_strength, reduced_kmeans
from neuroparcel.parcellation.reliability import ReliabilityTable, reliability
from neuroparcel.parcellation.similarity import node_similarity
from neuroparcel.parcellation.verdict import judge
from neuroparcel.pipeline.figures import draw_run, undrawn
from neuroparcel.pipeline.options import FitOptions, InferOptions
from neuroparcel.pipeline.planning import Plan
from neuroparcel.pipeline.progress import progress_bar
from neuroparcel.pipeline.reliability_file import write_reliability
from neuroparcel.pipeline.results import FitResult, write_history, write_networks
from neuroparcel.pipeline.run_folder import RunFolder
from neuroparcel.pipeline.saved_model import SavedModel
from neuroparcel.pipeline.trainers import Trained


def write_run(
    folder: RunFolder,
    model: SavedModel,
    cohort: Cohort,
    networks: CohortNetworks,
    clusters: np.ndarray,
    options: FitOptions | InferOptions,
    planned: Plan,
    *,
    warnings: Sequence[str],
    trained: Trained | None = None,
) -> FitResult:
    """Label, judge, write and draw.

    Parameters
    ----------
    folder : RunFolder
    model : SavedModel
    cohort : Cohort
    networks : CohortNetworks
        Of this cohort.
    clusters : ndarray of int, shape (subject, session, vertex)
        K-means labels from 1, to compare with.
    options : FitOptions or InferOptions
    planned : Plan
        What was read.
    trained : Trained, optional
        With it the run is a fit, and the model is saved too.
    """
    data = networks.data
    strength = observed_strength(cohort, data.values.device)
    history = None if trained is None else trained.history
    parcellation = parcellate(
        networks,
        model.model,
        cohort.axis,
        cohort.subjects,
        cohort.sessions,
        model.labels,
        strength=strength,
        evidence=options.evidence,
        seed=options.seed,
    )
    heldout = heldout_density(model.networks, data, clusters, strength, model.labels, options.seed)
    verdict = judge(history, parcellation, heldout)
    alone = single_session_labels(model.networks, data, model.labels, strength, options.seed)
    single = hard_labels(alone)
    reduced = reduced_kmeans(data, model.n_networks, options.seed)
    rivals = {"kmeans": clusters, "reduced_kmeans": reduced}
    agreement = _agreement(parcellation.of_population().labels, single, rivals, model)
    with progress_bar("writing", quiet=options.quiet) as advance:
        files = write_parcellations(
            folder.path,
            parcellation,
            full_axis=full_axis_of(cohort.axis),
            sources=planned.sources(),
            areas=[str(name) for name in model.region.label_of_vertex],
            progress=advance,
        )
    names = parcellation.networks
    topmost = top_networks(networks, model.model).cpu().numpy()
    files.append(write_networks(folder.path, model, topmost, names))
    if history is not None:
        files.append(write_history(folder.path, history))
    if trained is not None:
        files.extend(model.save(folder.path / "model"))
    similarity = node_similarity(cohort, model.recipe.features)
    if similarity is not None:
        files.append(write_similarity(folder.path, similarity, cohort.axis.names))
    reliable = None if trained is None else _reliability(model, networks, strength)
    if reliable is not None:
        files.append(write_reliability(folder.path, reliable))
    figures: list[Path] = []
    if options.figures:
        with progress_bar("drawing", quiet=options.quiet) as advance:
            figures = draw_run(
                folder.path, parcellation, model.region, history, advance, similarity, reliable
            )
    not_drawn = undrawn(cohort.axis) if options.figures else None
    every_warning = (*warnings, *verdict.warnings, *([not_drawn] if not_drawn else []))
    record = {
        "inputs": planned.input_record(),
        "warnings": every_warning,
        "verdict": {"good": verdict.good, "messages": verdict.messages},
        "heldout_nats_per_vertex": asdict(heldout),
        "agreement": agreement,
        "region": {
            "name": model.region.name,
            "labels": model.region.labels,
            "label_of_vertex": [str(name) for name in model.region.label_of_vertex],
        },
        "recipe": model.recipe.to_json(),
        "labels": _label_record(model, trained, reliable),
        "reduction": {
            "n_targets": model.reduction.n_targets,
            "n_components": model.reduction.n_components,
            "residual_variance": model.reduction.residual_variance,
        },
    }
    run_file = folder.finish([*files, *figures], record)
    return FitResult(
        output=folder.path,
        files=(*files, run_file),
        figures=tuple(figures),
        parcellation=parcellation,
        verdict=verdict,
        warnings=every_warning,
        agreement=agreement,
    )


def _reliability(
    model: SavedModel, networks: CohortNetworks, strength: Tensor | None
) -> ReliabilityTable | None:
    """Reliability of the training cohort's labels, where they can be judged."""
    labels = model.labels
    if labels is None:
        return None
    sessions = Sessions(networks.data.mask[0], strength, labels.neighbours)
    evidence = networks.evidence()
    return reliability(labels, evidence, subject_labels(labels, evidence, sessions), sessions)


def _label_record(
    model: SavedModel, trained: Trained | None, reliable: ReliabilityTable | None
) -> dict[str, Any]:
    """How labels were made, what was learnt of that, and how reliable they are."""
    if model.labels is None:
        return {"prior": "global"}
    record: dict[str, Any] = {"prior": "vertex", **model.labels.settings()}
    if trained is not None:
        record["learning"] = None if trained.learning is None else asdict(trained.learning)
        record["calibration"] = None if trained.calibration is None else asdict(trained.calibration)
        record["reliability"] = None if reliable is None else reliable.summary()
    return record


def _agreement(
    population: np.ndarray, single: np.ndarray, rivals: dict[str, np.ndarray], model: SavedModel
) -> dict[str, float]:
    """Agreement of the model's labels; of a rival's, with its name in front."""
    areas = [str(name) for name in model.region.label_of_vertex]
    found = _rated("", population, single, areas)
    for name, labels in rivals.items():
        found |= _rated(f"{name}_", _majority(labels), labels, areas)
    return found


def _rated(
    prefix: str, population: np.ndarray, sessions: np.ndarray, areas: Sequence[str]
) -> dict[str, float]:
    index = area_agreement(population, areas)
    found = session_agreement(sessions) | ({} if index is None else {"areas": index})
    return {f"{prefix}{name}": value for name, value in found.items()}


def _majority(clusters: np.ndarray) -> np.ndarray:
    """Most frequent label of each vertex over subjects and sessions; 0 without data."""
    counts = np.stack([(clusters == k).sum((0, 1)) for k in range(1, clusters.max() + 1)], -1)
    return np.where(counts.any(-1), counts.argmax(-1) + 1, 0)
