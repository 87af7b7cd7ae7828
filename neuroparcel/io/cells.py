"""One session of one subject: from its recordings to the numbers that describe its vertices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neuroparcel.brain.atlas import Targets
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.cleaning import RunCleaner
from neuroparcel.brain.features import TOP_SHARE, FeatureKind, binarise, combine, without_top
from neuroparcel.brain.profiles import FEW_FRAMES, MIN_FRAMES, correlate_unit, standardise
from neuroparcel.errors import ConnectomeError, FileFormatError, SpaceError
from neuroparcel.io.fingerprints import input_files
from neuroparcel.io.formats import open_matrix
from neuroparcel.io.formats.matrix import DataMatrix, unchanged
from neuroparcel.io.layout import Recording
from neuroparcel.io.nuisance.censoring import read_censor
from neuroparcel.io.nuisance.confounds import read_confounds
from neuroparcel.io.recipe import Recipe
from neuroparcel.types import BoolArray, FloatArray, IntArray

_BLOCK = 4096  # rows read, cleaned and correlated at a time: 20 MB at 1,200 frames
_N_FRAMES_NAMED = 3
_ROUNDING = 1e-3  # what arithmetic and printing may leave of a correlation of 1
_LARGEST_Z = 8.4  # of the largest r below 1 in float32; Fisher's z of 1 itself is infinite


@dataclass(frozen=True, eq=False)
class Cell:
    """What is known of one session of one subject.

    Parameters
    ----------
    values : (vertex, feature) array of float32
        Correlations, shares or maps; NaN rows are dead vertices, NaN columns dead targets.
    n_frames : int
        Frames of all runs after censoring.
    warnings : tuple of str
        What was masked, and the like, one line each.
    runs : tuple of dict
        Files, frames, TR and cleaning of each run, as plain JSON values.
    """

    values: FloatArray
    n_frames: int
    warnings: tuple[str, ...]
    runs: tuple[dict[str, Any], ...]


@dataclass(frozen=True, eq=False)
class _Run:
    values: FloatArray
    n_frames: int
    warnings: tuple[str, ...]
    provenance: dict[str, Any]


def make_cell(recordings: Sequence[Recording], recipe: Recipe) -> Cell:
    """Read the runs of a session and describe the vertices of the region.

    Parameters
    ----------
    recordings : sequence of Recording
        The runs of one session.
    recipe : Recipe
        What to make of them.

    Returns
    -------
    Cell

    Raises
    ------
    FileFormatError
        If a file cannot be read, is of a kind that has no such features, or has two maps of
        a name that is used.
    SpaceError
        If a file lacks vertices of the region or of the targets.
    ConnectomeError
        If a recording has fewer than 3 frames, frames without a finite number, more dead
        vertices than allowed, confounds or censoring of another length, or changed while it
        was read.
    """
    runs = []
    for recording in recordings:
        with unchanged(input_files([recording])):
            runs.append(_run(recording, recipe))
    measure = recipe.features.measure
    values = combine([(run.values, run.n_frames) for run in runs], measure)
    warnings = [warning for run in runs for warning in run.warnings]
    if measure == "binary":
        warnings += _mask_unmarked(values, recordings[0])
    return Cell(
        values,
        sum(run.n_frames for run in runs),
        tuple(warnings),
        tuple(run.provenance for run in runs),
    )


def _mask_unmarked(shares: FloatArray, recording: Recording) -> list[str]:
    """Make vertices without any strong correlation NaN, in place, and say how many they are."""
    empty = without_top(shares)
    shares[empty] = np.nan
    if not empty.any():
        return []
    return [
        f"subject {recording.subject}, session {recording.session}: {empty.sum()} of {len(empty)} "
        f"vertices were masked, as none of their correlations is among the largest "
        f"{TOP_SHARE:.0%} of a run."
    ]


def _run(recording: Recording, recipe: Recipe) -> _Run:
    matrix = open_matrix(recording.paths, recording.mask)
    check_kind(matrix, recipe.features.kind)
    if recipe.features.kind == "maps":
        return _maps(recording, matrix, recipe)
    if matrix.kind == "connectivity":
        return _connectivity(recording, matrix, recipe)
    return _correlations(recording, matrix, recipe)


def _maps(recording: Recording, matrix: DataMatrix, recipe: Recipe) -> _Run:
    """The maps of the recipe, in its order."""
    missing = [name for name in recipe.maps if name not in matrix.names]
    if missing:
        raise FileFormatError(f"{matrix.path} has no map called {missing[0]!r}.")
    for name in recipe.maps:
        if (n_alike := matrix.names.count(name)) > 1:
            raise FileFormatError(
                f"{matrix.path} has {n_alike} maps called {name!r}.",
                "Give each its own name, for example with wb_command -set-map-names.",
            )
    chosen = [matrix.names.index(name) for name in recipe.maps]
    values = _read(matrix, _region_rows(matrix, recipe))[:, chosen]
    empty = ~np.isfinite(values).all(axis=1) | (values == 0).all(axis=1)
    values[empty] = np.nan
    warnings = _dead(recording, "vertices", empty, recipe.max_dead)
    return _Run(values, 1, warnings, _provenance(recording, matrix, 1))


def _connectivity(recording: Recording, matrix: DataMatrix, recipe: Recipe) -> _Run:
    """Correlations that the file holds already, averaged over each target's columns."""
    if recipe.cleaning.steps:
        raise FileFormatError(
            f"{matrix.path} holds correlations, which cannot be cleaned "
            f"({recipe.cleaning.steps[0]}).",
            "Leave the cleaning options away, or give the time series.",
        )
    assert matrix.columns is not None  # what makes it connectivity
    assert recipe.targets is not None  # checked when the recipe was made
    columns = _locate(matrix, matrix.columns, "targets", recipe.targets.axis, recipe.max_dead)
    rows, own = _region_rows(matrix, recipe), _own_columns(matrix.columns, recipe.region.axis)
    diagonal = np.full(len(rows), np.nan, np.float32)
    values = np.empty((len(rows), recipe.targets.n_targets), np.float32)
    largest = 0.0
    for block in _blocks(len(rows)):
        picked = _read(matrix, rows[block])
        largest = max(largest, float(np.nanmax(np.abs(picked), initial=0)))
        diagonal[block] = picked[np.arange(len(picked)), np.maximum(own[block], 0)]
        chosen = np.where(columns < 0, np.float32(np.nan), picked[:, columns])
        values[block] = _mean_of_targets(chosen, recipe.targets)
    known = np.asarray(np.isfinite(values))
    warnings = _dead(recording, "vertices", np.asarray(~known.any(axis=1)), recipe.max_dead)
    warnings += _dead(recording, "targets", np.asarray(~known.any(axis=0)), recipe.max_dead)
    if largest > 1 + _ROUNDING:
        values = np.tanh(values)  # the group files of the HCP hold Fisher's z
        warnings += (f"{recording}: values beyond 1 were taken for Fisher's z ({matrix.path}).",)
    elif not _holds_ones(diagonal[own >= 0]):
        warnings += (
            f"{recording}: values were taken for correlations r, since none passes 1; if they are "
            "Fisher's z, convert them with wb_command -cifti-math 'tanh(x)', and if they are r, "
            f"set the diagonal to 1 ({matrix.path}).",
        )
    return _Run(_measured(values, recipe), 1, warnings, _provenance(recording, matrix, 1))


