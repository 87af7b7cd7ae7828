"""A store that is read: its sessions stay on disk until they are asked for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.connectome import Cohort
from neuroparcel.brain.features import Features, to_sphere, to_strength
from neuroparcel.errors import ConnectomeError
from neuroparcel.io.recipe import Recipe
from neuroparcel.io.store.blocks import BlockFiles, Dtype, open_block
from neuroparcel.io.store.hold import n_unlisted
from neuroparcel.io.store.index import CellName, Index, read_index
from neuroparcel.io.store.sizes import in_words
from neuroparcel.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class ConnectomeStore:
    """A connectome store as it was when it was opened.

    Parameters
    ----------
    path : pathlib.Path
    index : Index
    """

    path: Path
    index: Index

    @property
    def subjects(self) -> tuple[str, ...]:
        """Names of all subjects, in the order in which they came; some may have failed."""
        return self.index.subjects

    @property
    def sessions(self) -> tuple[str, ...]:
        """Names of the sessions of any subject, sorted, numbers by value."""
        return self.index.sessions

    @property
    def axis(self) -> BrainAxis:
        """The vertices of the region."""
        return self.index.head.axis

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names along the last dimension."""
        return self.index.head.feature_names

    @property
    def dtype(self) -> Dtype:
        """How numbers are kept."""
        return cast(Dtype, self.index.head.dtype)

    @property
    def recipe(self) -> Recipe:
        """How the numbers were made."""
        return self.index.head.recipe

    @property
    def ok(self) -> bool:
        """Whether no session failed."""
        return not self.failed

    @property
    def failed(self) -> tuple[tuple[str, str, str], ...]:
        """Subject, session and error of each session that could not be made."""
        entries = self.index.entries.items()
        return tuple((*name, entry.error) for name, entry in entries if not entry.key)

    def n_frames(self, subject: str, session: str) -> int:
        """Frames that a session was made from; 0 if it is missing."""
        entry = self.index.entries.get((subject, session))
        return 0 if entry is None else entry.n_frames

    def summary(self) -> str:
        """What the store holds, in a few lines; then a line for each session that failed."""
        recipe, entries = self.recipe, self.index.entries
        n_made = sum(bool(entry.key) for entry in entries.values())
        n_missing = len(self.subjects) * len(self.sessions) - len(entries)
        kind = "maps" if recipe.targets is None else f"targets {recipe.targets.name}"
        lines = [
            f"{self.path}: {len(self.subjects)} subjects x {len(self.sessions)} sessions "
            f"({', '.join(self.sessions)}), {n_missing} missing, {len(self.failed)} failed",
            f"region {recipe.region.name}: {len(self.axis)} {self.axis.rows_are}",
            f"{kind}: {len(self.feature_names)}; features: {recipe.features.measure}; cleaning: "
            f"{', '.join(recipe.cleaning.steps) or 'none'}",
            f"{n_made} blocks of {self.dtype}, {in_words(n_made * self.index.head.block_bytes)}",
        ]
        if n := n_unlisted(self.path, self.index):
            lines.append(
                f"{n} finished blocks are not in the index yet (a build is running or was killed); "
                "build again."
            )
        failed = [f"subject {who}, session {when} failed: {why}" for who, when, why in self.failed]
        return "\n".join([*lines, *failed])

    def alive(self, subject: str, session: str) -> BoolArray:
        """Vertices with a profile, (vertex,) of bool; none if the session is not there."""
        return self.index.alive((subject, session))

    def provenance(self, subject: str, session: str) -> dict[str, Any]:
        """Runs, files, warnings and checksum of a session, as plain JSON values.

        Raises
        ------
        ConnectomeError
            If the store does not have it.
        """
        return self._files((subject, session)).read_record()

    def values(self, subject: str, session: str) -> FloatArray:
        """The numbers of a session as they are kept, mapped into memory.

        Returns
        -------
        (vertex, feature) array of float16 or float32
            Read-only. NaN rows are dead vertices, NaN columns dead targets.

        Raises
        ------
        ConnectomeError
            If the store does not have it.
        FileFormatError
            If the block is missing or damaged.
        """
        head = self.index.head
        return open_block(self._files((subject, session)), head.shape, head.dtype)

    def cohort(
        self,
        features: Features,
        subjects: Sequence[str] | None = None,
        sessions: Sequence[str] | None = None,
        rows: npt.ArrayLike | None = None,
        *,
        only: Collection[CellName] | None = None,
    ) -> Cohort:
        """Profiles of the store; they are read one session at a time, when they are asked for.

        Sessions that failed are missing; see :attr:`failed`. Signed profiles are read once at
        the start too: for their strength, and because a vertex whose numbers are all the same
        has none, see :func:`~neuroparcel.brain.features.to_sphere`, and no index knows of it.

        Parameters
        ----------
        features : Features
            How the numbers become profiles. Its kind must be that of the recipe; Fisher's z
            is made of correlations.
        subjects, sessions : sequence of str, optional
            Those to keep, in this order; all subjects with a session if not given.
        rows : (row,) array of int or (vertex,) of bool, optional
            Vertices of :attr:`axis` to keep; all if not given.
        only : collection of (str, str), optional
            Pairs of subject and session; the others are missing, whatever the store has.

        Returns
        -------
        Cohort

        Raises
        ------
        ConnectomeError
            If a name is unknown, features are of another kind, or a subject asked for has no
            session.
        """
        self._check(features)
        chosen = self._subjects() if subjects is None else tuple(subjects)
        days = self.sessions if sessions is None else tuple(sessions)
        _check_known("subject", chosen, self.subjects)
        _check_known("session", days, self.sessions)
        self._check_present(chosen, days)
        kept = None if rows is None else _as_rows(rows)
        axis = self.axis if kept is None else self.axis.restrict(kept)
        profiles = StoredProfiles(self, chosen, days, features, kept)
        valid = self._valid(chosen, days, kept)
        if only is not None:
            valid &= np.array([[[(who, day) in only] for day in days] for who in chosen])
        strength = _restrict_to_signed(profiles, valid) if features.signed else None
        names = self.feature_names
        return Cohort(chosen, days, profiles, valid, axis, names, features.signed, strength)

    def _subjects(self) -> tuple[str, ...]:
        names = [subject for (subject, _), entry in self.index.entries.items() if entry.key]
        if not names:
            raise ConnectomeError(f"{self.path} holds no session.", "Build it first.")
        return tuple(dict.fromkeys(names))

    def _valid(
        self, subjects: Sequence[str], sessions: Sequence[str], rows: IntArray | None
    ) -> BoolArray:
        masks = [self.index.alive((subject, day)) for subject in subjects for day in sessions]
        valid = np.stack(masks).reshape(len(subjects), len(sessions), -1)
        return valid if rows is None else valid[:, :, rows]

    def _files(self, name: CellName) -> BlockFiles:
        entry = self.index.entries.get(name)
        if entry is None or not entry.key:
            reason = f": {entry.error}" if entry is not None else "."
            raise ConnectomeError(
                f"{self.path} has no session {name[1]} of subject {name[0]}{reason}"
            )
        return BlockFiles(self.path, entry.key)

    def _check(self, features: Features) -> None:
        kept = self.recipe.features.measure
        if features.measure != kept:
            raise ConnectomeError(
                f"{self.path} holds {kept} values, which cannot become {features.kind} features.",
                "Build a store with these features.",
            )

    def _check_present(self, subjects: Sequence[str], sessions: Sequence[str]) -> None:
        """Tell why a subject that was asked for has nothing."""
        for subject in subjects:
            entries = [self.index.entries.get((subject, session)) for session in sessions]
            if not any(entry is not None and entry.key for entry in entries):
                errors = [entry.error for entry in entries if entry is not None]
                reason = errors[0] if errors else "it has none of these sessions."
                raise ConnectomeError(f"{self.path} has no profile of subject {subject}: {reason}")


