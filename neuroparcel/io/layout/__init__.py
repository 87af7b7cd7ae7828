"""Find the recordings of a cohort on disk: HCP folders, BIDS derivatives, tables, lists."""

from __future__ import annotations

from neuroparcel.io.layout.find import find_cohort
from neuroparcel.io.layout.recordings import CohortFiles, Recording

__all__ = ["CohortFiles", "Recording", "find_cohort"]
