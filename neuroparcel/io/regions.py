"""Regions to be parcellated, by name or from a label file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from neuroparcel.brain.atlas import Atlas, Region
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import AtlasError
from neuroparcel.io.atlases import is_atlas_name, load_atlas
from neuroparcel.io.formats.spaces import UNKNOWN_SPACE
from neuroparcel.io.label_files import LABEL_SUFFIXES, is_label_file
from neuroparcel.io.meshes import load_cortex_axis
from neuroparcel.io.registry import Entry, entries, registry
from neuroparcel.io.user_atlases import user_atlas_names

CORTEX = "cortex"
NODES = "nodes"
VOXELS = "voxels"
_DEFAULT_ATLAS = "mmp"
_HEMISPHERES = ("CORTEX_LEFT", "CORTEX_RIGHT")
_SIDES = {
    CORTEX: _HEMISPHERES,
    "cortex-left": _HEMISPHERES[:1],
    "cortex-right": _HEMISPHERES[1:],
}
"""Hemispheres of the regions that need no label file."""


def load_region(spec: str | Path, axis: BrainAxis | None = None) -> Region:
    """Load the region to be parcellated.

    Parameters
    ----------
    spec : str or path
        ``"cortex"``, ``"cortex-left"``, ``"cortex-right"``; on fs_LR 32k a region of the registry
        (``"broca-left"``, ``"motor"``) or MMP labels joined by commas (``"L_44,L_45"``); an
        atlas by its name (``"yeo17"``, or one that the user has added) or a label file, all of
        whose labels count unless some are chosen after a colon (``"yeo17:DefaultA,DefaultB"``,
        ``"my.dlabel.nii:area1,area2"``); ``"voxels"``, or the structures of some voxels
        (``"voxels:CEREBELLUM_LEFT,CEREBELLUM_RIGHT"``); ``"nodes"``, or ``"nodes:name1,name2"``.
    axis : BrainAxis, optional
        Rows of the recordings; the cortex of fs_LR 32k if not given.

    Returns
    -------
    Region

    Raises
    ------
    AtlasError
        If a name or label is unknown or unknown on these rows, an atlas lies on another mesh,
        a label is named twice, or the region has no vertices.
    FileFormatError
        If the file cannot be read.
    """
    text = str(spec).strip()
    places = load_cortex_axis() if axis is None else axis
    if text == NODES or text.startswith(f"{NODES}:"):
        return _nodes(text, places)
    if text == VOXELS or text.startswith(f"{VOXELS}:"):
        return _voxels(text, places)
    atlas, labels = _split_labels(text)
    if atlas:
        return _of_atlas(text, atlas, labels, axis)
    if text in _SIDES:
        return _cortex(text, places)
    if Path(text.partition(":")[0]).is_file():
        raise AtlasError(
            f"{text} is not a label file by its name.",
            f"Label files end in {', '.join(LABEL_SUFFIXES)}.",
        )
    return _named(text, labels, places)


def load_atlas_on(name: str, axis: BrainAxis | None) -> Atlas:
    """Load an atlas that recordings are to be read with.

    Parameters
    ----------
    name : str
        As in :func:`~neuroparcel.io.atlases.load_atlas`.
    axis : BrainAxis or None
        Rows of the recordings; None where they are not known.

    Raises
    ------
    AtlasError
        Beside what :func:`~neuroparcel.io.atlases.load_atlas` raises: if it lies on another
        mesh than the recordings, or in no structure of theirs.
    """
    atlas = load_atlas(name)
    if axis is None:
        return atlas
    if atlas.axis.space == UNKNOWN_SPACE:  # a label file need not say which space it is in
        atlas = replace(atlas, axis=replace(atlas.axis, space=axis.space))
    sizes = atlas.axis.mesh_size
    other_mesh = any(sizes.get(side, size) != size for side, size in axis.mesh_size.items())
    if other_mesh or not set(atlas.axis.structures) & set(axis.structures):
        raise AtlasError(
            f"The atlas {name} lies on {describe_places(atlas.axis)}, and the recordings are on "
            f"{describe_places(axis)}.",
            "Give one on the mesh of the recordings, or resample it: wb_command -label-resample, "
            "or mri_surf2surf.",
        )
    return atlas


def _of_atlas(text: str, name: str, labels: Sequence[str], axis: BrainAxis | None) -> Region:
    """Some labels of an atlas, or all of them."""
    if axis is not None and name in registry()["atlases"] and not is_standard_cortex(axis):
        raise _only_on_fs_lr(text, axis)
    atlas = load_atlas_on(name, axis)
    return atlas.region(labels or [label.name for label in atlas.present], name=text)


def _named(text: str, labels: Sequence[str], places: BrainAxis) -> Region:
    """A region of the registry, or labels of the MMP atlas."""
    known = [entry.name for entry in entries().values() if entry.kind == "region"]
    if ":" in text:
        load_atlas(text.partition(":")[0])  # says that there is no such atlas, and which are
    if not is_standard_cortex(places):
        raise _only_on_fs_lr(text, places)
    if text in known:
        return _registered(entries()[text])
    names = (*known, *registry()["atlases"], *user_atlas_names(), *_SIDES, VOXELS)
    near = get_close_matches(text, names, n=1, cutoff=0.8)
    if near:
        raise AtlasError(f"Unknown region {text!r}.", f"Did you mean {near[0]}?")
    return load_atlas(_DEFAULT_ATLAS).region(labels, name=text)


def _only_on_fs_lr(text: str, places: BrainAxis) -> AtlasError:
    return AtlasError(
        f"The region {text!r} is known on the fs_LR 32k cortex only, and the recordings are "
        f"on {describe_places(places)}.",
        f"Give --roi {NODES}."
        if places.is_nodes
        else "Give --roi a label file made for them: FILE, or FILE:label1,label2.",
    )


def _registered(entry: Entry) -> Region:
    """A region of the registry; a label that lies in both hemispheres may be cut to one."""
    region = load_atlas(entry.atlas).region(entry.labels, name=entry.name)
    rows = np.flatnonzero(np.isin(region.axis.structure, entry.structures))
    if len(rows) == region.n_vertices:
        return region
    return Region(
        entry.name, region.axis.restrict(rows), region.labels, region.label_of_vertex[rows]
    )


def _cortex(name: str, places: BrainAxis) -> Region:
    """All vertices of one or both hemispheres; on fs_LR 32k without the medial wall."""
    sides = [side for side in _SIDES[name] if side in places.structures]
    if not sides:
        raise AtlasError(
            f"The recordings have no cortical surface{_of_the_side(name)}: they are on "
            f"{describe_places(places)}.",
            f"Give --roi {NODES}." if places.is_nodes else "Give --roi a label file.",
        )
    if is_standard_cortex(places):
        atlas = load_atlas(_DEFAULT_ATLAS)
        names = {label.key: label.name for label in atlas.labels}
        rows = np.flatnonzero(np.isin(atlas.axis.structure, sides))
        areas = np.array([names.get(int(key), "n/a") for key in atlas.keys[rows]])
        found = set(areas.tolist())
        labels = tuple(label for label in names.values() if label in found)
        return Region(name, atlas.axis.restrict(rows), labels, areas)
    axis = places.restrict(np.flatnonzero(np.isin(places.structure, sides)))
    return Region(name, axis, (name,), np.full(len(axis), name))


def _of_the_side(name: str) -> str:
    side = name.removeprefix(CORTEX).removeprefix("-")
    return f" of the {side} hemisphere" if side else ""


def _voxels(text: str, places: BrainAxis) -> Region:
    """All voxels, or those of some structures; each structure is an area."""
    rows = np.flatnonzero(~places.is_surface)
    if places.is_nodes or len(rows) == 0:
        raise AtlasError(
            f"The recordings have no voxels: they are on {describe_places(places)}.",
            f"Give --roi {NODES if places.is_nodes else CORTEX}, a name, or a label file.",
        )
    there = list(dict.fromkeys(places.structure[rows].tolist()))
    _, _, listed = text.partition(":")
    wanted = _split(listed) if listed else there
    unknown = [name for name in wanted if name not in there]
    if unknown:
        raise AtlasError(
            f"The recordings have no voxels of {unknown[0]!r}.",
            f"They have {', '.join(there)}.",
        )
    axis = places.restrict(rows[np.isin(places.structure[rows], wanted)])
    return Region(text, axis, tuple(dict.fromkeys(wanted)), axis.structure)


def _nodes(text: str, places: BrainAxis) -> Region:
    if not places.is_nodes:
        raise AtlasError(
            f"The recordings have no nodes: they are on {describe_places(places)}.",
            f"Give --roi {CORTEX}, a name, or a label file.",
        )
    _, _, listed = text.partition(":")
    wanted = _split(listed) if listed else list(places.names)
    unknown = [name for name in wanted if name not in places.names]
    if unknown:
        raise AtlasError(
            f"There is no node {unknown[0]!r}.", f"Nodes are called {places.names[0]} and so on."
        )
    if len(set(wanted)) < len(wanted):
        twice = next(name for name in wanted if wanted.count(name) > 1)
        raise AtlasError(f"The region names the node {twice!r} twice.", "Name each node once.")
    rows = [places.names.index(name) for name in wanted]
    return Region(text, places.restrict(rows), tuple(wanted), np.array(wanted))


def is_standard_cortex(axis: BrainAxis) -> bool:
    """Whether rows lie on the meshes of fs_LR 32k, which the atlases by name belong to."""
    standard = load_cortex_axis().mesh_size
    shared = [name for name in _HEMISPHERES if name in axis.mesh_size]
    return bool(shared) and all(axis.mesh_size[name] == standard[name] for name in shared)


def describe_places(axis: BrainAxis) -> str:
    """Where rows lie, in a few words: ``fsaverage (10242 vertices a hemisphere)``."""
    if axis.is_nodes:
        return f"{len(axis.nodes)} nodes"
    if axis.mesh_size:
        sizes = sorted(set(axis.mesh_size.values()))
        return f"{axis.space} ({', '.join(map(str, sizes))} vertices a hemisphere)"
    return f"a volume ({axis.space})"


def _split_labels(spec: str) -> tuple[str, list[str]]:
    """An atlas or a label file, or nothing, and the labels chosen (none: all)."""
    atlas, _, labels = spec.rpartition(":")
    if atlas and (is_label_file(atlas) or is_atlas_name(atlas)):
        return atlas, _split(labels)
    if is_label_file(spec) or is_atlas_name(spec):
        return spec, []
    return "", _split(spec)


def _split(labels: str) -> list[str]:
    names = [label.strip() for label in labels.split(",") if label.strip()]
    if not names:
        raise AtlasError("A region without labels has no vertices.", "Name labels: L_44,L_45.")
    return names
