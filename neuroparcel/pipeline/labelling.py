"""The labels of a cohort, found, judged and written a few subjects at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from torch import Tensor

from neuroparcel.brain.parcellation import CohortParcellation, SoftParcellation
from neuroparcel.brain.population import PopulationMean
from neuroparcel.inference.refinement import Refinement
from neuroparcel.io.writers import ParcellationWriter, full_axis_of
from neuroparcel.io.writers.posteriors import POSTERIOR_FILE, PosteriorWriter, posterior_file
from neuroparcel.io.writers.profiles import ProfileWriter
from neuroparcel.parcellation.agreement import hard_labels, single_session_labels
from neuroparcel.parcellation.labels import parcellate
from neuroparcel.parcellation.networks import CohortNetworks, TrainedNetworks, top_networks
from neuroparcel.parcellation.observations import nearest_anchor
from neuroparcel.parcellation.observed_cohort import ObservedCohort, Part
from neuroparcel.parcellation.site_summaries import SiteSummary, site_summaries
from neuroparcel.parcellation.verdict import NetworkUse
from neuroparcel.pipeline.options import FitOptions, InferOptions
from neuroparcel.pipeline.planning import Plan
from neuroparcel.pipeline.profile_files import NetworkProfiles
from neuroparcel.pipeline.progress import progress_bar
from neuroparcel.pipeline.saved_model import SavedModel
from neuroparcel.types import FloatArray, IntArray

MODEL, KMEANS, REDUCED = "", "kmeans", "reduced_kmeans"
"""What hard labels are of: each session alone under the model, and two rivals."""


@dataclass(frozen=True, eq=False)
class LabelledCohort:
    """What is left of a cohort's labels once they are written.

    Attributes
    ----------
    population : SoftParcellation
    use : NetworkUse
    hard : mapping of str to ndarray of int, shape (subject, session, vertex)
        Labels of single sessions from 1, by method; 0 where there are no data.
    prior_only : mapping of str to int
        Subjects with vertices that have the prior alone, and how many.
    n_sessions : int
        That there are.
    top_networks : ndarray, shape (network, component)
        Posterior mean of the topmost networks.
    refinement : Refinement, optional
        What the refinement of networks gained, if there was any.
    files : tuple of Path
    """

    population: SoftParcellation
    use: NetworkUse
    hard: Mapping[str, IntArray]
    prior_only: Mapping[str, int]
    n_sessions: int
    top_networks: FloatArray
    refinement: Refinement | None
    files: tuple[Path, ...]


def label_cohort(
    folder: Path,
    model: SavedModel,
    observed: ObservedCohort,
    clusters_of: Callable[[Part], IntArray],
    reduced_centres: FloatArray,
    options: FitOptions | InferOptions,
    planned: Plan,
) -> LabelledCohort:
    """Label and write every subject, with few of them in memory at a time.

    Parameters
    ----------
    folder : Path
    model : SavedModel
    observed : ObservedCohort
    clusters_of : callable
        K-means labels from 1 of some subjects, shape (subject, session, vertex).
    reduced_centres : ndarray, shape (cluster, component)
        Of the rival in link coordinates.
    options : FitOptions or InferOptions
    planned : Plan

    Returns
    -------
    LabelledCohort
        What is judged and summed up; the maps are on disk.
    """
    cohort = observed.cohort
    names = model.identity.networks
    writer = ParcellationWriter(
        folder,
        cohort.axis,
        names,
        cohort.subjects,
        cohort.sessions,
        full_axis=full_axis_of(cohort.axis),
        sources=planned.sources(),
        areas=[str(name) for name in model.region.label_of_vertex],
        gifti=options.gifti,
    )
    profiles = NetworkProfiles(
        ProfileWriter(writer, model.feature_names, model.recipe.targets), model.reduction
    )
    sums = _Sums(model.networks, cohort.valid.shape)
    dimensions = {
        "subject": cohort.subjects,
        "session": cohort.sessions,
        "network": names,
        "component": [str(number + 1) for number in range(model.reduction.n_components)],
        "coordinate": [str(number + 1) for number in range(len(model.reduction.mean))],
    }
    with ExitStack() as stack:
        advance = stack.enter_context(progress_bar("labelling", quiet=options.quiet))
        posterior = stack.enter_context(
            posterior_file(folder / POSTERIOR_FILE, dimensions, _about(model))
        )
        _write_basis(posterior, model)
        for part in observed.parts():
            networks = model.networks(part.data, part.strength)
            parcellation = parcellate(
                networks,
                model.model,
                cohort.axis,
                part.subjects,
                cohort.sessions,
                model.labels,
                identity=model.identity,
                strength=part.strength,
                evidence=options.evidence,
                seed=options.seed,
            )
            alone = _single_sessions(model, part, parcellation, options.seed)
            hard = {
                MODEL: hard_labels(alone),
                KMEANS: clusters_of(part),
                REDUCED: nearest_anchor(part.data, reduced_centres),
            }
            sums.add(part, networks, parcellation, hard)
            summaries = site_summaries(networks, model.model, options.seed)
            _write_posterior(posterior, part, summaries)
            profiles.add(part, cohort.sessions, summaries)
            for done, subject in enumerate(part.subjects, start=part.rows.start + 1):
                writer.add(parcellation, subject)
                advance(done, cohort.n_subjects)
    population = sums.population.result()
    topmost = sums.top_networks()
    profiles.add_topmost(topmost)
    files = (*profiles.files, *writer.finish(population))
    return LabelledCohort(
        population,
        sums.use,
        sums.hard,
        sums.prior_only,
        int(cohort.present.sum()),
        topmost,
        Refinement.total(sums.refinements),
        (*files, folder / POSTERIOR_FILE),
    )


def _single_sessions(
    model: SavedModel, part: Part, parcellation: CohortParcellation, seed: int
) -> FloatArray:
    """Labels of each session made from that session alone; with one session they are there."""
    if part.data.mask.shape[2] == 1:
        return np.where(parcellation.has_data[..., None], parcellation.session, np.nan)
    return single_session_labels(model.networks, part.data, model.labels, part.strength, seed)


def _about(model: SavedModel) -> dict[str, str]:
    return {
        "title": "Posterior mean and standard deviation of networks and scales",
        "link": model.reduction.link,
        "networks_are_in": "components; (network * link_scale) @ link_components + link_mean are "
        "coordinates of the link, which brings them to the sphere of profiles",
        "emission": model.model.emission,
        "levels": ",".join(model.model.levels),
    }


def _write_basis(file: PosteriorWriter, model: SavedModel) -> None:
    """What turns components into link coordinates."""
    reduction = model.reduction
    file.add("link_components", ("component", "coordinate"), reduction.components)
    file.add("link_mean", ("coordinate",), reduction.mean)
    file.add("link_scale", ("component",), reduction.scale)


def _write_posterior(
    file: PosteriorWriter, part: Part, summaries: Mapping[str, SiteSummary]
) -> None:
    for site, summary in summaries.items():
        file.add(f"{site}_mean", summary.dims, summary.mean, part.place)
        file.add(f"{site}_sd", summary.dims, summary.sd, part.place)


@dataclass(eq=False)
class _Sums:
    """What is kept of the subjects so far."""

    trained: TrainedNetworks
    shape: tuple[int, ...]
    population: PopulationMean = field(default_factory=PopulationMean)
    use: NetworkUse = field(default_factory=NetworkUse)
    hard: dict[str, IntArray] = field(default_factory=dict)
    prior_only: dict[str, int] = field(default_factory=dict)
    refinements: list[Refinement] = field(default_factory=list)
    _top: list[tuple[int, Tensor]] = field(default_factory=list)

    def add(
        self,
        part: Part,
        networks: CohortNetworks,
        parcellation: CohortParcellation,
        hard: Mapping[str, IntArray],
    ) -> None:
        for subject in part.subjects:
            soft = parcellation.of_subject(subject)
            self.population.add(soft)
            self.use.add(soft)
            if soft.n_prior_only:
                self.prior_only[subject] = soft.n_prior_only
        for name, labels in hard.items():
            every = self.hard.setdefault(name, np.zeros(self.shape, np.int16))
            every[part.place] = labels
        if networks.refinement is not None:
            self.refinements.append(networks.refinement)
        if not self._top or self.trained.model.levels[0] != "population":
            weight = _n_topmost(networks, self.trained.model.levels[0])
            self._top.append((weight, top_networks(networks, self.trained.model)))

    def top_networks(self) -> FloatArray:
        """Topmost networks; those of subjects or sessions averaged over all that there are."""
        total = sum(weight for weight, _ in self._top)
        mean = sum(top * (weight / total) for weight, top in self._top)
        assert isinstance(mean, Tensor)  # there is at least one part
        return np.asarray(mean.cpu().numpy())


def _n_topmost(networks: CohortNetworks, level: str) -> int:
    """How many topmost networks a mean over subjects is of."""
    present = networks.data.mask[0].any(-1)
    return int((present if level == "session" else present.any(-1)).sum())
