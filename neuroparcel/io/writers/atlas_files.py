"""Atlases as label files that other programs open, written whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from neuroparcel.atomic import atomic_path
from neuroparcel.brain.atlas import BACKGROUND_KEY, Atlas, Label
from neuroparcel.errors import OptionError
from neuroparcel.io.formats.hemispheres import LEFT, RIGHT, side_of_name
from neuroparcel.io.label_files import expand_sides, table_beside
from neuroparcel.io.writers.cifti_writer import write_dlabel
from neuroparcel.io.writers.gifti_writer import write_label_gifti
from neuroparcel.io.writers.nifti_writer import NiftiWriter
from neuroparcel.io.writers.tables import write_tsv

ATLAS_ENDINGS = (".dlabel.nii", ".label.gii", ".annot", ".nii.gz", ".nii", ".tsv")

_SIDED = (".label.gii", ".annot")
_UNKNOWN = (b"unknown", (0, 0, 0, 0))
"""What FreeSurfer calls vertices without a label, and its place in the table: the first."""
_N_COLOURS = 2**24


def atlas_files(output: str, atlas: Atlas) -> tuple[Path, ...]:
    """The files that :func:`write_atlas` would write.

    Raises
    ------
    OptionError
        If the atlas cannot be written so.
    """
    ending = _ending(output)
    if ending in _SIDED:
        return tuple(_sides(output, ending, atlas).values())
    path = Path(output)
    if ending in (".nii.gz", ".nii"):
        if atlas.axis.is_surface.any():
            raise OptionError(
                f"The atlas {atlas.name} lies on surfaces, and {output} is a volume.",
                "Write it as .dlabel.nii, or as {L,R}.label.gii.",
            )
        return path, table_beside(path)
    return (path,)


def write_atlas(output: str, atlas: Atlas) -> tuple[Path, ...]:
    """Write an atlas; the ending says as what.

    Parameters
    ----------
    output : str
        Ends in ``.dlabel.nii``; in ``.label.gii`` or ``.annot``, both hemispheres written as
        ``atlas.{L,R}.label.gii`` or ``{lh,rh}.atlas.annot``; in ``.nii.gz`` or ``.nii``, voxels
        only, names in a table beside it; or in ``.tsv``, the label table alone.
    atlas : Atlas

    Returns
    -------
    tuple of pathlib.Path
        What was written.

    Raises
    ------
    OptionError
        If the atlas cannot be written so.

    Notes
    -----
    An annotation tells labels by their colours, so those that are equal are made to differ by
    the least step of blue, and it numbers its labels anew. All else is kept by all files.
    """
    files = atlas_files(output, atlas)
    ending = _ending(output)
    if ending in _SIDED:
        write = _write_gifti if ending == ".label.gii" else _write_annot
        for structure, path in _sides(output, ending, atlas).items():
            write(path, structure, atlas)
    elif ending == ".dlabel.nii":
        write_dlabel(output, atlas.axis, {atlas.name: atlas.keys}, atlas.labels)
    elif ending == ".tsv":
        write_label_table(files[0], atlas)
    else:
        NiftiWriter(atlas.axis).labels(files[0], atlas.keys)
        write_label_table(files[1], atlas)
    return files


def write_label_table(path: Path, atlas: Atlas) -> Path:
    """Write number, name, colour and size of each label, with BIDS's names of columns."""
    rows = atlas.axis.rows_are
    table = [
        (label.key, label.name, label.hex, int(size))
        for label, size in zip(atlas.labels, atlas.sizes(), strict=True)
    ]
    return write_tsv(path, ("index", "name", "color", f"n_{rows}"), table)


def _ending(output: str) -> str:
    found = next((ending for ending in ATLAS_ENDINGS if output.endswith(ending)), None)
    if found is None:
        raise OptionError(
            f"{output} does not end as label files do.",
            f"Use one of {', '.join(ATLAS_ENDINGS)}; both hemispheres are written as "
            "atlas.{L,R}.label.gii or {lh,rh}.atlas.annot.",
        )
    return found


def _sides(output: str, ending: str, atlas: Atlas) -> dict[str, Path]:
    """Hemispheres and their files."""
    if not atlas.axis.is_surface.all():
        raise OptionError(
            f"The atlas {atlas.name} has voxels, which {ending} files cannot hold.",
            "Write it as .dlabel.nii, or as .nii.gz if it has nothing else.",
        )
    paths = expand_sides(output)
    there = [side for side in (LEFT, RIGHT) if atlas.sizes(side).any()]
    if len(paths) == 1 and len(there) > 1:
        both = "{L,R}.label.gii" if ending == ".label.gii" else "{lh,rh}.NAME.annot"
        raise OptionError(
            f"The atlas {atlas.name} has two hemispheres, and {output} is one file.",
            f"Write both: --output '{both.replace('NAME', atlas.name)}'.",
        )
    if len(paths) == 2:
        absent = [side for side in (LEFT, RIGHT) if side not in atlas.axis.structures]
        if absent:
            raise OptionError(
                f"The atlas {atlas.name} has no vertices of {absent[0]}.",
                "Write one file, without {L,R} or {lh,rh}.",
            )
        there = [LEFT, RIGHT]
    found = dict(zip(there, paths, strict=True))
    for structure, path in found.items():
        told = side_of_name(path)
        if told not in (structure, None) or (told is None and ending == ".annot"):
            raise OptionError(
                f"{path} would hold {structure}, and its name says otherwise.",
                "Name the left one like lh.atlas.annot or atlas.L.label.gii.",
            )
    return found


def _write_gifti(path: Path, structure: str, atlas: Atlas) -> None:
    """One hemisphere, all vertices of its mesh."""
    keys = atlas.axis.expand(atlas.keys, structure, fill=BACKGROUND_KEY)
    write_label_gifti(path, structure, {atlas.name: keys}, atlas.labels)


def _write_annot(path: Path, structure: str, atlas: Atlas) -> None:
    """One hemisphere, all vertices of its mesh."""
    from nibabel.freesurfer import write_annot

    name, nothing = _UNKNOWN
    colours = np.array([nothing, *((*colour, 0) for colour in _distinct(atlas.labels))])
    place_of = {label.key: place for place, label in enumerate(atlas.labels, start=1)}
    keys = atlas.axis.expand(atlas.keys, structure, fill=BACKGROUND_KEY)
    places = np.array([place_of.get(int(key), 0) for key in keys])
    names = [name, *(label.name.encode() for label in atlas.labels)]
    with atomic_path(path) as aside:
        write_annot(aside, places, colours, names, fill_ctab=True)


def _distinct(labels: Sequence[Label]) -> list[tuple[int, int, int]]:
    """Red, green and blue of each label from 0 to 255, no two alike, none of them black."""
    taken = {0}
    colours = []
    for label in labels:
        number = int.from_bytes(bytes(label.rgb), "big")
        while number in taken:
            number = (number + 1) % _N_COLOURS
        taken.add(number)
        red, green, blue = number.to_bytes(3, "big")
        colours.append((red, green, blue))
    return colours