def _own_columns(columns: BrainAxis, region: BrainAxis) -> IntArray:
    """The column of each vertex of the region that is the vertex itself, -1 without one."""
    try:
        return columns.find(region)
    except SpaceError:  # other structures, or nodes of other names
        return np.full(len(region), -1)


def _holds_ones(diagonal: FloatArray) -> bool:
    """Whether vertices correlate to 1 with themselves; dead ones, 0 or NaN, do not count."""
    known = diagonal[np.isfinite(diagonal) & (diagonal != 0)]
    return len(known) > 0 and bool((np.abs(known - 1) <= _ROUNDING).all())


def _mean_of_targets(chosen: FloatArray, targets: Targets) -> FloatArray:
    """Mean over the columns of each target that are known in a row, (vertex, target)."""
    chosen = np.clip(chosen, -_LARGEST_Z, _LARGEST_Z)
    known = np.isfinite(chosen)
    total = targets.average(np.where(known, chosen, 0).T).T
    if known.all():
        return total
    share = targets.average(known.T.astype(np.float32)).T
    return np.where(share > 0, total / np.where(share > 0, share, 1), np.nan)


def _correlations(recording: Recording, matrix: DataMatrix, recipe: Recipe) -> _Run:
    assert recipe.targets is not None  # checked when the recipe was made
    rows = _region_rows(matrix, recipe)
    what = f"targets {recipe.targets.name}"
    target_rows = _locate(matrix, matrix.axis, what, recipe.targets.axis, recipe.max_dead)
    cleaner, cleaned_with = _cleaner(recording, matrix, recipe)
    warnings = _check_length(recording, cleaner)
    if recipe.cleaning.global_signal:
        cleaner = replace(cleaner, global_signal=_global_signal(matrix, cleaner))
    mean = recipe.targets.average(_read_clean(matrix, target_rows, cleaner))
    targets = standardise(mean)
    values = np.empty((len(rows), recipe.targets.n_targets), np.float32)
    seen, dead = np.zeros(cleaner.n_kept, bool), np.zeros(len(rows), bool)
    for block in _blocks(len(rows)):
        series = _read_clean(matrix, rows[block], cleaner)
        seen |= np.isfinite(series).any(axis=0)
        unit = standardise(series)
        dead[block] = np.isnan(unit[:, 0])
        values[block] = correlate_unit(unit, targets)
    _check_frames(matrix, seen)
    warnings += _dead(recording, "vertices", dead, recipe.max_dead)
    warnings += _dead(recording, "targets", np.isnan(targets[:, 0]), recipe.max_dead)
    provenance = _provenance(recording, matrix, cleaner.n_kept) | cleaned_with
    return _Run(_measured(values, recipe), cleaner.n_kept, warnings, provenance)


