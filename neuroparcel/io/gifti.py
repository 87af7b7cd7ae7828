"""GIFTI label files: one hemisphere's atlas."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.brain.atlas import BACKGROUND_KEY, Atlas, Label
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import FileFormatError
from neuroparcel.io.cifti import check_is_content, space_of_mesh

if TYPE_CHECKING:
    import nibabel as nib
    from nibabel.gifti import GiftiDataArray

_STRUCTURES = {"CortexLeft": "CORTEX_LEFT", "CortexRight": "CORTEX_RIGHT"}
_SIDE_IN_NAME = re.compile(r"(?:^|[._-])(?:hemi-)?(?P<side>lh|rh|L|R)(?=[._-])")


def read_label_gifti(path: str | os.PathLike[str]) -> Atlas:
    """Read a ``.label.gii`` file; its first map counts.

    Parameters
    ----------
    path : path-like
        The file. Its hemisphere is taken from ``AnatomicalStructurePrimary``, else from its
        name (``.L.``, ``hemi-L``, ``lh.``).

    Returns
    -------
    Atlas
        On all vertices of the mesh.

    Raises
    ------
    FileFormatError
        If the file is missing, empty or no label GIFTI, or does not tell its hemisphere.
    """
    import nibabel as nib

    file = Path(path)
    check_is_content(file)
    try:
        image = nib.load(file)
    except Exception as error:  # nibabel passes on whatever its XML parser raises
        raise FileFormatError(f"{file} is not a readable GIFTI file ({error}).") from error
    if not isinstance(image, nib.GiftiImage):
        raise FileFormatError(f"{file} is a {type(image).__name__}, not a GIFTI file.")
    maps = image.get_arrays_from_intent("NIFTI_INTENT_LABEL")
    if not maps:
        raise FileFormatError(f"{file} holds no labels.", "Give a .label.gii or .dlabel.nii file.")
    keys = np.asarray(maps[0].data, dtype=np.int64)
    structure = _structure(file, image, maps[0])
    size = len(keys)
    axis = BrainAxis.from_vertices(
        space_of_mesh(size), {structure: np.arange(size)}, {structure: size}
    )
    table = {
        label.key: Label.of(label.key, label.label, label.rgba)
        for label in image.labeltable.labels
        if label.key != BACKGROUND_KEY
    }
    return Atlas(str(file), axis, np.where(np.isin(keys, list(table)), keys, 0), (*table.values(),))


def _structure(file: Path, image: nib.GiftiImage, data: GiftiDataArray) -> str:
    meta = dict(image.meta) | dict(data.meta)
    primary = meta.get("AnatomicalStructurePrimary", "")
    if primary in _STRUCTURES:
        return _STRUCTURES[primary]
    match = _SIDE_IN_NAME.search(file.name)
    if match is None:
        raise FileFormatError(
            f"{file} does not tell its hemisphere.",
            "Name it like atlas.L.label.gii, or set AnatomicalStructurePrimary with wb_command "
            "-set-structure.",
        )
    return "CORTEX_LEFT" if match["side"].lower().startswith("l") else "CORTEX_RIGHT"
