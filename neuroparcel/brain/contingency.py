"""How far two labellings of the same places agree: a table of counts, and what follows from it.

None of the measures asks which label of one is which of the other.

References
----------
L. R. Dice (1945), Measures of the amount of ecologic association between species, Ecology 26.
L. Hubert and P. Arabie (1985), Comparing partitions, Journal of Classification 2, eq. 5.
M. Meila (2007), Comparing clusterings: an information based distance, Journal of Multivariate
Analysis 98, eq. 15.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuroparcel.errors import SpaceError
from neuroparcel.types import FloatArray, IntArray

_DIGITS = 12  # of sums of logarithms: equal maps are to have 1 and 0


def contingency(
    first: IntArray, second: IntArray, n_first: int | None = None, n_second: int | None = None
) -> IntArray:
    """Count the vertices of each pair of labels; those that lack a label in either do not count.

    Parameters
    ----------
    first, second : (vertex,) array of int
        Labels from 1; 0 for none.
    n_first, n_second : int, optional
        Labels there are; the largest in use if not given.

    Returns
    -------
    (first label, second label) array of int

    Raises
    ------
    SpaceError
        If the maps differ in length.

    Examples
    --------
    >>> contingency(np.array([1, 1, 2, 0]), np.array([1, 2, 2, 2]))
    array([[1, 1],
           [0, 1]])
    """
    if first.shape != second.shape:
        raise SpaceError(f"Maps of {len(first)} and {len(second)} vertices cannot be compared.")
    both = (first > 0) & (second > 0)
    one, other = first[both].astype(np.int64) - 1, second[both].astype(np.int64) - 1
    n_one = int(one.max(initial=-1)) + 1 if n_first is None else n_first
    n_other = int(other.max(initial=-1)) + 1 if n_second is None else n_second
    counts = np.bincount(one * n_other + other, minlength=n_one * n_other)
    return counts.reshape(n_one, n_other)


def adjusted_rand(first: IntArray, second: IntArray) -> float | None:
    """Adjusted Rand index where both have a label (> 0).

    None where there is no such vertex, or where neither map is divided: such maps agree
    whatever they show.
    """
    return adjusted_rand_of(contingency(first, second))


def adjusted_rand_of(counts: IntArray) -> float | None:
    """Adjusted Rand index of a table of counts; see :func:`adjusted_rand`.

    scikit-learn has it too, at thirteen times the time for the labels of a cortex, which a
    spin test and the agreement of many sessions ask for thousands of times.
    """
    if not is_divided(counts):
        return None
    pairs = _n_pairs(counts)
    in_one, in_other = _n_pairs(counts.sum(axis=1)), _n_pairs(counts.sum(axis=0))
    by_chance = in_one * in_other / max(_n_pairs(counts.sum()), 1)
    most = (in_one + in_other) / 2
    return 1.0 if most == by_chance else (pairs - by_chance) / (most - by_chance)


def is_divided(counts: IntArray) -> bool:
    """Whether there are vertices, and at least one map has two labels among them."""
    return bool(max((counts.sum(axis=1) > 0).sum(), (counts.sum(axis=0) > 0).sum()) > 1)


@dataclass(frozen=True)
class Information:
    """What two maps tell about one another, in nats.

    Attributes
    ----------
    first, second : float
        Entropy of the sizes of the labels of each map.
    mutual : float
    """

    first: float
    second: float
    mutual: float

    @property
    def normalised(self) -> float | None:
        """Mutual information divided by the arithmetic mean of the entropies, from 0 to 1.

        None where neither map is divided.
        """
        mean = (self.first + self.second) / 2
        return None if mean == 0 else round(min(self.mutual / mean, 1.0), _DIGITS)

    @property
    def variation(self) -> float:
        """Variation of information: what each map leaves unknown of the other, summed.

        0 for equal maps; a metric on the ways to divide the same vertices.
        """
        return max(round(self.first + self.second - 2 * self.mutual, _DIGITS), 0.0)


def information(counts: IntArray) -> Information | None:
    """Entropies and mutual information of a table of counts; None without a vertex."""
    from scipy.stats import entropy
    from sklearn.metrics import mutual_info_score

    if not counts.any():
        return None
    mutual = float(mutual_info_score(None, None, contingency=counts))
    return Information(
        float(entropy(counts.sum(axis=1))), float(entropy(counts.sum(axis=0))), mutual
    )


def dice_of(counts: IntArray) -> FloatArray:
    """Dice coefficient of each pair of labels, shape of the counts; 0 where neither occurs.

    2 |A and B| / (|A| + |B|).
    """
    sizes = counts.sum(axis=1)[:, None] + counts.sum(axis=0)
    return np.asarray(2 * counts / np.maximum(sizes, 1))


def _n_pairs(counts: IntArray) -> float:
    """Number of pairs within groups of these sizes."""
    return float((counts * (counts - 1.0) / 2).sum())
