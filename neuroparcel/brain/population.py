"""The population's parcellation from those of its subjects, taken one after the other."""

from __future__ import annotations

import numpy as np

from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.errors import ConnectomeError
from neuroparcel.types import IntArray


class PopulationMean:
    """Running mean of subjects' parcellations.

    A vertex has the mean over the subjects with data there, and where nobody has any, the mean
    over all, whose probabilities are the prior's.

    Attributes
    ----------
    n_with_data : (vertex,) array of int
        Subjects so far that have data at each vertex.
    """

    def __init__(self) -> None:
        self.n_with_data: IntArray = np.zeros(0, np.int64)
        self._first: SoftParcellation | None = None

    def add(self, soft: SoftParcellation) -> None:
        """Take one more subject into the mean."""
        if self._first is None:
            self._first = soft
            self._sum, self._sum_of_all = np.zeros((2, *soft.probabilities.shape))
            self.n_with_data, self._n = np.zeros((2, len(soft.axis)), np.int64)
        known, data = soft.is_known, soft.has_data
        self._sum[data] += soft.probabilities[data]
        self._sum_of_all[known] += soft.probabilities[known]
        self.n_with_data = self.n_with_data + data
        self._n += known

    def result(self) -> SoftParcellation:
        """The population's parcellation.

        Raises
        ------
        ConnectomeError
            If there was no subject.
        """
        if self._first is None:
            raise ConnectomeError("A population needs at least one subject.")
        data = self.n_with_data > 0
        total = np.where(data[:, None], self._sum, self._sum_of_all)
        count = np.where(data, self.n_with_data, np.where(self._n > 0, self._n, np.nan))
        mean = (total / count[:, None]).astype(np.float32)
        first = self._first
        return SoftParcellation(first.axis, first.networks, mean, data, first.colours)
