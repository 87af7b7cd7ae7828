"""Trained networks, whatever trained them, and the networks that they give a cohort."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, Self, cast

import torch
from torch import Tensor

from neuroparcel.errors import OptionError
from neuroparcel.families.adavi import Adavi
from neuroparcel.graph.observation import Observation
from neuroparcel.graph.template import analyse
from neuroparcel.inference.checkpoints import load_weights
from neuroparcel.inference.posterior import AmortizedPosterior, Posterior
from neuroparcel.inference.refinement import Refinement
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.mshbm_reference import fit_reference
from neuroparcel.models.reference_labels import LabelEvidence
from neuroparcel.models.reference_posterior import ReferencePosterior
from neuroparcel.nets.hierarchical_encoder import Encoding
from neuroparcel.parcellation.label_model import LabelModel

_N_DRAWS = 16  # that the expected density is a mean over


class CohortNetworks(Protocol):
    """The posterior of one cohort's networks."""

    @property
    def data(self) -> Observation:
        """What they are the networks of, (1, subject, session, vertex, component)."""

    @property
    def refinement(self) -> Refinement | None:
        """What refinement gained, if there was any."""

    def sample(self, n_draws: int, seed: int = 0) -> dict[str, Tensor]:
        """Joint draws of every site, shape (draw, *plates, *event)."""

    def mean(self, site: str) -> Tensor:
        """Posterior mean of one site, shape (*plates, *event)."""

    def evidence(self) -> Tensor:
        """Expected log density of each profile under each network; zeros without data.

        Shape (subject, session, vertex, network).
        """


class TrainedNetworks(Protocol):
    """What a training cohort said of networks, ready for new subjects."""

    name: str

    @property
    def model(self) -> MSHBM:
        """The model of the networks."""

    def __call__(
        self, data: Observation, strength: Tensor | None = None, *, new_population: bool = False
    ) -> CohortNetworks:
        """Networks of a cohort, around the trained population or one of its own.

        Parameters
        ----------
        data : Observation, (1, subject, session, vertex, component)
        strength : Tensor, shape (subject, session, vertex), optional
            Signal strength of each vertex, for networks that were trained with it.
        new_population : bool
        """

    def repopulated(self, data: Observation, strength: Tensor | None = None) -> TrainedNetworks:
        """The same, around the population of another cohort in place of the trained one's."""

    def refined(self, n_steps: int, seed: int = 0) -> TrainedNetworks:
        """The same, but networks of a cohort are refined in some steps.

        Raises
        ------
        OptionError
            If networks of a cohort are fitted to it already.
        """

    def settings(self) -> dict[str, Any]:
        """What beside model, labels and tensors makes them again; fit for JSON."""

    def to_tensors(self) -> dict[str, Tensor]:
        """What :meth:`from_saved` takes."""

    @classmethod
    def from_saved(
        cls,
        model: MSHBM,
        labels: LabelModel | None,
        settings: Mapping[str, Any],
        tensors: Mapping[str, Tensor],
        path: Path,
    ) -> Self:
        """Networks of these settings and tensors.

        Parameters
        ----------
        model : MSHBM
            On the device that they are to be on.
        labels : LabelModel, optional
            That they were trained with.
        settings : mapping of str to JSON values
        tensors : mapping of str to Tensor
            Others among them are passed over.
        path : Path
            Of the tensors, for error messages.
        """


