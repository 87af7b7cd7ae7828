"""Labels and probabilities of each hemisphere as GIFTI files."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from neuroparcel.brain.atlas import BACKGROUND_KEY
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.io.formats.hemispheres import LEFT, RIGHT
from neuroparcel.io.writers.gifti_writer import write_func_gifti, write_label_gifti
from neuroparcel.io.writers.map_files import MapFiles
from neuroparcel.io.writers.maps import LABELS, PROBABILITIES, network_labels
from neuroparcel.io.writers.metadata import describe_space

_HEMISPHERES = {LEFT: "L", RIGHT: "R"}


class GiftiMaps:
    """Maps of the hemispheres that a region touches, on all vertices of their meshes.

    Outside the region, and on the medial wall, the label is 0 and probabilities are NaN. What
    does not lie on the cortex, such as voxels, has no place here.

    Parameters
    ----------
    folder : pathlib.Path
        Where to write.
    axis : BrainAxis
        The region, with vertices of the cortex.

    Attributes
    ----------
    space : dict
        What the sidecars say of the space.
    """

    def __init__(self, folder: Path, axis: BrainAxis) -> None:
        self._axis = axis
        self._structures = _cortex_of(axis)
        cortex = axis.restrict(np.isin(axis.structure, self._structures))
        stem = f"space-{axis.space}_den-{round(max(cortex.mesh_size.values()) / 1000)}k"
        self._layout = MapFiles.of(folder, stem)
        self.space = describe_space(cortex, stem)

    def write(
        self, soft: SoftParcellation, subject: str | None = None, session: str | None = None
    ) -> dict[Path, dict[str, Any]]:
        """Write ``.label.gii`` and ``.func.gii``; the files, each with what its sidecar says.

        Parameters
        ----------
        soft : SoftParcellation
        subject, session : str, optional
            Whose it is; the population's if not given.
        """
        labels = network_labels(soft.networks, soft.colours)
        files: dict[Path, dict[str, Any]] = {}
        for structure in self._structures:
            side = _HEMISPHERES[structure]
            file = partial(self._layout.file, subject=subject, session=session, hemisphere=side)
            keys = self._axis.expand(soft.labels, structure, fill=BACKGROUND_KEY)
            path = file(f"{LABELS.ending}.label.gii")
            files[write_label_gifti(path, structure, {LABELS.name: keys}, labels)] = LABELS.says
            shares = self._axis.expand(soft.probabilities.T, structure)
            path = file(f"{PROBABILITIES.ending}.func.gii")
            maps = dict(zip(soft.networks, shares, strict=True))
            files[write_func_gifti(path, structure, maps)] = PROBABILITIES.says
        return files


def gifti_of(folder: Path, axis: BrainAxis) -> GiftiMaps | None:
    """GIFTI maps of the hemispheres that a region touches, if it does."""
    return GiftiMaps(folder, axis) if _cortex_of(axis) else None


def _cortex_of(axis: BrainAxis) -> list[str]:
    return [name for name in _HEMISPHERES if name in axis.mesh_size]
