"""The table of a run's networks as profiles over their targets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from neuroparcel.errors import FileFormatError
from neuroparcel.io.writers.tables import read_tsv, write_tsv
from neuroparcel.types import FloatArray

NETWORKS_FILE = "desc-population_networks.tsv"


def write_network_profiles(
    folder: Path, networks: Sequence[str], targets: Sequence[str], profiles: FloatArray
) -> Path:
    """Write the population's networks, a column each.

    Parameters
    ----------
    folder : Path
        Of the run.
    networks, targets : sequence of str
        Names.
    profiles : (network, target) array of float
        On the unit sphere.
    """
    rows = (
        (target, *(f"{value:.6g}" for value in row))
        for target, row in zip(targets, profiles.T, strict=True)
    )
    return write_tsv(folder / NETWORKS_FILE, ("target", *networks), rows)


def read_network_profiles(folder: Path) -> tuple[tuple[str, ...], FloatArray]:
    """Read what :func:`write_network_profiles` wrote.

    Returns
    -------
    targets : tuple of str
    profiles : (network, target) array of float64

    Raises
    ------
    FileFormatError
        If the table is missing or damaged.
    """
    path = folder / NETWORKS_FILE
    tip = f"Put it back, or run neuroparcel fit or infer into {folder} again with --overwrite."
    try:
        _, rows = read_tsv(path)
        if not rows:
            raise ValueError("it has no rows")
        profiles = np.array([row[1:] for row in rows], dtype=np.float64).T
    except FileFormatError as error:
        raise FileFormatError(error.message, tip) from error
    except ValueError as error:
        raise FileFormatError(f"{path} is no table of networks ({error}).", tip) from error
    return tuple(row[0] for row in rows), profiles