@dataclass(frozen=True, eq=False)
class AmortizedNetworks(TrainedNetworks):
    """A trained variational family, and the encoding of its training cohort.

    Parameters
    ----------
    posterior : AmortizedPosterior
        Of an :class:`~neuroparcel.models.mshbm.MSHBM`.
    population : Encoding
        What the training cohort said of the population.
    n_refinements : int
        Steps of refinement of each cohort's networks; not saved.
    seed : int
        Of the refinement.
    """

    posterior: AmortizedPosterior
    population: Encoding
    n_refinements: int = 0
    seed: int = 0
    name = "adavi"

    @property
    def model(self) -> MSHBM:
        """The model of the networks."""
        return cast(MSHBM, self.posterior.template.model)

    def __call__(
        self, data: Observation, strength: Tensor | None = None, *, new_population: bool = False
    ) -> DrawnNetworks:
        """Networks of a cohort, in one pass through the encoder; all vertices count alike."""
        kept = None if new_population else self.population
        found = self.posterior.refine(data, self.n_refinements, population=kept, seed=self.seed)
        return DrawnNetworks(found, self.model)

    def refined(self, n_steps: int, seed: int = 0) -> AmortizedNetworks:
        """The same, but networks of a cohort are refined in some steps.

        Raises
        ------
        OptionError
            If only the population has latents.
        """
        graph = self.posterior.template.graph
        if all(site.hierarchy == graph.n_plates for site in graph.latents):
            raise OptionError(
                "--refine moves networks of subjects and sessions, and this model has none.",
                "Leave --refine away.",
            )
        return replace(self, n_refinements=n_steps, seed=seed)

    def settings(self) -> dict[str, Any]:
        """Of the family."""
        return self.posterior.family.settings()

    def to_tensors(self) -> dict[str, Tensor]:
        """Weights of the family, and the encoding of the population."""
        return {
            **put_under("family", self.posterior.family.state_dict()),
            "population/summary": self.population.summary,
            "population/embedding": self.population.embedding,
        }

    @classmethod
    def from_saved(
        cls,
        model: MSHBM,
        labels: LabelModel | None,
        settings: Mapping[str, Any],
        tensors: Mapping[str, Tensor],
        path: Path,
    ) -> Self:
        """See :class:`TrainedNetworks`; labels do not enter."""
        template, device = analyse(model), model.population_covariance.device
        family = Adavi.from_settings(template.graph, settings)
        load_weights(family, under("family", tensors), path)
        kept = {name: t.to(device) for name, t in under("population", tensors).items()}
        posterior = AmortizedPosterior(template, family.to(device).eval())
        return cls(posterior, Encoding(kept["summary"], kept["embedding"]))

    def repopulated(self, data: Observation, strength: Tensor | None = None) -> AmortizedNetworks:
        """The same, around the population of another cohort in place of the trained one's."""
        return replace(self, population=self.posterior(data).encodings[-1])


@dataclass(frozen=True, eq=False)
class DrawnNetworks(CohortNetworks):
    """Networks that are known by draws from the engine's posterior."""

    posterior: Posterior
    model: MSHBM

    @property
    def data(self) -> Observation:
        """What they are the networks of."""
        return self.posterior.data

    @property
    def refinement(self) -> Refinement | None:
        """What refinement gained, if there was any."""
        return self.posterior.refinement

    def sample(self, n_draws: int, seed: int = 0) -> dict[str, Tensor]:
        """Joint draws of every site, shape (draw, *plates, *event)."""
        return self.posterior.sample(n_draws, seed)

    def mean(self, site: str) -> Tensor:
        """Posterior mean of one site, shape (*plates, *event)."""
        return self.posterior.mean(site)

    @torch.no_grad()
    def evidence(self) -> Tensor:
        """Mean log density over draws, one session at a time."""
        draws = self.sample(_N_DRAWS)
        values, mask = self.data.values[0], self.data.mask[0]
        found = values.new_zeros(*mask.shape, self.model.n_networks)
        for draw in range(_N_DRAWS):
            latents = {site: value[draw] for site, value in draws.items()}
            for subject, session in mask.any(-1).nonzero().tolist():
                one = _session_of(latents, subject, session)
                cell = values[subject, session][None, None]
                found[subject, session] += self.model.component_log_prob(cell, one)[0, 0]
        return found.div_(_N_DRAWS).mul_(mask.unsqueeze(-1))


