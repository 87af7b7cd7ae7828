"""What every kind of file does that holds a parcellation: CIFTI, NIfTI, or a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np

from neuroparcel.brain.atlas import Label
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import Colour, SoftParcellation

NamedFile: TypeAlias = Callable[[str], Path]
"""Path of one level's file with the given ending, such as ``"dseg.dlabel.nii"``."""

NO_VALUE = "n/a"
"""BIDS's word for a missing value in a table."""

DATA_MASK = "desc-data_mask"
"""Of the files that say where a parcellation was found from data."""

DATA_MASK_SAYS = {
    "Description": "1: the row has data. 0: it has none, and its probabilities are the prior's."
}
"""What the sidecar of such a file says."""


class ParcellationMaps(Protocol):
    """Labels, probabilities, entropy and where there are data, in files of one kind."""

    @property
    def axis(self) -> BrainAxis:
        """The region."""

    @property
    def stem(self) -> str:
        """BIDS entities that all file names share, such as ``space-fsLR_den-32k``."""

    @property
    def row(self) -> str:
        """What a row is, in the plural, such as ``"vertices"``."""

    def places(self) -> dict[str, Sequence[Any]]:
        """Where each row lies, as columns of a table."""

    def write(self, file: NamedFile, soft: SoftParcellation) -> Mapping[Path, Mapping[str, Any]]:
        """Write one parcellation; the files, each with what its JSON sidecar says of it."""

    def read(self, file: NamedFile, networks: tuple[str, ...]) -> SoftParcellation:
        """Read one parcellation again."""


def network_labels(networks: Sequence[str], colours: Sequence[Colour]) -> list[Label]:
    """Label table of some networks: keys from 1, each network in its colour."""
    return [
        Label(key, name, rgba)
        for key, (name, rgba) in enumerate(zip(networks, colours, strict=True), start=1)
    ]


def voxel_columns(axis: BrainAxis) -> dict[str, np.ndarray]:
    """Voxel indices ``i``, ``j``, ``k`` and ``x``, ``y``, ``z`` in mm, as text; each (row,)."""
    assert axis.affine is not None  # checked when the axis was made
    millimetres = axis.voxel @ axis.affine[:3, :3].T + axis.affine[:3, 3]
    texts = [[f"{value:.6g}" for value in column] for column in millimetres.T]
    indices = dict(zip("ijk", axis.voxel.T.astype(str), strict=True))
    return indices | dict(zip("xyz", np.array(texts), strict=True))
