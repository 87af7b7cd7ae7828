"""A cohort of connectivity profiles, the data that every model of the package is fitted to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import ConnectomeError
from neuroparcel.types import BoolArray, FloatArray, IntArray

_NORM_TOLERANCE = 1e-3

_SAMPLE_ROWS = 50_000  # profiles that are enough for moments and centres, and fit into memory


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
class ProfileSample:
    """Some valid profiles of a cohort, in memory.

    Parameters
    ----------
    profiles : (row, target) array of float32
        In the order of ``numpy.argwhere(valid)``.
    vertex : (row,) array of int
        The vertex of each.
    """

    profiles: FloatArray
    vertex: IntArray


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
        Rows of unit norm where valid, with positive entries unless `signed`; zeros elsewhere.
        Only ever read one session at a time, as ``profiles[subject, session]``, so that they
        may lie on disk.
    valid : (subject, session, vertex) array of bool
        Where there is a profile.
    axis : BrainAxis
        The region's vertices.
    targets : tuple of str
        Names along the last dimension.
    signed : bool, default False
        Whether profiles may have negative entries.
    strength : (subject, session, vertex) array of float32, optional
        Signal behind each signed profile: the norm of its centred values before it became 1,
        divided by the mean over the valid vertices of the session, and at most 3, as norms of
        maps have heavy tails and a few vertices would dominate; 0 where not valid. See
        :func:`~neuroparcel.brain.profiles.signal_strength`. None for positive profiles, whose
        norm tells the level that they were shifted to.

    Raises
    ------
    ConnectomeError
        If shapes and names disagree, names repeat, a valid profile is off the unit sphere
        (or its positive part), a strength is negative or not finite, or a subject has no valid
        profile at all.
    """

    subjects: tuple[str, ...]
    sessions: tuple[str, ...]
    profiles: Profiles
    valid: BoolArray
    axis: BrainAxis
    targets: tuple[str, ...]
    signed: bool = False
    strength: FloatArray | None = None

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
        if self.strength is not None:
            self._check_strength(self.strength)
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
            strength=None if self.strength is None else self.strength[np.ix_(rows, columns)],
        )

    def cells(self) -> Iterator[tuple[int, int, FloatArray]]:
        """The valid profiles of each session that exists, one session at a time.

        Yields
        ------
        subject, session : int
            Where :attr:`present` holds.
        profiles : (valid vertex, target) array of float32
            Not to be written to: without dead vertices it is no copy.
        """
        for subject, session in np.argwhere(self.present).tolist():
            profiles, valid = self.profiles[subject, session], self.valid[subject, session]
            yield subject, session, profiles if valid.all() else profiles[valid]

    def pooled(self) -> FloatArray:
        """The profiles of all subjects and sessions one below the other, in memory.

        Returns
        -------
        (row, target) array of float32
            In the order of ``numpy.argwhere(valid)``.
        """
        return self._pick(np.arange(int(self.valid.sum())))

    @cached_property
    def sample(self) -> ProfileSample:
        """All profiles, or 50,000 of them spread evenly over subjects, sessions and vertices.

        Neighbouring vertices are much alike, so of a whole cortex every 20th or so says nearly
        as much as all. Read once, in one pass over the sessions, and kept.
        """
        n_rows = int(self.valid.sum())
        n_kept = min(n_rows, _SAMPLE_ROWS)
        rows = np.arange(n_kept) * n_rows // n_kept
        return ProfileSample(self._pick(rows), np.nonzero(self.valid)[2][rows])

    def _pick(self, rows: IntArray) -> FloatArray:
        """Profiles of rising rows of ``numpy.argwhere(valid)``, one session at a time."""
        picked = np.empty((len(rows), self.n_targets), np.float32)
        n_before = 0
        for subject, session in np.argwhere(self.present).tolist():
            vertices = np.flatnonzero(self.valid[subject, session])
            first, end = np.searchsorted(rows, [n_before, n_before + len(vertices)])
            chosen = vertices[rows[first:end] - n_before]
            picked[first:end] = self.profiles[subject, session][chosen]
            n_before += len(vertices)
        return picked

    def _check_sphere(self) -> None:
        """Refuse valid profiles off the sphere, or its positive part, one session at a time."""
        for subject, session in np.ndindex(self.valid.shape[:2]):
            profiles = self.profiles[subject, session][self.valid[subject, session]]
            is_unit = np.abs(np.linalg.norm(profiles, axis=-1) - 1) < _NORM_TOLERANCE
            if not is_unit.all() or not (self.signed or (profiles > 0).all()):
                raise ConnectomeError(
                    f"Profiles of subject {self.subjects[subject]}, session "
                    f"{self.sessions[session]} are not {'' if self.signed else 'positive '}"
                    "vectors of unit norm.",
                    "Make them with neuroparcel.brain.features.to_sphere.",
                )

    def _check_strength(self, strength: FloatArray) -> None:
        if strength.shape != self.valid.shape:
            raise ConnectomeError(
                f"Strengths of shape {strength.shape} do not match (subject, session, vertex) = "
                f"{self.valid.shape}."
            )
        wrong = np.argwhere(~(np.isfinite(strength) & (strength >= 0)))
        if len(wrong):
            subject, session, vertex = wrong[0].tolist()
            raise ConnectomeError(
                f"The strength of vertex {vertex} of subject {self.subjects[subject]}, session "
                f"{self.sessions[session]} is {strength[subject, session, vertex]}; strengths are "
                "finite and not negative.",
                "Make them with neuroparcel.brain.features.to_strength.",
            )


def _positions(kind: str, names: tuple[str, ...], chosen: Sequence[str] | None) -> list[int]:
    if chosen is None:
        return list(range(len(names)))
    unknown = [name for name in chosen if name not in names]
    if unknown:
        raise ConnectomeError(f"The cohort has no {kind} {unknown[0]!r}; it has {list(names)}.")
    return [names.index(name) for name in chosen]
