"""How much of their probability two parcellations put in the same place."""

from __future__ import annotations

import numpy as np

from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.errors import ConnectomeError
from neuroparcel.types import FloatArray


def overlap(first: FloatArray, second: FloatArray) -> FloatArray:
    r"""Shared probability at each vertex, one less the total variation distance.

    .. math:: \sum_k \min(p_k, q_k) = 1 - \frac12 \sum_k |p_k - q_k|

    It is the largest probability with which two labels, drawn from p and from q, can be the
    same: 1 if p and q are equal, 0 if no network is possible in both.

    Parameters
    ----------
    first, second : (vertex, network) array of float
        Rows sum to 1; NaN where nothing is known.

    Returns
    -------
    (vertex,) array of float32
        NaN where either is not known.

    Raises
    ------
    ConnectomeError
        If the shapes differ.

    References
    ----------
    D. Levin and Y. Peres (2017), Markov Chains and Mixing Times, 2nd edition, propositions 4.2
    and 4.7.
    """
    if first.shape != second.shape:
        raise ConnectomeError(
            f"Parcellations of shapes {first.shape} and {second.shape} cannot be compared."
        )
    return np.minimum(first, second).sum(axis=-1).astype(np.float32)


class MeanOverlap:
    """Running mean of the subjects' overlap with their population.

    A vertex has the mean over the subjects with data there, and NaN where nobody has any.

    Parameters
    ----------
    population : SoftParcellation
    """

    def __init__(self, population: SoftParcellation) -> None:
        self._population = population
        self._sum = np.zeros(len(population.axis))
        self._n = np.zeros(len(population.axis), np.int64)

    def add(self, soft: SoftParcellation) -> FloatArray:
        """Take one more subject into the mean; returns its overlap, shape (vertex,), float32."""
        found = self.of(soft)
        counts = soft.has_data & np.isfinite(found)
        self._sum[counts] += found[counts]
        self._n += counts
        return found

    def of(self, soft: SoftParcellation) -> FloatArray:
        """Overlap of a parcellation with the population, shape (vertex,), float32."""
        return overlap(soft.probabilities, self._population.probabilities)

    def result(self) -> FloatArray:
        """The mean so far, shape (vertex,), float32."""
        counted = np.where(self._n > 0, self._n, np.nan)
        return (self._sum / counted).astype(np.float32)
