"""How alike the nodes of a region are, kept beside its parcellation for the heat map."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from neuroparcel.io.files import parsing
from neuroparcel.io.writers.tables import read_tsv, write_tsv
from neuroparcel.types import FloatArray

SIMILARITY_FILE = "desc-population_similarity.tsv"


def write_similarity(folder: Path, similarity: FloatArray, names: Sequence[str]) -> Path:
    """Write the similarity of all pairs of nodes as a table with the nodes as header.

    Parameters
    ----------
    folder : pathlib.Path
        Of the run.
    similarity : (node, node) array of float
        Such as the correlation of each node with each other, averaged over the cohort;
        stored as float32, NaN where it is not known.
    names : sequence of str
        One name a node.

    Returns
    -------
    pathlib.Path
    """
    cells = np.asarray(similarity, dtype=np.float32).astype(str).tolist()
    return write_tsv(folder / SIMILARITY_FILE, names, cells)


def read_similarity(folder: Path) -> FloatArray | None:
    """Read what :func:`write_similarity` wrote.

    Returns
    -------
    (node, node) array of float32, or None
        None if the run has none, as one of vertices or voxels.

    Raises
    ------
    FileFormatError
        If the table is damaged.
    """
    path = folder / SIMILARITY_FILE
    if not path.exists():
        return None
    with parsing(path, "Put it back, or run neuroparcel fit or infer again with --overwrite."):
        header, rows = read_tsv(path)
        similarity = np.array(rows, dtype=np.float32)
        if similarity.shape != (len(header), len(header)):
            raise ValueError(f"{len(rows)} rows for {len(header)} nodes")
        return similarity
