"""A cohort whose link coordinates are looked at a few subjects at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from neuroparcel.brain.connectome import Cohort
from neuroparcel.brain.reduction import Reduction
from neuroparcel.graph.observation import Observation
from neuroparcel.parcellation.observations import observe, observed_strength

_PART_PROFILES = 2**17  # of the subjects that are labelled together: one, of whole cortex
_JUDGED_VALUES = 2**24  # coordinates of the subjects that a fit is judged on: 64 MB


@dataclass(frozen=True, eq=False)
class Part:
    """Some subjects of a cohort.

    Attributes
    ----------
    rows : range
        Their positions in the cohort.
    subjects : tuple of str
    data : Observation, (1, subject, session, vertex, component)
        All sessions of the cohort, whether these subjects have them or not.
    strength : Tensor, shape (subject, session, vertex), optional
    """

    rows: range
    subjects: tuple[str, ...]
    data: Observation
    strength: Tensor | None

    @property
    def place(self) -> slice:
        """The rows as an index."""
        return slice(self.rows.start, self.rows.stop, self.rows.step)


@dataclass(frozen=True, eq=False)
class ObservedCohort:
    """A cohort in link coordinates.

    Under a population that is kept, subjects do not depend on one another, so what is done to
    each needs no other in memory.

    Parameters
    ----------
    cohort : Cohort
    reduction : Reduction
    device : torch.device or str
        Where coordinates are put.
    data : Observation, optional
        Those of the whole cohort, if they are in memory; otherwise they are made of the
        cohort's profiles each time they are asked for.
    """

    cohort: Cohort
    reduction: Reduction
    device: torch.device | str = "cpu"
    data: Observation | None = None

    def whole(self) -> Part:
        """All subjects."""
        return self._part(range(self.cohort.n_subjects))

    def parts(self) -> Iterator[Part]:
        """Every subject once, in order; as many together as have 131,072 profiles, or one."""
        n_subjects = self.cohort.n_subjects
        n_together = max(1, _PART_PROFILES // self._n_profiles)
        for start in range(0, n_subjects, n_together):
            yield self._part(range(start, min(start + n_together, n_subjects)))

    def judged(self) -> Part:
        """Subjects that a fit is judged on: all, or evenly spaced ones of large cohorts."""
        n_values = self._n_profiles * self.reduction.n_components
        step = math.ceil(self.cohort.n_subjects / max(1, _JUDGED_VALUES // n_values))
        return self._part(range(0, self.cohort.n_subjects, step))

    @property
    def _n_profiles(self) -> int:
        """Of one subject, at most."""
        return self.cohort.n_sessions * self.cohort.n_vertices

    def _part(self, rows: range) -> Part:
        chosen = self.cohort.select([self.cohort.subjects[row] for row in rows])
        strength = observed_strength(chosen, self.device)
        if self.data is None:
            data = observe(chosen, self.reduction, self.device)
        else:
            place = slice(rows.start, rows.stop, rows.step)
            data = Observation(self.data.values[:, place], self.data.mask[:, place])
        return Part(rows, chosen.subjects, data, strength)


def together(data: Observation) -> Iterator[slice]:
    """Positions of the subjects of an observation, as many at a time as :class:`Part` has."""
    n_subjects, n_sessions, n_vertices = data.mask.shape[1:]
    n_together = max(1, _PART_PROFILES // (n_sessions * n_vertices))
    for start in range(0, n_subjects, n_together):
        yield slice(start, start + n_together)
