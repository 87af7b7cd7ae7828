"""Whether a store is still what was built, and its inputs what it was built from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from neuroparcel.errors import FileFormatError
from neuroparcel.io.fingerprints import Stamp, take_stamp
from neuroparcel.io.store.blocks import BLOCKS, BlockFiles, checksum, open_block
from neuroparcel.io.store.hold import alone_in
from neuroparcel.io.store.index import CellName, Head, Index, Inputs, read_index, read_inputs

InputState: TypeAlias = Literal["unchanged", "changed", "missing"]

_SHOWN = 20


@dataclass(frozen=True)
class VerifyReport:
    """What was found in a store.

    Parameters
    ----------
    path : pathlib.Path
        The store.
    n_blocks : int
        Blocks that were read.
    damaged : tuple of (str, str, str)
        Subject, session and what is wrong with the block.
    failed : tuple of (str, str, str)
        Subject, session and error of those that could not be made.
    inputs : tuple of (str, str)
        Each file that the store was made of and its state: unchanged, changed or missing.
    unused : tuple of str
        Blocks that the index does not name: of another recipe, of files that have
        changed since, or of a build that was killed.
    """

    path: Path
    n_blocks: int
    damaged: tuple[tuple[str, str, str], ...]
    failed: tuple[tuple[str, str, str], ...]
    inputs: tuple[tuple[str, InputState], ...]
    unused: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether every session is there and whole, and made of the files as they are now."""
        stale = any(state != "unchanged" for _, state in self.inputs)
        return not (self.damaged or self.failed or stale)

    def summary(self) -> str:
        """Counts, then a line for each thing that is wrong."""
        counts = dict.fromkeys(("unchanged", "changed", "missing"), 0)
        for _, state in self.inputs:
            counts[state] += 1
        inputs = ", ".join(f"{n} {state}" for state, n in counts.items())
        lines = [
            f"{self.path}: {self.n_blocks} blocks read, {len(self.damaged)} damaged; "
            f"{len(self.failed)} sessions failed; {len(self.unused)} unused blocks; "
            f"input files: {inputs}."
        ]
        lines += _shortened([f"subject {s}, session {d}: {what}" for s, d, what in self.damaged])
        lines += _shortened(
            [f"subject {s}, session {d} failed: {why}" for s, d, why in self.failed]
        )
        stale = [f"{path} is {state}." for path, state in self.inputs if state != "unchanged"]
        return "\n".join(lines + _shortened(stale))


def verify(path: Path) -> VerifyReport:
    """Read every block of a store, and look at every file that it was made of.

    A file of which only the time has changed is read, and is unchanged if its content is.

    Raises
    ------
    OutputError
        If the folder holds no store.
    FileFormatError
        If its index is damaged.
    """
    store = Path(path).absolute()
    index, inputs = read_index(store), read_inputs(store)
    made = {
        name: BlockFiles(store, entry.key) for name, entry in index.entries.items() if entry.key
    }
    return VerifyReport(
        store,
        len(made),
        tuple(_damaged(index.head, made)),
        tuple((*name, entry.error) for name, entry in index.entries.items() if not entry.key),
        tuple((file, _state(inputs, file)) for file in inputs.used),
        tuple(sorted(_unused(store, index))),
    )


def prune(path: Path) -> int:
    """Remove the blocks that the index does not name; returns how many.

    Builds never do this: a block without an entry may belong to another build that has just
    written it, and options that are changed back find their blocks again.

    Raises
    ------
    OutputError
        If the folder holds no store, or a process is building in it.
    """
    store = Path(path).absolute()
    read_index(store)
    with alone_in(store):
        unused = _unused(store, read_index(store))
        for key in unused:
            block = BlockFiles(store, key)
            block.record.unlink(missing_ok=True)  # first, as it says that the numbers are whole
            block.numbers.unlink(missing_ok=True)
    return len(unused)


def _damaged(head: Head, made: dict[CellName, BlockFiles]) -> Iterator[tuple[str, str, str]]:
    for name, block in made.items():
        try:
            record = block.read_record()
            values = open_block(block, head.shape, head.dtype)
            if checksum(values) != record["sha256"]:
                yield *name, f"{block.numbers} has other content than was written."
        except FileFormatError as error:
            yield *name, error.message


def _state(inputs: Inputs, file: str) -> InputState:
    known = inputs.stamps[file]
    try:
        now = _stamp_if_needed(Path(file), known)
    except FileFormatError:
        return "missing"
    return "unchanged" if now.content == known.content else "changed"


def _stamp_if_needed(path: Path, known: Stamp) -> Stamp:
    """Another size is another content, which need not be read."""
    if path.is_file() and path.stat().st_size != known.size:
        return Stamp(path.stat().st_size, path.stat().st_mtime_ns, "")
    return take_stamp(path, known)


def _unused(store: Path, index: Index) -> set[str]:
    return {file.stem for file in (store / BLOCKS).glob("[0-9a-f]*.*")} - index.keys


def _shortened(lines: list[str]) -> list[str]:
    more = [f"and {len(lines) - _SHOWN} more."] if len(lines) > _SHOWN else []
    return lines[:_SHOWN] + more
