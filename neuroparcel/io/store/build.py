"""Fill a store: make the sessions that are missing or whose files or options have changed."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from shutil import disk_usage
from typing import Any, TypeAlias, get_args

import numpy as np

from neuroparcel.errors import OptionError, OutputError
from neuroparcel.io.cells import Cell, make_cell
from neuroparcel.io.fingerprints import Stamp, cell_key, data_files, input_files, take_stamp
from neuroparcel.io.formats.matrix import unchanged
from neuroparcel.io.layout import CohortFiles, Recording
from neuroparcel.io.recipe import Recipe
from neuroparcel.io.scheduling import Outcome, Scheduler, run_tasks
from neuroparcel.io.store.blocks import BLOCKS, BlockFiles, Dtype, write_block
from neuroparcel.io.store.hold import Hold, hold_store
from neuroparcel.io.store.index import FORMAT, CellName, Entry, Head, Inputs
from neuroparcel.io.store.sizes import in_words

MakeCell: TypeAlias = Callable[[Sequence[Recording], Recipe], Cell]
Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of sessions done and the number in all."""

_INTERVAL = 5.0  # seconds between two writings of the index; blocks are written at once
_RECORD_BYTES = 4096


@dataclass(frozen=True)
class BuildReport:
    """What a build did.

    Parameters
    ----------
    path : pathlib.Path
        The store.
    built, kept : tuple of (str, str)
        Subjects and sessions made anew, and those that were there already.
    failed : tuple of (str, str, str)
        Subject, session and error in one line.
    retried : tuple of (str, str, int)
        Subject, session and how often it was begun: its worker, or one beside it, died.
    warnings : tuple of str
        Of the sessions made anew, one line each.
    removed : tuple of (str, str)
        Subjects and sessions that were taken out, as they are not listed.
    """

    path: Path
    built: tuple[CellName, ...]
    kept: tuple[CellName, ...]
    failed: tuple[tuple[str, str, str], ...]
    retried: tuple[tuple[str, str, int], ...]
    warnings: tuple[str, ...]
    removed: tuple[CellName, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether no session failed."""
        return not self.failed

    def summary(self) -> str:
        """Counts, then a line for each session that was retried or failed."""
        counts = f"{len(self.built)} built, {len(self.kept)} kept, {len(self.failed)} failed"
        counts += f", {len(self.removed)} taken out" if self.removed else ""
        lines = [f"{self.path}: {counts}."]
        for subject, session, n in self.retried:
            lines.append(f"subject {subject}, session {session}: begun {n} times, as workers died.")
        for subject, session, error in self.failed:
            lines.append(f"subject {subject}, session {session} failed: {error}")
        return "\n".join(lines)


def build_store(
    path: Path,
    files: CohortFiles,
    recipe: Recipe,
    *,
    dtype: Dtype = "float32",
    scheduler: Scheduler | str = "local",
    n_jobs: int = 1,
    only_listed: bool = False,
    progress: Progress | None = None,
    make: MakeCell = make_cell,
) -> BuildReport:
    """Make the sessions of a cohort and keep each in a block of its own.

    A block is named after the content of the files it is made of and after the recipe. What is
    there already is kept: while size and time of the input files stay, nothing is read; when
    only their time has changed, they are read but the block is kept. Sessions of other
    cohorts made with the same recipe stay in the store. Another recipe empties its index; the
    blocks stay until :func:`~neuroparcel.io.store.check.prune`, so that the way back is short.

    Several processes may build in the same store at once; each does all it was asked for, and
    takes over what another has made. A build that was killed goes on where it was: at most the
    sessions it had in hand are lost.

    Parameters
    ----------
    path : pathlib.Path
        The store. Workers on other machines must see it under this path.
    files : CohortFiles
    recipe : Recipe
    dtype : {"float32", "float16"}, default "float32"
        How numbers are kept; float16 needs half the space and is off by at most 0.00025 for
        correlations.
    scheduler, n_jobs
        See :func:`~neuroparcel.io.scheduling.run_tasks`.
    only_listed : bool, default False
        Take the sessions that are not in `files` out of the store; their blocks stay until
        :func:`~neuroparcel.io.store.check.prune`.
    progress : callable, optional
    make : callable
        What makes a session; :func:`~neuroparcel.io.cells.make_cell`.

    Returns
    -------
    BuildReport
        A session that cannot be made is listed there and does not stop the others.

    Raises
    ------
    OptionError
        If the dtype or the scheduler is unknown, or the cluster does not answer.
    OutputError
        If the folder is no store or belongs to a build with other options, it holds a file's
        recording under another name already, or the disk is too small or full. What was
        finished is kept.
    """
    if dtype not in get_args(Dtype):
        raise OptionError(f"Unknown dtype {dtype!r}.", f"Use {' or '.join(get_args(Dtype))}.")
    who = Scheduler.parse(scheduler) if isinstance(scheduler, str) else scheduler
    head = Head.of(recipe, dtype)
    with hold_store(Path(path).absolute(), head) as hold:
        cells = _cells(files)
        if not only_listed:
            _check_held_once(hold, cells)
        removed = hold.keep_only(cells) if only_listed else ()
        kept, tasks = _plan(hold, cells)
        tally = _Tally(hold, tasks, progress, removed)
        tally.keep(kept)
        _check_space(hold, len(tasks))
        finished = False
        try:
            run_tasks(
                _CellMaker(hold.path, hold.notes.name, head.digest, dtype, recipe, make),
                tasks,
                who,
                n_jobs=n_jobs,
                folder=hold.notes,
                on_outcome=tally.take,
            )
            finished = True
        except OutputError as error:
            n_left = len(tasks) - tally.n_done
            needed = f"{n_left} sessions are left, which need {_space(hold, n_left)}."
            raise OutputError(f"{error.message} {needed}", error.tip) from error
        finally:
            tally.flush(must=finished)
        return tally.report()


@dataclass(frozen=True)
class _CellTask:
    """A session to be made, and what is known of its files."""

    recordings: tuple[Recording, ...]
    stamps: dict[str, Stamp]

    @property
    def name(self) -> CellName:
        return self.recordings[0].subject, self.recordings[0].session


@dataclass(frozen=True)
class _Made:
    """What a worker says of a session; the numbers stay on disk."""

    entry: Entry
    stamps: dict[str, Stamp]
    data: tuple[str, ...]
    is_new: bool
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _CellMaker:
    """Makes a session and writes its block; runs in the workers."""

    store: Path
    build: str
    digest: str
    dtype: Dtype
    recipe: Recipe
    make: MakeCell

    def __call__(self, task: _CellTask) -> _Made:
        paths, data = input_files(task.recordings), data_files(task.recordings)
        with unchanged(paths):
            stamps = {str(path): take_stamp(path, task.stamps.get(str(path))) for path in paths}
            block = BlockFiles(self.store, _key(task.recordings, stamps, self.digest, self.dtype))
            entry = block.entry()
            if entry is not None:
                return self._found(block, entry, stamps, data)
            cell = self.make(task.recordings, self.recipe)
        dead = np.flatnonzero(np.isnan(cell.values).all(axis=1))
        entry = Entry.of(block.key, cell.n_frames, dead)
        write_block(block, cell.values, self.dtype, self._record(task, cell, entry, stamps))
        return _Made(entry, stamps, data, is_new=True, warnings=cell.warnings)

    def _found(
        self, block: BlockFiles, entry: Entry, stamps: dict[str, Stamp], data: tuple[str, ...]
    ) -> _Made:
        """A block that is there: an older one, or made a moment ago by a worker that died."""
        record = block.read_record()
        is_new = record.get("build") == self.build
        warnings = tuple(record.get("warnings", ())) if is_new else ()
        return _Made(entry, stamps, data, is_new, warnings)

    def _record(
        self, task: _CellTask, cell: Cell, entry: Entry, stamps: Mapping[str, Stamp]
    ) -> dict[str, Any]:
        """How a block came about."""
        subject, session = task.name
        return {
            "subject": subject,
            "session": session,
            "frames": cell.n_frames,
            "dead": entry.dead_rows,
            "warnings": cell.warnings,
            "runs": cell.runs,
            "inputs": [(path, s.size, s.mtime_ns, s.content) for path, s in stamps.items()],
            "build": self.build,
        }


@dataclass(eq=False)
class _Tally:
    """What has become of the sessions so far; tells the index from time to time."""

    hold: Hold
    tasks: Sequence[_CellTask]
    progress: Progress | None
    removed: tuple[CellName, ...]
    n_done: int = 0
    built: list[CellName] = field(default_factory=list)
    kept: list[CellName] = field(default_factory=list)
    failed: list[tuple[str, str, str]] = field(default_factory=list)
    retried: list[tuple[str, str, int]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    _entries: dict[CellName, Entry] = field(default_factory=dict)
    _inputs: Inputs = field(default_factory=Inputs)
    _flushed: float = field(default_factory=time.monotonic)

    def keep(self, kept: Mapping[CellName, _Made]) -> None:
        for name, made in kept.items():
            self._add(name, made)
        self._advance()

    def take(self, outcome: Outcome) -> None:
        name = self.tasks[outcome.number].name
        self.n_done += 1
        if outcome.n_attempts > 1:
            self.retried.append((*name, outcome.n_attempts))
        if outcome.error is None:
            self._add(name, outcome.value)
        else:
            self.failed.append((*name, outcome.error_line))
            self._entries[name] = Entry(error=outcome.error_line)
            self._inputs.cells[name], self._inputs.data[name] = [], []
        self._advance()
        if self.n_done == 1 or time.monotonic() - self._flushed > _INTERVAL:
            self.flush(must=True)

    def flush(self, must: bool) -> None:
        """Tell the index; if not `must`, an error that is under way is not hidden by another."""
        try:
            self.hold.merge(self._entries, self._inputs)
        except OSError as error:
            if must:
                raise OutputError(
                    f"The index of {self.hold.path} cannot be written ({error.strerror or error}).",
                    "Free space, then build again: finished sessions are kept.",
                ) from error
        self._entries, self._inputs = {}, Inputs()
        self._flushed = time.monotonic()

    def report(self) -> BuildReport:
        return BuildReport(
            self.hold.path,
            tuple(self.built),
            tuple(self.kept),
            tuple(self.failed),
            tuple(self.retried),
            tuple(self.warnings),
            self.removed,
        )

    def _add(self, name: CellName, made: _Made) -> None:
        (self.built if made.is_new else self.kept).append(name)
        self.warnings.extend(made.warnings)
        self._entries[name] = made.entry
        self._inputs.stamps.update(made.stamps)
        self._inputs.cells[name] = list(made.stamps)
        self._inputs.data[name] = list(made.data)

    def _advance(self) -> None:
        n_kept_before = len(self.built) + len(self.kept) + len(self.failed) - self.n_done
        if self.progress:
            self.progress(n_kept_before + self.n_done, n_kept_before + len(self.tasks))


def _cells(files: CohortFiles) -> dict[CellName, list[Recording]]:
    cells: dict[CellName, list[Recording]] = {}
    for recording in files.recordings:
        cells.setdefault((recording.subject, recording.session), []).append(recording)
    return cells


def _check_held_once(hold: Hold, cells: Mapping[CellName, Sequence[Recording]]) -> None:
    """Refuse recordings that the store has under another name: fits would count them twice.

    Paths are compared, since different recordings may have the same content in a test. A
    session that is listed does not count: its entry is about to be replaced.
    """
    owners = {
        file: name
        for name, files in hold.inputs.data.items()
        if name in hold.index.entries and name not in cells
        for file in files
    }
    for (subject, session), recordings in cells.items():
        for file in data_files(recordings):
            if file in owners:
                who, when = owners[file]
                raise OutputError(
                    f"{file} is listed as subject {subject}, session {session}; the store "
                    f"{hold.path} holds it as subject {who}, session {when}.",
                    "List it under that name, use another folder, or give --only-listed to take "
                    "sessions that are not listed out of the store.",
                )


def _plan(
    hold: Hold, cells: Mapping[CellName, Sequence[Recording]]
) -> tuple[dict[CellName, _Made], list[_CellTask]]:
    """The sessions whose blocks are there, and the others; no content is read."""
    known = {**_stamps_of_lost_blocks(hold), **hold.inputs.stamps}
    kept: dict[CellName, _Made] = {}
    tasks = []
    for name, recordings in cells.items():
        paths = input_files(recordings)
        stamps = {str(path): known[str(path)] for path in paths if str(path) in known}
        entry = _finished(hold, recordings, paths, stamps)
        if entry is None:
            tasks.append(_CellTask(tuple(recordings), stamps))
        else:
            kept[name] = _Made(entry, stamps, data_files(recordings), is_new=False)
    if not hold.alone:  # builds that go through one list in step would all make all of it
        random.Random(hold.notes.name).shuffle(tasks)
    return kept, tasks


def _finished(
    hold: Hold, recordings: Sequence[Recording], paths: Sequence[Path], stamps: dict[str, Stamp]
) -> Entry | None:
    """The entry of a session whose files all look as they did when its block was made."""
    for path in paths:
        stamp = stamps.get(str(path))
        if stamp is None or not stamp.fits(path):
            return None
    key = _key(recordings, stamps, hold.head.digest, hold.head.dtype)
    return BlockFiles(hold.path, key).entry()


def _stamps_of_lost_blocks(hold: Hold) -> dict[str, Stamp]:
    """Stamps in the records of blocks that a killed build did not enter into the index."""
    in_use = hold.index.keys
    stamps = {}
    for file in (hold.path / BLOCKS).glob("*.json"):
        if file.stem not in in_use:
            with suppress(ValueError, KeyError, TypeError):  # a damaged one is made anew
                for path, *stamp in BlockFiles(hold.path, file.stem).read_record()["inputs"]:
                    stamps[path] = Stamp(*stamp)
    return stamps


def _key(
    recordings: Sequence[Recording], stamps: Mapping[str, Stamp], digest: str, dtype: str
) -> str:
    return cell_key(recordings, stamps, [FORMAT, digest, dtype])


def _check_space(hold: Hold, n_tasks: int) -> None:
    free = disk_usage(hold.path).free
    if free < n_tasks * (hold.head.block_bytes + _RECORD_BYTES):
        raise OutputError(
            f"The store {hold.path} needs {_space(hold, n_tasks)} for {n_tasks} sessions, and "
            f"its disk has {in_words(free)} left.",
            "Free space, use another folder, a smaller region, or float16.",
        )


def _space(hold: Hold, n_sessions: int) -> str:
    return in_words(n_sessions * (hold.head.block_bytes + _RECORD_BYTES))
