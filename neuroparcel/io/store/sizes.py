"""Sizes on disk, as people say them."""

from __future__ import annotations

_MEGABYTE = 1e6
_GIGABYTE = 1e9


def in_words(n_bytes: float) -> str:
    """A number of bytes in MB, or in GB from 1 GB on."""
    if n_bytes < _GIGABYTE:
        return f"{n_bytes / _MEGABYTE:.1f} MB"
    return f"{n_bytes / _GIGABYTE:.1f} GB"
