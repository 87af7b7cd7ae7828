"""Nuisance signals of a recording: fMRIPrep's by nilearn's strategies, others by column."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import numpy as np

from neuroparcel.errors import ConnectomeError, FileFormatError
from neuroparcel.io.layout.bids_names import find_confounds
from neuroparcel.io.layout.naming import name_some
from neuroparcel.io.layout.recordings import Recording
from neuroparcel.io.nuisance.columns import Columns, read_columns
from neuroparcel.types import BoolArray, FloatArray

STRATEGIES = ("simple", "scrubbing", "compcor", "ica_aroma")
"""Strategies of nilearn for fMRIPrep's tables."""

ALL = "all"
"""Every column of the table."""

_AROMA = "desc-smoothAROMAnonaggr_bold"
# Names by which nilearn finds a table; it asks nothing else of the image.
_STEM = "sub-1_task-1"
_IMAGE = {True: f"{_STEM}_{_AROMA}.nii.gz", False: f"{_STEM}_bold.dtseries.nii"}

Confounds: TypeAlias = tuple[FloatArray, tuple[str, ...], BoolArray | None]


def read_confounds(recording: Recording, strategy: str, n_frames: int) -> Confounds:
    """Read the nuisance signals of a recording.

    Parameters
    ----------
    recording : Recording
        Its :attr:`~neuroparcel.io.layout.Recording.confounds`, else fMRIPrep's table beside
        its file, is read.
    strategy : str
        ``"simple"``, ``"scrubbing"``, ``"compcor"`` or ``"ica_aroma"`` of nilearn's
        ``load_confounds_strategy``, for fMRIPrep's tables; otherwise names of columns,
        separated by commas (numbers from 1 if the table has no header), or ``"all"``.
    n_frames : int
        Frames of the recording.

    Returns
    -------
    confounds : (frame, confound) array of float64
        Missing numbers of the first frame, which has no derivatives, are 0 for columns by
        name; nilearn's strategies repeat the second frame there, and centre the columns.
    names : tuple of str
        One a confound.
    keep : (frame,) array of bool or None
        Frames that survive the strategy's scrubbing; None if all do.

    Raises
    ------
    ConnectomeError
        If there is no table, it has another number of rows than the recording frames, lacks
        a column, or has missing numbers elsewhere.
    FileFormatError
        If the table cannot be read.
    """
    columns = read_confounds_table(recording, n_frames)
    if strategy in STRATEGIES:
        _check_aroma(recording, strategy)
        return _by_strategy(columns, strategy)
    return *_by_name(columns, strategy), None


def read_confounds_table(recording: Recording, n_frames: int) -> Columns:
    """Read the whole table of confounds of a recording.

    Parameters
    ----------
    recording : Recording
        Whose table, as for :func:`read_confounds`.
    n_frames : int
        Frames of the recording, to which the table is held.

    Returns
    -------
    Columns

    Raises
    ------
    ConnectomeError
        If there is no table, or it has another number of rows.
    FileFormatError
        If the table cannot be read.
    """
    path = recording.confounds or find_confounds(recording.path)
    if path is None:
        raise ConnectomeError(
            f"{recording.path} has no table of confounds ({recording}).",
            "Name it in the column confounds of the table, or leave --confounds away.",
        )
    columns = read_columns(path)
    if columns.n_rows != n_frames:
        raise ConnectomeError(
            f"The confounds {path} have {columns.n_rows} rows, but {recording.path} has "
            f"{n_frames} frames.",
            "Give the table of this recording.",
        )
    return columns


def _check_aroma(recording: Recording, strategy: str) -> None:
    """ICA-AROMA's strategy is for images that were cleaned of its components already."""
    if strategy == "ica_aroma" and _AROMA not in recording.path.name:
        raise ConnectomeError(
            f"The strategy ica_aroma needs *_{_AROMA}.nii.gz, not {recording.path}.",
            "Choose another strategy, or read these images: --space desc-smoothAROMAnonaggr.",
        )


def _by_strategy(columns: Columns, strategy: str) -> Confounds:
    from nilearn.interfaces.fmriprep import load_confounds_strategy

    path = columns.path
    if not columns.names:
        raise ConnectomeError(
            f"{path} has no header, so the strategy {strategy!r} finds no confounds in it.",
            "Use --confounds all, or numbers of columns.",
        )
    # nilearn looks for the table by the image's name and refuses two that might fit; links of
    # our own choosing leave it one. It reads no image.
    with TemporaryDirectory(prefix="neuroparcel-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for suffix in (".tsv", ".json"):
            source = path.with_suffix(suffix)
            if source.exists():
                link = Path(folder, f"{_STEM}_desc-confounds_timeseries{suffix}")
                link.symlink_to(source.resolve())
        image = str(Path(folder, _IMAGE[strategy == "ica_aroma"]))
        try:
            frame, kept = load_confounds_strategy(image, denoise_strategy=strategy)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            reason = _in_short(str(error).replace(folder, str(path.parent)))
            raise ConnectomeError(
                f"{path} does not serve the strategy {strategy!r} ({reason}).",
                "Choose another strategy, or name columns.",
            ) from error
    values = np.asarray(frame, dtype=np.float64).reshape(columns.n_rows, -1)
    names = tuple(map(str, frame.columns))
    keep = _as_mask(path, kept, columns.n_rows)
    _check_finite(path, values, names)
    return values, names, keep


def _in_short(said: str) -> str:
    """What nilearn says in one line; of the columns it misses, whose order varies, a few."""
    missing = sorted(set(re.findall(r"'(\w+)'", said))) if "missing" in said else []
    return f"it lacks {name_some(missing)}" if missing else " ".join(said.split())


def _as_mask(path: Path, kept: object, n_frames: int) -> BoolArray | None:
    if kept is None:
        return None
    keep = np.zeros(n_frames, dtype=bool)
    keep[np.asarray(kept, dtype=np.int64)] = True
    if not keep.any():
        raise ConnectomeError(
            f"By {path}, scrubbing drops all {n_frames} frames.",
            "Take the recording off the list, or choose another strategy.",
        )
    return keep


def _by_name(columns: Columns, wanted: str) -> tuple[FloatArray, tuple[str, ...]]:
    path = columns.path
    names = columns.names or tuple(str(n + 1) for n in range(columns.values.shape[1]))
    chosen = names if wanted == ALL else tuple(n.strip() for n in wanted.split(",") if n.strip())
    unknown = [name for name in chosen if name not in names]
    if unknown or not chosen:
        raise ConnectomeError(
            f"{path} has no column {', '.join(unknown) or wanted!r}.", _suggest(unknown, names)
        )
    values = columns.values[:, [names.index(name) for name in chosen]].copy()
    values[0] = np.nan_to_num(values[0], nan=0.0)
    _check_finite(path, values, chosen)
    return values, chosen


def _suggest(unknown: Sequence[str], names: Sequence[str]) -> str:
    close = get_close_matches(unknown[0], names, n=3) if unknown else []
    if close:
        return f"Did you mean {' or '.join(close)}?"
    return f"Give names of its columns, 'all', or a strategy: {', '.join(STRATEGIES)}."


def _check_finite(path: Path, values: FloatArray, names: Sequence[str]) -> None:
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        row, column = wrong[0]
        raise FileFormatError(
            f"{path} has no finite number for {names[column]} at frame {row + 1}.",
            "Leave this confound out, or censor before you list it.",
        )
