"""The ways to learn networks and labels from a training cohort, one function each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from torch import Tensor

from neuroparcel.graph.observation import Observation
from neuroparcel.graph.template import analyse
from neuroparcel.graph.trace import seeded
from neuroparcel.inference.data import Fixed
from neuroparcel.inference.posterior import AmortizedPosterior
from neuroparcel.inference.refinement import draws_within
from neuroparcel.inference.stages import Schedule, TrainingHistory
from neuroparcel.inference.trainer import TrainingLimits, train
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.mshbm_reference import fit_reference
from neuroparcel.models.mshbm_start import estimate_moments
from neuroparcel.models.reference_posterior import ReferencePosterior
from neuroparcel.parcellation.calibration import NOT_CALIBRATED, Calibration, calibrate
from neuroparcel.parcellation.label_learning import (
    Learning,
    NetworkSource,
    Sessions,
    learn_labels,
    subject_labels,
)
from neuroparcel.parcellation.label_model import LabelModel
from neuroparcel.parcellation.label_sources import KnownEvidence, ReferenceAscent, residual_share
from neuroparcel.parcellation.mean_field_networks import (
    MeanFieldNetworks,
    centres_of,
    start_factors,
)
from neuroparcel.parcellation.networks import AmortizedNetworks, ReferenceNetworks, TrainedNetworks
from neuroparcel.parcellation.training import network_model
from neuroparcel.parcellation.training import start as start_family
from neuroparcel.parcellation.verdict import Finding, of_ascent, of_learning
from neuroparcel.pipeline.families import FAMILIES
from neuroparcel.pipeline.options import FitOptions
from neuroparcel.pipeline.progress import progress_bar, say

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False)
class Start:
    """What networks are learnt from.

    Attributes
    ----------
    data : Observation, (1, subject, session, vertex, component)
        The training cohort.
    model : MSHBM
    anchors : Tensor, shape (network, component)
    strength : Tensor, shape (subject, session, vertex), optional
    neighbours : csr_array, shape (vertex, vertex), optional
    """

    data: Observation
    model: MSHBM
    anchors: Tensor
    strength: Tensor | None = None
    neighbours: csr_array | None = None

    @property
    def sessions(self) -> Sessions:
        """What labels are learnt from, beside evidence."""
        return Sessions(self.data.mask[0], self.strength, self.neighbours)


@dataclass(frozen=True, eq=False)
class Trained:
    """Networks and labels of a training cohort.

    Attributes
    ----------
    networks : TrainedNetworks
    labels : LabelModel, optional
        None for the paper's.
    learning : Learning, optional
        Of the labels.
    history : TrainingHistory, optional
        Where there were training steps.
    calibration : Calibration, optional
        Of the finished labels, where it was asked for and could be learnt.
    remarks : tuple of str
        What else a user should know.
    ascent : Finding, optional
        How coordinate ascent ended.
    """

    networks: TrainedNetworks
    labels: LabelModel | None = None
    learning: Learning | None = None
    history: TrainingHistory | None = None
    calibration: Calibration | None = None
    remarks: tuple[str, ...] = ()
    ascent: Finding | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know."""
        return (*self.remarks, *(() if self.learning is None else self.learning.notes))

    def calibrated(self, start: Start, seed: int) -> Trained:
        """The same, with labels that are recalibrated on the repeated sessions of a cohort."""
        assert self.labels is not None  # the options demand them
        assert self.learning is not None
        evidence = self.networks(start.data, start.strength).evidence()
        found = calibrate(
            self.labels,
            evidence,
            subject_labels(self.labels, evidence, start.sessions),
            start.sessions,
            effective_share=self.learning.effective_share,
            seed=seed,
        )
        if found is None:
            notes = (*self.learning.notes, NOT_CALIBRATED)
            return replace(self, learning=replace(self.learning, notes=notes))
        labels = self.labels.recalibrated(found.temperature, found.uniform_share)
        return replace(self, labels=labels, calibration=found)


def train_adavi(
    start: Start,
    options: FitOptions,
    limits: TrainingLimits | None = None,
    *,
    resume: bool = False,
) -> Trained:
    """Train ADAVI for the MS-HBM of a cohort, in stages; then learn the labels."""
    amortized, history = amortize(start, options, limits, resume=resume)
    networks = AmortizedNetworks(amortized, amortized(start.data).encodings[-1])
    return _labelled(networks, history, start, options)


