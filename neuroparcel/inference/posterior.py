"""An amortized posterior, and the posterior of one observation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from neuroparcel.families.base import ConditionedFamily, VariationalFamily
from neuroparcel.graph.observation import Observation
from neuroparcel.graph.template import ModelTemplate
from neuroparcel.graph.trace import seeded
from neuroparcel.nets.hierarchical_encoder import Encoding


@dataclass(frozen=True, eq=False)
class Posterior:
    """The distribution over all latents of one data set.

    Attributes
    ----------
    template : ModelTemplate
    data : Observation
        Batch of one.
    conditioned : ConditionedFamily
    encodings : tuple of Encoding
        What the data said at each hierarchy; the last one stands for the population.
    """

    template: ModelTemplate
    data: Observation
    conditioned: ConditionedFamily
    encodings: tuple[Encoding, ...]

    @torch.no_grad()
    def sample(self, n_draws: int, seed: int = 0) -> dict[str, Tensor]:
        """Joint draws of every site, shape (draw, *plates, *event)."""
        with seeded(seed):
            values = self.conditioned.rsample(n_draws).values
        return {name: value[:, 0] for name, value in values.items()}

    def mean(self, site: str, n_draws: int = 256, seed: int = 0) -> Tensor:
        """Posterior mean of one site, shape (*plates, *event)."""
        return self.sample(n_draws, seed)[site].mean(0)

    @torch.no_grad()
    def elbo(self, n_draws: int = 64, seed: int = 0) -> float:
        """Evidence lower bound in nats, by Monte Carlo."""
        with seeded(seed):
            draws = self.conditioned.rsample(n_draws)
        joint = self.template.log_prob(draws.values, self.data)
        bound = sum(joint[name] for name in joint) - sum(draws.log_prob.values())
        return float(torch.as_tensor(bound).mean())


@dataclass(frozen=True, eq=False)
class AmortizedPosterior:
    """A trained family: give it data, get a posterior, without further training.

    Attributes
    ----------
    template : ModelTemplate
    family : VariationalFamily
    """

    template: ModelTemplate
    family: VariationalFamily

    @torch.no_grad()
    def __call__(self, data: Observation, population: Encoding | None = None) -> Posterior:
        """Condition on a data set.

        Parameters
        ----------
        data : Observation
            Batch of one, of any plate sizes.
        population : Encoding, optional
            Encoding of the top hierarchy of an earlier data set. Its sites keep
            their posterior from there, and those below are shrunk towards it.
        """
        encodings: Sequence[Encoding] = self.family.encode(data)
        if population is not None:
            encodings = (*encodings[:-1], population)
        conditioned = self.family.condition(encodings, data)
        return Posterior(self.template, data, conditioned, tuple(encodings))
