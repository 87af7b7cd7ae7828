"""Label files of every kind: surfaces, pairs of hemispheres, grayordinates and volumes."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np

from neuroparcel.brain.atlas import BACKGROUND_KEY, Atlas, Label
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import AtlasError, FileFormatError
from neuroparcel.io.formats.cifti import read_cifti
from neuroparcel.io.formats.content import check_holds, check_is_content, is_compressed
from neuroparcel.io.formats.gifti import read_label_gifti
from neuroparcel.io.formats.gifti_arrays import external_files
from neuroparcel.io.formats.hemispheres import side_of_name
from neuroparcel.io.formats.nifti import VOLUME
from neuroparcel.io.formats.spaces import space_of_mesh, space_of_name

LABEL_SUFFIXES = (".dlabel.nii", ".label.gii", ".annot", ".nii.gz", ".nii")

_OTHER_CIFTI = (".dtseries.nii", ".dscalar.nii", ".ptseries.nii", ".pscalar.nii", ".dconn.nii")
_SIDES = re.compile(r"\{(L,R|lh,rh|left,right)\}")
_ANNOT_ENTRY = 8  # bytes a vertex of an annotation: its number and its colour
_GREY = (0.6, 0.6, 0.6, 1.0)
_NO_AREA = re.compile(r"unknown|\?\?\?|(.*freesurfer_defined_)?medial[._ ]?wall", re.IGNORECASE)


def is_label_file(name: str) -> bool:
    """Whether a name ends as label files do."""
    return name.endswith(LABEL_SUFFIXES) and not name.endswith(_OTHER_CIFTI)


def read_label_file(name: str) -> Atlas:
    """Read an atlas from a file, or from one file for each hemisphere.

    Parameters
    ----------
    name : str
        A ``.dlabel.nii`` file; a ``.label.gii`` or FreeSurfer ``.annot`` file, or two of them
        written as ``atlas.{L,R}.label.gii``; or a NIfTI volume of whole numbers, whose names
        are taken from the table of the same name that ends in ``.tsv`` (columns ``index``,
        ``name``), as BIDS has it. Of several maps the first counts. What a label is called
        tells it from others: the same name in both hemispheres is one label. The medial wall
        (``unknown``, ``Medial_wall``, ...) is none.

    Returns
    -------
    Atlas

    Raises
    ------
    FileFormatError
        If a file cannot be read, or no row of it has a label.
    AtlasError
        If both files are of the same hemisphere, or two labels share a name.
    """
    parts = [_read(path) for path in expand_sides(name)]
    atlas = parts[0] if len(parts) == 1 else _joined(name, parts)
    if not atlas.present:
        raise FileFormatError(
            f"{name} holds no labels: no vertex and no voxel has one.",
            "Give a file in which some have a number other than 0, and a name for it.",
        )
    return atlas


def expand_sides(name: str) -> tuple[Path, ...]:
    """``a.{L,R}.label.gii`` to the two files, left first; any other name to itself."""
    found = _SIDES.search(name)
    if found is None:
        return (Path(name),)
    return tuple(Path(name.replace(found[0], side)) for side in found[1].split(","))


def files_of(name: str) -> tuple[Path, ...]:
    """Every file that a label file is read from: its sides, and what lies beside them.

    Parameters
    ----------
    name : str
        As in :func:`read_label_file`.

    Returns
    -------
    tuple of pathlib.Path
        The table of a volume only if there is one.
    """
    found = list(expand_sides(name))
    for path in tuple(found):
        if path.name.endswith(".label.gii"):
            found += external_files(path)
        elif _is_volume(path) and table_beside(path).is_file():
            found.append(table_beside(path))
    return tuple(found)


def _read(path: Path) -> Atlas:
    if path.name.endswith(".label.gii"):
        return _areas_of(read_label_gifti(path))
    if path.name.endswith(".annot"):
        return _read_annot(path)
    return _read_volume(path) if _is_volume(path) else _areas_of(_read_dlabel(path))


def _areas_of(atlas: Atlas) -> Atlas:
    """An atlas whose medial wall, which some tables list among the areas, has no label."""
    areas = tuple(label for label in atlas.labels if not _NO_AREA.fullmatch(label.name))
    if len(areas) == len(atlas.labels):
        return atlas
    known = np.isin(atlas.keys, [label.key for label in areas])
    return replace(atlas, keys=np.where(known, atlas.keys, BACKGROUND_KEY), labels=areas)


def _is_volume(path: Path) -> bool:
    return path.name.endswith((".nii", ".nii.gz")) and not path.name.endswith(".dlabel.nii")


def _joined(name: str, parts: list[Atlas]) -> Atlas:
    """One atlas of two hemispheres, in which a label is what has one name, whatever its key."""
    first, second = parts
    if set(first.axis.structures) & set(second.axis.structures):
        raise AtlasError(
            f"Both files of {name} are of the same hemisphere, {first.axis.structures[0]}.",
            "Write the sides as {L,R} or {lh,rh}, left first.",
        )
    labels = {label.name: label for label in first.labels}
    keys = np.zeros_like(second.keys)
    for label in second.labels:
        taken = {known.key for known in labels.values()}
        free = label.key if label.key not in taken else max(taken) + 1
        same = labels.setdefault(label.name, Label(free, label.name, label.rgba))
        keys[second.keys == label.key] = same.key
    sides = [(part.axis.structures[0], part.axis) for part in parts]
    axis = BrainAxis.from_vertices(
        first.axis.space,
        {structure: own.vertex for structure, own in sides},
        {structure: own.mesh_size[structure] for structure, own in sides},
    )
    return Atlas(name, axis, np.concatenate([first.keys, keys]), tuple(labels.values()))


def _read_dlabel(path: Path) -> Atlas:
    matrix = read_cifti(path)
    if matrix.kind != "labels":
        raise FileFormatError(
            f"{path} holds {matrix.kind}, not labels.", "Give a .dlabel.nii file."
        )
    keys = matrix.read()[:, 0].astype(np.int64)
    return Atlas(str(path), matrix.axis, keys, matrix.labels[0])


def _read_annot(path: Path) -> Atlas:
    """A FreeSurfer annotation; its labels are numbered by their place in the table, from 1.

    FreeSurfer has no background: the medial wall is a label of its own, known by its name.
    """
    from nibabel.freesurfer import read_annot

    check_is_content(path)
    structure = side_of_name(path)
    if structure is None:
        raise FileFormatError(
            f"{path} does not tell its hemisphere.", "Name it like lh.atlas.annot."
        )
    n_vertices = int.from_bytes(path.read_bytes()[:4], "big")
    check_holds(path, 4 + _ANNOT_ENTRY * n_vertices)
    try:
        index, table, names = read_annot(path)
    except Exception as error:  # nibabel passes on whatever numpy makes of the bytes
        raise FileFormatError(f"{path} is not a readable annotation ({error}).") from error
    axis = BrainAxis.from_vertices(
        space_of_mesh(len(index)), {structure: np.arange(len(index))}, {structure: len(index)}
    )
    labels = tuple(
        Label.of(key, name, [*(table[key - 1, :3] / 255), 1.0])
        for key, name in enumerate((name.decode(errors="replace") for name in names), start=1)
        if not _NO_AREA.fullmatch(name)
    )
    keys = np.asarray(index, np.int64) + 1
    known = np.isin(keys, [label.key for label in labels])
    return Atlas(str(path), axis, np.where(known, keys, BACKGROUND_KEY), labels)


def _read_volume(path: Path) -> Atlas:
    import nibabel as nib

    check_is_content(path)
    try:
        image = nib.load(path)
        n_bytes = prod(image.shape) * image.get_data_dtype().itemsize
        check_holds(path, n_bytes, compressed=is_compressed(path))
        values = np.asanyarray(image.dataobj)
    except FileFormatError:
        raise
    except Exception as error:  # nibabel passes on whatever its header parser raises
        raise FileFormatError(f"{path} is not a readable NIfTI file ({error}).") from error
    if values.ndim != 3 or not np.array_equal(values, np.round(values)) or values.min() < 0:
        raise FileFormatError(
            f"{path} is no volume of labels: it needs three dimensions and whole numbers from 0.",
            "Give a 3-D NIfTI file in which each region has its own number.",
        )
    voxel = np.argwhere(values > 0)
    keys = values[tuple(voxel.T)].astype(np.int64)
    n = len(voxel)
    axis = BrainAxis(
        space_of_name(path),
        np.full(n, VOLUME),
        np.full(n, -1),
        voxel,
        {},
        image.affine,
        values.shape,
    )
    names = _names_beside(path)
    labels = tuple(
        Label(int(key), names.get(int(key), f"label-{key}"), _GREY) for key in np.unique(keys)
    )
    return Atlas(str(path), axis, keys, labels)


def table_beside(path: Path) -> Path:
    """Where the names of a volume's labels stand: ``a_dseg.tsv`` of ``a_dseg.nii.gz``."""
    return path.with_name(path.name.removesuffix(".gz").removesuffix(".nii") + ".tsv")


def _names_beside(path: Path) -> dict[int, str]:
    """Names of the labels of a volume from its table, if there is one."""
    table = table_beside(path)
    if not table.is_file():
        return {}
    with table.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    try:
        return {int(row["index"]): row["name"] for row in rows}
    except (KeyError, ValueError, TypeError) as error:
        raise FileFormatError(
            f"{table} is no table of labels ({error!r}).", "It needs the columns index and name."
        ) from error
