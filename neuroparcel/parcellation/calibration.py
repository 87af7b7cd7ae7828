r"""Recalibrate finished labels on held-out sessions: a temperature and a uniform share.

The labels :math:`U` of one session, under the prior of the *other* subjects, become

.. math:: \tilde U_{nk} = (1 - u) \, U_{nk}^{1/T} / \sum_l U_{nl}^{1/T} + u / K,

with the :math:`T` and :math:`u` for which they predict the subject's other sessions best: the
criterion ``J`` of :mod:`.label_learning`. The weights of a label model were learnt on ``J``
too, and then raised as far as it lets them (one standard error), as decisive labels repeat
better. Recalibration takes that back, and more where both weights, the smoothness or the tails
are at fault; it prefers honest probabilities to decisive ones.

``J`` takes the held-out session's evidence at its effective share. If that is too large, the
held-out session seems surer than it is, and recalibrated labels become too vague; if too small,
too sure. :mod:`.reliability` does not depend on it.

References
----------
Guo, Pleiss, Sun and Weinberger, On calibration of modern neural networks, ICML 2017,
section 4.2 (temperature).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from neuroparcel.parcellation.label_learning import (
    Sessions,
    heldout_sessions,
    some_vertices,
)
from neuroparcel.parcellation.label_model import LabelModel
from neuroparcel.types import FloatArray

_TEMPERATURES = (0.2, 5.0)
_LARGEST_SHARE = 0.5
_TINY = 1e-30  # a probability whose logarithm is still finite
NOT_CALIBRATED = (
    "the labels could not be recalibrated, which takes two subjects with two sessions; "
    "--calibrate has no effect"
)


@dataclass(frozen=True)
class Calibration:
    """How finished labels are recalibrated, and what that gains.

    Attributes
    ----------
    temperature : float
        T; above 1 the labels were over-confident.
    uniform_share : float
        u.
    gain : float
        Nats a vertex that J gains on the sessions it was fitted on; never negative.
    """

    temperature: float
    uniform_share: float
    gain: float


def calibrate(
    labels: LabelModel,
    evidence: Tensor,
    sums: Tensor,
    sessions: Sessions,
    *,
    effective_share: float = 1.0,
    seed: int = 0,
) -> Calibration | None:
    """Find the temperature and the uniform share that predict held-out sessions best.

    Parameters
    ----------
    labels : LabelModel
        Recalibrated from its own weights: a temperature that it has already is not counted.
    evidence : Tensor, shape (subject, session, vertex, network)
        Log density of each profile under each network, zeros without data.
    sums : Tensor, shape (subject, vertex, network)
        Mean labels of each subject, which the prior of the others is made of.
    sessions : Sessions
    effective_share : float
        Share of the coordinates that are worth an independent one, rho of J.
    seed : int
        Of the vertices that J is judged on.

    Returns
    -------
    Calibration or None
        None without two subjects that have repeated sessions: :data:`NOT_CALIBRATED` says so.
    """
    from scipy.optimize import minimize

    if not sessions.repeated:
        return None
    plain = labels.recalibrated(1.0, 0.0)
    heldout = _HeldOutLabels.of(plain, evidence, sums, sessions, effective_share, seed)

    def loss(values: FloatArray) -> tuple[float, FloatArray]:
        given = torch.tensor(values, requires_grad=True)
        found = -heldout(given[0].exp(), given[1])
        found.backward()
        assert given.grad is not None  # J depends on both
        return float(found.detach()), given.grad.numpy()

    bounds = [(math.log(_TEMPERATURES[0]), math.log(_TEMPERATURES[1])), (0.0, _LARGEST_SHARE)]
    start = np.zeros(2)
    best = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B")
    gain = loss(start)[0] - float(best.fun)
    return Calibration(math.exp(best.x[0]), float(best.x[1]), gain)


@dataclass(frozen=True, eq=False)
class _HeldOutLabels:
    """J of finished labels, as a function of how they are recalibrated.

    Attributes
    ----------
    log_labels : Tensor, shape (row, network)
        Of one session, before; rows are vertices of all pairs.
    density : Tensor, shape (row, network)
        Log density of the other session under each network.
    weight : Tensor, shape (row,)
        Each subject counts alike, each of its pairs, and each of their vertices; of sum 1.
    """

    log_labels: Tensor
    density: Tensor
    weight: Tensor

    @classmethod
    def of(
        cls,
        labels: LabelModel,
        evidence: Tensor,
        sums: Tensor,
        sessions: Sessions,
        share: float,
        seed: int,
    ) -> _HeldOutLabels:
        pairs = sessions.pairs()
        rows = some_vertices(sessions.mask.shape[-1], seed).to(sessions.mask.device)
        labelled, density, weight = [], [], []
        for pair in heldout_sessions(labels, evidence, sums, sessions, pairs):
            chosen = rows[pair.mask[rows]]
            labelled.append(pair.predicted[chosen])
            density.append(share * pair.weighted[chosen])
            n_alike = sum(subject == pair.subject for subject, _, _ in pairs)
            weight.append(torch.full((len(chosen),), 1 / (max(len(chosen), 1) * n_alike)))
        joined = torch.cat(weight).double()
        return cls(
            torch.cat(labelled).cpu().double().clamp_min(_TINY).log(),
            torch.cat(density).cpu().double(),
            joined / joined.sum(),
        )

    def __call__(self, temperature: Tensor, uniform_share: Tensor) -> Tensor:
        """J in nats a vertex."""
        sharpened = torch.softmax(self.log_labels / temperature, -1)
        labels = (1 - uniform_share) * sharpened + uniform_share / sharpened.shape[-1]
        return torch.logsumexp(labels.clamp_min(_TINY).log() + self.density, -1) @ self.weight
