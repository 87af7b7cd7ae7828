"""The numbers of one session in a file of their own, and beside it how they came about."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from neuroparcel.atomic import ASIDE, atomic_path
from neuroparcel.errors import ConnectomeError, FileFormatError, OutputError
from neuroparcel.io.files import write_json
from neuroparcel.io.store.index import Entry
from neuroparcel.io.store.sizes import in_words
from neuroparcel.types import FloatArray

BLOCKS = "blocks"
"""Folder of the blocks in a store."""

Dtype = Literal["float32", "float16"]


@dataclass(frozen=True)
class BlockFiles:
    """Where the block of a key lies: its numbers, and the record that makes it complete.

    Parameters
    ----------
    folder : pathlib.Path
        The store.
    key : str
    """

    folder: Path
    key: str

    @property
    def numbers(self) -> Path:
        """A (vertex, feature) array of float16 or float32."""
        return self.folder / BLOCKS / f"{self.key}.npy"

    @property
    def record(self) -> Path:
        """Written last: without it the numbers may be unfinished."""
        return self.folder / BLOCKS / f"{self.key}.json"

    def read_record(self) -> dict[str, Any]:
        """How the block came about.

        Raises
        ------
        FileFormatError
            If the record is missing or damaged.
        """
        try:
            record = dict(json.loads(self.record.read_text(encoding="utf-8")))
            n_missing = len({"frames", "dead", "inputs", "sha256", "bytes"} - record.keys())
        except (OSError, ValueError, TypeError) as error:
            raise FileFormatError(f"{self.record} is missing or damaged ({error}).") from error
        if n_missing:
            raise FileFormatError(f"{self.record} is damaged: it lacks {n_missing} items.")
        return record

    def entry(self) -> Entry | None:
        """What the index says of a finished block; None if it is not there as a whole."""
        try:
            record = self.read_record()
            whole = self.numbers.stat().st_size == record["bytes"]
        except (OSError, FileFormatError):
            return None
        return Entry.of(self.key, record["frames"], record["dead"]) if whole else None


def write_block(
    files: BlockFiles, values: FloatArray, dtype: Dtype, record: dict[str, Any]
) -> None:
    """Write the numbers of a session and their record, whole or not at all.

    Parameters
    ----------
    files : BlockFiles
        Where to.
    values : (vertex, feature) array of float32
        NaN stays NaN.
    dtype : {"float16", "float32"}
        How to keep them. float16 is off by at most 0.00025 for correlations.
    record : dict
        How they came about; checksum and size are added.

    Raises
    ------
    ConnectomeError
        If numbers are too large for float16.
    OutputError
        If the disk is full, or the folder cannot be written to.
    """
    kept = _convert(values, dtype)
    checked: dict[str, Any] = {"sha256": checksum(kept)}
    try:
        with atomic_path(files.numbers) as aside:
            with aside.open("wb") as file:
                np.lib.format.write_array(file, kept, allow_pickle=False)
            checked["bytes"] = aside.stat().st_size
        write_json(files.record, record | checked)
    except OSError as error:
        what = f"{files.numbers.name} ({in_words(kept.nbytes)})"
        raise OutputError(
            f"The store {files.folder} cannot take the block {what}: {error.strerror or error}.",
            "Free space or use another folder; finished sessions are kept when you build again.",
        ) from error


def open_block(files: BlockFiles, shape: tuple[int, int], dtype: str) -> FloatArray:
    """Map the numbers of a session into memory; they are read when they are used.

    Returns
    -------
    (vertex, feature) array of float16 or float32
        Read-only.

    Raises
    ------
    FileFormatError
        If the block is missing or not what the index says.
    """
    tip = "See neuroparcel connectome verify, then build again."
    try:
        values = np.load(files.numbers, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FileFormatError(f"{files.numbers} cannot be read ({reason}).", tip) from error
    if (values.shape, values.dtype) != (shape, np.dtype(dtype)):
        raise FileFormatError(
            f"{files.numbers} holds {values.dtype} of shape {values.shape}, not {dtype} of "
            f"shape {shape}.",
            tip,
        )
    return values


def checksum(values: FloatArray) -> str:
    """The checksum that :func:`write_block` notes in the record."""
    return hashlib.sha256(np.ascontiguousarray(values).data).hexdigest()


def remove_unfinished(store: Path) -> None:
    """Remove what dead processes left half written; only while nobody builds."""
    for folder in (store, store / BLOCKS):
        for file in folder.glob(f"{ASIDE}*"):
            file.unlink(missing_ok=True)


def _convert(values: FloatArray, dtype: str) -> FloatArray:
    with np.errstate(over="ignore"):  # said in words below
        kept = np.ascontiguousarray(values, dtype=dtype)
    if dtype == "float16" and np.isinf(kept).sum() > np.isinf(values).sum():
        largest = np.abs(values[np.isfinite(values)]).max()
        raise ConnectomeError(
            f"Numbers up to {largest:g} do not fit into float16, which ends at 65504.",
            "Keep them as float32.",
        )
    return kept
