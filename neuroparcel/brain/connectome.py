"""A cohort of connectivity profiles, the data that every model of the package is fitted to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import ConnectomeError
from neuroparcel.types import BoolArray, FloatArray

_NORM_TOLERANCE = 1e-3


class Profiles(Protocol):
    """Profiles that may lie on disk: an array in memory is one kind, a store another."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(subject, session, vertex, target)."""

    def __getitem__(self, cell: tuple[int, int], /) -> FloatArray:
        """Profiles of one session of one subject, (vertex, target) array of float32."""


@dataclass(frozen=True, eq=False)
class SelectedProfiles:
    """Some subjects and sessions of other profiles, which stay where they are.

    Parameters
    ----------
    profiles : Profiles
    rows, columns : tuple of int
        The subjects and the sessions that are kept, in this order.
    """

    profiles: Profiles
    rows: tuple[int, ...]
    columns: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """(subject, session, vertex, target)."""
        return (len(self.rows), len(self.columns), *self.profiles.shape[2:])

    def __getitem__(self, cell: tuple[int, int], /) -> FloatArray:
        """Profiles of one session of one subject, (vertex, target)."""
        return self.profiles[self.rows[cell[0]], self.columns[cell[1]]]


@dataclass(frozen=True, eq=False)
class Cohort:
    """Connectivity profiles of a region: subject x session x vertex x target.

    Sessions may be missing and vertices may be dead; both are masked by :attr:`valid`, and
    their profiles are zeros.

    Parameters
    ----------
    subjects, sessions : tuple of str
        Names along the first two dimensions.
    profiles : (subject, session, vertex, target) array of float32, or Profiles
        Rows of unit norm with positive entries where valid, zeros elsewhere. Only ever read
        one session at a time, as ``profiles[subject, session]``, so that they may lie on disk.
    valid : (subject, session, vertex) array of bool
        Where there is a profile.
    axis : BrainAxis
        The region's vertices.
    targets : tuple of str
        Names along the last dimension.

    Raises
    ------
    ConnectomeError
        If shapes and names disagree, names repeat, a valid profile is off the positive
        part of the unit sphere, or a subject has no valid profile at all.
    """

    subjects: tuple[str, ...]
    sessions: tuple[str, ...]
    profiles: Profiles
    valid: BoolArray
    axis: BrainAxis
    targets: tuple[str, ...]

    def __post_init__(self) -> None:
        expected = (len(self.subjects), len(self.sessions), len(self.axis), len(self.targets))
        if self.profiles.shape != expected or self.valid.shape != expected[:3]:
            raise ConnectomeError(
                f"Profiles of shape {self.profiles.shape} with a mask of shape "
                f"{self.valid.shape} do not match (subject, session, vertex, target) = {expected}."
            )
        for kind, names in (("subject", self.subjects), ("session", self.sessions)):
            if len(set(names)) != len(names) or not names:
                raise ConnectomeError(f"A cohort needs {kind} names, each only once: {names}.")
        if isinstance(self.profiles, np.ndarray):  # others are made by to_sphere when read
            self._check_sphere()
        empty = np.flatnonzero(~self.valid.any(axis=(1, 2)))
        if len(empty):
            raise ConnectomeError(f"Subject {self.subjects[empty[0]]} has no valid profile.")

    @property
    def n_subjects(self) -> int:
        """Number of subjects."""
        return len(self.subjects)

    @property
    def n_sessions(self) -> int:
        """Number of sessions of the most complete subject layout."""
        return len(self.sessions)

    @property
    def n_vertices(self) -> int:
        """Number of vertices of the region."""
        return len(self.axis)

    @property
    def n_targets(self) -> int:
        """Number of targets."""
        return len(self.targets)

    @property
    def present(self) -> BoolArray:
        """Which sessions exist, shape (subject, session)."""
        return np.asarray(self.valid.any(axis=-1))

    def select(
        self, subjects: Sequence[str] | None = None, sessions: Sequence[str] | None = None
    ) -> Cohort:
        """Keep some subjects and sessions, in the order given.

        Raises
        ------
        ConnectomeError
            If a name is not in the cohort, or a subject keeps no session.
        """
        rows = _positions("subject", self.subjects, subjects)
        columns = _positions("session", self.sessions, sessions)
        return replace(
            self,
            subjects=tuple(self.subjects[row] for row in rows),
            sessions=tuple(self.sessions[column] for column in columns),
            profiles=SelectedProfiles(self.profiles, tuple(rows), tuple(columns)),
            valid=self.valid[np.ix_(rows, columns)],
        )

    def cells(self) -> Iterator[tuple[int, int, FloatArray]]:
        """The valid profiles of each session that exists, one session at a time.

        Yields
        ------
        subject, session : int
            Where :attr:`present` holds.
        profiles : (valid vertex, target) array of float32
        """
        for subject, session in np.argwhere(self.present).tolist():
            yield subject, session, self.profiles[subject, session][self.valid[subject, session]]

    def pooled(self) -> FloatArray:
        """The profiles of all subjects and sessions one below the other, in memory.

        Returns
        -------
        (row, target) array of float32
            In the order of ``numpy.argwhere(valid)``.
        """
        pooled = np.empty((int(self.valid.sum()), self.n_targets), np.float32)
        start = 0
        for _, _, profiles in self.cells():
            pooled[start : start + len(profiles)] = profiles
            start += len(profiles)
        return pooled

    def _check_sphere(self) -> None:
        """Refuse valid profiles that are not positive and of unit norm, one session at a time."""
        for subject, session in np.ndindex(self.valid.shape[:2]):
            profiles = self.profiles[subject, session][self.valid[subject, session]]
            norm = np.linalg.norm(profiles, axis=-1)
            if not (np.abs(norm - 1) < _NORM_TOLERANCE).all() or not (profiles > 0).all():
                raise ConnectomeError(
                    f"Profiles of subject {self.subjects[subject]}, session "
                    f"{self.sessions[session]} are not positive vectors of unit norm.",
                    "Make them with neuroparcel.brain.profiles.to_positive_sphere.",
                )


def _positions(kind: str, names: tuple[str, ...], chosen: Sequence[str] | None) -> list[int]:
    if chosen is None:
        return list(range(len(names)))
    unknown = [name for name in chosen if name not in names]
    if unknown:
        raise ConnectomeError(f"The cohort has no {kind} {unknown[0]!r}; it has {list(names)}.")
    return [names.index(name) for name in chosen]
