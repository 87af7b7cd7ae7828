"""The table of reliability in a run's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neuroparcel.io.files import write_text
from neuroparcel.parcellation.reliability import Reliability, ReliabilityTable

RELIABILITY_FILE = "desc-labels_reliability.tsv"
_KINDS = ("network", "top")
_MISSING = "n/a"  # BIDS's word for a missing value in a table


def write_reliability(folder: Path, table: ReliabilityTable) -> Path:
    """The table as a TSV: one row a bin, once for all networks and once for the top ones."""
    lines = ["kind\tlow\thigh\tn\tpredicted\tfound\texpected"]
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
    """
    summary = run.get("labels", {}).get("reliability")
    if summary is None:
        return None
    text = (folder / RELIABILITY_FILE).read_text(encoding="utf-8").replace(_MISSING, "nan")
    rows = [line.split("\t") for line in text.splitlines()[1:]]
    network, top = (_read([row for row in rows if row[0] == kind]) for kind in _KINDS)
    return ReliabilityTable(
        network, top, summary["brier"], summary["n_subjects"], summary["n_pairs"]
    )


def _read(rows: list[list[str]]) -> Reliability:
    count = np.array([int(row[3]) for row in rows])
    return Reliability(count, *np.array([row[4:] for row in rows], float).T)
