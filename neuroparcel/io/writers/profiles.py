"""Networks as profiles over the targets: parcel files where targets have places, else tables."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from neuroparcel.brain.atlas import Targets
from neuroparcel.errors import FileFormatError
from neuroparcel.io.files import write_json
from neuroparcel.io.writers.cifti_matrix import CiftiMatrixWriter
from neuroparcel.io.writers.cifti_models import check_structures, parcels
from neuroparcel.io.writers.parcellations import ParcellationWriter
from neuroparcel.io.writers.tables import write_tsv
from neuroparcel.types import FloatArray

# The suffix of maps made from BOLD data (BIDS extension proposal 12); desc- says which.
PROFILES = "desc-networks_boldmap"
"""Last entities and suffix of the files of profiles."""

_SAYS = (
    "Posterior mean of each network as a profile over the targets, of unit norm: what a vertex of "
    "the network is like."
)


class ProfileWriter:
    """Writes the networks of a population, of subjects and of sessions.

    Targets with places become the parcels of a CIFTI file (``.pscalar.nii``, a map a network),
    which Workbench paints on the surface. Features without places, such as task contrasts, and
    nodes become a table (``.tsv``, a row a feature, a column a network).

    Parameters
    ----------
    parcellations : ParcellationWriter
        Of the same run: its networks, and where its files lie.
    features : sequence of str
        Names along a profile.
    targets : Targets, optional
        What the features are correlations with, if they are.

    Raises
    ------
    SpaceError
        If CIFTI has no word for a structure of the targets.
    """

    def __init__(
        self, parcellations: ParcellationWriter, features: Sequence[str], targets: Targets | None
    ) -> None:
        self._parcellations = parcellations
        self._networks, self._features = parcellations.networks, tuple(features)
        self._targets = None if targets is None or targets.axis.is_nodes else targets
        if self._targets is not None:
            check_structures(self._targets.axis)

    @property
    def has_places(self) -> bool:
        """Whether the targets become parcels."""
        return self._targets is not None

    def write(
        self, profiles: FloatArray, subject: str | None = None, session: str | None = None
    ) -> list[Path]:
        """Write the networks of one level, and a JSON sidecar.

        Parameters
        ----------
        profiles : (network, feature) array of float
            Stored as float32.
        subject, session : str, optional
            Whose; the population's if not given.

        Raises
        ------
        FileFormatError
            If there are other numbers of networks or features.
        """
        ending = "tsv" if self._targets is None else "pscalar.nii"
        file = self._parcellations.level(subject, session)
        path = file(f"{PROFILES}.{ending}")
        expected = (len(self._networks), len(self._features))
        if profiles.shape != expected:
            raise FileFormatError(f"{path}: profiles of shape {profiles.shape}, not {expected}.")
        values = np.asarray(profiles, dtype=np.float32)
        if self._targets is None:
            self._write_table(path, values)
        else:
            self._write_parcels(path, values)
        sources = self._parcellations.sources_of(subject)
        return [path, write_json(file(f"{PROFILES}.json"), {**self._says, "Sources": sources})]

    def _write_table(self, path: Path, values: FloatArray) -> None:
        rows = zip(self._features, *values.astype(str).tolist(), strict=True)
        write_tsv(path, ("target", *self._networks), rows)

    def _write_parcels(self, path: Path, values: FloatArray) -> None:
        from nibabel.cifti2 import ScalarAxis

        columns = ScalarAxis(self._networks).to_mapping(0)
        self._matrix.write(path, columns, values, "ConnParcelScalr")

    @cached_property
    def _matrix(self) -> CiftiMatrixWriter:
        assert self._targets is not None
        return CiftiMatrixWriter(parcels(self._targets))

    @property
    def _says(self) -> dict[str, Any]:
        name = {} if self._targets is None else {"Targets": self._targets.name}
        return {"Description": _SAYS, **name}
