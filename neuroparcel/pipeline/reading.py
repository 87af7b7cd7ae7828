"""The cohort of a run: read into memory, or taken from a connectome store."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from neuroparcel.brain.connectome import Cohort
from neuroparcel.errors import ConnectomeError, OptionError, SpaceError
from neuroparcel.io.cohort import flat_warning, load_cohort, profile_bytes, refusal
from neuroparcel.io.layout import CohortFiles
from neuroparcel.io.recipe import Recipe
from neuroparcel.io.scheduling import Scheduler
from neuroparcel.io.store import ConnectomeStore, build_store, open_store
from neuroparcel.pipeline.options import FitOptions, InferOptions
from neuroparcel.pipeline.planning import Plan
from neuroparcel.pipeline.progress import progress_bar
from neuroparcel.types import IntArray

_MEMORY_SHARE = 0.5  # of the machine's, for the profiles of a cohort
_EVERY_SESSION = (None, "day")


def read_cohort(
    planned: Plan, options: FitOptions | InferOptions
) -> tuple[Cohort, tuple[str, ...]]:
    """Profiles of the recordings, and warnings about what is missing or was masked."""
    if planned.connectome is not None:
        return _from_store(planned, planned.connectome, options)
    assert planned.files is not None  # without a store there are recordings
    _check_memory(planned.files, planned.recipe)
    with progress_bar("loading", quiet=options.quiet) as advance:
        cohort, warnings = load_cohort(
            planned.files,
            planned.recipe,
            skip_bad=options.skip_bad,
            n_jobs=options.jobs,
            scheduler=Scheduler.parse(options.scheduler),
            progress=advance,
        )
    return cohort, (*planned.notes, *warnings)


def _from_store(
    planned: Plan, path: Path, options: FitOptions | InferOptions
) -> tuple[Cohort, tuple[str, ...]]:
    """Profiles of a store, completed first where recordings are named.

    Just the sessions that are asked for: a store may hold others.
    """
    _complete(planned, path, options)
    store = _fitting_store(path, planned.recipe)
    assert store is not None  # it was there, or has just been made
    wanted = _wanted(store, planned.files, options)
    rows = store.axis.rows_of(planned.recipe.region.axis)
    failed = _failed(store, wanted, rows, options.max_dead)
    if failed and not options.skip_bad:
        tip = "Or go on without it: --skip-bad." if len(failed) == 1 else ""
        errors = [(*cell, ConnectomeError(why, tip)) for cell, why in failed.items()]
        raise refusal(errors, len(wanted))
    usable = [cell for cell in wanted if cell not in failed]
    if not usable:
        raise ConnectomeError(f"{path} holds none of the sessions asked for.", "Build it first.")
    cohort = store.cohort(
        planned.recipe.features,
        subjects=list(dict.fromkeys(subject for subject, _ in usable)),
        sessions=[name for name in store.sessions if name in {day for _, day in usable}],
        rows=rows,
        only=set(usable),
    )
    missing = _missing(cohort) if planned.files is None else ()
    noted = [line for cell in usable for line in store.provenance(*cell).get("warnings", ())]
    flat = _flat(store, cohort, rows, usable)
    left_out = [f"subject {s}, session {d} was left out: {why}" for (s, d), why in failed.items()]
    return cohort, (*planned.notes, *missing, *noted, *flat, *left_out)


def _complete(planned: Plan, path: Path, options: FitOptions | InferOptions) -> None:
    """Make what the store lacks of the recordings that are named."""
    stored = _fitting_store(path, planned.recipe)
    if planned.files is None:
        return
    with progress_bar("loading", quiet=options.quiet) as advance:
        build_store(
            path,
            planned.files,
            planned.recipe if stored is None else stored.recipe,
            dtype="float32" if stored is None else stored.dtype,
            scheduler=Scheduler.parse(options.scheduler),
            n_jobs=options.jobs,
            progress=advance,
        )


def _wanted(
    store: ConnectomeStore, files: CohortFiles | None, options: FitOptions | InferOptions
) -> list[tuple[str, str]]:
    """Subjects and sessions that are asked for."""
    if files is not None:
        return list(dict.fromkeys((r.subject, r.session) for r in files.recordings))
    chosen = _chosen_sessions(store, options)
    cells = [(s, d) for s in store.subjects for d in store.sessions if store.n_frames(s, d)]
    cells += [(subject, session) for subject, session, _ in store.failed]
    return [cell for cell in cells if cell[1] in chosen]


def _chosen_sessions(store: ConnectomeStore, options: FitOptions | InferOptions) -> Sequence[str]:
    """Sessions of a store alone; what can be chosen among recordings only is refused."""
    given = [f"--{name}" for name in ("task", "space") if getattr(options, name) is not None]
    if given or options.sessions == "run":
        raise OptionError(
            f"{' and '.join(given) or '--sessions run'} cannot be chosen in a connectome store.",
            "Name the recordings too, with --subjects or --data-dir.",
        )
    if options.sessions in _EVERY_SESSION:
        return store.sessions
    chosen = [name.strip() for name in str(options.sessions).split(",") if name.strip()]
    unknown = [name for name in chosen if name not in store.sessions]
    if unknown or not chosen:
        raise OptionError(
            f"{store.path} has no session {', '.join(unknown) or options.sessions!r}.",
            f"Its sessions are {', '.join(store.sessions)}.",
        )
    return chosen


def _failed(
    store: ConnectomeStore, wanted: Sequence[tuple[str, str]], rows: IntArray, max_dead: float
) -> dict[tuple[str, str], str]:
    """Why sessions cannot be used: they could not be made, or too many vertices are dead."""
    why = {(subject, session): error for subject, session, error in store.failed}
    failed = {cell: why[cell] for cell in wanted if cell in why}
    # Of binary features a row may be empty although its vertex has a signal.
    is_counted = store.recipe.features.measure != "binary"
    for cell in wanted:
        n_dead = int((~store.alive(*cell)[rows]).sum())
        if cell not in failed and is_counted and n_dead > max_dead * len(rows):
            failed[cell] = (
                f"{n_dead} of {len(rows)} vertices carry no signal, more than the "
                f"{max_dead:.0%} allowed. Take it off the list, or raise --max-dead."
            )
    return failed


def _flat(
    store: ConnectomeStore, cohort: Cohort, rows: IntArray, cells: Sequence[tuple[str, str]]
) -> list[str]:
    """Warnings of vertices that the store has numbers of, and the cohort no profile."""
    lines: list[str] = []
    for subject, day in cells:
        own = cohort.valid[cohort.subjects.index(subject), cohort.sessions.index(day)]
        n_flat = int((store.alive(subject, day)[rows] & ~own).sum())
        lines += flat_warning(subject, day, n_flat)
    return lines


def _missing(cohort: Cohort) -> list[str]:
    present = cohort.present
    return [
        f"subject {subject}, session {session}: the session is missing."
        for row, subject in enumerate(cohort.subjects)
        for column, session in enumerate(cohort.sessions)
        if not present[row, column]
    ]


def _fitting_store(path: Path, recipe: Recipe) -> ConnectomeStore | None:
    """The store at a path, if there is one; it must hold what the recipe makes, or more of it.

    A build with another recipe would begin the store anew, which nobody means who fits a model.
    """
    if not path.exists():
        return None
    store = open_store(path)
    kept, wanted = store.recipe.to_json(), recipe.to_json()
    parts = ("targets", "measure", "cleaning", "maps")
    other = [name for name in parts if kept[name] != wanted[name]]
    if other:
        raise OptionError(
            f"{path} holds profiles of other {' and '.join(other)} than are asked for.",
            "Give another --connectome, or the options that it was built with.",
        )
    try:
        store.axis.rows_of(recipe.region.axis)
    except SpaceError as error:
        raise OptionError(
            f"{path} holds the region {store.recipe.region.name}, of which "
            f"{recipe.region.name} is no part.",
            "Give another --connectome, or another --roi.",
        ) from error
    return store


def _check_memory(files: CohortFiles, recipe: Recipe) -> None:
    needed = profile_bytes(files, recipe)
    available = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > _MEMORY_SHARE * available:
        raise OptionError(
            f"The profiles of the cohort take {needed / 2**30:.1f} GB, too much for the "
            f"{available / 2**30:.1f} GB of memory of this machine.",
            "Keep them on disk: --connectome FOLDER.",
        )
