"""Names of the files that parcellations lie in, and which kind of file a region takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.io.entities import entity
from neuroparcel.io.writers.cifti_maps import CiftiMaps, whole_surfaces
from neuroparcel.io.writers.maps import ParcellationMaps
from neuroparcel.io.writers.nifti_maps import NiftiMaps
from neuroparcel.io.writers.table_maps import TableMaps

INDEX = "parcellation.json"
ROWS = "parcellation.safetensors"
REGION = "region"
"""Prefix of the arrays of the region's rows."""

_SEGMENTATION = "seg-neuroparcel"


@dataclass(frozen=True)
class MapFiles:
    """Where files lie below a folder, and the entities that all their names share.

    Parameters
    ----------
    folder : Path
    stem : str
    """

    folder: Path
    stem: str

    @classmethod
    def of(cls, folder: Path, stem: str) -> MapFiles:
        """The files of maps with these entities; BIDS has the segmentation before the density."""
        space, den, density = stem.partition("_den-")
        return cls(folder, "_".join(filter(None, [space, _SEGMENTATION])) + den + density)

    def file(
        self,
        ending: str,
        subject: str | None = None,
        session: str | None = None,
        hemisphere: str | None = None,
    ) -> Path:
        """Path of one file: of a session, a subject, or the population."""
        folders = [] if subject is None else [f"sub-{entity(subject)}"]
        folders += [] if session is None else [f"ses-{entity(session)}"]
        sides = [] if hemisphere is None else [f"hemi-{hemisphere}"]
        name = "_".join([*folders, *sides, self.stem, ending])
        return Path(self.folder, *folders, *(["func"] if folders else []), name)


def full_axis_of(axis: BrainAxis) -> BrainAxis:
    """The rows of the maps that a region's parcellation is written on.

    Parameters
    ----------
    axis : BrainAxis
        The region.

    Returns
    -------
    BrainAxis
        For vertices the cortex of fs_LR 32k if it holds them, otherwise the whole meshes that
        they lie on, followed by the region's voxels; for voxels alone and for nodes the
        region itself, whose volume or table needs no more.
    """
    return whole_surfaces(axis) if _has_vertices(axis) else axis


def maps_of(axis: BrainAxis, full_axis: BrainAxis | None = None) -> ParcellationMaps:
    """The one place that decides which kind of file a region's maps become."""
    if axis.is_nodes:
        return TableMaps(axis)
    if _has_vertices(axis):
        return CiftiMaps(axis, whole_surfaces(axis) if full_axis is None else full_axis)
    return NiftiMaps(axis)


def _has_vertices(axis: BrainAxis) -> bool:
    return bool(axis.is_surface.any()) and not axis.is_nodes
