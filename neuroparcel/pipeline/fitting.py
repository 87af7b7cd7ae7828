"""The main job: from a list of subjects to a parcellation on the cortical surface."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from neuroparcel.brain.connectome import Cohort
from neuroparcel.brain.identity import Reference
from neuroparcel.brain.reduction import Reduction, fit_reduction
from neuroparcel.errors import OptionError
from neuroparcel.graph.observation import Observation
from neuroparcel.inference.device import cpu_threads
from neuroparcel.inference.trainer import TrainingLimits
from neuroparcel.io.neighbours import load_neighbours
from neuroparcel.io.regions import load_region
from neuroparcel.io.store import open_store
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.parcellation.dead_networks import reseeded, without
from neuroparcel.parcellation.heldout import heldout_density
from neuroparcel.parcellation.label_model import no_mesh
from neuroparcel.parcellation.labels import soft_labels
from neuroparcel.parcellation.observations import (
    Clustering,
    anchor_warnings,
    mean_centres,
    nearest_anchor,
    observe_and_cluster,
    observed_strength,
    reduced_centres,
)
from neuroparcel.parcellation.observed_cohort import ObservedCohort
from neuroparcel.parcellation.replication import replication_warnings
from neuroparcel.parcellation.starting import best_start
from neuroparcel.parcellation.verdict import NetworkUse
from neuroparcel.pipeline.devices import device_for
from neuroparcel.pipeline.families import FAMILIES
from neuroparcel.pipeline.options import FitOptions
from neuroparcel.pipeline.outputs import write_run
from neuroparcel.pipeline.planning import Plan, find_files, plan_recipe
from neuroparcel.pipeline.progress import say
from neuroparcel.pipeline.reading import read_cohort
from neuroparcel.pipeline.references import identity_of, load_reference
from neuroparcel.pipeline.results import FitResult
from neuroparcel.pipeline.run_folder import open_run
from neuroparcel.pipeline.saved_model import SavedModel
from neuroparcel.pipeline.trainers import Start, Trained


def plan(options: FitOptions) -> Plan:
    """Check the options, the list and the output folder; read no data, write nothing."""
    open_run(options, "fit")
    device_for(options.family, options.device)
    check_steps(options)
    planned = find_inputs(options)
    _reference(options, planned)
    return planned


def _reference(options: FitOptions, planned: Plan) -> Reference | None:
    """What the networks are named after; read before anything long runs."""
    if options.reference is None:
        return None
    return load_reference(options.reference, options.match, planned.recipe)


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
    check_steps(options)
    planned = find_inputs(options)
    reference = _reference(options, planned)
    cohort, warnings = read_cohort(planned, options)
    prepared = prepare(cohort, options)  # first: what cannot be divided leaves no folder behind
    folder.begin(planned.input_record())
    limits = TrainingLimits(options.time_budget, folder.checkpoint)
    learnt = learn_from(prepared, options, limits, resume=folder.resume)
    trained, clusters, data = learnt.trained, learnt.clustering.labels, learnt.start.data
    warnings = (
        *warnings,
        *replication_warnings(cohort.present, options.level_names),
        *anchor_warnings(
            nearest_anchor(data, learnt.start.anchors.cpu().numpy()),
            cohort.subjects,
            cohort.sessions,
        ),
    )
    observed = ObservedCohort(cohort, learnt.reduction, data.values.device, data)
    model = SavedModel(
        planned.recipe,
        learnt.reduction,
        trained.networks,
        trained.labels,
        learnt.clustering.anchors.cpu().numpy(),
        identity_of(trained, observed, reference, options.match, options.seed),
        {"sessions": options.sessions, "seed": options.seed},
    )
    return write_run(
        folder,
        model,
        observed,
        lambda part: clusters[part.place],
        options,
        planned,
        warnings=(*warnings, *trained.notes),
        trained=trained,
    )


@dataclass(frozen=True, eq=False)
class Prepared:
    """A training cohort that is reduced and clustered.

    Attributes
    ----------
    cohort : Cohort
    reduction : Reduction
    start : Start
        Link coordinates, model and anchors.
    clustering : Clustering
        K-means of the profiles.
    """

    cohort: Cohort
    reduction: Reduction
    start: Start
    clustering: Clustering


@dataclass(frozen=True, eq=False)
class Learnt(Prepared):
    """What was learnt from a training cohort, before anything is written.

    Attributes
    ----------
    trained : Trained
    """

    trained: Trained

    def remarked(self, remark: str) -> Learnt:
        """The same, with one more line for the user."""
        remarks = (*self.trained.remarks, remark)
        return replace(self, trained=replace(self.trained, remarks=remarks))


def prepare(cohort: Cohort, options: FitOptions, reduction: Reduction | None = None) -> Prepared:
    """Reduce and cluster a cohort.

    Parameters
    ----------
    cohort : Cohort
    options : FitOptions
        Of the model and its training.
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
    model = network_prior(reduction, options)
    start = Start(
        data,
        model,
        best_start(data, model, _starts(data, clustering.anchors, reduction, options)),
        observed_strength(cohort, device),
        load_neighbours(cohort.axis) if options.needs_mesh else None,
    )
    return Prepared(cohort, reduction, start, clustering)


