"""From a trained model to the files of a run; shared by ``fit`` and ``infer``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from neuroparcel.io.network_profiles import write_network_profiles
from neuroparcel.io.writers import open_parcellations
from neuroparcel.io.writers.similarity import write_similarity
from neuroparcel.parcellation.agreement import area_agreement, session_agreement
from neuroparcel.parcellation.heldout import heldout_density
from neuroparcel.parcellation.label_learning import Sessions, subject_labels
from neuroparcel.parcellation.observations import reduced_centres
from neuroparcel.parcellation.observed_cohort import ObservedCohort, Part
from neuroparcel.parcellation.reliability import ReliabilityTable, reliability
from neuroparcel.parcellation.similarity import node_similarity
from neuroparcel.parcellation.verdict import judge
from neuroparcel.pipeline.figures import draw_run, undrawn
from neuroparcel.pipeline.labelling import MODEL, LabelledCohort, label_cohort
from neuroparcel.pipeline.options import FitOptions, InferOptions
from neuroparcel.pipeline.planning import Plan
from neuroparcel.pipeline.progress import progress_bar
from neuroparcel.pipeline.reliability_file import write_reliability
from neuroparcel.pipeline.results import FitResult, write_history
from neuroparcel.pipeline.run_folder import RunFolder
from neuroparcel.pipeline.saved_model import SavedModel
from neuroparcel.pipeline.trainers import Trained
from neuroparcel.types import IntArray


def write_run(
    folder: RunFolder,
    model: SavedModel,
    observed: ObservedCohort,
    clusters_of: Callable[[Part], IntArray],
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
    observed : ObservedCohort
    clusters_of : callable
        K-means labels from 1 of some subjects, to compare with: (subject, session, vertex).
    options : FitOptions or InferOptions
    planned : Plan
        What was read.
    trained : Trained, optional
        With it the run is a fit, and the model is saved too.
    """
    cohort = observed.cohort
    reliable = None if trained is None else _reliability(model, observed)
    judged = observed.judged()
    heldout = heldout_density(
        model.networks,
        judged.data,
        clusters_of(judged),
        judged.strength,
        model.labels,
        options.seed,
    )
    centres = reduced_centres(judged.data, model.n_networks, options.seed)
    del judged  # its memory is for the labels now
    labelled = label_cohort(folder.path, model, observed, clusters_of, centres, options, planned)
    history = None if trained is None else trained.history
    ascent = None if trained is None else trained.ascent
    verdict = judge(history, labelled.use, heldout, ascent)
    agreement = _agreement(labelled, model)
    files = [*labelled.files]
    names = labelled.population.networks
    profiles = model.reduction.inverse(labelled.top_networks)
    files.append(write_network_profiles(folder.path, names, model.feature_names, profiles))
    if history is not None:
        files.append(write_history(folder.path, history))
    if trained is not None:
        files.extend(model.save(folder.path / "model"))
    similarity = node_similarity(cohort, model.recipe.features)
    if similarity is not None:
        files.append(write_similarity(folder.path, similarity, cohort.axis.names))
    if reliable is not None:
        files.append(write_reliability(folder.path, reliable))
    figures: list[Path] = []
    if options.figures:
        stored = open_parcellations(folder.path)
        with progress_bar("drawing", quiet=options.quiet) as advance:
            figures = draw_run(
                folder.path, stored, model.region, history, advance, similarity, reliable
            )
    not_drawn = undrawn(cohort.axis) if options.figures else None
    every_warning = (*warnings, *verdict.warnings, *([not_drawn] if not_drawn else []))
    record = {
        "inputs": planned.input_record(),
        "warnings": every_warning,
        "verdict": {"good": verdict.good, "messages": verdict.messages},
        "heldout_nats_per_vertex": asdict(heldout),
        "agreement": agreement,
        "prior_only": {
            "population": labelled.population.n_prior_only,
            "subjects": labelled.prior_only,
        },
        "region": {
            "name": model.region.name,
            "labels": model.region.labels,
            "label_of_vertex": [str(name) for name in model.region.label_of_vertex],
        },
        "recipe": model.recipe.to_json(),
        "labels": _label_record(model, trained, reliable),
        "n_networks": model.n_networks,
        "identity": model.identity.to_json(),
        "refinement": None if labelled.refinement is None else asdict(labelled.refinement),
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
        population=labelled.population,
        refinement=labelled.refinement,
        subjects=cohort.subjects,
        n_sessions=labelled.n_sessions,
        prior_only=labelled.prior_only,
        verdict=verdict,
        warnings=every_warning,
        agreement=agreement,
        identity=model.identity,
    )


def _reliability(model: SavedModel, observed: ObservedCohort) -> ReliabilityTable | None:
    """Reliability of the training cohort's labels, where they can be judged."""
    labels = model.labels
    if labels is None:
        return None
    whole = observed.whole()
    sessions = Sessions(whole.data.mask[0], whole.strength, labels.neighbours)
    if not sessions.repeated:
        return None
    evidence = model.networks(whole.data, whole.strength).evidence()
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


def _agreement(labelled: LabelledCohort, model: SavedModel) -> dict[str, float]:
    """Agreement of the model's labels; of a rival's, with its name in front."""
    areas = [str(name) for name in model.region.label_of_vertex]
    population = labelled.population
    maps: Mapping[str, np.ndarray] = {
        MODEL: np.where(population.has_data, population.labels, 0),
        **{name: _majority(labels) for name, labels in labelled.hard.items() if name != MODEL},
    }
    found: dict[str, float] = {}
    for name, labels in labelled.hard.items():
        found |= _rated(f"{name}_" if name else "", maps[name], labels, areas)
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