def _measured(correlation: FloatArray, recipe: Recipe) -> FloatArray:
    return binarise(correlation) if recipe.features.kind == "binary" else correlation


def _cleaner(
    recording: Recording, matrix: DataMatrix, recipe: Recipe
) -> tuple[RunCleaner, dict[str, Any]]:
    """The cleaning of this run, and its record; errors name the file."""
    cleaning, n_frames = recipe.cleaning, matrix.n_frames
    keep: BoolArray | None = None
    confounds: FloatArray | None = None
    names: tuple[str, ...] = ()
    if cleaning.confounds is not None:
        confounds, names, keep = read_confounds(recording, cleaning.confounds, n_frames)
    if cleaning.censor:
        censored = _censor(recording, n_frames)
        keep = censored if keep is None else keep & censored
    try:
        cleaner = RunCleaner(cleaning, n_frames, matrix.tr, confounds, keep)
    except ConnectomeError as error:
        raise ConnectomeError(f"{matrix.path}: {error.message}", error.tip) from error
    record = {"cleaning": list(cleaning.steps), "confounds": list(names)}
    return cleaner, record if cleaning.steps else {}


def _censor(recording: Recording, n_frames: int) -> BoolArray:
    if recording.censor is None:
        raise ConnectomeError(
            f"{recording.path} has no censor file ({recording}).",
            "Name it in the column censor of the table, or leave --censor away.",
        )
    return read_censor(recording.censor, n_frames, recording.path)


def _global_signal(matrix: DataMatrix, cleaner: RunCleaner) -> FloatArray:
    """Mean over all rows of the file that carry a signal, (kept frame,)."""
    total, n_rows = np.zeros(cleaner.n_kept), 0
    for block in _blocks(len(matrix.axis)):
        part, n_usable = cleaner.mean_of(matrix.read(np.arange(len(matrix.axis))[block]))
        total, n_rows = total + part, n_rows + n_usable
    if n_rows == 0:
        raise ConnectomeError(f"{matrix.path}: no row carries a signal.")
    return total / n_rows


def _read_clean(matrix: DataMatrix, rows: IntArray, cleaner: RunCleaner) -> FloatArray:
    parts = [cleaner.clean(_read(matrix, rows[block])) for block in _blocks(len(rows))]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _read(matrix: DataMatrix, rows: IntArray) -> FloatArray:
    """Rows of a file, NaN for those it lacks (-1)."""
    series = matrix.read(np.maximum(rows, 0))
    series[rows < 0] = np.nan
    return series


