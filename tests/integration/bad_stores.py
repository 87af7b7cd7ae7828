"""Stores that are damaged or hold something else; disks, clusters and libraries that fail."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neuroparcel.io import cells, scheduling
from neuroparcel.io.formats import open_matrix

from .bad_files import Folder
from .bad_inputs import PARTLY_DONE, Section

stores = Section("The connectome store")
machines = Section("Disks, other programs, clusters and libraries")


def built(at: Folder, n_subjects: int = 2) -> Path:
    """A finished store."""
    at.listed(*(at.nodes(f"{n}.npy") for n in range(n_subjects)))
    result = at.run(at.build())
    assert result.exit_code == 0, result.output
    return at / "store"


def export(at: Folder, output: str) -> list[str]:
    """``neuroparcel connectome export``."""
    return ["connectome", "export", str(at / "store"), "--output", str(at / output)]


@stores.case("a folder that is no store", names="photos")
def _(at: Folder) -> list[str]:
    at.text("photos/beach.jpg", "sand")
    return ["connectome", "inspect", str(at / "photos")]


@stores.case("a store that shall be built in a folder of something else", names="photos")
def _(at: Folder) -> list[str]:
    at.text("photos/beach.jpg", "sand")
    at.listed(at.nodes())
    return at.build("--output", at / "photos")


@stores.case("a fit from a folder that is no store", names="photos")
def _(at: Folder) -> list[str]:
    at.text("photos/beach.jpg", "sand")
    return at.fit("--connectome", at / "photos", subjects=None)


@stores.case("a damaged index", names="index.json")
def _(at: Folder) -> list[str]:
    (built(at) / "index.json").write_text("{")
    return ["connectome", "verify", str(at / "store")]


@stores.case("a damaged block, seen by verify", PARTLY_DONE, done="s1 s2")
def _(at: Folder) -> list[str]:
    damage(built(at))
    return ["connectome", "verify", str(at / "store")]


@stores.case("a truncated block, in a fit", done="s1 s2")
def _(at: Folder) -> list[str]:
    damage(built(at), whole=False)
    return at.fit("--connectome", at / "store", subjects=None)


def damage(store: Path, *, whole: bool = True) -> None:
    """Change a block, or cut it off."""
    block = min(store.rglob("*.npy"))
    content = block.read_bytes()
    block.write_bytes(content[:-4] + b"\0\0\0\0" if whole else content[:-400])


@stores.case(
    "an input that has changed since, seen by verify", PARTLY_DONE, done="s1 s2", names="0.npy"
)
def _(at: Folder) -> list[str]:
    built(at)
    at.nodes("0.npy", (41, 20))
    return ["connectome", "verify", str(at / "store")]


@stores.case("another cleaning than that of the store", done="s1 s2", names="store")
def _(at: Folder) -> list[str]:
    return at.fit("--connectome", built(at), "--detrend", subjects=None)


@stores.case("other features than those of the store", done="s1 s2", names="store")
def _(at: Folder) -> list[str]:
    return at.fit("--connectome", built(at), "--features", "binary", subjects=None)


@stores.case("a region that the store lacks", done="s1", names="store")
def _(at: Folder) -> list[str]:
    at.listed(at.surface())
    assert at.run(at.build(*at.targets(), "--roi", "L_44")).exit_code == 0
    return at.fit("--connectome", at / "store", "--roi", "L_45", subjects=None)


@stores.case("a fit from a store in which a session failed", done="s1", names="short.npy")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes(), at.nodes("short.npy", (2, 20)))
    assert at.run(at.build()).exit_code == PARTLY_DONE
    return at.fit("--connectome", at / "store", subjects=None)


@stores.case("an export to what is there", done="s1 s2", names="all.npz")
def _(at: Folder) -> list[str]:
    built(at)
    at.text("all.npz", "years of work")
    return [*export(at, "all.npz"), "--format", "npz"]


@machines.case("a disk that is too small for the store", names="store")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes("0.npy"), at.nodes("1.npy"))
    at.no_room("neuroparcel.io.store.build")
    return at.build()


@machines.case("a disk that fills up while the store is written", done="s1", names="store")
def _(at: Folder) -> list[str]:
    at.listed(*(at.nodes(f"{n}.npy") for n in range(3)))
    write, written = np.lib.format.write_array, []

    def write_until_full(file: Any, array: np.ndarray, **options: Any) -> None:
        if written:
            file.write(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(array)
        write(file, array, **options)

    at.patch.setattr(np.lib.format, "write_array", write_until_full)
    return at.build()


@machines.case("a disk that is too small for the export", done="s1 s2", names="all.npz")
def _(at: Folder) -> list[str]:
    built(at)
    at.no_room("neuroparcel.io.store.exporting")
    return [*export(at, "all.npz"), "--format", "npz"]


@machines.case("a file that changes while it is read", PARTLY_DONE, done="s2", names="growing.npy")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes("growing.npy"), at.nodes())

    def open_growing(paths: Sequence[Path], mask: Path | None) -> Any:
        matrix = open_matrix(paths, mask)
        if matrix.path.name == "growing.npy":
            os.utime(matrix.path, ns=(0, 0))
        return matrix

    at.patch.setattr(cells, "open_matrix", open_growing)
    return at.build()


@machines.case("a Dask scheduler that does not answer", names="tcp://127.0.0.1:9")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes())
    at.patch.setattr(scheduling, "_DASK_TIMEOUT", 0.3)
    return at.build("--scheduler", "dask:tcp://127.0.0.1:9")


@machines.case("Dask is not installed", names="distributed")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes())
    at.patch.setitem(sys.modules, "distributed", None)
    return at.build("--scheduler", "dask:tcp://127.0.0.1:9")


@machines.case("zarr is not installed", done="s1 s2", names="zarr")
def _(at: Folder) -> list[str]:
    built(at)
    at.patch.setitem(sys.modules, "zarr", None)
    return export(at, "all.zarr")
