"""Fine-tuning of the encodings of one data set: the amortized answer, made its own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from neuroparcel.errors import DataError
from neuroparcel.families.base import VariationalFamily
from neuroparcel.graph.observation import Observation
from neuroparcel.graph.template import ModelTemplate
from neuroparcel.graph.trace import seeded
from neuroparcel.inference.data import Batch
from neuroparcel.inference.objectives import OBJECTIVES
from neuroparcel.nets.hierarchical_encoder import Encoding

_TAIL = 0.25  # of the steps, whose encodings are averaged


def refine_encodings(
    family: VariationalFamily,
    template: ModelTemplate,
    data: Observation,
    encodings: Sequence[Encoding],
    *,
    n_steps: int,
    learning_rate: float,
    n_draws: int,
    seed: int,
) -> tuple[Encoding, ...]:
    """Move the encodings of ``data`` down the reverse KL; the weights stay.

    Adam with a falling rate; the encodings of the last quarter of the steps are
    averaged, which takes the noise of the draws out.

    Raises
    ------
    DataError
        If the family has no encodings to move.
    """
    if n_steps < 1:
        return tuple(encodings)
    if not encodings:
        raise DataError(
            f"a {family.name} posterior has no encodings to refine.",
            "It is fitted to its data already: train it for more steps.",
        )
    free = [nn.Parameter(part.clone()) for e in encodings for part in (e.summary, e.embedding)]
    optimiser = torch.optim.Adam(free, lr=learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, n_steps)
    tail = max(1, round(_TAIL * n_steps))
    average = [torch.zeros_like(parameter) for parameter in free]
    with seeded(seed), torch.enable_grad():
        for step in range(n_steps):
            posterior = family.condition(_paired(free), data)
            loss = OBJECTIVES["reverse-kl"](posterior, template, Batch(data), n_draws)
            gradients = torch.autograd.grad(loss, free, allow_unused=True)
            for parameter, gradient in zip(free, gradients, strict=True):
                parameter.grad = gradient
            optimiser.step()
            schedule.step()
            if step >= n_steps - tail:
                for mean, parameter in zip(average, free, strict=True):
                    mean += parameter.detach() / tail
    return _paired(average)


def _paired(parts: Sequence[Tensor]) -> tuple[Encoding, ...]:
    return tuple(Encoding(s, e) for s, e in zip(parts[::2], parts[1::2], strict=True))
