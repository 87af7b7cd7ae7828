"""Training data: simulated data sets and sub-pyramids of one that was observed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from neuroparcel.families.base import Latents
from neuroparcel.graph.observation import Observation
from neuroparcel.graph.template import ModelTemplate

_GAP = 0.25


@dataclass(frozen=True, eq=False)
class Batch:
    """Data sets of equal plate sizes; latents where they were simulated."""

    data: Observation
    latents: Latents | None = None


@dataclass(frozen=True)
class PlateRanges:
    """Smallest and largest size of each plate to train on, outermost first.

    Attributes
    ----------
    bounds : tuple of (int, int)
    max_elements : int
        Observed elements in one batch, at most: bounds memory and time of a step.
    max_batch : int
        Data sets in one batch, at most.
    """

    bounds: tuple[tuple[int, int], ...]
    max_elements: int = 20_000
    max_batch: int = 16

    def draw(self) -> tuple[tuple[int, ...], int]:
        """Plate sizes, uniform within bounds, and the batch size that fits."""
        sizes = tuple(int(torch.randint(low, high + 1, ())) for low, high in self.bounds)
        n_elements = int(torch.tensor(sizes).prod())
        return sizes, max(1, min(self.max_batch, self.max_elements // n_elements))


class TrainingStream(ABC):
    """Endless training data, drawn from torch's current random state."""

    @abstractmethod
    def draw(self) -> Batch:
        """The next batch."""


@dataclass(frozen=True, eq=False)
class Simulations(TrainingStream):
    """Data sets drawn from the model, or from proposals where its priors are vague.

    Attributes
    ----------
    template : ModelTemplate
    ranges : PlateRanges
    proposals : mapping of site name to distribution
        See :meth:`ModelTemplate.simulate`.
    device : torch.device or str
    """

    template: ModelTemplate
    ranges: PlateRanges
    proposals: Mapping[str, TorchDistribution] | None = None
    device: torch.device | str = "cpu"

    def draw(self) -> Batch:
        """Simulated data sets with the latents that made them."""
        sizes, n = self.ranges.draw()
        latents, data = self.template.simulate(sizes, n, self.proposals, self.device)
        return Batch(data, latents)


@dataclass(frozen=True, eq=False)
class SubPyramids(TrainingStream):
    """Random sub-pyramids of one observed data set.

    A pyramid's plates are exchangeable, so a random choice of subjects, sessions
    and vertices of a cohort is itself a data set of the same model.

    Attributes
    ----------
    observed : Observation
        Batch of one.
    ranges : PlateRanges
        Upper bounds are cut to what was observed.
    """

    observed: Observation
    ranges: PlateRanges

    def draw(self) -> Batch:
        """Sub-pyramids; each plate's members are drawn without replacement."""
        sizes, n = self.ranges.draw()
        index = [
            _choices(available, min(size, available), n, self.observed.mask.device)
            for available, size in zip(self.observed.plate_sizes, sizes, strict=True)
        ]
        return Batch(self.observed.take(index))


@dataclass(frozen=True, eq=False)
class Fixed(TrainingStream):
    """The same data sets at every step: for families that are not amortized."""

    data: Observation

    def draw(self) -> Batch:
        """The data sets."""
        return Batch(self.data)


@dataclass(frozen=True, eq=False)
class Mixed(TrainingStream):
    """One of several streams at each draw, with given probabilities."""

    streams: Sequence[TrainingStream]
    weights: Sequence[float]

    def draw(self) -> Batch:
        """A batch of a randomly chosen stream."""
        return self.streams[int(torch.multinomial(torch.tensor(self.weights), 1))].draw()


@dataclass(frozen=True, eq=False)
class WithGaps(TrainingStream):
    """Another stream's batches, of which some lose members of the next to innermost plate.

    So that a posterior trained on a complete cohort has seen missing sessions.

    Attributes
    ----------
    stream : TrainingStream
    share : float
        Of the batches that get gaps; in those, each member is lost with probability 1/4,
        but one of each group always stays.
    """

    stream: TrainingStream
    share: float

    def draw(self) -> Batch:
        """A batch, perhaps with gaps; its latents stay as they are."""
        batch = self.stream.draw()
        if float(torch.rand(())) >= self.share:
            return batch
        members = batch.data.mask.shape[:-1]
        kept = torch.rand(members) > _GAP
        kept.scatter_(-1, torch.rand(members).argmax(-1, keepdim=True), True)
        mask = batch.data.mask & kept.unsqueeze(-1).to(batch.data.mask.device)
        return Batch(Observation(batch.data.values, mask), batch.latents)


def _choices(available: int, size: int, n: int, device: torch.device) -> Tensor:
    """(n, size) indices below ``available``, without repetition in a row."""
    return torch.rand(n, available).argsort(-1)[:, :size].to(device)
