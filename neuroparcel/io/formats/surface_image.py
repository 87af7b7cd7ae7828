"""The bridge between rows on a brain axis and nilearn's ``SurfaceImage``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import SpaceError
from neuroparcel.io.formats import open_matrix
from neuroparcel.io.formats.hemispheres import LEFT, RIGHT
from neuroparcel.io.formats.spaces import UNKNOWN_SPACE, space_of_mesh
from neuroparcel.io.meshes import load_cortex_axis, load_mesh
from neuroparcel.types import FloatArray

if TYPE_CHECKING:
    from nilearn.surface import PolyMesh, SurfaceImage

_PARTS = {LEFT: "left", RIGHT: "right"}


def to_surface_image(
    axis: BrainAxis,
    values: FloatArray,
    fill: float = np.nan,
    mesh: PolyMesh | None = None,
) -> SurfaceImage:
    """Spread rows over the whole cortical meshes, for nilearn.

    Parameters
    ----------
    axis : BrainAxis
        What the rows are; those outside the cortex (subcortical voxels) have no place in a
        surface image and are left out.
    values : (row,) or (row, frame) array of float
        One value, or one signal, a row, as :meth:`DataMatrix.read` gives it.
    fill : float, default NaN
        What vertices without a row receive: the medial wall.
    mesh : nilearn.surface.PolyMesh, optional
        The meshes; the S1200 midthickness surfaces of fs_LR 32k if not given.

    Returns
    -------
    nilearn.surface.SurfaceImage
        With a part for each hemisphere of the axis, (mesh vertex,) or (mesh vertex, frame).

    Raises
    ------
    SpaceError
        If the values do not lie on the axis, it has no cortex, or its meshes are not those
        given.

    Examples
    --------
    >>> axis = load_cortex_axis()
    >>> image = to_surface_image(axis, np.ones((len(axis), 4), np.float32))
    >>> image.shape
    (64984, 4)
    """
    from nilearn.surface import SurfaceImage

    array = np.asarray(values)
    if array.ndim not in (1, 2) or len(array) != len(axis):
        raise SpaceError(
            f"Values of shape {array.shape} do not lie on an axis of {len(axis)} rows.",
            "Give an array of shape (row,) or (row, frame).",
        )
    structures = [name for name in _PARTS if name in axis.mesh_size]
    if not structures:
        raise SpaceError(
            f"An axis of {', '.join(axis.structures) or 'no rows'} has no cortical surface.",
            "Only vertices can become a surface image.",
        )
    parts = {_PARTS[name]: axis.expand(array.T, name, fill).T for name in structures}
    # nilearn takes memory order as it comes; whole frames are what it computes on.
    parts = {side: np.ascontiguousarray(part) for side, part in parts.items()}
    return SurfaceImage(_meshes(parts, mesh), parts)


def from_surface_image(
    image: SurfaceImage, axis: BrainAxis | None = None
) -> tuple[BrainAxis, FloatArray]:
    """Take rows from nilearn's surface image.

    Parameters
    ----------
    image : nilearn.surface.SurfaceImage
        With parts of (mesh vertex,) or (mesh vertex, frame).
    axis : BrainAxis, optional
        The rows wanted, such as the cortex without the medial wall; all vertices, left before
        right, if not given.

    Returns
    -------
    axis : BrainAxis
        The axis given, or that of all vertices.
    values : (row, frame) array
        Of the type of the image; one frame if its parts have one dimension.

    Raises
    ------
    SpaceError
        If the image lacks a row of the axis, or lies on other meshes.
    """
    parts = {name: image.data.parts[side] for name, side in _PARTS.items() if _has(image, side)}
    sizes = {name: len(part) for name, part in parts.items()}
    spaces = {space_of_mesh(size) for size in sizes.values()}
    whole = BrainAxis.from_vertices(
        spaces.pop() if len(spaces) == 1 else UNKNOWN_SPACE,
        {name: np.arange(size) for name, size in sizes.items()},
        sizes,
    )
    values = np.concatenate([part.reshape(len(part), -1) for part in parts.values()])
    if axis is None:
        return whole, values
    return axis, values[whole.rows_of(axis)]


def load_surface_image(
    paths: Path | Sequence[Path], fill: float = np.nan, mesh: PolyMesh | None = None
) -> SurfaceImage:
    """Read any surface file as nilearn's surface image.

    Parameters
    ----------
    paths : pathlib.Path or sequence of pathlib.Path
        A CIFTI file, or the GIFTI or FreeSurfer files of the hemispheres.
    fill : float, default NaN
        What vertices without a row receive.
    mesh : nilearn.surface.PolyMesh, optional
        The meshes; the S1200 midthickness surfaces of fs_LR 32k if not given.

    Returns
    -------
    nilearn.surface.SurfaceImage

    Raises
    ------
    FileFormatError
        If a file cannot be read.
    SpaceError
        If it holds no cortical surface, or one on other meshes.
    """
    matrix = open_matrix(paths)
    rows = np.flatnonzero(np.isin(matrix.axis.structure, list(_PARTS)))
    axis = matrix.axis.restrict(rows) if len(rows) < len(matrix.axis) else matrix.axis
    return to_surface_image(axis, matrix.read(rows), fill, mesh)


def _has(image: SurfaceImage, side: str) -> bool:
    return side in image.data.parts


def _meshes(parts: dict[str, np.ndarray], mesh: PolyMesh | None) -> PolyMesh:
    """The meshes of the sides that have data, held to their number of vertices."""
    from nilearn.surface import InMemoryMesh, PolyMesh

    if mesh is None:
        sizes = {_PARTS[name]: size for name, size in load_cortex_axis().mesh_size.items()}
    else:
        sizes = {side: part.n_vertices for side, part in mesh.parts.items()}
    wrong = [side for side, part in parts.items() if sizes.get(side) != len(part)]
    if wrong:
        expected = f"{sizes[wrong[0]]} vertices" if wrong[0] in sizes else "no such hemisphere"
        raise SpaceError(
            f"The {wrong[0]} hemisphere has {len(parts[wrong[0]])} vertices, its mesh {expected}.",
            "Give the mesh of the data: mesh=nilearn.datasets.load_fsaverage('fsaverage5')"
            "['pial'], for example.",
        )
    if mesh is not None:
        return PolyMesh(**{side: mesh.parts[side] for side in parts})
    return PolyMesh(
        **{
            side: InMemoryMesh(*load_mesh("midthickness", "left" if side == "left" else "right"))
            for side in parts
        }
    )
