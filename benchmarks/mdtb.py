"""The real cohort of task maps, as the benchmarks read it."""

from __future__ import annotations

import os
from pathlib import Path

from neuroparcel.errors import OptionError


def folder_of(data: Path | None) -> Path:
    """Where the maps of the Multi-Domain Task Battery lie.

    Raises
    ------
    OptionError
        If they do not lie there.
    """
    maps = (data or Path(os.environ.get("NEUROPARCEL_TEST_DATA", ""))) / "mdtb_cortex"
    if not maps.is_dir():
        raise OptionError(f"there is no {maps}.", "Name the folder of real data with --data.")
    return maps


def write_list(maps: Path, path: Path) -> Path:
    """Write the subject list of all subjects and sessions."""
    rows = ["subject\tsession\tpath"]
    for file in sorted(maps.glob("sub-*/*_maps.dscalar.nii")):
        subject, session = file.name.split("_")[:2]
        rows.append(f"{subject[4:]}\t{session[4:]}\t{file.resolve()}")
    path.write_text("\n".join([*rows, ""]), encoding="utf-8")
    return path
