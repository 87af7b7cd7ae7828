r"""Whether a label's probability is worth what it says, seen from a session it did not see.

For each subject with repeated sessions, the labels :math:`U` of one session under the prior of
the *other* subjects say how probable each network is at a vertex. The other session has a
label of its own, :math:`V`: the responsibilities of its weighted evidence, without a prior, as
a prior on both sides would agree with itself. Vertices and networks are binned by ``U``, and
in each bin the mean of ``U`` stands beside the mean of ``V``.

``V`` is itself uncertain, so it agrees less than ``U`` says even if ``U`` is right, and the
plain difference overstates over-confidence. What the agreement of right labels would be follows
from the model's own word: with the labels :math:`P` that the other session gets with its prior,

.. math:: \mathrm{expected}_{nk} = \sum_j U_{nj} C_{jk}, \qquad
          C_{jk} = \sum_n P_{nj} V_{nk} / \sum_n P_{nj},

as ``C`` is then the mean of ``V`` where the network is ``j``. Agreement below that is
over-confidence, above it under-confidence.

What this cannot say: nobody knows the true network of a vertex, so the table compares two
sessions, not labels with the truth. What both sessions have in common and no network explains
(a gyrus that is always noisy, variation within a network that lasts) raises the agreement,
and looks like under-confidence; ``C`` is estimated for each session in strata of signal
strength, and not for each vertex. Evidence without any weight would agree as expected. And
vertices are no independent observations: a bin of few vertices proves nothing.

References
----------
Naeini, Cooper and Hauskrecht, Obtaining well calibrated probabilities using Bayesian binning,
AAAI 2015 (expected calibration error).
Brier, Verification of forecasts expressed in terms of probability, Monthly Weather Review 1950.
Patrini et al., Making deep neural networks robust to label noise: a loss correction approach,
CVPR 2017 (labels that are noisy, through their matrix of confusion).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neuroparcel.parcellation.label_learning import HeldOutSession, Sessions, heldout_sessions
from neuroparcel.parcellation.label_model import LabelModel
from neuroparcel.types import FloatArray, IntArray

_N_BINS = 10
_N_STRATA = 4  # of signal strength; each has a matrix of confusion


@dataclass(frozen=True, eq=False)
class Reliability:
    """Probabilities in bins of equal width, beside what a held-out session shows.

    Attributes
    ----------
    count : ndarray of int, shape (bin,)
        Probabilities in each bin.
    predicted : ndarray, shape (bin,)
        Their mean; NaN in an empty bin, here and below.
    found : ndarray, shape (bin,)
        Mean label of the held-out session.
    expected : ndarray, shape (bin,)
        What that would be if the labels were right.
    """

    count: IntArray
    predicted: FloatArray
    found: FloatArray
    expected: FloatArray

    @property
    def edges(self) -> FloatArray:
        """Of the bins, shape (bin + 1,)."""
        return np.linspace(0, 1, len(self.count) + 1)

    @property
    def error(self) -> float:
        """Expected calibration error: mean distance of found from expected."""
        return self._mean(np.abs(self.found - self.expected))

    @property
    def raw_error(self) -> float:
        """Mean distance of found from predicted: with the held-out label's own noise."""
        return self._mean(np.abs(self.found - self.predicted))

    def summary(self) -> dict[str, float]:
        """Means and errors, as plain JSON values."""
        return {
            "predicted": self._mean(self.predicted),
            "found": self._mean(self.found),
            "expected": self._mean(self.expected),
            "calibration_error": self.error,
            "raw_calibration_error": self.raw_error,
        }

    def _mean(self, values: FloatArray) -> float:
        filled = self.count > 0
        return float(np.average(values[filled], weights=self.count[filled]))


