"""Parcellations to files, and back, wherever they lie."""

from neuroparcel.io.writers.parcellations import (
    full_axis_of,
    read_parcellations,
    write_parcellations,
)

__all__ = ["full_axis_of", "read_parcellations", "write_parcellations"]
