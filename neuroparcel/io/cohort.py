"""From files to a cohort of connectivity profiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from neuroparcel.brain.atlas import Region, Targets
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.connectome import Cohort
from neuroparcel.brain.profiles import (
    FEW_FRAMES,
    MIN_FRAMES,
    Positive,
    combine_runs,
    correlate,
    is_dead,
    to_positive_sphere,
)
from neuroparcel.errors import ConnectomeError, FileFormatError, SpaceError
from neuroparcel.io.cifti import CiftiMatrix, read_cifti
from neuroparcel.io.layout import CohortFiles, Recording
from neuroparcel.types import FloatArray, IntArray

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of recordings done and the number in all."""

_N_FRAMES_NAMED = 3


def load_cohort(
    files: CohortFiles,
    region: Region,
    targets: Targets,
    *,
    positive: Positive = "shift",
    max_dead: float = 0.1,
    progress: Progress | None = None,
) -> tuple[Cohort, tuple[str, ...]]:
    """Read the recordings of a cohort and correlate its region with the targets.

    Correlations of the runs of a session are averaged in Fisher's z, weighted by frames.
    A dead vertex (constant, or not finite throughout) is masked in its recording; a target
    all of whose vertices are dead counts as uncorrelated there.

    Parameters
    ----------
    files : CohortFiles
        The recordings.
    region : Region
        Whose vertices get a profile.
    targets : Targets
        What the profiles are made of.
    positive : {"shift", "clip"}, default "shift"
        How negative correlations are treated.
    max_dead : float, default 0.1
        Largest share of dead vertices, and of dead targets, in a recording.
    progress : callable, optional
        Called after each recording with the number done and the number in all.

    Returns
    -------
    cohort : Cohort
    warnings : tuple of str
        One line for each recording in which something was masked, or that is very short.

    Raises
    ------
    FileFormatError
        If a file cannot be read, or holds labels.
    SpaceError
        If a file lacks vertices of the region or the targets, or has other vertices than
        the first file.
    ConnectomeError
        If a recording has fewer than 3 frames, frames without a finite number, or more dead
        vertices than allowed.
    """
    subjects, sessions = files.subjects, files.sessions
    shape = (len(subjects), len(sessions), region.n_vertices, targets.n_targets)
    profiles = np.zeros(shape, dtype=np.float32)
    valid = np.zeros(shape[:3], dtype=bool)
    reader = _Reader(region, targets, max_dead)
    n_done = 0
    for row, column in np.ndindex(shape[:2]):
        runs = []
        for recording in files.runs(subjects[row], sessions[column]):
            runs.append(reader.correlations(recording))
            n_done += 1
            if progress:
                progress(n_done, len(files.recordings))
        if runs:
            made = to_positive_sphere(combine_runs(runs), positive)
            profiles[row, column], valid[row, column] = made
    cohort = Cohort(subjects, sessions, profiles, valid, region.axis, targets.names)
    return cohort, tuple(reader.warnings)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Where the region and the targets lie in the first file; the others must have its axis."""

    path: str
    axis: BrainAxis
    region: IntArray
    targets: IntArray


class _Reader:
    """Reads one recording after another, holding each to the vertices of the first."""

    def __init__(self, region: Region, targets: Targets, max_dead: float) -> None:
        self.region = region
        self.targets = targets
        self.max_dead = max_dead
        self.warnings: list[str] = []
        self._rows: _Rows | None = None

    def correlations(self, recording: Recording) -> tuple[FloatArray, int]:
        """Correlation of the region with the targets, (vertex, target), and number of frames."""
        matrix = read_cifti(recording.path)
        _check_kind(matrix)
        self._check_length(recording, matrix.n_frames)
        rows = self._rows_in(matrix)
        series = matrix.read(rows.region)
        _check_frames(matrix, series)
        target_series = self.targets.average(matrix.read(rows.targets))
        self._check_alive(recording, "vertices", series)
        self._check_alive(recording, "targets", target_series)
        return correlate(series, target_series), matrix.n_frames

    def _check_length(self, recording: Recording, n_frames: int) -> None:
        if n_frames < MIN_FRAMES:
            raise ConnectomeError(
                f"{recording.path} has {n_frames} time points; a correlation needs at least "
                f"{MIN_FRAMES}.",
                "Take the recording off the list.",
            )
        if n_frames < FEW_FRAMES:
            self.warnings.append(
                f"{recording}: profiles of {n_frames} frames, fewer than {FEW_FRAMES}, are mostly "
                f"noise ({recording.path})."
            )

    def _rows_in(self, matrix: CiftiMatrix) -> _Rows:
        if self._rows is None:
            self._rows = _Rows(
                str(matrix.path),
                matrix.axis,
                _locate(matrix, f"region {self.region.name}", self.region.axis),
                _locate(matrix, f"targets {self.targets.name}", self.targets.axis),
            )
        elif matrix.axis != self._rows.axis:
            raise SpaceError(
                f"{matrix.path} ({_describe(matrix.axis)}) has other vertices than "
                f"{self._rows.path} ({_describe(self._rows.axis)}).",
                "Resample all recordings of a cohort to the same grayordinates.",
            )
        return self._rows

    def _check_alive(self, recording: Recording, what: str, series: FloatArray) -> None:
        """Report dead rows, or refuse a recording that has too many."""
        dead = is_dead(series)
        n_dead, n_rows = int(dead.sum()), len(dead)
        if n_dead == 0:
            return
        found = f"{n_dead} of {n_rows} {what} carry no signal (all zero, constant or NaN)"
        if n_dead > self.max_dead * n_rows:
            raise ConnectomeError(
                f"{recording.path}: {found}, more than the {self.max_dead:.0%} allowed.",
                "Check the recording, take it off the list, or raise --max-dead.",
            )
        done = "masked" if what == "vertices" else "counted as uncorrelated"
        self.warnings.append(f"{recording}: {found} and were {done} ({recording.path}).")


def _check_kind(matrix: CiftiMatrix) -> None:
    if matrix.kind == "dlabel":
        raise FileFormatError(
            f"{matrix.path} is a dlabel file, which holds labels and is no recording.",
            "List .dtseries.nii files, or .dscalar.nii files of many maps.",
        )


def _check_frames(matrix: CiftiMatrix, series: FloatArray) -> None:
    """Refuse single frames without a finite number; a file of nothing else is dead vertices."""
    bad = np.flatnonzero(~np.isfinite(series).any(axis=0))
    if not 0 < len(bad) < series.shape[1]:
        return
    shown = ", ".join(str(frame + 1) for frame in bad[:_N_FRAMES_NAMED])
    shown += ", ..." if len(bad) > _N_FRAMES_NAMED else ""
    what = f"frame {shown} is" if len(bad) == 1 else f"frames {shown} are"
    raise ConnectomeError(
        f"{matrix.path}: {what} not finite in all vertices of the region ({len(bad)} of "
        f"{series.shape[1]} frames, counted from 1).",
        "Censor by removing frames from the file; do not fill them with NaN.",
    )


def _locate(matrix: CiftiMatrix, what: str, axis: BrainAxis) -> IntArray:
    """Rows of a file that hold an axis; the error names the file."""
    try:
        return matrix.axis.rows_of(axis)
    except SpaceError as error:
        raise SpaceError(
            f"{matrix.path} does not hold the {what}: {error.message}", error.tip
        ) from error


def _describe(axis: BrainAxis) -> str:
    counts = {name: len(axis.rows_in(name)) for name in axis.structures[:2]}
    shown = ", ".join(f"{n} {name}" for name, n in counts.items())
    return f"{len(axis)} rows: {shown}" + (", ..." if len(axis.structures) > 2 else "")