@dataclass(frozen=True, eq=False)
class ReferenceNetworks(TrainedNetworks):
    """The reference of a training cohort.

    Parameters
    ----------
    posterior : ReferencePosterior
    labels : LabelEvidence
        How labels were drawn while it was fitted, for new subjects too; without a signal
        strength, which belongs to a cohort.
    """

    posterior: ReferencePosterior
    labels: LabelEvidence
    name = "reference"

    @classmethod
    def with_labels(cls, posterior: ReferencePosterior, labels: LabelModel | None) -> Self:
        """A reference whose networks are learnt under a label model, or the paper's labels."""
        if labels is None:
            return cls(posterior, LabelEvidence())
        return cls(posterior, LabelEvidence(labels.evidence_weight, labels.log_prior))

    @property
    def model(self) -> MSHBM:
        """The model of the networks."""
        return self.posterior.model

    def __call__(
        self, data: Observation, strength: Tensor | None = None, *, new_population: bool = False
    ) -> ClosedNetworks:
        """Networks of a cohort, by coordinate ascent."""
        kept = None if new_population else self.posterior
        labels = replace(self.labels, strength=strength)
        fitted = fit_reference(
            self.model, data, self.posterior, labels=labels, keep_population=kept
        )
        return ClosedNetworks(fitted)

    def repopulated(self, data: Observation, strength: Tensor | None = None) -> ReferenceNetworks:
        """The same, around the population of another cohort in place of the trained one's."""
        return replace(self, posterior=self(data, strength, new_population=True).posterior)

    def refined(self, n_steps: int, seed: int = 0) -> ReferenceNetworks:
        """Refused: coordinate ascent goes on until the bound stands still."""
        raise nothing_to_refine(self.name)

    def settings(self) -> dict[str, Any]:
        """None: all is in the tensors and the labels."""
        return {}

    def to_tensors(self) -> dict[str, Tensor]:
        """Of the training cohort's posterior."""
        found = self.posterior.to_tensors()
        return put_under("reference", {name: t.contiguous() for name, t in found.items()})

    @classmethod
    def from_saved(
        cls,
        model: MSHBM,
        labels: LabelModel | None,
        settings: Mapping[str, Any],
        tensors: Mapping[str, Tensor],
        path: Path,
    ) -> Self:
        """See :class:`TrainedNetworks`."""
        posterior = ReferencePosterior.from_tensors(model, under("reference", tensors))
        return cls.with_labels(posterior, labels)


@dataclass(frozen=True, eq=False)
class ClosedNetworks(CohortNetworks):
    """Networks whose posterior the reference has in closed form."""

    posterior: ReferencePosterior

    @property
    def data(self) -> Observation:
        """What they are the networks of."""
        assert self.posterior.data is not None  # it was fitted, not loaded
        return self.posterior.data

    @property
    def refinement(self) -> None:
        """None: there is nothing to refine."""

    def sample(self, n_draws: int, seed: int = 0) -> dict[str, Tensor]:
        """Joint draws of every site, shape (draw, *plates, *event)."""
        return self.posterior.sample(n_draws, seed)

    def mean(self, site: str) -> Tensor:
        """Posterior mean of one site, shape (*plates, *event)."""
        return self.posterior.mean(site)

    def evidence(self) -> Tensor:
        """Expected log density, exact under the mean field."""
        mask = self.data.mask[0]
        found = self.data.values.new_zeros(*mask.shape, self.posterior.model.n_networks)
        for subject, session in mask.any(-1).nonzero().tolist():
            found[subject, session] = self.posterior.evidence(subject, session)
        return found


def nothing_to_refine(name: str) -> OptionError:
    """The error of refining networks that were fitted to the cohort themselves."""
    return OptionError(
        f"--refine is for amortized networks; a model of --family {name} fits those of new "
        "subjects to the end.",
        "Leave --refine away.",
    )


def under(key: str, named: Mapping[str, Any]) -> dict[str, Any]:
    """What stands below a key, such as ``key/name``, by its own name."""
    start = f"{key}/"
    return {k.removeprefix(start): v for k, v in named.items() if k.startswith(start)}


def put_under(key: str, named: Mapping[str, Any]) -> dict[str, Any]:
    """Undo :func:`under`."""
    return {f"{key}/{name}": value for name, value in named.items()}


def top_networks(networks: CohortNetworks, model: MSHBM) -> Tensor:
    """Posterior mean of the topmost networks; over subjects or sessions with data, if of them.

    Returns
    -------
    Tensor, shape (network, component)
    """
    mean = networks.mean(f"{model.levels[0]}_networks")
    if model.levels[0] == "population":
        return mean
    present = networks.data.mask[0].any(-1)
    return mean[present if model.levels[0] == "session" else present.any(-1)].mean(0)


def _session_of(latents: dict[str, Tensor], subject: int, session: int) -> dict[str, Tensor]:
    """The latents that one session's profiles come from, plates of size 1."""
    chosen = dict(latents)
    if "subject_networks" in latents:
        chosen["subject_networks"] = latents["subject_networks"][subject : subject + 1]
    if "session_networks" in latents:
        here = latents["session_networks"]
        if here.dim() == 4:
            here = here[subject : subject + 1]
        chosen["session_networks"] = here[:, session : session + 1]
    if latents["log_kappa"].dim() == 2:
        chosen["log_kappa"] = latents["log_kappa"][subject : subject + 1, session : session + 1]
    return chosen