def _starts(
    data: Observation, anchors: Tensor, reduction: Reduction, options: FitOptions
) -> list[Tensor]:
    """Anchors to choose from; of mean coordinates if there are enough vertices with data."""
    found, number = [anchors], (options.networks, options.seed)
    if int(data.mask[0].any(0).any(0).sum()) > options.networks:
        found.append(torch.from_numpy(mean_centres(data, *number)).to(anchors))
    if reduction.link == "direction":  # whose coordinates are what was clustered
        return [torch.nn.functional.normalize(one, dim=-1) for one in found]
    return [*found, torch.from_numpy(reduced_centres(data, *number)).to(anchors)]


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
    return learn_from(prepare(cohort, options, reduction), options, limits, resume=resume)


def learn_from(
    prepared: Prepared,
    options: FitOptions,
    limits: TrainingLimits | None = None,
    *,
    resume: bool = False,
) -> Learnt:
    """:func:`learn`, from a cohort that is reduced and clustered already.

    Parameters
    ----------
    prepared : Prepared
    options, limits, resume
        As in :func:`learn`.
    """
    first = _trained(prepared, options, limits, resume=resume)
    dead = () if options.dead == "keep" else _dead(first, options)
    if not dead:
        return first
    died = f"{len(dead)} of {options.networks} networks died"
    again = None if limits is None else limits.of_another_training()
    if options.dead == "drop":
        second = _trained(_without(first, dead, options), options, again, resume=resume)
        return second.remarked(f"{died} and were dropped; the training was repeated")
    second = _trained(_reseeded(first, dead, options), options, again, resume=resume)
    still = _dead(second, options)
    found = [_heldout(one, options) for one in (first, second)]
    if len(still) < len(dead) and found[1] >= found[0]:
        return second.remarked(
            f"{died} and were started elsewhere; {len(still)} are dead after a second training"
        )
    return first.remarked(
        f"{died}; starting them elsewhere did not help ({len(still)} dead, held-out vertices "
        f"{found[1]:.2f} nats against {found[0]:.2f}), and the first training is kept"
    )


def _trained(
    prepared: Prepared, options: FitOptions, limits: TrainingLimits | None, *, resume: bool
) -> Learnt:
    train = FAMILIES[options.family].train
    trained = train(prepared.start, options, limits, resume=resume)
    return Learnt(prepared.cohort, prepared.reduction, prepared.start, prepared.clustering, trained)


def _dead(learnt: Learnt, options: FitOptions) -> tuple[int, ...]:
    """Rows of the networks that are dead in the training cohort."""
    start, trained = learnt.start, learnt.trained
    networks = trained.networks(start.data, start.strength)
    model = trained.networks.model
    _, subjects, _ = soft_labels(
        networks, model, trained.labels, strength=start.strength, seed=options.seed
    )
    use = NetworkUse()
    for labels, there in zip(subjects, start.data.mask[0].any(1).cpu().numpy(), strict=True):
        use.count(labels[there])
    return use.dead_rows


def _heldout(learnt: Learnt, options: FitOptions) -> float:
    """Log density of hidden vertices, in nats a vertex."""
    start, trained = learnt.start, learnt.trained
    clusters = learnt.clustering.labels
    found = heldout_density(
        trained.networks, start.data, clusters, start.strength, trained.labels, options.seed
    )
    return found.model


def _without(learnt: Learnt, dead: tuple[int, ...], options: FitOptions) -> Prepared:
    """The cohort with the anchors of the living networks, and as many clusters to compare with."""
    start = learnt.start
    anchors = without(start.anchors, dead)
    fewer = replace(options, networks=len(anchors))
    _, clustering = observe_and_cluster(
        learnt.cohort, learnt.reduction, fewer.networks, fewer.seed, start.data.values.device
    )
    model = network_prior(learnt.reduction, fewer)
    start = replace(start, model=model, anchors=anchors)
    return Prepared(learnt.cohort, learnt.reduction, start, clustering)


def _reseeded(learnt: Learnt, dead: tuple[int, ...], options: FitOptions) -> Prepared:
    """The cohort with the anchors of dead networks where profiles vary most."""
    start = learnt.start
    anchors = reseeded(start.data, start.anchors, dead)
    if learnt.reduction.link == "direction":
        anchors = torch.nn.functional.normalize(anchors, dim=-1)
    start = replace(start, anchors=anchors)
    return Prepared(learnt.cohort, learnt.reduction, start, learnt.clustering)


def reduce(cohort: Cohort, options: FitOptions) -> Reduction:
    """The reduction of a cohort's profiles that the options ask for."""
    return fit_reduction(
        cohort,
        variance=options.variance,
        link=options.link_or_default,
        scaling=options.scaling,
    )


def check_steps(options: FitOptions) -> None:
    """Raise OptionError if the training has more stages than steps."""
    family = FAMILIES[options.family]
    if family.has_steps:
        family.schedule(options.steps)


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
