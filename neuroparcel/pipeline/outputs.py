"""From a posterior to the files of a run; shared by ``fit`` and ``infer``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from neuroparcel.brain.connectome import Cohort
from neuroparcel.inference.posterior import Posterior
from neuroparcel.inference.stages import TrainingHistory
from neuroparcel.io.writers import full_axis_of, write_parcellations
from neuroparcel.io.writers.similarity import write_similarity
from neuroparcel.parcellation.agreement import (
    area_agreement,
    session_agreement,
    single_session_labels,
)
from neuroparcel.parcellation.heldout import heldout_density
from neuroparcel.parcellation.labels import parcellate
from neuroparcel.parcellation.observations import reduced_kmeans
from neuroparcel.parcellation.similarity import node_similarity
from neuroparcel.parcellation.verdict import judge
from neuroparcel.pipeline.figures import draw_run, undrawn
from neuroparcel.pipeline.options import FitOptions, InferOptions
from neuroparcel.pipeline.planning import Plan
from neuroparcel.pipeline.progress import progress_bar
from neuroparcel.pipeline.results import FitResult, write_history, write_networks
from neuroparcel.pipeline.run_folder import RunFolder
from neuroparcel.pipeline.saved_model import SavedModel


def write_run(
    folder: RunFolder,
    model: SavedModel,
    cohort: Cohort,
    posterior: Posterior,
    clusters: np.ndarray,
    options: FitOptions | InferOptions,
    planned: Plan,
    *,
    warnings: Sequence[str],
    history: TrainingHistory | None = None,
) -> FitResult:
    """Label, judge, write and draw.

    Parameters
    ----------
    folder : RunFolder
    model : SavedModel
    cohort : Cohort
    posterior : Posterior
        Of this cohort.
    clusters : ndarray of int, shape (subject, session, vertex)
        K-means labels from 1, to compare with.
    options : FitOptions or InferOptions
    planned : Plan
        What was read.
    history : TrainingHistory, optional
        With it the run is a fit, and the model is saved too.
    """
    population = posterior.encodings[-1]
    parcellation = parcellate(
        posterior,
        cohort.axis,
        cohort.subjects,
        cohort.sessions,
        evidence=options.evidence,
        seed=options.seed,
    )
    heldout = heldout_density(
        model.posterior, posterior.data, clusters, population=population, seed=options.seed
    )
    verdict = judge(history, parcellation, heldout)
    single = single_session_labels(model.posterior, posterior.data, population, options.seed)
    reduced = reduced_kmeans(posterior.data, model.n_networks, options.seed)
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
    networks = posterior.mean("population_networks").cpu().numpy()
    files.append(write_networks(folder.path, model, networks, names))
    if history is not None:
        files.append(write_history(folder.path, history))
        files.extend(model.save(folder.path / "model"))
    similarity = node_similarity(cohort, model.recipe.features)
    if similarity is not None:
        files.append(write_similarity(folder.path, similarity, cohort.axis.names))
    figures: list[Path] = []
    if options.figures:
        with progress_bar("drawing", quiet=options.quiet) as advance:
            figures = draw_run(
                folder.path, parcellation, model.region, history, advance, similarity
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
