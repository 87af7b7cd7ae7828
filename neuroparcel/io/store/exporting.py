"""A store as one array of all sessions, for other programs."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from shutil import disk_usage
from tempfile import mkdtemp
from typing import Any, Literal, get_args

import numpy as np

from neuroparcel.atomic import ASIDE, atomic_path
from neuroparcel.errors import OptionError, OutputError
from neuroparcel.io.store.opened import ConnectomeStore
from neuroparcel.io.store.sizes import in_words
from neuroparcel.types import FloatArray

ExportFormat = Literal["zarr", "npz"]

_DIMENSIONS = ("subject", "session", "vertex", "feature")


def export(store: ConnectomeStore, destination: Path, format: ExportFormat = "zarr") -> Path:
    """Write all sessions of a store into one array (subject, session, vertex, feature).

    The numbers are those of the store, in its dtype; missing sessions are NaN.

    Parameters
    ----------
    store : ConnectomeStore
    destination : pathlib.Path
        A folder for zarr, a file for npz, that does not exist yet.
    format : {"zarr", "npz"}, default "zarr"
        ``"zarr"``: a zarr array, one chunk a session, with subjects, sessions, features,
        vertices and the recipe as attributes. ``"npz"``: for numpy alone, with the arrays
        ``values``, ``subjects``, ``sessions``, ``features``, ``vertices`` and ``recipe`` (JSON).

    Returns
    -------
    pathlib.Path
        The destination. It is written whole or not at all.

    Raises
    ------
    OptionError
        If the format is unknown, or zarr is not installed.
    OutputError
        If the destination exists, or its disk is too small or full.
    FileFormatError
        If a block is damaged.
    """
    if format not in get_args(ExportFormat):
        raise OptionError(
            f"Unknown format {format!r}.", f"Use {' or '.join(get_args(ExportFormat))}."
        )
    destination = Path(destination).absolute()
    if destination.exists():
        raise OutputError(f"{destination} exists already.", "Give another name, or remove it.")
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        _check_space(store, destination)
        (_to_zarr if format == "zarr" else _to_npz)(store, destination)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"{destination} cannot be written ({error.strerror or error}).",
            "Free space, or give another place.",
        ) from error
    return destination


def _to_zarr(store: ConnectomeStore, destination: Path) -> None:
    try:
        import zarr
    except ImportError as error:
        raise OptionError(
            "Exporting to zarr needs the library zarr, which is not installed.",
            "pip install neuroparcel[zarr]",
        ) from error
    shape = _shape(store)
    aside = Path(mkdtemp(prefix=ASIDE, dir=destination.parent))
    try:
        array = zarr.create_array(
            store=str(aside / "array"),
            shape=shape,
            chunks=(1, 1, *shape[2:]),
            dtype=store.dtype,
            fill_value=np.nan,
            dimension_names=_DIMENSIONS,
            attributes=_description(store),
        )
        for row, column, values in _sessions(store):
            if values is not None:  # a chunk that is not written reads as NaN
                array[row, column] = np.asarray(values)
        (aside / "array").replace(destination)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _to_npz(store: ConnectomeStore, destination: Path) -> None:
    """One session at a time, as numpy.savez would need all of them in memory."""
    described = _description(store)
    recipe = json.dumps(described.pop("recipe"))
    names = {name: np.asarray(values, np.str_) for name, values in described.items()}
    missing = np.full(_shape(store)[2:], np.nan, store.dtype)
    header = {"descr": np.dtype(store.dtype).str, "fortran_order": False, "shape": _shape(store)}
    with atomic_path(destination) as aside, zipfile.ZipFile(aside, "w") as archive:
        with archive.open("values.npy", "w", force_zip64=True) as file:
            np.lib.format.write_array_header_2_0(file, header)
            for _, _, values in _sessions(store):
                file.write(np.ascontiguousarray(missing if values is None else values).data)
        for name, array in {**names, "recipe": np.asarray(recipe)}.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def _shape(store: ConnectomeStore) -> tuple[int, int, int, int]:
    return len(store.subjects), len(store.sessions), *store.index.head.shape


def _description(store: ConnectomeStore) -> dict[str, Any]:
    return {
        "subjects": list(store.subjects),
        "sessions": list(store.sessions),
        "features": list(store.feature_names),
        "vertices": list(store.axis.names),
        "recipe": store.recipe.to_json(),
    }


def _sessions(store: ConnectomeStore) -> Iterator[tuple[int, int, FloatArray | None]]:
    """Each session with its place in the array; None where it is missing."""
    for row, subject in enumerate(store.subjects):
        for column, session in enumerate(store.sessions):
            entry = store.index.entries.get((subject, session))
            present = entry is not None and entry.key
            yield row, column, store.values(subject, session) if present else None


def _check_space(store: ConnectomeStore, destination: Path) -> None:
    n_bytes = len(store.subjects) * len(store.sessions) * store.index.head.block_bytes
    free = disk_usage(destination.parent).free
    if free < n_bytes:
        raise OutputError(
            f"{destination} needs up to {in_words(n_bytes)}, and its disk has "
            f"{in_words(free)} left.",
            "Free space, or give another place.",
        )
