"""The one interface of all variational families.

A family holds weights and no data. Conditioned on an observation it becomes a
distribution over all latents of the template, which is sampled and evaluated
jointly: a factor may look at the sites drawn before it (a session's networks at
its subject's), or not (ADAVI's mean field).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from neuroparcel.graph.observation import Observation
from neuroparcel.nets.hierarchical_encoder import Encoding

Latents = Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class Draws:
    """Joint draws of all latents.

    Attributes
    ----------
    values : mapping of site name to Tensor, shape (draw, batch, *plates, *event)
    log_prob : mapping of site name to Tensor, shape (draw, batch)
        Log density, summed over the plates where there is data.
    """

    values: Latents
    log_prob: Latents


class ConditionedFamily(ABC):
    """A distribution over all latents, given an observation."""

    @abstractmethod
    def rsample(self, n_draws: int) -> Draws:
        """Reparameterised joint draws and their log density, in one pass."""

    @abstractmethod
    def log_prob(self, values: Latents) -> dict[str, Tensor]:
        """Log density of each site at ``values`` (draw, batch, *plates, *event)."""

    @abstractmethod
    def point(self) -> Latents:
        """One central value of each site, shape (1, batch, *plates, *event)."""


class VariationalFamily(nn.Module, ABC):
    """Weights that turn an observation into a distribution over the latents."""

    @abstractmethod
    def encode(self, data: Observation) -> tuple[Encoding, ...]:
        """What the data say about each hierarchy, from 1 to the top of the pyramid."""

    @abstractmethod
    def condition(
        self, encodings: Sequence[Encoding], data: Observation, *, affine_only: bool = False
    ) -> ConditionedFamily:
        """The distribution over the latents for these encodings."""

    @abstractmethod
    def start(self, simulations: Sequence[tuple[Latents, Observation]]) -> None:
        """Sensible weights from simulated pairs of latents and data, before training."""

    @abstractmethod
    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters by role: what a training stage may name."""

    def forward(self, data: Observation, *, affine_only: bool = False) -> ConditionedFamily:
        """Encode, then condition."""
        return self.condition(self.encode(data), data, affine_only=affine_only)
