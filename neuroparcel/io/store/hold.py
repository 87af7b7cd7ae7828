"""The hold that a build has on a store, so that several may build at once."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from neuroparcel.atomic import ASIDE
from neuroparcel.errors import FileFormatError, OutputError
from neuroparcel.io.store.blocks import BLOCKS, BlockFiles, remove_unfinished
from neuroparcel.io.store.index import (
    INDEX,
    CellName,
    Entry,
    Head,
    Index,
    Inputs,
    read_index,
    read_inputs,
    write_index,
    write_inputs,
)

_LOCK = ".lock"  # held for moments, by who reads and replaces the index
_BUILDERS = ".builders"  # shared by all builds that run; alone by who knows of no other
_NOTES = ".notes-"  # folders of the scheduler, one a build


@dataclass(eq=False)
class Hold:
    """A store that this process builds in.

    Parameters
    ----------
    path : pathlib.Path
        The store.
    head : Head
        What all its blocks have in common.
    index, inputs : Index, Inputs
        As they were when the build began.
    notes : pathlib.Path
        An empty folder for the scheduler; its name stands in the records of this build's blocks.
    alone : bool
        Whether no other process was building there.
    """

    path: Path
    head: Head
    index: Index
    inputs: Inputs
    notes: Path
    alone: bool

    def merge(self, entries: Mapping[CellName, Entry], inputs: Inputs) -> None:
        """Add sessions to the index beside what others have added meanwhile.

        A failure does not replace a block that another build has made since this one began.
        """
        with _locked(self.path / _LOCK):
            present = dict(read_index(self.path).entries)
            for name, entry in entries.items():
                if not entry.error or present.get(name) == self.index.entries.get(name):
                    present[name] = entry
            known = read_inputs(self.path)
            known.stamps.update(inputs.stamps)
            known.cells.update(inputs.cells)
            known.data.update(inputs.data)
            write_inputs(self.path, known)
            write_index(self.path, Index(self.head, present))

    def keep_only(self, names: Collection[CellName]) -> tuple[CellName, ...]:
        """Take all other sessions out of the index, and tell which; their blocks stay."""
        with _locked(self.path / _LOCK):
            present, known = read_index(self.path).entries, read_inputs(self.path)
            gone = tuple(name for name in present if name not in names)
            known.cells = {name: known.cells[name] for name in known.cells if name in names}
            known.data = {name: known.data[name] for name in known.data if name in names}
            if gone:
                kept = {name: entry for name, entry in present.items() if name in names}
                write_index(self.path, Index(self.head, kept))
                write_inputs(self.path, known)
        return gone


@contextmanager
def hold_store(path: Path, head: Head) -> Iterator[Hold]:
    """Make or open a store to build in it; what dead builds left is removed.

    The locks are those of the operating system (``flock``): they end with the process,
    however it ends. Over NFS they reach other machines since Linux 2.6.12 unless the disk is
    mounted with ``nolock`` or ``local_lock``.

    Raises
    ------
    OutputError
        If the folder holds something else, cannot be written to, or another process is
        building there with other options.
    """
    _make_folder(path)
    with ExitStack() as stack:
        builders = stack.enter_context((path / _BUILDERS).open("a"))
        with _locked(path / _LOCK):
            index = read_index(path) if (path / INDEX).exists() else None
            alone = _try_alone(builders.fileno())
            if index is None or not index.head.makes_the_same_as(head):
                if not alone:
                    raise OutputError(
                        f"Another process is building {path} with other options.",
                        "Wait until it has finished, or use another folder.",
                    )
                index = Index(head)
                write_index(path, index)
            if alone:
                _remove_leavings(path)
            fcntl.flock(builders, fcntl.LOCK_SH)
            inputs = read_inputs(path)
        notes = Path(mkdtemp(prefix=_NOTES, dir=path))
        stack.callback(shutil.rmtree, notes, ignore_errors=True)
        yield Hold(path, head, index, inputs, notes, alone)


def n_unlisted(path: Path, index: Index) -> int:
    """Number of finished blocks of a build that runs, or was killed, not in the index yet.

    A build writes each block at once and the index every few seconds; the next build finds
    them. Blocks of other recipes and of files that have changed since do not count.
    """
    builds = {folder.name for folder in path.glob(f"{_NOTES}*")}
    if not builds:
        return 0
    n_found, in_use = 0, index.keys
    for file in (path / BLOCKS).glob("*.json"):
        if file.stem not in in_use:
            with suppress(FileFormatError):  # a damaged one is made anew
                n_found += BlockFiles(path, file.stem).read_record().get("build") in builds
    return n_found


@contextmanager
def alone_in(path: Path) -> Iterator[None]:
    """Keep builds away from a store.

    Raises
    ------
    OutputError
        If one is running.
    """
    with (path / _BUILDERS).open("a") as builders:
        if not _try_alone(builders.fileno()):
            raise OutputError(f"A process is building {path}.", "Wait until it has finished.")
        yield


def _try_alone(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make_folder(path: Path) -> None:
    ours = (INDEX, BLOCKS, _LOCK, _BUILDERS)
    try:
        path.mkdir(parents=True, exist_ok=True)
        present = [p.name for p in path.iterdir() if not p.name.startswith(ASIDE)]
        if present and not any(name in ours for name in present):
            raise OutputError(
                f"{path} is not empty and holds no connectome store.", "Give a new folder."
            )
        (path / BLOCKS).mkdir(exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise OutputError(f"{path} is a file, not a folder.", "Give another folder.") from error
    except PermissionError as error:
        raise OutputError(f"{path} cannot be written to.", "Give another folder.") from error


def _remove_leavings(path: Path) -> None:
    remove_unfinished(path)
    for folder in path.glob(f"{_NOTES}*"):
        shutil.rmtree(folder, ignore_errors=True)
