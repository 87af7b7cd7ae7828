"""Fine-tuning of the encodings of one data set: the amortized answer, made its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from neuroparcel.errors import DataError
from neuroparcel.families.base import ConditionedFamily, VariationalFamily
from neuroparcel.graph.observation import Observation
from neuroparcel.graph.template import ModelTemplate
from neuroparcel.graph.trace import seeded
from neuroparcel.inference.data import Batch
from neuroparcel.inference.diagnostics import chunk_sizes, log_weights
from neuroparcel.inference.objectives import OBJECTIVES
from neuroparcel.nets.hierarchical_encoder import Encoding

_TAIL = 0.25  # of the steps, whose parameters are averaged
_N_BOUND_DRAWS = 64
_MOST_SEEDS = 2**31
_MAX_NUMBERS = 2**24  # observed numbers, times draws, that a step looks at

Encodings = tuple[Encoding, ...]


@dataclass(frozen=True)
class Descent:
    """How parameters move down the reverse KL of one data set: Adam with a falling rate.

    Attributes
    ----------
    n_steps : int
        At least 1.
    learning_rate : float
    n_draws : int
        A step, at most; fewer for large data, so that memory stays bounded.
    seed : int
    """

    n_steps: int
    learning_rate: float = 0.02
    n_draws: int = 16
    seed: int = 0

    def __call__(
        self,
        free: Sequence[nn.Parameter],
        condition: Callable[[], ConditionedFamily],
        template: ModelTemplate,
        data: Observation,
    ) -> list[Tensor]:
        """Move parameters in place.

        Parameters
        ----------
        free : sequence of Parameter
        condition : callable
            The posterior, for the parameters as they stand.
        template : ModelTemplate
        data : Observation, shape (1, *plates, *event)

        Returns
        -------
        list of Tensor
            Averages over the last quarter of the steps, which takes the noise of the draws
            out.
        """
        optimiser = torch.optim.Adam(free, lr=self.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, self.n_steps)
        n_draws = draws_within(data, self.n_draws)
        tail = max(1, round(_TAIL * self.n_steps))
        average = [torch.zeros_like(parameter) for parameter in free]
        with seeded(self.seed), torch.enable_grad():
            for step in range(self.n_steps):
                loss = OBJECTIVES["reverse-kl"](condition(), template, Batch(data), n_draws)
                gradients = torch.autograd.grad(loss, free, allow_unused=True)
                for parameter, gradient in zip(free, gradients, strict=True):
                    parameter.grad = gradient
                optimiser.step()
                schedule.step()
                if step >= self.n_steps - tail:
                    for mean, parameter in zip(average, free, strict=True):
                        mean += parameter.detach() / tail
        return average


@dataclass(frozen=True)
class Refinement:
    """What refinement gained: evidence lower bounds, in nats an observed element.

    Where the population is kept, the bound is that of each member of the outermost plate by
    itself; what the population owes to its prior is then in each.

    Attributes
    ----------
    n_steps : int
    before, after : float
        By the same draws.
    standard_error : float
        Monte Carlo error of the gain.
    n_members : int
        Members of the outermost plate that were refined one by one; 1 for a whole data set.
    n_improved : int
        Of those; the others keep the encodings that they had.
    n_observed : int
        Observed elements.
    """

    n_steps: int
    before: float
    after: float
    standard_error: float
    n_members: int
    n_improved: int
    n_observed: int

    @property
    def gain(self) -> float:
        """Nats an observed element that the bound rose by, at least 0."""
        return self.after - self.before

    @classmethod
    def total(cls, parts: Sequence[Refinement]) -> Refinement | None:
        """Of several data sets that were refined alike; None of none."""
        if not parts:
            return None
        n_observed = sum(part.n_observed for part in parts)
        shares = [part.n_observed / n_observed for part in parts]
        errors = [s * part.standard_error for s, part in zip(shares, parts, strict=True)]
        return cls(
            n_steps=parts[0].n_steps,
            before=sum(s * part.before for s, part in zip(shares, parts, strict=True)),
            after=sum(s * part.after for s, part in zip(shares, parts, strict=True)),
            standard_error=math.hypot(*errors),
            n_members=sum(part.n_members for part in parts),
            n_improved=sum(part.n_improved for part in parts),
            n_observed=n_observed,
        )


def refine_encodings(
    family: VariationalFamily,
    template: ModelTemplate,
    data: Observation,
    encodings: Sequence[Encoding],
    descent: Descent,
    *,
    keep_population: bool = False,
) -> tuple[Encodings, Refinement]:
    """Move the encodings of ``data`` down the reverse KL; the weights stay.

    Encodings whose bound would not rise stay as well, by draws that both have in common.
    With the population kept, members of the outermost plate are independent of one another:
    they are refined one by one, so that none depends on which others there are.

    Parameters
    ----------
    family : VariationalFamily
    template : ModelTemplate
    data : Observation, shape (1, *plates, *event)
    encodings : sequence of Encoding
        From hierarchy 1 to the top.
    descent : Descent
    keep_population : bool
        Leave the topmost encoding as it is.

    Raises
    ------
    DataError
        If there are no encodings to move.
    """
    if not encodings:
        raise DataError(
            f"a {family.name} posterior has no encodings to refine.",
            "It is fitted to its data already: train it for more steps.",
        )
    if keep_population and all(s.hierarchy == len(encodings) for s in template.graph.latents):
        raise DataError(
            "all latents are the population's, which is kept: there is nothing to refine.",
            "Refine without keeping the population.",
        )
    n_kept = 1 if keep_population else 0
    members = _members(data, encodings) if keep_population else [(data, tuple(encodings))]
    refined, bounds = [], []
    for own, start in members:
        # Noise of its own wherever it stands, so that errors add up; bounds have other draws.
        mine = replace(descent, seed=(descent.seed + own.digest()) % _MOST_SEEDS)
        moved = _moved(family, template, own, start, n_kept, mine)
        found = _bounds(family, template, own, (start, moved), mine.seed + 1)
        is_better = bool(found[1].mean() > found[0].mean())  # not so where it is NaN
        refined.append(moved if is_better else start)
        bounds.append(found if is_better else found[[0, 0]])
    joined = _joined(refined) if keep_population else refined[0]
    return joined, _summed(torch.stack(bounds), int(data.n_observed), descent.n_steps)


def draws_within(data: Observation, n_draws: int) -> int:
    """Draws that a step can take of these data within a bounded memory, at least 1."""
    return chunk_sizes(n_draws, data.values.numel(), _MAX_NUMBERS)[0]


def _moved(
    family: VariationalFamily,
    template: ModelTemplate,
    data: Observation,
    encodings: Encodings,
    n_kept: int,
    descent: Descent,
) -> Encodings:
    """The encodings after all steps, but for the topmost that are kept."""
    n_moving = len(encodings) - n_kept
    moving, kept = encodings[:n_moving], encodings[n_moving:]
    free = [nn.Parameter(part.clone()) for e in moving for part in (e.summary, e.embedding)]

    def condition() -> ConditionedFamily:
        return family.condition((*_paired(free), *kept), data)

    return (*_paired(descent(free, condition, template, data)), *kept)


@torch.no_grad()
def _bounds(
    family: VariationalFamily,
    template: ModelTemplate,
    data: Observation,
    versions: Sequence[Encodings],
    seed: int,
) -> Tensor:
    """Log weights of draws that have their noise in common, shape (version, draw)."""
    weights = [
        log_weights(template, family.condition(encodings, data), data, _N_BOUND_DRAWS, seed)
        for encodings in versions
    ]
    return torch.stack(weights)[..., 0]


def _members(
    data: Observation, encodings: Sequence[Encoding]
) -> Iterator[tuple[Observation, Encodings]]:
    """Each member of the outermost plate as a data set, with its encodings and the topmost."""
    for index in range(data.plate_sizes[0]):
        one = slice(index, index + 1)
        own = [Encoding(e.summary[:, one], e.embedding[:, one]) for e in encodings[:-1]]
        yield Observation(data.values[:, one], data.mask[:, one]), (*own, encodings[-1])


def _joined(members: Sequence[Encodings]) -> Encodings:
    """Undo :func:`_members`."""
    below = [
        Encoding(
            torch.cat([e.summary for e in level], 1), torch.cat([e.embedding for e in level], 1)
        )
        for level in zip(*(member[:-1] for member in members), strict=True)
    ]
    return (*below, members[0][-1])


def _summed(bounds: Tensor, n_observed: int, n_steps: int) -> Refinement:
    """Of log weights (member, before or after, draw)."""
    means = bounds.mean(-1)
    before, after = (means.sum(0) / n_observed).tolist()
    error = (bounds[:, 1] - bounds[:, 0]).var(-1).sum() / bounds.shape[-1]
    return Refinement(
        n_steps=n_steps,
        before=before,
        after=after,
        standard_error=float(error.sqrt()) / n_observed,
        n_members=len(bounds),
        n_improved=int((means[:, 1] > means[:, 0]).sum()),
        n_observed=n_observed,
    )


def _paired(parts: Sequence[Tensor]) -> Encodings:
    return tuple(Encoding(s, e) for s, e in zip(parts[::2], parts[1::2], strict=True))