def _blocks(n_rows: int) -> Iterator[slice]:
    for start in range(0, n_rows, _BLOCK):
        yield slice(start, min(start + _BLOCK, n_rows))


def _region_rows(matrix: DataMatrix, recipe: Recipe) -> IntArray:
    what = f"region {recipe.region.name}"
    return _locate(matrix, matrix.axis, what, recipe.region.axis, recipe.max_dead)


def _locate(
    matrix: DataMatrix, within: BrainAxis, what: str, axis: BrainAxis, max_missing: float
) -> IntArray:
    """Rows of an axis of a file, -1 for the few that it may lack; the error names the file."""
    try:
        rows = within.find(axis)
        if (rows < 0).mean() > max_missing:
            rows = within.rows_of(axis)
    except SpaceError as error:
        raise SpaceError(
            f"{matrix.path} does not hold the {what}: {error.message}", error.tip
        ) from error
    return rows


def check_kind(matrix: DataMatrix, features: FeatureKind) -> None:
    """Refuse files that no such features can be made of.

    Raises
    ------
    FileFormatError
        If it is a label file, or maps are wanted and it has none.
    """
    if matrix.kind == "labels":
        raise FileFormatError(
            f"{matrix.path} is a label file, which holds labels and is no recording.",
            "List files of time series, or of many maps.",
        )
    if features == "maps" and matrix.kind != "maps":
        raise FileFormatError(
            f"{matrix.path} holds no named maps ({matrix.kind}).",
            "Give .dscalar.nii files, or correlate with --features correlation.",
        )


def _check_length(recording: Recording, cleaner: RunCleaner) -> tuple[str, ...]:
    n_frames = cleaner.n_kept
    if n_frames < MIN_FRAMES:
        left = "" if cleaner.keep is None else f" of {cleaner.n_frames} left after censoring"
        raise ConnectomeError(
            f"{recording.path} has {n_frames} time points{left}; a correlation needs at least "
            f"{MIN_FRAMES}.",
            "Take the recording off the list.",
        )
    if n_frames < FEW_FRAMES:
        return (
            f"{recording}: profiles of {n_frames} frames, fewer than {FEW_FRAMES}, are mostly "
            f"noise ({recording.path}).",
        )
    return ()


def _check_frames(matrix: DataMatrix, seen: BoolArray) -> None:
    """Refuse single frames without a finite number; a file of nothing else is dead vertices."""
    bad = np.flatnonzero(~seen)
    if not 0 < len(bad) < len(seen):
        return
    shown = ", ".join(str(frame + 1) for frame in bad[:_N_FRAMES_NAMED])
    shown += ", ..." if len(bad) > _N_FRAMES_NAMED else ""
    what = f"frame {shown} is" if len(bad) == 1 else f"frames {shown} are"
    raise ConnectomeError(
        f"{matrix.path}: {what} not finite in all vertices of the region ({len(bad)} of "
        f"{len(seen)} frames, counted from 1).",
        "Censor them with --censor, or remove them from the file.",
    )


def _dead(recording: Recording, what: str, dead: BoolArray, max_dead: float) -> tuple[str, ...]:
    """Report dead rows, or refuse a recording that has too many."""
    n_dead, n_rows = int(dead.sum()), len(dead)
    if n_dead == 0:
        return ()
    found = (
        f"{n_dead} of {n_rows} {what} carry no signal (all zero, constant, NaN, not in the file, "
        "or varying too little or too much for float32)"
    )
    if n_dead > max_dead * n_rows:
        raise ConnectomeError(
            f"{recording.path}: {found}, more than the {max_dead:.0%} allowed.",
            "Check the recording, take it off the list, or raise --max-dead.",
        )
    done = "masked" if what == "vertices" else "counted as uncorrelated"
    return (f"{recording}: {found} and were {done} ({recording.path}).",)


def _provenance(recording: Recording, matrix: DataMatrix, n_frames: int) -> dict[str, Any]:
    return {
        "run": recording.run,
        "files": [str(path.absolute()) for path in recording.paths],
        "n_frames": matrix.n_frames,
        "n_frames_kept": n_frames,
        "tr": matrix.tr,
    }
