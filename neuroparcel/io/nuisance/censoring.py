"""Which frames of a recording to keep, and which nuisance signals to regress out of it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from neuroparcel.errors import ConnectomeError, FileFormatError
from neuroparcel.io.nuisance.columns import Columns, read_columns
from neuroparcel.io.nuisance.confounds import STRATEGIES, read_confounds
from neuroparcel.types import BoolArray

__all__ = ["MAX_RELATIVE_RMS", "STRATEGIES", "read_censor", "read_confounds"]

MAX_RELATIVE_RMS = 0.2
"""Displacement in mm beyond which a frame of ``Movement_RelativeRMS.txt`` is dropped.

Kong et al. (2019) censor at FDRMS > 0.2 mm, which is this measure (Jenkinson et al. 2002).
"""

_RELATIVE_RMS = "Movement_RelativeRMS.txt"
_XCPD, _XCPD_COLUMN = "outliers.tsv", "framewise_displacement"
_FMRIPREP_COLUMN = "std_dvars"  # stands in every table of confounds, with outliers or without
_DROPPING = (_XCPD_COLUMN, "outlier", "outliers", "drop", "dropped", "scrub")
_KEEPING = ("keep", "kept", "include", "included", "valid")
# fMRIPrep's one-hot columns: one 1 in the row of the frame.
_ONE_HOT = re.compile(r"(motion|non_steady_state)_outlier_?\d+")


def read_censor(path: Path, n_frames: int, recording: Path | None = None) -> BoolArray:
    """Read which frames to keep.

    Parameters
    ----------
    path : pathlib.Path
        One of these, told apart by their columns:

        - one column of 0 and 1 without a header, as CBIG writes it: 1 is kept;
        - one column with a header: ``keep`` and the like, of which 1 is kept, or XCP-D's
          ``framewise_displacement``, ``outlier``, ``drop`` and the like, of which 1 is dropped;
        - fMRIPrep's table of confounds: frames with a 1 in a ``motion_outlier`` or
          ``non_steady_state_outlier`` column are dropped;
        - HCP's ``Movement_RelativeRMS.txt``: frames that moved by more than 0.2 mm are dropped.
    n_frames : int
        Frames of the recording.
    recording : pathlib.Path, optional
        Its file, for messages.

    Returns
    -------
    (frame,) array of bool

    Raises
    ------
    FileFormatError
        If it is none of these.
    ConnectomeError
        If it has another number of frames than the recording.
    """
    columns = read_columns(Path(path))
    keep = _keep(columns)
    if len(keep) != n_frames:
        n_kept = int(keep.sum())
        of = f"{recording} has" if recording else "the recording has"
        raise ConnectomeError(
            f"The censor file {path} has {len(keep)} frames, but {of} {n_frames}.",
            "It keeps as many: the recording seems censored already (XCP-D does so); leave "
            "--censor away."
            if n_kept == n_frames
            else "Give the censor file of this recording.",
        )
    return keep


def _keep(columns: Columns) -> BoolArray:
    if columns.path.name == _RELATIVE_RMS:
        return _within_limit(columns)
    if columns.path.name.endswith(_XCPD) and _XCPD_COLUMN in columns.names:
        return ~_bits(columns, [columns.names.index(_XCPD_COLUMN)])[:, 0]
    one_hot = [i for i, name in enumerate(columns.names) if _ONE_HOT.fullmatch(name)]
    if one_hot or _FMRIPREP_COLUMN in columns.names:
        return np.asarray(~_bits(columns, one_hot).any(axis=1))
    if columns.values.shape[1] != 1:
        raise FileFormatError(
            f"{columns.path} has {columns.values.shape[1]} columns, none of which tells the frames "
            "to drop.",
            "Give one column called keep or drop, or fMRIPrep's table of confounds.",
        )
    bits = _bits(columns, [0])[:, 0]
    name = columns.names[0].lower() if columns.names else "keep"
    if name in _KEEPING:
        return bits
    if name in _DROPPING:
        return ~bits
    raise FileFormatError(
        f"{columns.path} has a column {columns.names[0]!r}, which does not tell whether 1 is kept "
        "or dropped.",
        "Call it keep or drop.",
    )


def _bits(columns: Columns, chosen: list[int]) -> BoolArray:
    """Columns of 0 and 1, (row, column)."""
    values = columns.values[:, chosen]
    wrong = ~np.isin(values, (0, 1))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise FileFormatError(
            f"{columns.path} holds {values[row, column]:g} at frame {row + 1}, where only 0 and 1 "
            "tell which frames to keep.",
            "Give a censor file; motion parameters are confounds.",
        )
    return values == 1


def _within_limit(columns: Columns) -> BoolArray:
    if columns.values.shape[1] != 1 or not np.isfinite(columns.values).all():
        raise FileFormatError(
            f"{columns.path} is no column of displacements in mm, one a frame.",
            "Copy it again from the HCP folder.",
        )
    return np.asarray(columns.values[:, 0] <= MAX_RELATIVE_RMS)
