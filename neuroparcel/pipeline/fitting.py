"""The main job: from a list of subjects to a parcellation on the cortical surface."""

from __future__ import annotations

from dataclasses import replace

import torch

from neuroparcel.brain.connectome import Cohort
from neuroparcel.brain.reduction import Reduction, fit_reduction
from neuroparcel.errors import OptionError
from neuroparcel.graph.observation import Observation
from neuroparcel.graph.trace import seeded
from neuroparcel.inference.device import choose_device, cpu_threads
from neuroparcel.inference.posterior import AmortizedPosterior
from neuroparcel.inference.stages import Schedule, TrainingHistory, staged_schedule
from neuroparcel.inference.trainer import TrainingLimits, train
from neuroparcel.io.regions import load_region
from neuroparcel.io.store import open_store
from neuroparcel.parcellation.observations import anchor_warnings, kmeans_anchors, observe
from neuroparcel.parcellation.training import network_model, start
from neuroparcel.pipeline.options import FitOptions
from neuroparcel.pipeline.outputs import write_run
from neuroparcel.pipeline.planning import Plan, find_files, plan_recipe
from neuroparcel.pipeline.progress import progress_bar, say
from neuroparcel.pipeline.reading import read_cohort
from neuroparcel.pipeline.results import FitResult
from neuroparcel.pipeline.run_folder import open_run
from neuroparcel.pipeline.saved_model import SavedModel


def plan(options: FitOptions) -> Plan:
    """Check the options, the list and the output folder; read no data, write nothing."""
    open_run(options, "fit")
    choose_device(options.device)
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
    device = choose_device(options.device)
    folder = open_run(options, "fit")
    stages = schedule(options)
    planned = find_inputs(options)
    cohort, warnings = read_cohort(planned, options)
    reduction = reduce(cohort, options)
    say(_describe(reduction), quiet=options.quiet)
    anchors, clusters = kmeans_anchors(cohort, reduction, options.networks, options.seed)
    warnings = (*warnings, *anchor_warnings(clusters, cohort.subjects, cohort.sessions))
    data = observe(cohort, reduction, device)
    folder.begin(planned.input_record())
    limits = TrainingLimits(options.time_budget, folder.checkpoint)
    amortized, history = train_networks(
        data, reduction, anchors, stages, options, limits, resume=folder.resume
    )
    posterior = amortized(data)
    model = SavedModel(
        planned.recipe,
        reduction,
        amortized,
        posterior.encodings[-1],
        anchors.cpu().numpy(),
        {"sessions": options.sessions, "seed": options.seed},
    )
    return write_run(
        folder,
        model,
        cohort,
        posterior,
        clusters,
        options,
        planned,
        warnings=warnings,
        history=history,
    )


def reduce(cohort: Cohort, options: FitOptions) -> Reduction:
    """The reduction of a cohort's profiles that the options ask for."""
    return fit_reduction(
        cohort,
        variance=options.variance,
        link=options.link,
        scaling=options.scaling,
    )


def train_networks(
    data: Observation,
    reduction: Reduction,
    anchors: torch.Tensor,
    stages: Schedule,
    options: FitOptions,
    limits: TrainingLimits | None = None,
    *,
    resume: bool = False,
) -> tuple[AmortizedPosterior, TrainingHistory]:
    """Train ADAVI for the MS-HBM of a cohort, in stages.

    Parameters
    ----------
    data : Observation, (1, subject, session, vertex, component)
    reduction : Reduction
        Gives the prior covariance of the population networks.
    anchors : Tensor, shape (network, component)
    stages : Schedule
    options : FitOptions
        ``seed`` and ``quiet`` are used.
    """
    covariance = torch.as_tensor(reduction.prior_covariance, dtype=torch.float32)
    with seeded(options.seed):
        model = network_model(data, covariance, anchors)
        start(model)
    with progress_bar("training", quiet=options.quiet) as advance:
        history = train(
            model.family,
            model.template,
            model.stream,
            stages,
            seed=options.seed,
            validation=data,
            limits=limits,
            resume=resume,
            progress=advance,
        )
    return AmortizedPosterior(model.template, model.family.eval()), history


def schedule(options: FitOptions) -> Schedule:
    """The staged schedule, in the number of steps that was asked for."""
    stages = staged_schedule()
    return stages if options.steps is None else stages.scaled(options.steps)


def _describe(reduction: Reduction) -> str:
    return (
        f"{reduction.n_targets} targets reduced to {reduction.n_components} components; "
        f"{reduction.residual_variance:.0%} of the variance is left out"
    )
