"""What every kind of file does that holds a parcellation: CIFTI, NIfTI, or a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np

from neuroparcel.brain.atlas import Label
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.colours import Colour
from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.types import FloatArray

NamedFile: TypeAlias = Callable[[str], Path]
"""Path of one level's file with the given ending, such as ``"dseg.dlabel.nii"``."""

NO_VALUE = "n/a"
"""BIDS's word for a missing value in a table."""


@dataclass(frozen=True)
class MapKind:
    """What one file of a parcellation shows.

    Attributes
    ----------
    ending : str
        Last entities and suffix of its name, by BIDS.
    name : str
        Of the map inside, and of the column of a table.
    description : str
        What its sidecar says.
    """

    ending: str
    name: str
    description: str

    @property
    def says(self) -> dict[str, Any]:
        """What its sidecar says, as JSON."""
        return {"Description": self.description}


LABELS = MapKind(
    "dseg",
    "networks",
    "Most probable network. 0: outside the region, or nothing is known.",
)
PROBABILITIES = MapKind(
    "probseg", "probability", "Posterior probability of each network; NaN outside the region."
)
ENTROPY = MapKind(
    "stat-entropy_boldmap",
    "entropy",
    "Entropy of the probabilities as a share of the largest possible: 0 is certain, 1 undecided.",
)
MARGIN = MapKind(
    "stat-margin_boldmap",
    "margin",
    "Probability of the most probable network less that of the next: 1 is certain, 0 a tie.",
)
AGREEMENT = MapKind(
    "stat-agreement_boldmap",
    "agreement",
    "Agreement with the population: the sum over networks of the smaller of the two "
    "probabilities, which is 1 less their total variation distance. For the population: the mean "
    "over the subjects that have data.",
)
DATA = MapKind(
    "desc-data_mask",
    "data",
    "1: the row has data. 0: it has none, and its probabilities are the prior's.",
)


class ParcellationMaps(Protocol):
    """Labels, probabilities, maps made of them and where there are data, in files of one kind."""

    @property
    def axis(self) -> BrainAxis:
        """The region."""

    @property
    def stem(self) -> str:
        """BIDS entities that all file names share, such as ``space-fsLR_den-32k``."""

    @property
    def row(self) -> str:
        """What a row is, in the plural, such as ``"vertices"``."""

    @property
    def probabilities(self) -> str:
        """Ending of the file of probabilities, such as ``"probseg.dscalar.nii"``."""

    def places(self) -> dict[str, Sequence[Any]]:
        """Where each row lies, as columns of a table."""

    def write(self, file: NamedFile, soft: SoftParcellation) -> Mapping[Path, Mapping[str, Any]]:
        """Write one parcellation; the files, each with what its JSON sidecar says of it."""

    def write_agreement(
        self, file: NamedFile, agreement: FloatArray
    ) -> Mapping[Path, Mapping[str, Any]]:
        """Add the agreement with the population, (row,), to what was written; new files."""

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
