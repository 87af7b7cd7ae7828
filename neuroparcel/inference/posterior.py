"""An amortized posterior, and the posterior of one observation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuroparcel.errors import DataError
from neuroparcel.families.base import ConditionedFamily, VariationalFamily
from neuroparcel.graph.observation import Observation
from neuroparcel.graph.template import ModelTemplate
from neuroparcel.graph.trace import seeded
from neuroparcel.inference.refinement import refine_encodings
from neuroparcel.inference.stages import TrainingHistory
from neuroparcel.nets.hierarchical_encoder import Encoding

if TYPE_CHECKING:
    import arviz


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

    @torch.no_grad()
    def log_prob(self, values: Mapping[str, Tensor]) -> Tensor:
        """Log density of joint draws, in nats.

        Parameters
        ----------
        values : mapping of every site to Tensor, shape (draw, *plates, *event)

        Returns
        -------
        Tensor, shape (draw,)
        """
        missing = [s.name for s in self.template.graph.latents if s.name not in values]
        if missing:
            raise DataError(
                f"the density of joint draws needs every site; {', '.join(missing)} missing.",
                "Give all sites, in the shapes that sample() returns.",
            )
        by_site = self.conditioned.log_prob({n: v.unsqueeze(1) for n, v in values.items()})
        return torch.stack([value[:, 0] for value in by_site.values()]).sum(0)

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

    def to_inference_data(self, n_draws: int = 1000, seed: int = 0) -> arviz.InferenceData:
        """Draws and data for arviz; dimensions carry the names of the plates.

        Draws are independent, so they form one chain.
        """
        import arviz

        graph = self.template.graph
        outward = [plate.name for plate in reversed(graph.plates)]
        dims = {
            site.name: outward[: graph.n_plates - site.hierarchy]
            for site in (*graph.latents, graph.observed)
        }
        draws = {n: v.unsqueeze(0).cpu().numpy() for n, v in self.sample(n_draws, seed).items()}
        missing = ~self.data.mask[0].reshape(*self.data.plate_sizes, *_ones(self.data))
        observed = self.data.values[0].masked_fill(missing, torch.nan)
        return arviz.from_dict(
            posterior=draws,
            observed_data={graph.observed.name: observed.cpu().numpy()},
            dims=dims,
            attrs={"inference_library": "neuroparcel"},
        )


@dataclass(frozen=True, eq=False)
class AmortizedPosterior:
    """A trained family: give it data, get a posterior, without further training.

    Attributes
    ----------
    template : ModelTemplate
    family : VariationalFamily
    history : TrainingHistory, optional
        How it was trained.
    """

    template: ModelTemplate
    family: VariationalFamily
    history: TrainingHistory | None = None

    @torch.no_grad()
    def __call__(self, data: Tensor | Observation, population: Encoding | None = None) -> Posterior:
        """Condition on a data set.

        Parameters
        ----------
        data : Tensor, shape (*plates, *event), or Observation (batch of one)
            Outermost plate first, of any plate sizes. NaN marks what is missing.
        population : Encoding, optional
            Encoding of the top hierarchy of an earlier data set. Its sites keep
            their posterior from there, and those below are shrunk towards it.

        Raises
        ------
        DataError
            If the data do not fit the model, or the family is not amortized and was
            fitted to others.
        """
        observation = self._observe(data)
        encodings: Sequence[Encoding] = self.family.encode(observation)
        if population is not None:
            encodings = (*encodings[:-1], population)
        return self._posterior(observation, encodings)

    def refine(
        self,
        data: Tensor | Observation,
        steps: int = 200,
        *,
        learning_rate: float = 0.02,
        n_draws: int = 16,
        seed: int = 0,
    ) -> Posterior:
        """Condition on a data set, then fine-tune its encodings under the reverse KL.

        Not amortized: seconds for each data set. The weights are not touched.
        """
        observation = self._observe(data)
        with torch.no_grad():
            encodings = self.family.encode(observation)
        refined = refine_encodings(
            self.family,
            self.template,
            observation,
            encodings,
            n_steps=steps,
            learning_rate=learning_rate,
            n_draws=n_draws,
            seed=seed,
        )
        with torch.no_grad():
            return self._posterior(observation, refined)

    def _posterior(self, data: Observation, encodings: Sequence[Encoding]) -> Posterior:
        conditioned = self.family.condition(encodings, data)
        return Posterior(self.template, data, conditioned, tuple(encodings))

    def _observe(self, data: Tensor | Observation) -> Observation:
        weight = next(self.family.parameters())
        if not isinstance(data, Observation):
            event_dim = len(self.template.graph.observed.event_shape)
            data = Observation.single(torch.as_tensor(data).to(weight), event_dim)
        if data.batch_size != 1:
            raise DataError(
                f"a posterior is of one data set; these are {data.batch_size}.",
                "Give them one after the other, or condition posterior.family on the batch.",
            )
        data = data.to(weight.device)
        if not bool(torch.isfinite(data.values).all()):
            raise DataError(
                "the data hold values that are infinite, or not numbers where the mask says data.",
                "Mark what is missing: NaN in a plain tensor, the mask of an Observation.",
            )
        self.family.check(data)
        self.template.arguments(data.plate_sizes)
        return data


def _ones(data: Observation) -> tuple[int, ...]:
    return (1,) * (data.values.dim() - data.mask.dim())