@dataclass(frozen=True, eq=False)
class StoredProfiles:
    """Profiles of a store, read when they are indexed.

    Parameters
    ----------
    store : ConnectomeStore
    subjects, sessions : tuple of str
    features : Features
    rows : (row,) array of int, optional
        Vertices that are kept.
    """

    store: ConnectomeStore
    subjects: tuple[str, ...]
    sessions: tuple[str, ...]
    features: Features
    rows: IntArray | None = None

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(subject, session, vertex, feature)."""
        n_vertices, n_features = self.store.index.head.shape
        n_rows = n_vertices if self.rows is None else len(self.rows)
        return len(self.subjects), len(self.sessions), n_rows, n_features

    def __getitem__(self, cell: tuple[int, int], /) -> FloatArray:
        """Profiles of one session of one subject.

        Returns
        -------
        (vertex, feature) array of float32
            Unit norm where alive; zeros in dead rows and where the session is missing.
        """
        name = self.subjects[cell[0]], self.sessions[cell[1]]
        entry = self.store.index.entries.get(name)
        if entry is None or not entry.key:
            return np.zeros(self.shape[2:], np.float32)
        return to_sphere(self.values(cell), self.features)[0]

    def values(self, cell: tuple[int, int]) -> FloatArray:
        """The numbers that the profiles of a session are made of, (vertex, feature) of float32.

        Raises
        ------
        ConnectomeError
            If the session is missing.
        """
        values = self.store.values(self.subjects[cell[0]], self.sessions[cell[1]])
        return _widen(values if self.rows is None else values[self.rows])


def open_store(path: Path) -> ConnectomeStore:
    """Open a store; only its index is read.

    Raises
    ------
    OutputError
        If the folder holds no store.
    FileFormatError
        If its index is damaged, or of another version.
    """
    store = Path(path).absolute()
    return ConnectomeStore(store, read_index(store))


def _restrict_to_signed(profiles: StoredProfiles, valid: BoolArray) -> FloatArray:
    """Strength of signed profiles; vertices that have none are struck out of `valid`, in place."""
    strength = np.zeros(valid.shape, np.float32)
    for row, column in np.argwhere(valid.any(axis=-1)).tolist():
        values = profiles.values((row, column))
        valid[row, column] &= to_sphere(values, profiles.features)[1]
        strength[row, column] = to_strength(values, valid[row, column], profiles.features)
    return strength


def _widen(values: FloatArray) -> FloatArray:
    """float16 to float32 by a table of all its 65,536 numbers, twice as fast as ``astype``."""
    if values.dtype != np.float16:
        return values
    return np.take(_float16_numbers(), values.view(np.uint16), mode="clip")


@cache
def _float16_numbers() -> FloatArray:
    return np.arange(2**16, dtype=np.uint16).view(np.float16).astype(np.float32)


def _as_rows(rows: npt.ArrayLike) -> IntArray:
    chosen = np.asarray(rows)
    return np.flatnonzero(chosen) if chosen.dtype == bool else chosen.astype(np.int64)


def _check_known(kind: str, names: Sequence[str], known: Sequence[str]) -> None:
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ConnectomeError(
            f"The store has no {kind} {unknown[0]!r}.", "Build it, or correct the name."
        )
