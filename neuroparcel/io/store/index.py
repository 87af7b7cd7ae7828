"""What a store holds: one entry a session, and the files that the sessions were made of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import FileFormatError, OutputError
from neuroparcel.io.files import read_arrays, write_arrays, write_text
from neuroparcel.io.fingerprints import NUMBERS_VERSION, Stamp
from neuroparcel.io.layout.naming import natural
from neuroparcel.io.recipe import Recipe
from neuroparcel.io.recipe_arrays import recipe_from, recipe_to_arrays, recipe_to_json
from neuroparcel.types import BoolArray, IntArray
from neuroparcel.versions import versions

FORMAT = 2
"""Of the index and of the blocks; it is part of every block's key."""

INDEX = "index.json"
INPUTS = "inputs.json"
_ARRAYS = "arrays-*.safetensors"
_N_TRIES = 5  # a build may replace the arrays between the reading of the index and of them

CellName: TypeAlias = tuple[str, str]
"""Subject and session."""


@dataclass(frozen=True, eq=False)
class Head:
    """What all blocks of a store have in common.

    Parameters
    ----------
    dtype : str
        ``"float32"`` or ``"float16"``.
    recipe : Recipe
        How the numbers were made.
    digest : str
        Of the recipe.
    numbers : int
        :data:`~neuroparcel.io.fingerprints.NUMBERS_VERSION` of the code that made them.
    """

    dtype: str
    recipe: Recipe
    digest: str
    numbers: int

    @classmethod
    def of(cls, recipe: Recipe, dtype: str) -> Head:
        """The head of a store for a recipe."""
        return cls(dtype, recipe, recipe.digest(), NUMBERS_VERSION)

    @property
    def axis(self) -> BrainAxis:
        """The vertices of the region."""
        return self.recipe.region.axis

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names along the last dimension."""
        return self.recipe.feature_names

    @property
    def shape(self) -> tuple[int, int]:
        """Of a block: (vertex, feature)."""
        return len(self.axis), len(self.feature_names)

    @property
    def block_bytes(self) -> int:
        """Size of the numbers of a block."""
        return int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize

    def makes_the_same_as(self, other: Head) -> bool:
        """Whether both describe the same numbers."""
        mine, theirs = (self.numbers, self.digest), (other.numbers, other.digest)
        return mine == theirs and self.dtype == other.dtype


@dataclass(frozen=True)
class Entry:
    """A session in the index: a block, or the reason why there is none.

    Parameters
    ----------
    key : str
        Name of the block; empty if it failed.
    n_frames : int
        Frames that it was made from.
    dead : bytes
        Rows without a profile, as int32; see :meth:`of`.
    error : str
        In one line; empty unless it failed.
    """

    key: str = ""
    n_frames: int = 0
    dead: bytes = b""
    error: str = ""

    @classmethod
    def of(cls, key: str, n_frames: int, dead: npt.ArrayLike) -> Entry:
        """Entry of a block of which some rows (row,) are dead."""
        return cls(key, n_frames, np.asarray(dead, np.int32).tobytes())

    @property
    def dead_rows(self) -> IntArray:
        """Rows without a profile, (row,)."""
        return np.frombuffer(self.dead, np.int32)


@dataclass(frozen=True, eq=False)
class Index:
    """The sessions of a store.

    Parameters
    ----------
    head : Head
    entries : mapping of (str, str) to Entry
        By subject and session.
    """

    head: Head
    entries: Mapping[CellName, Entry] = field(default_factory=dict)

    @property
    def subjects(self) -> tuple[str, ...]:
        """Subjects with an entry, in the order in which they came."""
        return tuple(dict.fromkeys(subject for subject, _ in self.entries))

    @property
    def sessions(self) -> tuple[str, ...]:
        """Sessions of any subject, sorted, numbers by value."""
        return tuple(sorted({session for _, session in self.entries}, key=natural))

    @property
    def keys(self) -> frozenset[str]:
        """Names of the blocks that are in use."""
        return frozenset(entry.key for entry in self.entries.values() if entry.key)

    def alive(self, name: CellName) -> BoolArray:
        """Vertices with a profile, (vertex,); none if there is no block."""
        entry = self.entries.get(name)
        mask = np.full(len(self.head.axis), entry is not None and bool(entry.key))
        if entry is not None and entry.dead:
            mask[entry.dead_rows] = False
        return mask


def read_index(store: Path) -> Index:
    """Read the index of a store.

    Raises
    ------
    OutputError
        If the folder holds no store.
    FileFormatError
        If the index is damaged, or of another version.
    """
    for attempt in range(1, _N_TRIES + 1):
        content = _read_json(store, INDEX)
        if content.get("format") != FORMAT:
            raise FileFormatError(
                f"{store / INDEX} has the format {content.get('format')}; this version reads "
                f"{FORMAT}.",
                "Build a new store, or use the version of neuroparcel that wrote it.",
            )
        try:
            return _index(content, read_arrays(store / content["arrays"]))
        except FileFormatError:
            if attempt == _N_TRIES:
                raise
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(store / INDEX, f"{type(error).__name__}: {error}") from error
    raise AssertionError("the last attempt returns or raises")


def write_index(store: Path, index: Index) -> None:
    """Replace the index of a store; a reader sees the old one or the new one."""
    arrays = recipe_to_arrays(index.head.recipe)
    dead = b"".join(entry.dead for entry in index.entries.values())
    arrays["dead"] = np.frombuffer(dead, np.int32)
    digest = hashlib.blake2b(digest_size=8)
    for array in arrays.values():
        digest.update(np.ascontiguousarray(array).data)
    file = _ARRAYS.replace("*", digest.hexdigest())
    if not (store / file).exists():
        write_arrays(store / file, arrays)
    head = index.head
    content = {
        "format": FORMAT,
        "dtype": head.dtype,
        "arrays": file,
        "recipe_digest": head.digest,
        "numbers": head.numbers,
        "subjects": index.subjects,
        "sessions": index.sessions,
        "cells": [_entry_json(name, entry) for name, entry in index.entries.items()],
        "recipe": recipe_to_json(head.recipe),
        "versions": versions(),
    }
    write_text(store / INDEX, json.dumps(content))
    for other in store.glob(_ARRAYS):
        if other.name != file:
            other.unlink(missing_ok=True)


@dataclass(eq=False)
class Inputs:
    """The files that sessions were made of, as they were then.

    Parameters
    ----------
    stamps : dict of str to Stamp
        By absolute path.
    cells : dict of (str, str) to list of str
        The paths of each session.
    data : dict of (str, str) to list of str
        Of these the data, with the variable where one is chosen; masks and confounds may be
        shared by sessions, data may not.
    """

    stamps: dict[str, Stamp] = field(default_factory=dict)
    cells: dict[CellName, list[str]] = field(default_factory=dict)
    data: dict[CellName, list[str]] = field(default_factory=dict)

    @property
    def used(self) -> tuple[str, ...]:
        """The files that a session is made of, each once."""
        return tuple(dict.fromkeys(path for paths in self.cells.values() for path in paths))


def read_inputs(store: Path) -> Inputs:
    """Read what a store knows of its inputs; nothing if it has not been written yet."""
    if not (store / INPUTS).exists():
        return Inputs()
    content = _read_json(store, INPUTS)
    try:
        stamps = {path: Stamp(*stamp) for path, stamp in content["files"].items()}
        cells = {(subject, session): paths for subject, session, paths, _ in content["cells"]}
        data = {(subject, session): paths for subject, session, _, paths in content["cells"]}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(store / INPUTS, f"{type(error).__name__}: {error}") from error
    return Inputs(stamps, cells, data)


def write_inputs(store: Path, inputs: Inputs) -> None:
    """Replace what a store knows of its inputs."""
    stamps = {path: inputs.stamps[path] for path in inputs.used}
    content = {
        "files": {path: (s.size, s.mtime_ns, s.content) for path, s in stamps.items()},
        "cells": [(*name, paths, inputs.data[name]) for name, paths in inputs.cells.items()],
    }
    write_text(store / INPUTS, json.dumps(content))


def _entry_json(name: CellName, entry: Entry) -> list[Any]:
    return [*name, entry.key, entry.n_frames, len(entry.dead_rows), entry.error]


def _index(content: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Index:
    entries, start, dead = {}, 0, arrays["dead"]
    for subject, session, key, n_frames, n_dead, error in content["cells"]:
        rows = dead[start : start + n_dead].tobytes()
        entries[subject, session] = Entry(key, n_frames, rows, error)
        start += n_dead
    recipe = recipe_from(content["recipe"], arrays)
    head = Head(content["dtype"], recipe, content["recipe_digest"], content["numbers"])
    return Index(head, entries)


def _read_json(store: Path, name: str) -> dict[str, Any]:
    try:
        return dict(json.loads((store / name).read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError) as error:
        tip = "Make one with neuroparcel connectome build."
        raise OutputError(f"{store} holds no connectome store (no {name}).", tip) from error
    except (ValueError, TypeError) as error:
        raise _damaged(store / name, str(error)) from error


def _damaged(path: Path, reason: str) -> FileFormatError:
    return FileFormatError(
        f"{path} is damaged ({reason}).",
        f"Remove it and build again; finished blocks are found and kept ({INDEX}).",
    )
