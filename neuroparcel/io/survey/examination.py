"""What the header of a recording tells, without reading its numbers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import ConnectomeError, NeuroparcelError
from neuroparcel.io.formats import open_matrix, split_variable
from neuroparcel.io.formats.matrix import DataMatrix, Kind
from neuroparcel.io.formats.spaces import UNKNOWN_SPACE
from neuroparcel.io.layout import Recording
from neuroparcel.io.nuisance.censoring import read_censor
from neuroparcel.io.nuisance.confounds import read_confounds_table

_N_STRUCTURES = 2  # structures of voxels that are named one by one


@dataclass(frozen=True)
class Grid:
    """Where the rows of a file lie: recordings of one cohort must share it.

    Parameters
    ----------
    space : str
        Template space in BIDS words.
    meshes : tuple of (str, int)
        Vertices in the mesh of each surface structure.
    volume : tuple of int
        Shape of the volume; empty if there are no voxels.
    affine : tuple of float
        Of the volume, rounded to micrometres.
    nodes : str
        Digest of the names of the nodes; empty if there are none.
    """

    space: str
    meshes: tuple[tuple[str, int], ...] = ()
    volume: tuple[int, ...] = ()
    affine: tuple[float, ...] = ()
    nodes: str = ""

    @classmethod
    def of(cls, axis: BrainAxis) -> Grid:
        """Grid of an axis."""
        has_voxels = not bool(axis.is_surface.all())
        affine = np.round(axis.affine, 3).ravel() if axis.affine is not None else np.empty(0)
        return cls(
            axis.space,
            tuple(sorted(axis.mesh_size.items())),
            tuple(axis.volume_shape or ()) if has_voxels else (),
            tuple(affine.tolist()) if has_voxels else (),
            hashlib.blake2b("\0".join(axis.nodes).encode()).hexdigest() if axis.is_nodes else "",
        )

    def __str__(self) -> str:
        parts = []
        sizes = sorted({size for _, size in self.meshes})
        if self.nodes:
            return f"{sizes[0]} nodes"
        if sizes:
            parts.append(f"meshes of {' and '.join(map(str, sizes))} vertices")
        if self.volume:
            parts.append(f"a volume of {' x '.join(map(str, self.volume))} voxels")
        return f"{self.space}, {', '.join(parts)}"

    def agrees(self, other: Grid) -> bool:
        """Whether what both have lies on the same meshes and volume, and they share something."""
        if self.nodes != other.nodes:
            return False
        if UNKNOWN_SPACE not in (self.space, other.space) and self.space != other.space:
            return False
        mine, theirs = dict(self.meshes), dict(other.meshes)
        shared = mine.keys() & theirs.keys()
        volumes = bool(self.volume and other.volume)
        if volumes and (self.volume, self.affine) != (other.volume, other.affine):
            return False
        return (bool(shared) or volumes) and all(mine[name] == theirs[name] for name in shared)


@dataclass(frozen=True)
class Examined:
    """What is known of one recording.

    Parameters
    ----------
    recording : Recording
    n_bytes : int
        Size of its files.
    error : str
        Why it cannot be used, one line that names the file; empty if it can.
    kind : str, optional
        ``"series"``, ``"maps"``, ``"labels"`` or ``"connectivity"``; with what follows, None
        or empty if the file cannot be read.
    n_frames : int
        Time points, maps or columns.
    n_kept : int, optional
        Frames that its censor file keeps; None without one.
    tr : float, optional
        Seconds from frame to frame.
    grid : Grid, optional
    n_rows : int
    rows : str
        What the rows are, in words.
    names : tuple of str
        Names of maps.
    """

    recording: Recording
    n_bytes: int
    error: str = ""
    kind: Kind | None = None
    n_frames: int = 0
    n_kept: int | None = None
    tr: float | None = None
    grid: Grid | None = None
    n_rows: int = 0
    rows: str = ""
    names: tuple[str, ...] = ()


def examine(recording: Recording) -> Examined:
    """Open the header of a recording, and read its censor file and confounds if it has any.

    Parameters
    ----------
    recording : Recording

    Returns
    -------
    Examined
        With an error instead of an exception if something cannot be read.
    """
    n_bytes = _size(recording)
    try:
        matrix = open_matrix(recording.paths, recording.mask)
    except NeuroparcelError as error:
        return Examined(recording, n_bytes, str(error))
    n_kept, error_line = None, ""
    try:
        n_kept = _check_beside(recording, matrix)
    except NeuroparcelError as error:
        error_line = str(error)
    return Examined(
        recording,
        n_bytes,
        error_line,
        matrix.kind,
        matrix.n_frames,
        n_kept,
        matrix.tr,
        Grid.of(matrix.axis),
        len(matrix.axis),
        describe_rows(matrix.axis),
        matrix.names,
    )


def _check_beside(recording: Recording, matrix: DataMatrix) -> int | None:
    """Number of frames that the censor file keeps; refuses what does not fit the recording."""
    if matrix.kind == "labels":
        raise ConnectomeError(
            f"{recording.path} is a label file, which holds labels and is no recording.",
            "Take it off the list.",
        )
    if recording.confounds is not None:
        read_confounds_table(recording, matrix.n_frames)
    if recording.censor is None:
        return None
    return int(read_censor(recording.censor, matrix.n_frames, recording.path).sum())


def describe_rows(axis: BrainAxis) -> str:
    """Say what the rows of a file are.

    Examples
    --------
    >>> describe_rows(BrainAxis.from_vertices("x", {"CORTEX_LEFT": [1, 2]}, {"CORTEX_LEFT": 9}))
    '2 rows: 2 CORTEX_LEFT'
    """
    if axis.is_nodes:
        return f"{len(axis)} nodes"
    names, counts = np.unique(axis.structure, return_counts=True)
    sizes = {str(name): int(n) for name, n in zip(names, counts, strict=True)}
    parts = [f"{n} {name}" for name, n in sizes.items() if name in axis.mesh_size]
    voxels = {name: n for name, n in sizes.items() if name not in axis.mesh_size}
    if len(voxels) > _N_STRUCTURES:
        parts.append(f"{sum(voxels.values())} voxels of {len(voxels)} structures")
    else:
        parts += [f"{n} voxels of {name}" for name, n in voxels.items()]
    return f"{len(axis)} rows: {', '.join(parts)}"


def _size(recording: Recording) -> int:
    n_bytes = 0
    for path in recording.paths:
        try:
            n_bytes += split_variable(path)[0].stat().st_size
        except OSError:  # the error of opening it tells more
            continue
    return n_bytes
