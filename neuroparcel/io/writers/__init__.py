"""Parcellations to files, and back, wherever they lie."""

from neuroparcel.io.writers.map_files import full_axis_of
from neuroparcel.io.writers.parcellations import ParcellationWriter, write_parcellations
from neuroparcel.io.writers.stored import (
    StoredParcellations,
    open_parcellations,
    read_parcellations,
)

__all__ = [
    "ParcellationWriter",
    "StoredParcellations",
    "full_axis_of",
    "open_parcellations",
    "read_parcellations",
    "write_parcellations",
]
