"""The table of reliability in a run's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neuroparcel.io.files import parsing, write_text
from neuroparcel.io.writers.tables import read_tsv
from neuroparcel.parcellation.reliability import Reliability, ReliabilityTable
from neuroparcel.pipeline.run_folder import RUN_FILE

RELIABILITY_FILE = "desc-labels_reliability.tsv"
_KINDS = ("network", "top")
_COLUMNS = ("kind", "low", "high", "n", "predicted", "found", "expected")
_MISSING = "n/a"  # BIDS's word for a missing value in a table
_TIP = "Put it back, or run neuroparcel fit again with --overwrite."


def write_reliability(folder: Path, table: ReliabilityTable) -> Path:
    """The table as a TSV: one row a bin, once for all networks and once for the top ones."""
    lines = ["\t".join(_COLUMNS)]
    for kind, rows in zip(_KINDS, (table.network, table.top), strict=True):
        columns = (rows.count, rows.predicted, rows.found, rows.expected)
        for low, high, count, *means in zip(rows.edges, rows.edges[1:], *columns, strict=False):
            values = "\t".join(_MISSING if np.isnan(mean) else f"{mean:.6g}" for mean in means)
            lines.append(f"{kind}\t{low:.1f}\t{high:.1f}\t{count}\t{values}")
    return write_text(folder / RELIABILITY_FILE, "\n".join([*lines, ""]))


def read_reliability(folder: Path, run: Mapping[str, Any]) -> ReliabilityTable | None:
    """Read what :func:`write_reliability` wrote; None if there is none.

    Parameters
    ----------
    folder : Path
    run : mapping
        The record of the run, whose ``labels`` hold what is not in the table.

    Raises
    ------
    FileFormatError
        If the table is missing or damaged, or what the record says of it.
    """
    with parsing(folder / RUN_FILE, _TIP):
        summary = (run.get("labels") or {}).get("reliability")
        if summary is None:
            return None
        totals = summary["brier"], summary["n_subjects"], summary["n_pairs"]
    with parsing(folder / RELIABILITY_FILE, _TIP):
        header, rows = read_tsv(folder / RELIABILITY_FILE)
        if tuple(header) != _COLUMNS:
            raise ValueError(f"its columns are not {', '.join(_COLUMNS)}")
        network, top = (_read([row for row in rows if row[0] == kind]) for kind in _KINDS)
    return ReliabilityTable(network, top, *totals)


def _read(rows: list[list[str]]) -> Reliability:
    count = np.array([int(row[3]) for row in rows])
    if not count.any():
        raise ValueError("a kind of labels has no rows, or only empty ones")
    means = [[np.nan if cell == _MISSING else float(cell) for cell in row[4:]] for row in rows]
    return Reliability(count, *np.array(means).T)
