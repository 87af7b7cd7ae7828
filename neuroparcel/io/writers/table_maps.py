"""Parcellations of nodes as tables, one row a node."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.errors import FileFormatError
from neuroparcel.io.writers.maps import (
    AGREEMENT,
    DATA,
    ENTROPY,
    LABELS,
    MARGIN,
    NO_VALUE,
    PROBABILITIES,
    NamedFile,
)
from neuroparcel.io.writers.tables import read_tsv, write_tsv
from neuroparcel.types import FloatArray

_FILE = f"{PROBABILITIES.ending}.tsv"
_BEFORE = ("index", "name", "label", DATA.name)
_AFTER = (ENTROPY.name, MARGIN.name, AGREEMENT.name)


class TableMaps:
    """Maps on nodes, which lie in no space; see :class:`~.maps.ParcellationMaps`.

    One table holds of each node the label, whether it has data (1) or the prior alone (0), the
    probabilities, and what is made of them.

    Parameters
    ----------
    axis : BrainAxis
        The region.
    """

    def __init__(self, axis: BrainAxis) -> None:
        self.axis = axis

    @property
    def stem(self) -> str:
        """Nothing: nodes have no space and no density."""
        return ""

    @property
    def row(self) -> str:
        """What a row is."""
        return "nodes"

    @property
    def probabilities(self) -> str:
        """Ending of the file of probabilities."""
        return _FILE

    def places(self) -> dict[str, Sequence[Any]]:
        """Number of each node in its set, from 0, and its name."""
        return {"node": self.axis.vertex.tolist(), "name": self.axis.names}

    def write(self, file: NamedFile, soft: SoftParcellation) -> dict[Path, dict[str, Any]]:
        """Write ``probseg.tsv``."""
        words = np.array([NO_VALUE, *soft.networks])
        columns = [
            self.axis.vertex.tolist(),
            self.axis.names,
            words[soft.labels].tolist(),
            soft.has_data.astype(int).tolist(),
            *(_as_text(column) for column in soft.probabilities.T),
            _as_text(soft.entropy),
            _as_text(soft.margin),
            [NO_VALUE] * len(self.axis),
        ]
        header = (*_BEFORE, *soft.networks, *_AFTER)
        path = write_tsv(file(_FILE), header, zip(*columns, strict=True))
        return {path: {**PROBABILITIES.says, **_columns(soft.networks)}}

    def write_agreement(self, file: NamedFile, agreement: FloatArray) -> dict[Path, dict[str, Any]]:
        """Write the table again, with the agreement as its last column."""
        path = file(_FILE)
        header, rows = read_tsv(path)
        texts = _as_text(agreement)
        write_tsv(path, header, ([*row[:-1], text] for row, text in zip(rows, texts, strict=True)))
        return {}

    def read(self, file: NamedFile, networks: tuple[str, ...]) -> SoftParcellation:
        """Read probabilities and data; FileFormatError if the table has other columns or rows."""
        path = file(_FILE)
        header, rows = read_tsv(path)
        if tuple(header) != (*_BEFORE, *networks, *_AFTER):
            raise FileFormatError(f"{path} is not a table of probabilities of {networks}.")
        if [row[1] for row in rows] != [*self.axis.names]:
            raise FileFormatError(f"{path} has other nodes than the region it belongs to.")
        cells = [row[len(_BEFORE) : -len(_AFTER)] for row in rows]
        probabilities = np.array(
            [[np.nan if cell == NO_VALUE else float(cell) for cell in row] for row in cells],
            dtype=np.float32,
        )
        data = np.array([row[_BEFORE.index(DATA.name)] == "1" for row in rows], dtype=bool)
        return SoftParcellation(self.axis, networks, probabilities, data)


def _as_text(values: FloatArray) -> list[str]:
    """The shortest decimals that give the same float32 back; a missing value for NaN."""
    texts = np.asarray(values, dtype=np.float32).astype(str)
    return np.where(np.isnan(values), NO_VALUE, texts).tolist()


def _columns(networks: Sequence[str]) -> dict[str, Any]:
    """What the columns of the table hold, as BIDS has it in a sidecar."""
    of_networks = {name: f"Posterior probability of {name}." for name in networks}
    described = {kind.name: kind.description for kind in (DATA, ENTROPY, MARGIN, AGREEMENT)}
    says = {"label": LABELS.description, **of_networks, **described}
    return {name: {"Description": text} for name, text in says.items()}
