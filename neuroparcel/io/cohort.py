"""From files to a cohort of connectivity profiles in memory; :mod:`..store` keeps them on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np

from neuroparcel.brain.connectome import Cohort
from neuroparcel.brain.features import to_sphere, to_strength
from neuroparcel.errors import ConnectomeError, NeuroparcelError, OptionError
from neuroparcel.io.cells import make_cell
from neuroparcel.io.layout import CohortFiles, Recording
from neuroparcel.io.recipe import Recipe
from neuroparcel.io.scheduling import Outcome, Scheduler, run_tasks
from neuroparcel.types import BoolArray, FloatArray

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of sessions done and the number in all."""


def load_cohort(
    files: CohortFiles,
    recipe: Recipe,
    *,
    skip_bad: bool = False,
    n_jobs: int = 1,
    scheduler: Scheduler | None = None,
    progress: Progress | None = None,
) -> tuple[Cohort, tuple[str, ...]]:
    """Read the recordings of a cohort and describe the vertices of a region.

    Correlations of the runs of a session are averaged in Fisher's z, weighted by frames.
    A dead vertex (constant, not finite, or not in the file) is masked in its session; a target
    all of whose vertices are dead counts as uncorrelated there.

    Parameters
    ----------
    files : CohortFiles
        The recordings.
    recipe : Recipe
        Region, targets, features and cleaning.
    skip_bad : bool, default False
        Leave out sessions that cannot be read, with a warning, instead of raising.
    n_jobs : int, default 1
        Processes that read at the same time.
    scheduler : Scheduler, optional
        Who does the work; this machine, the only one that can, if not given.
    progress : callable, optional
        Called after each session with the number done and the number in all.

    Returns
    -------
    cohort : Cohort
    warnings : tuple of str
        One line for each recording in which something was masked, that is very short, or that
        was left out.

    Raises
    ------
    NeuroparcelError
        If a session cannot be read, see :func:`~neuroparcel.io.cells.make_cell`; if there are
        several, all are named. With `skip_bad` only if none can.
    OptionError
        If the scheduler is that of a cluster: its workers would send profiles through the
        temporary folder of this machine, which they do not see.
    """
    if scheduler is not None and scheduler.kind != "local":
        raise OptionError(
            "A cluster needs a connectome store on a disk that all its machines see.",
            "Give --connectome FOLDER.",
        )
    subjects, sessions = files.subjects, files.sessions
    tasks = [
        (subject, session, files.runs(subject, session))
        for subject in subjects
        for session in sessions
        if files.runs(subject, session)
    ]
    shape = (len(subjects), len(sessions), recipe.region.n_vertices, len(recipe.feature_names))
    profiles = np.zeros(shape, dtype=np.float32)
    valid = np.zeros(shape[:3], dtype=bool)
    strength = np.zeros(shape[:3], dtype=np.float32) if recipe.features.signed else None
    warnings: dict[int, tuple[str, ...]] = {}
    n_done = 0

    def take(outcome: Outcome) -> None:
        nonlocal n_done
        n_done += 1
        if outcome.value is not None:
            subject, session, _ = tasks[outcome.number]
            cell = (subjects.index(subject), sessions.index(session))
            profiles[cell], valid[cell], found, warnings[outcome.number] = outcome.value
            if strength is not None:
                strength[cell] = found
        if progress:
            progress(n_done, len(tasks))

    with tempfile.TemporaryDirectory(prefix="neuroparcel-") as folder:
        outcomes = run_tasks(
            partial(_profiles, recipe),
            [runs for _, _, runs in tasks],
            scheduler or Scheduler(),
            folder=Path(folder),
            n_jobs=n_jobs,
            on_outcome=take,
        )
    failed = [(*tasks[o.number][:2], o.error) for o in outcomes if o.error is not None]
    if failed and not (skip_bad and valid.any()):
        raise refusal(failed, len(tasks))
    lines = [line for number in sorted(warnings) for line in warnings[number]]
    lines += [f"subject {who}, session {when} was left out: {why}" for who, when, why in failed]
    cohort, dropped = _without_empty(subjects, sessions, profiles, valid, strength, recipe)
    return cohort, (*lines, *dropped)


def refusal(
    failed: Sequence[tuple[str, str, Exception]], n_sessions: int
) -> NeuroparcelError | Exception:
    """What to raise where sessions cannot be read: the one error, or one that lists them all."""
    first = failed[0][2]
    if len(failed) == 1 or not isinstance(first, NeuroparcelError):
        return first
    lines = [f"subject {subject}, session {session}: {error}" for subject, session, error in failed]
    return ConnectomeError(
        "\n  ".join([f"{len(failed)} of {n_sessions} sessions cannot be used:", *lines]),
        "Mend them, take them off the list, or go on without them: --skip-bad.",
    )


def _profiles(
    recipe: Recipe, recordings: Sequence[Recording]
) -> tuple[FloatArray, BoolArray, FloatArray | None, tuple[str, ...]]:
    """Profiles of a session, where they are valid, their strength if signed, and warnings."""
    cell = make_cell(recordings, recipe)
    profiles, alive = to_sphere(cell.values, recipe.features)
    n_flat = int((np.isfinite(cell.values).any(axis=1) & ~alive).sum())
    flat = flat_warning(recordings[0].subject, recordings[0].session, n_flat)
    signed = recipe.features.signed
    strength = to_strength(cell.values, alive, recipe.features) if signed else None
    return profiles, alive, strength, (*cell.warnings, *flat)


def flat_warning(subject: str, session: str, n_flat: int) -> tuple[str, ...]:
    """A line on vertices that have numbers but no signed profile, if there are any."""
    if not n_flat:
        return ()
    return (
        f"subject {subject}, session {session}: {n_flat} vertices with the same number in all "
        "features have no signed profile and are masked.",
    )


def _without_empty(
    subjects: Sequence[str],
    sessions: Sequence[str],
    profiles: FloatArray,
    valid: BoolArray,
    strength: FloatArray | None,
    recipe: Recipe,
) -> tuple[Cohort, list[str]]:
    """The cohort of the subjects that have any profile, and a line for each that has none."""
    rows = np.flatnonzero(valid.any(axis=(1, 2)))
    kept = tuple(subjects[row] for row in rows.tolist())
    if len(kept) < len(subjects):
        profiles, valid = profiles[rows], valid[rows]
        strength = None if strength is None else strength[rows]
    cohort = Cohort(
        kept,
        tuple(sessions),
        profiles,
        valid,
        recipe.region.axis,
        recipe.feature_names,
        recipe.features.signed,
        strength,
    )
    lost = [subject for subject in subjects if subject not in kept]
    return cohort, [f"subject {subject} has no session left and was left out." for subject in lost]


def profile_bytes(files: CohortFiles, recipe: Recipe) -> int:
    """Memory that the profiles of a cohort take, in bytes."""
    n_cells = len(files.subjects) * len(files.sessions)
    return 4 * n_cells * recipe.region.n_vertices * len(recipe.feature_names)