@dataclass(frozen=True, eq=False)
class ReliabilityTable:
    """Reliability of a cohort's labels, see the module.

    Attributes
    ----------
    network : Reliability
        Of the probabilities of all networks.
    top : Reliability
        Of the probability of each vertex's most probable network.
    brier : float
        Brier score, between 0 and 2, expected over networks that are drawn from the held-out
        session's labels. Their noise is in it, so scores compare under one model only.
    n_subjects, n_pairs : int
        Subjects with repeated sessions, and their pairs in both orders.
    """

    network: Reliability
    top: Reliability
    brier: float
    n_subjects: int
    n_pairs: int

    def summary(self) -> dict[str, Any]:
        """What a run's record keeps, as plain JSON values."""
        return {
            "n_subjects": self.n_subjects,
            "n_pairs": self.n_pairs,
            "brier": self.brier,
            "network": self.network.summary(),
            "top": self.top.summary(),
        }


def reliability(
    labels: LabelModel, evidence: Tensor, sums: Tensor, sessions: Sessions
) -> ReliabilityTable | None:
    """Compare the labels of one session with another session of the same subject.

    Parameters
    ----------
    labels : LabelModel
        Finished: recalibrated if it is.
    evidence : Tensor, shape (subject, session, vertex, network)
        Log density of each profile under each network, zeros without data.
    sums : Tensor, shape (subject, vertex, network)
        Mean labels of each subject, which the prior of the others is made of.
    sessions : Sessions

    Returns
    -------
    ReliabilityTable or None
        None without two subjects that have repeated sessions.
    """
    if not sessions.repeated:
        return None
    pairs = sessions.pairs()
    network, top = _Bins.empty(), _Bins.empty()
    squares = 0.0
    for pair in heldout_sessions(labels, evidence, sums, sessions, pairs):
        predicted, found = pair.predicted[pair.mask].double(), _own_labels(pair)
        expected = _expected(pair, predicted, found)
        network.add(predicted, found, expected)
        best = predicted.argmax(-1, keepdim=True)
        top.add(*(one.gather(-1, best) for one in (predicted, found, expected)))
        squares += float((predicted.square() - 2 * predicted * found).sum()) + len(found)
    return ReliabilityTable(
        network.result(),
        top.result(),
        squares / int(top.count.sum()),
        len({subject for subject, _, _ in pairs}),
        len(pairs),
    )


def _own_labels(pair: HeldOutSession) -> Tensor:
    """Labels of the held-out session by its evidence alone, (row, network); rows with data."""
    return torch.softmax(pair.labels.evidence_weight * pair.weighted[pair.mask].double(), -1)


def _expected(pair: HeldOutSession, predicted: Tensor, found: Tensor) -> Tensor:
    """Mean of the held-out session's label if the predicted ones are right, (row, network)."""
    claimed = pair.labels(pair.evidence, pair.strength)[pair.mask].double()
    stratum = _strata(None if pair.strength is None else pair.strength[pair.mask], len(found))
    expected = torch.zeros_like(found)
    for number in stratum.unique():
        rows = stratum == number
        mass = claimed[rows].sum(0).clamp_min(1e-12).unsqueeze(-1)
        confusion = claimed[rows].T @ found[rows] / mass
        expected[rows] = predicted[rows] @ confusion.to(predicted)
    return expected


def _strata(strength: Tensor | None, n_rows: int) -> Tensor:
    """Quantile of each row's strength, from 0; all alike without."""
    if strength is None:
        return torch.zeros(n_rows, dtype=torch.long)
    rank = strength.argsort().argsort()
    return rank * _N_STRATA // max(n_rows, 1)


@dataclass(eq=False)
class _Bins:
    """Sums over the probabilities in each bin."""

    count: FloatArray
    sums: FloatArray

    @classmethod
    def empty(cls) -> _Bins:
        return cls(np.zeros(_N_BINS), np.zeros((3, _N_BINS)))

    def add(self, predicted: Tensor, found: Tensor, expected: Tensor) -> None:
        values = [one.flatten().cpu().numpy() for one in (predicted, found, expected)]
        number = np.minimum((values[0] * _N_BINS).astype(int), _N_BINS - 1)
        self.count += np.bincount(number, minlength=_N_BINS)
        self.sums += np.stack([np.bincount(number, one, _N_BINS) for one in values])

    def result(self) -> Reliability:
        count = np.where(self.count > 0, self.count, np.nan)
        return Reliability(self.count.astype(int), *(self.sums / count))
