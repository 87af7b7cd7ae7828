"""What BIDS wants to be told beside the maps: sources, spaces, and what is no part of BIDS."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from neuroparcel import __version__
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.io.formats.cifti_header import STRUCTURE_PREFIX
from neuroparcel.io.formats.hemispheres import LEFT, RIGHT

DESCRIPTION = "dataset_description.json"
IGNORE = ".bidsignore"

IGNORED = """\
# BIDS 1.10 has no rules for segmentations of functional data on surfaces, nor for maps of
# statistics (its extension proposal 12 calls them boldmap). The names follow what it has.
*_dseg.*
*_probseg.*
*_mask.*
*_boldmap.*
*_vertices.tsv
*_grayordinates.tsv
*_voxels.tsv
*_nodes.tsv
# Not of BIDS: tables of the run, the posterior, the model, pictures and reports.
desc-*
parcellation.json
parcellation.safetensors
training.tsv
run.json
model
figures
stability
*.html
"""
"""Content of the file that tells BIDS validators what to leave alone."""

VOLUME_OF = {"fsLR": "MNI152NLin6Asym"}
"""The volume that the voxels of a grayordinate space lie in (fMRIPrep's documentation of its
outputs, "CIFTI grayordinates")."""

_BIDS_VERSION = "1.10.0"
_RECORDINGS = "recordings"  # how BIDS URIs call the folder that all inputs lie in
# https://www.templateflow.org: spheres of fs_LR and fsaverage by density, and volumes.
_TEMPLATES = "https://templateflow.s3.amazonaws.com"
_SPHERES = {"fsLR": ("32k", "59k", "164k"), "fsaverage": ("3k", "10k", "41k", "164k")}
_VOLUMES = ("MNI152NLin6Asym", "MNI152NLin2009cAsym")
_HEMISPHERES = {LEFT: "L", RIGHT: "R"}


@dataclass(frozen=True)
class SourceFolder:
    """The folder that all input files lie in, which BIDS URIs start from.

    Parameters
    ----------
    path : Path, optional
        None if no file is known.
    """

    path: Path | None

    @classmethod
    def of(cls, sources: Iterable[str]) -> SourceFolder:
        """The smallest folder that holds all files."""
        folders = {_absolute(source).parent for source in sources}
        return cls(Path(os.path.commonpath(folders)) if folders else None)

    def uri(self, source: str) -> str:
        """BIDS URI of one of the files."""
        assert self.path is not None  # there is a source
        within = _absolute(source).relative_to(self.path)
        return f"bids:{_RECORDINGS}:{quote(within.as_posix())}"

    @property
    def links(self) -> dict[str, Any]:
        """What the description of the data set says of it."""
        if self.path is None:
            return {}
        url = self.path.as_uri()
        return {"SourceDatasets": [{"URL": url}], "DatasetLinks": {_RECORDINGS: url}}


def _absolute(source: str) -> Path:
    """The path, links not followed: those of git-annex lead to names that say nothing."""
    return Path(os.path.normpath(Path(source).absolute()))


def own_uri(folder: Path, path: Path) -> str:
    """BIDS URI of a file of the data set itself."""
    return f"bids::{quote(path.relative_to(folder).as_posix())}"


def description(sources: SourceFolder) -> dict[str, Any]:
    """Content of ``dataset_description.json``."""
    return {
        "Name": "neuroparcel: functional parcellations with their uncertainty",
        "BIDSVersion": _BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "neuroparcel", "Version": __version__}],
        **sources.links,
    }


def describe_space(axis: BrainAxis, stem: str) -> dict[str, Any]:
    """What sidecars say of the space of maps.

    Parameters
    ----------
    axis : BrainAxis
        The rows of the maps.
    stem : str
        Their BIDS entities, such as ``space-fsLR_den-32k``.

    Returns
    -------
    dict
        ``Density``, if the name has one, and ``SpatialReference``, where templateflow has it.
    """
    space, _, density = stem.partition("_den-")
    reference = _reference(axis, space.removeprefix("space-"))
    found: dict[str, Any] = {"SpatialReference": reference} if reference else {}
    if density:
        found["Density"] = {density: _describe_density(axis)}
    return found


def _describe_density(axis: BrainAxis) -> str:
    sizes = [f"{size} vertices on the mesh of {name}" for name, size in axis.mesh_size.items()]
    voxels = (~axis.is_surface).sum()
    return ", ".join([*sizes, *([f"{voxels} voxels"] if voxels else [])])


def _reference(axis: BrainAxis, space: str) -> str | dict[str, str] | None:
    """Templates by structure as CIFTI files have them, or that of a volume."""
    spheres = {
        STRUCTURE_PREFIX + name: _sphere(axis.space, hemisphere, axis.mesh_size[name])
        for name, hemisphere in _HEMISPHERES.items()
        if name in axis.mesh_size
    }
    known = {name: url for name, url in spheres.items() if url}
    volume = None if axis.is_surface.all() else _volume(VOLUME_OF.get(space, space))
    if not spheres:
        return volume
    return known | ({"VolumeReference": volume} if volume else {}) or None


def _sphere(space: str, hemisphere: str, n_vertices: int) -> str | None:
    density = f"{round(n_vertices / 1000)}k"
    if density not in _SPHERES.get(space, ()):
        return None
    name = f"tpl-{space}_hemi-{hemisphere}_den-{density}_sphere.surf.gii"
    return f"{_TEMPLATES}/tpl-{space}/{name}"


def _volume(space: str) -> str | None:
    if space not in _VOLUMES:
        return None
    return f"{_TEMPLATES}/tpl-{space}/tpl-{space}_res-01_T1w.nii.gz"
