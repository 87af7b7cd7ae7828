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
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from neuroparcel.errors import DataError
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
    """Weights that turn an observation into a distribution over the latents.

    Attributes
    ----------
    name : str
        What users and files call the family.
    amortized : bool
        Whether it answers for any observation, or only for the one it was fitted to.
    has_started : Tensor of bool
        Whether :meth:`start` has given it weights; they are not thrown away again.
    """

    name: ClassVar[str]
    amortized: ClassVar[bool]
    has_started: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("has_started", torch.tensor(False))

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

    def check(self, data: Observation) -> None:
        """Raise DataError, with what to do, if the family has no answer for ``data``.

        An amortized family answers for any.
        """

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What beside template and weights is needed to build it again; fit for JSON."""

    @abstractmethod
    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters by role: what a training stage may name."""

    def forward(self, data: Observation, *, affine_only: bool = False) -> ConditionedFamily:
        """Encode, then condition."""
        return self.condition(self.encode(data), data, affine_only=affine_only)


class NonAmortizedFamily(VariationalFamily):
    """A family whose weights belong to the data sets they were fitted to.

    Parameters
    ----------
    plate_sizes : tuple of int
        Of the data, outermost plate first.
    batch_size : int
        Data sets that are fitted side by side, each with its own factors.
    """

    fitted_to: Tensor
    amortized: ClassVar[bool] = False

    def __init__(self, plate_sizes: tuple[int, ...], batch_size: int) -> None:
        super().__init__()
        self.plate_sizes, self.batch_size = tuple(plate_sizes), batch_size
        self.register_buffer("fitted_to", torch.tensor(-1))

    def encode(self, data: Observation) -> tuple[Encoding, ...]:
        """Nothing: the factors do not look at data."""
        return ()

    def start(self, simulations: Sequence[tuple[Latents, Observation]]) -> None:
        """Nothing to learn from simulations."""

    def bind(self, data: Observation) -> None:
        """Remember which data the factors are about to be fitted to."""
        self.fitted_to.fill_(data.digest())

    def check(self, data: Observation) -> None:
        """Only the data that it was fitted to will do."""
        if data.digest() != int(self.fitted_to):
            raise DataError(
                f"this {self.name} posterior was fitted to other data; it is not amortized.",
                "Fit it again to these data, or use the family 'adavi'.",
            )
