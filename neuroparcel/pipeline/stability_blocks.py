"""Parts of a stability analysis on disk: each is done once, whoever does it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.io.files import parsing, read_arrays, write_arrays

if TYPE_CHECKING:
    from neuroparcel.parcellation.stability_blocks import Block, BlockPlace

_STUDY = "study"  # the array that tells which analysis a block is of
_PLACE = "place"  # and which part of it
_TIP = "Run the same command again with --resume: it makes the block anew."


@dataclass(frozen=True)
class BlockFolder:
    """Where the blocks of one analysis lie.

    A block is there whole or not at all, so that tasks and killed runs leave what others can
    go on from.

    Attributes
    ----------
    path : Path
    study : str
        Digest of all that the blocks depend on, hexadecimal.
    """

    path: Path
    study: str

    def file(self, place: BlockPlace) -> Path:
        """The file of a block."""
        return self.path / f"{place}.safetensors"

    def write(self, place: BlockPlace, block: Block) -> Path:
        """Keep a block."""
        return write_arrays(self.file(place), {**block.to_arrays(), **self._marks(place)})

    def read(self, place: BlockPlace) -> Block:
        """A block that is there.

        Raises
        ------
        FileFormatError
            If it is not there, damaged, or of another analysis or place.
        """
        from neuroparcel.parcellation.stability_blocks import Block

        path = self.file(place)
        with parsing(path, _TIP):
            arrays = read_arrays(path)
            marks = self._marks(place)
            if not all(np.array_equal(arrays.pop(name), mark) for name, mark in marks.items()):
                raise ValueError("it is of another analysis, or of another part of this one")
            return Block.from_arrays(arrays)

    def lacks(self, places: Sequence[BlockPlace]) -> list[BlockPlace]:
        """Places whose blocks are still to be made."""
        return [place for place in places if not self._holds(place)]

    def remove(self) -> None:
        """Take all blocks away."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _holds(self, place: BlockPlace) -> bool:
        """Whether a block is whole, of this analysis and this place; its numbers are not read.

        The header of a safetensors file says how long it is, and opening it compares.
        """
        from safetensors import SafetensorError, safe_open

        path = self.file(place)
        if not path.is_file():
            return False
        try:
            with safe_open(path, framework="np") as arrays:
                marks = self._marks(place)
                return all(
                    np.array_equal(arrays.get_tensor(name), mark) for name, mark in marks.items()
                )
        except (SafetensorError, OSError):
            return False

    def _marks(self, place: BlockPlace) -> dict[str, np.ndarray]:
        """What a file says of itself: its name alone may be that of another."""
        return {
            _STUDY: np.frombuffer(bytes.fromhex(self.study), dtype=np.uint8),
            _PLACE: np.array([place.cell, place.start, place.stop], dtype=np.int64),
        }


def share(places: Sequence[BlockPlace], task_id: int, n_tasks: int) -> list[BlockPlace]:
    """The places of one task of several: every n-th, so that sizes are spread evenly."""
    return list(places[task_id::n_tasks])
