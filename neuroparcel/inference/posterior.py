"""An amortized posterior, and the posterior of one observation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuroparcel.errors import DataError, OptionError
from neuroparcel.families.base import ConditionedFamily, VariationalFamily
from neuroparcel.graph.observation import Observation
from neuroparcel.graph.template import ModelTemplate
from neuroparcel.graph.trace import seeded
from neuroparcel.inference.diagnostics import evidence_bound
from neuroparcel.inference.observing import Data, observe
from neuroparcel.inference.refinement import Descent, Refinement, refine_encodings
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
    refinement : Refinement, optional
        What refinement gained, if there was any.
    """

    template: ModelTemplate
    data: Observation
    conditioned: ConditionedFamily
    encodings: tuple[Encoding, ...]
    refinement: Refinement | None = None

    def __repr__(self) -> str:
        sizes = dict(
            zip(reversed(list(self.template.graph.sizes)), self.data.plate_sizes, strict=True)
        )
        sites = ", ".join(site.name for site in self.template.graph.latents)
        return f"Posterior of {sites} for plates {sizes}"

    @torch.no_grad()
    def sample(self, n_draws: int, seed: int = 0) -> dict[str, Tensor]:
        """Joint draws of every site, shape (draw, *plates, *event).

        Ground variables without any data below them are drawn from the model, given
        their parents. The same seed gives the same draws.
        """
        if n_draws < 1:
            raise OptionError(f"{n_draws} draws were asked for.", "Ask for at least one.")
        with seeded(seed):
            values = self.conditioned.rsample(n_draws).values
            if self._lacks_data:
                values = self.template.complete(values, self.data)
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
        self._check_values(values)
        joint = {name: value.unsqueeze(1) for name, value in values.items()}
        terms = list(self.conditioned.log_prob(joint).values())
        if self._lacks_data:
            terms += self.template.missing_log_prob(joint, self.data).values()
        return torch.stack([term[:, 0] for term in terms]).sum(0)

    def mean(self, site: str, n_draws: int = 256, seed: int = 0) -> Tensor:
        """Posterior mean of one site, shape (*plates, *event)."""
        names = [known.name for known in self.template.graph.latents]
        if site not in names:
            raise OptionError(
                f"the model has no latent site '{site}'.", f"Choose one of {', '.join(names)}."
            )
        return self.sample(n_draws, seed)[site].mean(0)

    def elbo(self, n_draws: int = 64, seed: int = 0) -> float:
        """Evidence lower bound in nats, by Monte Carlo.

        See :func:`neuroparcel.inference.diagnostics.evidence_bound` for its error.
        """
        with torch.no_grad():
            bound = evidence_bound(self.template, self.conditioned, self.data, n_draws, seed)
        return float(bound.nats[0])

    @property
    def _lacks_data(self) -> bool:
        return not bool(self.data.mask_at(1).all())

    def _check_values(self, values: Mapping[str, Tensor]) -> None:
        graph = self.template.graph
        missing = [s.name for s in graph.latents if s.name not in values]
        if missing:
            raise DataError(
                f"the density of joint draws needs every site; {', '.join(missing)} missing.",
                "Give all sites, in the shapes that sample() returns.",
            )
        sizes = self.data.plate_sizes
        for site in graph.latents:
            expected = (*sizes[: graph.n_plates - site.hierarchy], *site.event_shape)
            if tuple(values[site.name].shape[1:]) != expected:
                raise DataError(
                    f"'{site.name}' has the shape {tuple(values[site.name].shape)}, expected "
                    f"(draw, {', '.join(map(str, expected))}).",
                    "Give all sites, in the shapes that sample() returns.",
                )

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

    def __repr__(self) -> str:
        n_steps = len(self.history.loss) if self.history is not None else 0
        trained = f", trained for {n_steps} steps" if n_steps else ""
        sites = ", ".join(site.name for site in self.template.graph.latents)
        return f"AmortizedPosterior ({self.family.name}) of {sites}{trained}"

    @property
    def device(self) -> torch.device:
        """Where the weights are, and where data are brought to."""
        return next(self.family.parameters()).device

    @torch.no_grad()
    def __call__(self, data: Data, population: Encoding | None = None) -> Posterior:
        """Condition on a data set.

        Parameters
        ----------
        data : Tensor or ndarray, shape (*plates, *event), or Observation (batch of one)
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
        return self._posterior(observation, self._encode(observation, population))

    def refine(
        self,
        data: Data,
        steps: int = 200,
        *,
        population: Encoding | None = None,
        learning_rate: float = 0.02,
        n_draws: int = 16,
        seed: int = 0,
    ) -> Posterior:
        """Condition on a data set, then fine-tune its encodings under the reverse KL.

        Not amortized: seconds for each data set. The weights are not touched. What does not
        raise the bound is not kept, see :func:`~.refinement.refine_encodings`.

        Parameters
        ----------
        data, population
            As for a call. A population stays as it is.
        steps : int
            With 0 this is a call.
        learning_rate, n_draws, seed
            See :class:`~.refinement.Descent`.
        """
        if steps < 0:
            raise OptionError(f"{steps} steps of refinement.", "Give 0 or more.")
        observation = self._observe(data)
        with torch.no_grad():
            encodings = self._encode(observation, population)
        if steps == 0:
            return self._posterior(observation, encodings)
        refined, refinement = refine_encodings(
            self.family,
            self.template,
            observation,
            encodings,
            Descent(steps, learning_rate, n_draws, seed),
            keep_population=population is not None,
        )
        return self._posterior(observation, refined, refinement)

    def _encode(self, data: Observation, population: Encoding | None) -> tuple[Encoding, ...]:
        encodings = tuple(self.family.encode(data))
        return encodings if population is None else (*encodings[:-1], population)

    @torch.no_grad()
    def _posterior(
        self,
        data: Observation,
        encodings: tuple[Encoding, ...],
        refinement: Refinement | None = None,
    ) -> Posterior:
        conditioned = self.family.condition(encodings, data)
        return Posterior(self.template, data, conditioned, encodings, refinement)

    def _observe(self, data: Data) -> Observation:
        observation = observe(self.template, data, next(self.family.parameters()))
        if observation.batch_size != 1:
            raise DataError(
                f"a posterior is of one data set; these are {observation.batch_size}.",
                "Give them one after the other, or condition posterior.family on the batch.",
            )
        self.family.check(observation)
        return observation


def _ones(data: Observation) -> tuple[int, ...]:
    return (1,) * (data.values.dim() - data.mask.dim())
