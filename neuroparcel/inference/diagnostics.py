r"""How far a posterior is from the exact one, for data sets at hand.

Both diagnostics look at the log importance weights of draws
:math:`\theta \sim q` of a posterior given the data :math:`x`,

.. math:: \log w(\theta) = \log p(x, \theta) - \log q(\theta).

Their mean is the evidence lower bound. Were :math:`q` exact, all of them would
equal the log evidence; the heavier their upper tail, the less of the exact
posterior is covered by :math:`q`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from neuroparcel.errors import OptionError
from neuroparcel.families.base import ConditionedFamily
from neuroparcel.graph.observation import Observation
from neuroparcel.graph.template import ModelTemplate
from neuroparcel.graph.trace import seeded

Condition = Callable[[Observation], ConditionedFamily]
"""What turns data sets into posteriors; a ``VariationalFamily`` is one."""

_CHUNK = 2**21  # observed numbers, times draws, that are evaluated at once
_MIN_TAIL_DRAWS = 100  # the tail of the weights is then 20 draws
_EQUAL = 1e-2  # nats; log weights this close differ by rounding, or in no way that matters


@dataclass(frozen=True, eq=False)
class EvidenceGap:
    """What an evidence bound lacks.

    Attributes
    ----------
    nats : Tensor, shape (batch,)
        Exact log evidence less the bound: the Kullback-Leibler divergence of the
        exact posterior from the approximate one, but for the Monte Carlo error.
    relative : Tensor, shape (batch,)
        As a share of the absolute exact log evidence.
    standard_error : Tensor, shape (batch,)
        Monte Carlo error of ``nats``.
    """

    nats: Tensor
    relative: Tensor
    standard_error: Tensor


@dataclass(frozen=True, eq=False)
class EvidenceBound:
    """Evidence lower bound of each data set of a batch.

    Attributes
    ----------
    nats : Tensor of float64, shape (batch,)
    standard_error : Tensor of float64, shape (batch,)
        Of the mean over draws.
    """

    nats: Tensor
    standard_error: Tensor

    def gap(self, exact: Tensor) -> EvidenceGap:
        """Distance to the exact log evidence, shape (batch,), in nats."""
        exact = exact.to(self.nats)
        missing = exact - self.nats
        return EvidenceGap(missing, missing / exact.abs(), self.standard_error)


def evidence_bound(
    template: ModelTemplate,
    conditioned: ConditionedFamily,
    data: Observation,
    n_draws: int = 256,
    seed: int = 0,
) -> EvidenceBound:
    """Evidence lower bound (ELBO), in nats, with its Monte Carlo standard error.

    Parameters
    ----------
    template : ModelTemplate
    conditioned : ConditionedFamily
        Posterior of ``data``.
    data : Observation
        Shape (batch, *plates, *event).
    n_draws : int, default=256
        At least 2. They are drawn in chunks, so that memory stays bounded.
    seed : int, default=0

    Returns
    -------
    EvidenceBound

    Raises
    ------
    OptionError
        If there are fewer than 2 draws.

    Examples
    --------
    >>> bound = evidence_bound(template, family(data), data)  # doctest: +SKIP
    >>> bound.gap(random_effects_log_evidence(data.values)).relative  # doctest: +SKIP
    """
    if n_draws < 2:
        raise OptionError(
            f"{n_draws} draws give no standard error of the evidence bound.", "Take at least 2."
        )
    weights = log_weights(template, conditioned, data, n_draws, seed)
    return EvidenceBound(weights.mean(0), weights.std(0) / math.sqrt(n_draws))


def pareto_k(
    template: ModelTemplate,
    conditioned: ConditionedFamily,
    data: Observation,
    n_draws: int = 1000,
    seed: int = 0,
) -> Tensor:
    r"""Tail index :math:`\hat k` of the importance weights, by Pareto smoothing.

    ============  ==============================================================
    :math:`k`     reading
    ============  ==============================================================
    below 0.5     close: the weights have a finite variance
    0.5 to 0.7    useful: importance sampling can still correct what is off
    above 0.7     far: the posterior misses mass, and reweighting does not help
    ============  ==============================================================

    The index rises with the number of latents even if each one is only slightly
    off: on a large pyramid it judges the joint distribution, and a large value
    does not say that the marginals are wrong.

    Parameters
    ----------
    template, conditioned, data, seed
        As in :func:`evidence_bound`.
    n_draws : int, default=1000
        At least 100.

    Returns
    -------
    Tensor of float64, shape (batch,)
        Minus infinity where all log weights agree within 0.01 nats (there is no
        tail); NaN where a log weight is NaN.

    Raises
    ------
    OptionError
        If there are fewer than 100 draws.

    References
    ----------
    Vehtari, Simpson, Gelman, Yao and Gabry, Pareto smoothed importance sampling,
    Journal of Machine Learning Research 25, 2024. Yao, Vehtari, Simpson and Gelman,
    Yes, but did it work? Evaluating variational inference, ICML 2018, algorithm 1.
    """
    if n_draws < _MIN_TAIL_DRAWS:
        raise OptionError(
            f"{n_draws} draws are too few to see the tail of the importance weights.",
            f"Take at least {_MIN_TAIL_DRAWS}; 1000 is usual.",
        )
    weights = log_weights(template, conditioned, data, n_draws, seed)
    return torch.tensor([_tail_index(row) for row in weights.T], dtype=torch.float64)


@torch.no_grad()
def log_weights(
    template: ModelTemplate,
    conditioned: ConditionedFamily,
    data: Observation,
    n_draws: int,
    seed: int = 0,
) -> Tensor:
    """Log importance weights of draws, float64 on the CPU, shape (draw, batch)."""
    with seeded(seed):
        chunks = [
            _chunk_of_weights(template, conditioned, data, n)
            for n in chunk_sizes(n_draws, data.values.numel(), _CHUNK)
        ]
    return torch.cat(chunks)


def chunk_sizes(n_draws: int, n_numbers: int, limit: int) -> list[int]:
    """Draws to take at a time, so that draws times numbers stay below a limit."""
    size = max(1, limit // max(1, n_numbers))
    return [min(size, n_draws - start) for start in range(0, n_draws, size)]


def _chunk_of_weights(
    template: ModelTemplate, conditioned: ConditionedFamily, data: Observation, n_draws: int
) -> Tensor:
    draws = conditioned.rsample(n_draws)
    joint = template.log_prob(draws.values, data)
    log_joint = torch.stack([value.double() for value in joint.values()]).sum(0)
    log_posterior = torch.stack([value.double() for value in draws.log_prob.values()]).sum(0)
    return (log_joint - log_posterior).cpu()


def _tail_index(weights: Tensor) -> float:
    """k-hat of the log weights (draw,) of one data set."""
    if bool(weights.isnan().any()):
        return math.nan
    if float(weights.max() - weights.min()) < _EQUAL:
        return -math.inf
    with warnings.catch_warnings():
        # ArviZ announces on import that its next major version is another package.
        warnings.simplefilter("ignore", FutureWarning)
        from arviz.stats import psislw
    return float(psislw(weights.numpy())[1])
