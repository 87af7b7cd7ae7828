"""Trained networks, whatever trained them, and the networks that they give a cohort."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, cast

import torch
from torch import Tensor

from neuroparcel.graph.observation import Observation
from neuroparcel.inference.posterior import AmortizedPosterior, Posterior
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


@dataclass(frozen=True, eq=False)
class AmortizedNetworks(TrainedNetworks):
    """A trained variational family, and the encoding of its training cohort.

    Parameters
    ----------
    posterior : AmortizedPosterior
        Of an :class:`~neuroparcel.models.mshbm.MSHBM`.
    population : Encoding
        What the training cohort said of the population.
    """

    posterior: AmortizedPosterior
    population: Encoding
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
        return DrawnNetworks(self.posterior(data, kept), self.model)


@dataclass(frozen=True, eq=False)
class DrawnNetworks(CohortNetworks):
    """Networks that are known by draws from the engine's posterior."""

    posterior: Posterior
    model: MSHBM

    @property
    def data(self) -> Observation:
        """What they are the networks of."""
        return self.posterior.data

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
    def with_labels(
        cls, posterior: ReferencePosterior, labels: LabelModel | None
    ) -> ReferenceNetworks:
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


@dataclass(frozen=True, eq=False)
class ClosedNetworks(CohortNetworks):
    """Networks whose posterior the reference has in closed form."""

    posterior: ReferencePosterior

    @property
    def data(self) -> Observation:
        """What they are the networks of."""
        assert self.posterior.data is not None  # it was fitted, not loaded
        return self.posterior.data

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
