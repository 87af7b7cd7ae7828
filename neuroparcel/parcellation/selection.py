"""How many networks: scores against the number, with intervals, and what they recommend.

Subjects are the sample. The same subjects are scored for all numbers of networks, so numbers
are compared by the differences within subjects, which are far better known than the scores.

References
----------
Breiman, Friedman, Olshen and Stone, Classification and Regression Trees, 1984, section 3.4
(the one-standard-error rule).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from neuroparcel.errors import OptionError
from neuroparcel.types import FloatArray

MEASURES = {
    "density": "held-out density, nats a vertex",
    "test_retest": "adjusted Rand index of one-session labels, across sessions",
    "split_half": "adjusted Rand index of group maps, across halves of the cohort",
    "homogeneity": "mean correlation of profiles inside a network",
    "homogeneity_gain": "the same, above random parcels",
    "used": "networks that win a vertex",
}
"""What is measured, in the order of the tables."""

BY_SPLIT = ("split_half",)
"""Measures of which there is one for each split of the cohort, not for each subject."""

HeldOut = Literal["sessions", "vertices"]

_LEVEL = 0.95
_SAME_INDEX = 0.005  # adjusted Rand indices that are printed alike


@dataclass(frozen=True, eq=False)
class Curve:
    """One measure against the number of networks; all arrays have the shape (number,).

    Attributes
    ----------
    mean, sd : ndarray
        Over subjects, or splits of the cohort.
    error : ndarray
        Standard error of the mean; NaN for splits, which share their subjects.
    low, high : ndarray
        95 % t interval of the mean over subjects; the range over splits.
    """

    mean: FloatArray
    sd: FloatArray
    error: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, eq=False)
class Selection:
    """Scores of several numbers of networks.

    Attributes
    ----------
    numbers : tuple of int
        Of networks, rising.
    subjects : tuple of str
    scores : mapping of str to ndarray, shape (number, subject or split)
        For each of :data:`MEASURES`; NaN where it could not be measured, without any unit if
        for nobody.
    heldout : {"sessions", "vertices"}
        What the density was measured on.
    notes : tuple of str
        What could not be measured, and why.
    """

    numbers: tuple[int, ...]
    subjects: tuple[str, ...]
    scores: Mapping[str, FloatArray]
    heldout: HeldOut = "sessions"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.numbers) < 2 or any(a >= b for a, b in pairwise(self.numbers)):
            raise OptionError(
                f"the numbers of networks to choose from are {self.numbers}.",
                "Give at least two, rising.",
            )

    @property
    def measured(self) -> tuple[str, ...]:
        """The measures that there are."""
        return tuple(name for name in MEASURES if not np.isnan(self.scores[name]).all())

    def curve(self, measure: str) -> Curve:
        """One measure with its interval."""
        return _curve(self.scores[measure], of_splits=measure in BY_SPLIT)

    def best(self, measure: str) -> int:
        """Position of the number with the largest mean."""
        return int(np.argmax(self.curve(measure).mean))

    def loss(self, measure: str) -> Curve:
        """What a number loses on the best, within subjects or splits; 0 for the best."""
        values = self.scores[measure]
        return _curve(values[self.best(measure)] - values, of_splits=measure in BY_SPLIT)


@dataclass(frozen=True)
class Recommendation:
    """The number of networks that the held-out density recommends.

    Attributes
    ----------
    number : int
        The fewest within one standard error of the best.
    best : int
        Of the largest held-out density.
    within : tuple of int
        All numbers within one standard error of the best, by paired differences.
    drop : float
        Nats a vertex between the best and the worst of those.
    span : float
        Nats a vertex between the best and the worst of all.
    next_loss, next_error : float
        Of the best but one: what it loses on the best, and the standard error of that.
    numbers : tuple of int
        All that were tried.
    secondary : tuple of str
        A line on each of the other measures.
    """

    number: int
    best: int
    within: tuple[int, ...]
    drop: float
    span: float
    next_loss: float
    next_error: float
    numbers: tuple[int, ...]
    secondary: tuple[str, ...] = ()

    @property
    def is_flat(self) -> bool:
        """Whether more than one number is within one standard error of the best."""
        return len(self.within) > 1

    @property
    def lines(self) -> tuple[str, ...]:
        """What to tell a user, one sentence a line."""
        chosen = "which has the largest held-out density"
        if self.number != self.best:
            chosen = (
                "the fewest whose held-out density is within one standard error of the best "
                f"({self.best})"
            )
        found = [f"{self.number} networks, {chosen}", self._flatness(), *self._edge()]
        return (*found, *self.secondary)

    def _flatness(self) -> str:
        apart = f"{self.drop:.2g} nats a vertex between them"
        if self.within == self.numbers:
            return (
                f"the curve is flat: all numbers tried are within one standard error, {apart}; "
                "these data do not tell how many networks there are"
            )
        if self.is_flat:
            return (
                f"{_listed(self.within, self.numbers)} are within one standard error (the curve "
                f"is flat there: {apart}, {self.span:.2g} over all numbers)"
            )
        return (
            f"no other number is within one standard error: the next best loses "
            f"{self.next_loss:.2g} nats a vertex (standard error {self.next_error:.1g})"
        )

    def _edge(self) -> list[str]:
        if self.best == self.numbers[-1]:
            return [
                f"the density is largest at {self.best}, the most that were tried: more may be "
                "better still"
            ]
        if self.best == self.numbers[0] > 2:
            return [
                f"the density is largest at {self.best}, the fewest that were tried: fewer may "
                "be better still"
            ]
        return []


def recommend(selection: Selection) -> Recommendation:
    """The fewest networks whose held-out density is within one standard error of the best.

    The standard error is that of the difference to the best within subjects.
    """
    loss = selection.loss("density")
    best = selection.best("density")
    is_within = loss.mean <= np.nan_to_num(loss.error)
    is_within[best] = True
    within = tuple(n for n, there in zip(selection.numbers, is_within, strict=True) if there)
    others = np.where(np.arange(len(loss.mean)) == best, np.inf, loss.mean)
    follower = int(np.argmin(others))
    return Recommendation(
        number=within[0],
        best=selection.numbers[best],
        within=within,
        drop=float(loss.mean[is_within].max()),
        span=float(loss.mean.max()),
        next_loss=float(loss.mean[follower]),
        next_error=float(loss.error[follower]),
        numbers=selection.numbers,
        secondary=tuple(
            line for name in ("test_retest", "split_half") if (line := _stability(selection, name))
        ),
    )


def peaks(selection: Selection, measure: str) -> tuple[int, ...]:
    """Numbers whose score is above both neighbours' by more than a standard error, paired.

    The first and the last number are none.
    """
    values = selection.scores[measure]
    n_units = max(1, int((~np.isnan(values).any(axis=0)).sum()))
    rise = _curve(values[1:] - values[:-1])
    margin = rise.sd / np.sqrt(n_units)
    rises, falls = rise.mean > margin, -rise.mean > margin
    return tuple(selection.numbers[i + 1] for i in np.flatnonzero(rises[:-1] & falls[1:]))


def _stability(selection: Selection, measure: str) -> str | None:
    """A line on where labels are most stable."""
    if measure not in selection.measured:
        return None
    what = {
        "test_retest": "labels of two sessions of a subject",
        "split_half": "group maps of two halves of the cohort",
    }[measure]
    mean = selection.curve(measure).mean
    most = [
        number
        for number, value in zip(selection.numbers, mean.tolist(), strict=True)
        if value > mean.max() - _SAME_INDEX
    ]
    further = [str(peak) for peak in peaks(selection, measure) if peak not in most]
    also = f"; further peaks at {', '.join(further)}" if further else ""
    return (
        f"{what} agree most at {_listed(most, selection.numbers)} networks (adjusted Rand index "
        f"{mean.max():.2f}){also}"
    )


def _curve(values: FloatArray, *, of_splits: bool = False) -> Curve:
    """Statistics over units, of (number, unit); NaN without any unit, intervals without two."""
    from scipy.stats import t

    known = values[:, ~np.isnan(values).any(axis=0)]
    nothing, n_units = np.full(len(values), np.nan), known.shape[1]
    if n_units == 0:
        return Curve(nothing, nothing, nothing, nothing, nothing)
    mean = known.mean(axis=1)
    if n_units == 1:
        return Curve(mean, nothing, nothing, nothing, nothing)
    sd = known.std(axis=1, ddof=1)
    if of_splits:
        return Curve(mean, sd, nothing, known.min(axis=1), known.max(axis=1))
    error = sd / np.sqrt(n_units)
    half = float(t.ppf((1 + _LEVEL) / 2, n_units - 1)) * error
    return Curve(mean, sd, error, mean - half, mean + half)


def _listed(chosen: Sequence[int], numbers: Sequence[int]) -> str:
    """Numbers in words: runs of what was tried as ranges, "4, 7 to 9"."""
    runs: list[list[int]] = []
    for number in chosen:
        place = numbers.index(number)
        if runs and place and runs[-1][-1] == numbers[place - 1]:
            runs[-1].append(number)
        else:
            runs.append([number])
    words = [f"{r[0]} to {r[-1]}" if len(r) > 2 else " and ".join(map(str, r)) for r in runs]
    return ", ".join(words)
