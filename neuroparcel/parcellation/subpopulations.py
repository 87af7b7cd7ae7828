"""The networks of many sub-populations of one cohort: from one posterior, or by refits.

An amortized posterior gives those of a whole batch, and its numbers are those that it gives each
sub-population alone. Other ways to learn networks are fitted to one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from neuroparcel.errors import OptionError
from neuroparcel.families.adavi import MeanFieldPosterior
from neuroparcel.graph.observation import Observation
from neuroparcel.graph.template import analyse
from neuroparcel.graph.trace import seeded
from neuroparcel.inference.subpopulations import EncodedCohort
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.mshbm_reference import fit_reference
from neuroparcel.models.mshbm_start import estimate_moments
from neuroparcel.models.reference_labels import LabelEvidence
from neuroparcel.parcellation.mean_field_networks import fit_mean_field
from neuroparcel.parcellation.networks import (
    AmortizedNetworks,
    ClosedNetworks,
    CohortNetworks,
    DrawnNetworks,
    ReferenceNetworks,
    TrainedNetworks,
    top_networks,
)

AMORTIZED, REFIT_MEAN_FIELD, REFIT_REFERENCE = "amortized", "refit:mean-field", "refit:reference"
METHODS = (AMORTIZED, REFIT_MEAN_FIELD, REFIT_REFERENCE)

Latents = Mapping[str, Tensor]


class NetworksOfMany(Protocol):
    """The networks of some sub-populations."""

    @property
    def data(self) -> Observation:
        """What they are the networks of, (sub-population, member, session, vertex, component)."""

    @property
    def latents(self) -> Latents:
        """Joint draws, shape (draw, sub-population, *plates, *event).

        Of the topmost and the last networks, kappa and mixture weights, at least.
        """

    def evidence(self) -> Tensor:
        """Expected log density of each profile under each network; zeros without data.

        Shape (sub-population, member, session, vertex, network).
        """

    def topmost(self) -> Tensor:
        """Posterior mean of the topmost networks, shape (sub-population, network, component)."""


class Source(Protocol):
    """A way to learn the networks of sub-populations of a cohort."""

    @property
    def data(self) -> Observation:
        """The cohort, (1, subject, session, vertex, component)."""

    @property
    def model(self) -> MSHBM:
        """The model of the networks."""

    @property
    def strength(self) -> Tensor | None:
        """Signal strength of each vertex, (subject, session, vertex)."""

    @property
    def n_draws(self) -> int:
        """Draws of the networks."""

    @property
    def n_together(self) -> int | None:
        """Most sub-populations of a batch; None for any number."""

    def __call__(self, index: Tensor) -> NetworksOfMany:
        """Networks of the sub-populations whose members ``index`` (sub-population, size) has."""


@dataclass(frozen=True, eq=False)
class AmortizedSource:
    """One trained posterior for all sub-populations.

    Parameters
    ----------
    encoded : EncodedCohort
    model : MSHBM
    strength : Tensor, shape (subject, session, vertex), optional
    n_draws, seed : int
        Of the networks.
    """

    encoded: EncodedCohort
    model: MSHBM
    strength: Tensor | None = None
    n_draws: int = 16
    seed: int = 0
    n_together = None

    @property
    def data(self) -> Observation:
        """The cohort."""
        return self.encoded.data

    def __call__(self, index: Tensor) -> DrawnTogether:
        """Networks of a batch, in one pass through the top of the encoder."""
        return DrawnTogether(self.encoded, self.model, index, self.n_draws, self.seed)


@dataclass(frozen=True, eq=False)
class DrawnTogether:
    """Networks of a batch of sub-populations, by draws.

    All have the same noise: no draw depends on which other sub-populations are in the batch.
    """

    encoded: EncodedCohort
    model: MSHBM
    index: Tensor
    n_draws: int
    seed: int

    @property
    def data(self) -> Observation:
        """What they are the networks of."""
        return self._posterior.data

    @cached_property
    @torch.no_grad()
    def latents(self) -> Latents:
        """See :class:`NetworksOfMany`."""
        levels = self.model.levels
        used = {f"{levels[0]}_networks", f"{levels[-1]}_networks", "log_kappa", "mixture_weights"}
        with seeded(self.seed):
            return self._posterior.rsample(self.n_draws, common=True, sites=used).values

    @torch.no_grad()
    def evidence(self) -> Tensor:
        """Mean over draws, which is taken of the coefficients of the density."""
        density = self.model.mixture(self.latents).natural().mean()
        return density(self.data.values).mul_(self.data.mask.unsqueeze(-1))

    @cached_property
    def _posterior(self) -> MeanFieldPosterior:
        return self.encoded.condition(self.index)

    def topmost(self) -> Tensor:
        """Mean over draws; over all subjects and sessions, if networks are theirs."""
        mean = self.latents[f"{self.model.levels[0]}_networks"].mean(0)
        return mean.flatten(1, -3).mean(1) if mean.dim() > 3 else mean


@dataclass(frozen=True, eq=False)
class RefitSource:
    """Networks that are fitted to each sub-population.

    Parameters
    ----------
    data : Observation, (1, subject, session, vertex, component)
    fit : callable
        Data of one sub-population and its strength, to its networks.
    model : MSHBM
    strength : Tensor, shape (subject, session, vertex), optional
    n_draws, seed : int
        Of the networks.
    """

    data: Observation
    fit: Callable[[Observation, Tensor | None], CohortNetworks]
    model: MSHBM
    strength: Tensor | None = None
    n_draws: int = 16
    seed: int = 0
    n_together = 1

    def __call__(self, index: Tensor) -> FittedAlone:
        """Networks of one sub-population."""
        (members,) = index
        data = Observation(self.data.values[:, members], self.data.mask[:, members])
        strength = None if self.strength is None else self.strength[members]
        return FittedAlone(self.fit(data, strength), self.model, self.n_draws, self.seed)


@dataclass(frozen=True, eq=False)
class FittedAlone:
    """Networks of one sub-population."""

    networks: CohortNetworks
    model: MSHBM
    n_draws: int
    seed: int

    @property
    def data(self) -> Observation:
        """What they are the networks of."""
        return self.networks.data

    @cached_property
    def latents(self) -> Latents:
        """See :class:`NetworksOfMany`."""
        drawn = self.networks.sample(self.n_draws, self.seed)
        return {site: value.unsqueeze(1) for site, value in drawn.items()}

    def evidence(self) -> Tensor:
        """See :class:`NetworksOfMany`."""
        return self.networks.evidence().unsqueeze(0)

    def topmost(self) -> Tensor:
        """See :class:`NetworksOfMany`."""
        return top_networks(self.networks, self.model).unsqueeze(0)


def source_of(
    method: str,
    networks: TrainedNetworks,
    anchors: Tensor,
    data: Observation,
    strength: Tensor | None = None,
    *,
    n_draws: int = 16,
    seed: int = 0,
) -> Source:
    """How the networks of sub-populations are learnt.

    Parameters
    ----------
    method : {"amortized", "refit:mean-field", "refit:reference"}
    networks : TrainedNetworks
        Of the whole cohort. Refits are of the same model; labels are drawn as while these
        networks were learnt.
    anchors : Tensor, shape (network, component)
        Where refits start.
    data : Observation, (1, subject, session, vertex, component)
    strength : Tensor, shape (subject, session, vertex), optional
    n_draws, seed : int
        Of the networks.

    Raises
    ------
    OptionError
        If there is no such method, or the networks are not amortized.
    """
    model = networks.model
    if method == AMORTIZED:
        if not isinstance(networks, AmortizedNetworks):
            raise OptionError(
                f"a model of --family {networks.name} is not amortized: each sub-population "
                "would have to be fitted.",
                "Give --method refit:reference, or fit with --family adavi.",
            )
        encoded = EncodedCohort.of(networks.posterior, data)
        return AmortizedSource(encoded, model, strength, n_draws, seed)
    if method not in METHODS:
        raise OptionError(f"--method is '{method}'.", f"Choose one of {', '.join(METHODS)}.")
    known = networks.labels if isinstance(networks, ReferenceNetworks) else LabelEvidence()
    fits: dict[str, Callable[[Observation, Tensor | None], CohortNetworks]] = {
        REFIT_MEAN_FIELD: _MeanField(model, anchors),
        REFIT_REFERENCE: _Reference(model, anchors, known),
    }
    return RefitSource(data, fits[method], model, strength, n_draws, seed)


@dataclass(frozen=True, eq=False)
class _Reference:
    """Coordinate ascent from moment estimates at the anchors."""

    model: MSHBM
    anchors: Tensor
    labels: LabelEvidence

    def __call__(self, data: Observation, strength: Tensor | None) -> ClosedNetworks:
        start = estimate_moments(data, self.anchors, self.model)
        labels = replace(self.labels, strength=strength)
        return ClosedNetworks(fit_reference(self.model, data, start, labels=labels))


@dataclass(frozen=True, eq=False)
class _MeanField:
    """Mean-field factors by gradients, from the same estimates."""

    model: MSHBM
    anchors: Tensor

    def __call__(self, data: Observation, strength: Tensor | None) -> DrawnNetworks:
        start = estimate_moments(data, self.anchors, self.model)
        posterior = fit_mean_field(analyse(self.model), data, start)
        return DrawnNetworks(posterior(data), self.model)