def train_mean_field(
    start: Start,
    options: FitOptions,
    limits: TrainingLimits | None = None,
    *,
    resume: bool = False,
) -> Trained:
    """Fit mean-field factors to a cohort by gradients; then learn the labels."""
    schedule = _schedule(options)
    stages = [replace(s, n_draws=draws_within(start.data, s.n_draws)) for s in schedule.stages]
    model = start.model.to(start.data.values.device)
    template = analyse(model)
    moments = estimate_moments(start.data, start.anchors.to(start.data.values.device), model)
    family = start_factors(template, start.data, centres_of(moments, model))
    with progress_bar("training", quiet=options.quiet) as advance:
        history = train(
            family,
            template,
            Fixed(start.data),
            Schedule(tuple(stages)),
            seed=options.seed,
            validation=start.data,
            limits=limits,
            resume=resume,
            progress=advance,
        )
    posterior = AmortizedPosterior(template, family.eval(), history)
    return _labelled(MeanFieldNetworks(posterior, schedule.n_steps), history, start, options)


def train_reference(
    start: Start,
    options: FitOptions,
    limits: TrainingLimits | None = None,
    *,
    resume: bool = False,
) -> Trained:
    """Coordinate ascent, with the labels learnt along; there are no stages and no limits."""
    moments = estimate_moments(start.data, start.anchors, start.model)
    ascent = ReferenceAscent(start.model, start.data, moments)
    say("coordinate ascent", quiet=options.quiet)
    labels, learning = _labels(start, options, lambda: ascent)
    if labels is None or learning is None:
        posterior = fit_reference(start.model, start.data, moments)
        ended: Finding | None = of_ascent(converged=posterior.converged)
    else:
        assert isinstance(ascent.posterior, ReferencePosterior)  # the labels were learnt with it
        posterior = ascent.posterior
        ended = of_learning(learning.last_change) if learning.learnt else None
    networks = ReferenceNetworks.with_labels(posterior, labels)
    return _finished(Trained(networks, labels, learning, ascent=ended), start, options)


def amortize(
    start: Start,
    options: FitOptions,
    limits: TrainingLimits | None = None,
    *,
    resume: bool = False,
) -> tuple[AmortizedPosterior, TrainingHistory]:
    """Train the amortized family, in stages.

    Parameters
    ----------
    start : Start
    options : FitOptions
        ``seed``, ``quiet`` and those of the training are used.
    limits : TrainingLimits, optional
    resume : bool
    """
    with seeded(options.seed):
        model = network_model(start.data, start.model, start.anchors)
        start_family(model)
    with progress_bar("training", quiet=options.quiet) as advance:
        history = train(
            model.family,
            model.template,
            model.stream,
            _schedule(options),
            seed=options.seed,
            validation=start.data,
            limits=limits,
            resume=resume,
            progress=advance,
        )
    return AmortizedPosterior(model.template, model.family.eval()), history


def _schedule(options: FitOptions) -> Schedule:
    """The stages of the family, in the number of steps that was asked for."""
    return FAMILIES[options.family].schedule(options.steps)


def _labelled(
    networks: TrainedNetworks, history: TrainingHistory, start: Start, options: FitOptions
) -> Trained:
    """Labels by networks that are trained already."""
    labels, learning = _labels(
        start, options, lambda: KnownEvidence(networks(start.data).evidence())
    )
    return _finished(Trained(networks, labels, learning, history), start, options)


def _finished(trained: Trained, start: Start, options: FitOptions) -> Trained:
    return trained.calibrated(start, options.seed) if options.calibrate else trained


def _labels(
    start: Start, options: FitOptions, source: Callable[[], NetworkSource]
) -> tuple[LabelModel | None, Learning | None]:
    """The label model that the options ask for; none for the paper's."""
    if options.label_prior == "global":
        return None, None
    return learn_labels(
        source(),
        start.sessions,
        smoothness=options.smoothness_or_auto,
        effective_share=residual_share(start.data, start.anchors),
        seed=options.seed,
    )
