"""The main job: from a list of subjects to a parcellation on the cortical surface."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from neuroparcel.brain.connectome import Cohort
from neuroparcel.brain.reduction import Reduction, fit_reduction
from neuroparcel.errors import OptionError
from neuroparcel.inference.device import cpu_threads
from neuroparcel.inference.stages import Schedule, staged_schedule
from neuroparcel.inference.trainer import TrainingLimits
from neuroparcel.io.neighbours import load_neighbours
from neuroparcel.io.regions import load_region
from neuroparcel.io.store import open_store
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.parcellation.label_model import no_mesh
from neuroparcel.parcellation.observations import (
    Clustering,
    anchor_warnings,
    observe_and_cluster,
    observed_strength,
)
from neuroparcel.pipeline.devices import device_for
from neuroparcel.pipeline.options import FitOptions
from neuroparcel.pipeline.outputs import write_run
from neuroparcel.pipeline.planning import Plan, find_files, plan_recipe
from neuroparcel.pipeline.progress import say
from neuroparcel.pipeline.reading import read_cohort
from neuroparcel.pipeline.results import FitResult
from neuroparcel.pipeline.run_folder import open_run
from neuroparcel.pipeline.saved_model import SavedModel
from neuroparcel.pipeline.trainers import Start, Trained, train_adavi, train_reference


def plan(options: FitOptions) -> Plan:
    """Check the options, the list and the output folder; read no data, write nothing."""
    open_run(options, "fit")
    device_for(options.family, options.device)
    schedule(options)
    return find_inputs(options)


def find_inputs(options: FitOptions) -> Plan:
    """The recordings, the region and the targets that the options name."""
    if options.subjects is None and options.data_dir is None:
        planned = _from_store_alone(options)
    else:
        files = find_files(
            options, options.sessions or "day", options.cleaning, lenient=options.skip_bad
        )
        recipe, notes = plan_recipe(files, options, skip_bad=options.skip_bad)
        notes = (*files.notes, *notes)
        planned = Plan(files, recipe, options.networks, options.output, options.connectome, notes)
    region = planned.recipe.region
    if options.networks > region.n_vertices:
        raise OptionError(
            f"{options.networks} networks asked for in a region of {region.n_vertices} vertices.",
            "Give fewer --networks or a larger --roi.",
        )
    if options.smoothness_or_auto and load_neighbours(region.axis) is None:
        raise no_mesh()
    return planned


def _from_store_alone(options: FitOptions) -> Plan:
    """The cohort of a connectome store, or a region inside it."""
    assert options.connectome is not None  # checked when the options were made
    stored = open_store(options.connectome).recipe
    region = stored.region
    if options.roi is not None:
        region = load_region(options.roi, stored.region.axis)
    if options.targets is not None or options.cleaning.steps:
        raise OptionError(
            f"{options.connectome} holds profiles that are made already.",
            "Leave --targets and the cleaning options away, or name the recordings too.",
        )
    recipe = replace(stored, region=region, features=options.how)
    if recipe.features.measure != stored.features.measure:
        raise OptionError(
            f"{options.connectome} holds {stored.features.measure} features, not "
            f"{options.features}.",
            f"Give --features {stored.features.kind}.",
        )
    return Plan(None, recipe, options.networks, options.output, options.connectome)


def fit(options: FitOptions) -> FitResult:
    """Load, reduce, train, label and write.

    Parameters
    ----------
    options : FitOptions

    Returns
    -------
    FitResult

    Raises
    ------
    NeuroparcelError
        On bad input; nothing has been written then.
    """
    with cpu_threads(options.threads):
        return _fit(options)


def _fit(options: FitOptions) -> FitResult:
    device_for(options.family, options.device)
    folder = open_run(options, "fit")
    schedule(options)
    planned = find_inputs(options)
    cohort, warnings = read_cohort(planned, options)
    reduction = reduce(cohort, options)  # first: what cannot be reduced leaves no folder behind
    folder.begin(planned.input_record())
    limits = TrainingLimits(options.time_budget, folder.checkpoint)
    learnt = learn(cohort, options, limits, resume=folder.resume, reduction=reduction)
    trained, clusters = learnt.trained, learnt.clustering.labels
    warnings = (*warnings, *anchor_warnings(clusters, cohort.subjects, cohort.sessions))
    networks = trained.networks(learnt.start.data, learnt.start.strength)
    model = SavedModel(
        planned.recipe,
        learnt.reduction,
        trained.networks,
        trained.labels,
        learnt.clustering.anchors.cpu().numpy(),
        {"sessions": options.sessions, "seed": options.seed},
    )
    return write_run(
        folder,
        model,
        cohort,
        networks,
        clusters,
        options,
        planned,
        warnings=(*warnings, *trained.notes),
        trained=trained,
    )


@dataclass(frozen=True, eq=False)
class Learnt:
    """What was learnt from a training cohort, before anything is written.

    Attributes
    ----------
    reduction : Reduction
    start : Start
        Link coordinates, model and anchors.
    clustering : Clustering
        K-means of the profiles.
    trained : Trained
    """

    reduction: Reduction
    start: Start
    clustering: Clustering
    trained: Trained


def learn(
    cohort: Cohort,
    options: FitOptions,
    limits: TrainingLimits | None = None,
    *,
    resume: bool = False,
    reduction: Reduction | None = None,
) -> Learnt:
    """Learn networks and labels from a cohort; write nothing.

    Parameters
    ----------
    cohort : Cohort
    options : FitOptions
        Of the model and its training.
    limits : TrainingLimits, optional
    resume : bool
        Go on with the training that the limits' checkpoint keeps.
    reduction : Reduction, optional
        If the cohort's is known already.
    """
    device = device_for(options.family, options.device)
    if reduction is None:
        reduction = reduce(cohort, options)
    say(_describe(reduction), quiet=options.quiet)
    data, clustering = observe_and_cluster(
        cohort, reduction, options.networks, options.seed, device
    )
    start = Start(
        data,
        network_prior(reduction, options),
        clustering.anchors,
        observed_strength(cohort, device),
        load_neighbours(cohort.axis) if options.needs_mesh else None,
    )
    train = {"adavi": train_adavi, "reference": train_reference}[options.family]
    trained = train(start, schedule(options), options, limits, resume=resume)
    return Learnt(reduction, start, clustering, trained)


def reduce(cohort: Cohort, options: FitOptions) -> Reduction:
    """The reduction of a cohort's profiles that the options ask for."""
    return fit_reduction(
        cohort,
        variance=options.variance,
        link=options.link_or_default,
        scaling=options.scaling,
    )


def schedule(options: FitOptions) -> Schedule:
    """The staged schedule, in the number of steps that was asked for."""
    stages = staged_schedule()
    return stages if options.steps is None else stages.scaled(options.steps)


def network_prior(reduction: Reduction, options: FitOptions) -> MSHBM:
    """The model that the options name, with the prior that the reduction suggests.

    Directions have no preferred axis: their prior is round.
    """
    covariance = torch.as_tensor(reduction.prior_covariance, dtype=torch.float32)
    if reduction.link == "direction":
        covariance = torch.eye(len(covariance))
    return MSHBM(
        covariance,
        options.networks,
        levels=options.level_names,
        emission=options.emission,
        kappa=options.kappa,
    )


def _describe(reduction: Reduction) -> str:
    return (
        f"{reduction.n_targets} targets reduced to {reduction.n_components} components; "
        f"{reduction.residual_variance:.0%} of the variance is left out"
    )
