"""A cohort of connectivity profiles, the data that every model of the package is fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import ConnectomeError
from neuroparcel.types import BoolArray, FloatArray

_NORM_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Cohort:
    """Connectivity profiles of a region: subject x session x vertex x target.

    Sessions may be missing and vertices may be dead; both are masked by :attr:`valid`, and
    their profiles are zeros.

    Parameters
    ----------
    subjects, sessions : tuple of str
        Names along the first two dimensions.
    profiles : (subject, session, vertex, target) array of float32
        Rows of unit norm with positive entries where valid, zeros elsewhere.
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
    profiles: FloatArray
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
        index = np.ix_(rows, columns)
        return Cohort(
            tuple(self.subjects[row] for row in rows),
            tuple(self.sessions[column] for column in columns),
            self.profiles[index],
            self.valid[index],
            self.axis,
            self.targets,
        )

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
