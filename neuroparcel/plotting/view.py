"""A stretch of cortex seen by a camera, ready to be coloured by values on its vertices."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy import sparse

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import SpaceError
from neuroparcel.io.meshes import Hemisphere, load_mesh, load_sulc
from neuroparcel.plotting.raster import rasterise
from neuroparcel.types import FloatArray, IntArray

_HEMISPHERES: dict[str, Hemisphere] = {"CORTEX_LEFT": "left", "CORTEX_RIGHT": "right"}

# Anatomical directions in the coordinates of the meshes (right, anterior, superior).
_DIRECTIONS = {
    "right": (1, 0, 0),
    "left": (-1, 0, 0),
    "anterior": (0, 1, 0),
    "posterior": (0, -1, 0),
    "superior": (0, 0, 1),
    "inferior": (0, 0, -1),
}

_MARGIN = 0.3  # cortex shown around a region, as a share of the longer side of the region
_SHARE_SEEN = 0.8  # of a region's vertices; a close-up of fewer would hide too much
_LIGHT = np.array([-0.35, 0.45, 0.82])  # from the upper left, in the camera's coordinates
_GYRUS, _SULCUS = 0.80, 0.56  # brightness of grey


@dataclass(frozen=True, eq=False)
class SurfaceView:
    """The pixels of a picture of one hemisphere.

    Parameters
    ----------
    structure : str
        ``"CORTEX_LEFT"`` or ``"CORTEX_RIGHT"``.
    edges : tuple of 4 str
        Anatomical directions of the picture's left, right, lower and upper edge.
    corners : (row, column, 3) array of int
        Mesh vertices between which each pixel lies; -1 where there is no cortex.
    weights : (row, column, 3) array of float32
        Barycentric coordinates of each pixel.
    relief : (row, column) array of float32
        Brightness of the bare surface: light and sulcal depth; NaN where there is no cortex.
    """

    structure: str
    edges: tuple[str, str, str, str]
    corners: IntArray
    weights: FloatArray
    relief: FloatArray

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.corners.shape[0], self.corners.shape[1]

    def interpolate(self, values: FloatArray, outside: float = np.nan) -> FloatArray:
        """Values at the pixels, linear within each face.

        Parameters
        ----------
        values : (mesh vertex,) or (mesh vertex, value) array of float
            One value a vertex of the hemisphere's mesh, or several.
        outside : float, default NaN
            What pixels without cortex receive.

        Returns
        -------
        (row, column) or (row, column, value) array of float32
        """
        picture = np.full((self.corners[..., 0].size, *values.shape[1:]), outside, np.float32)
        weights = self._weights
        picture[self._on_cortex] = weights @ np.asarray(values[: weights.shape[1]], np.float32)
        return picture.reshape(*self.shape, *values.shape[1:])

    @cached_property
    def _on_cortex(self) -> IntArray:
        """Pixels that show cortex, counted row by row."""
        return np.flatnonzero(self.corners[..., 0] >= 0)

    @cached_property
    def _weights(self) -> sparse.csr_array:
        """What each mesh vertex contributes to each pixel of cortex."""
        corners, weights = (a.reshape(-1, 3)[self._on_cortex] for a in (self.corners, self.weights))
        starts = np.arange(0, corners.size + 1, 3)
        shape = (len(corners), int(corners.max(initial=0)) + 1)
        return sparse.csr_array((weights.ravel(), corners.ravel(), starts), shape=shape)


def close_up(axis: BrainAxis, structure: str, n_pixels: int = 800) -> SurfaceView:
    """Look at a region straight on, on the inflated surface.

    Parameters
    ----------
    axis : BrainAxis
        The region's vertices.
    structure : str
        The hemisphere to look at.
    n_pixels : int, default 800
        Length of the picture's longer side.

    Returns
    -------
    SurfaceView

    Raises
    ------
    SpaceError
        If the structure is not a cortical hemisphere on the fs_LR 32k mesh.
    """
    vertices = axis.vertex[axis.rows_in(structure)]
    return _close_up(structure, axis.mesh_size.get(structure), vertices.tobytes(), n_pixels)


def whole_hemisphere(view: SurfaceView, axis: BrainAxis, n_pixels: int = 500) -> SurfaceView:
    """Look at the whole hemisphere of a close-up from the anatomical direction next to it."""
    vertices = axis.vertex[axis.rows_in(view.structure)]
    towards = _surface(view.structure).normals[vertices].mean(axis=0)
    nearest = max(_DIRECTIONS, key=lambda name: float(towards @ _DIRECTIONS[name]))
    return hemisphere_from(view.structure, nearest, n_pixels)


def hemisphere_from(structure: str, direction: str, n_pixels: int = 500) -> SurfaceView:
    """Look at a whole hemisphere from an anatomical direction, such as ``"left"``.

    Parameters
    ----------
    structure : {"CORTEX_LEFT", "CORTEX_RIGHT"}
        The hemisphere.
    direction : {"right", "left", "anterior", "posterior", "superior", "inferior"}
        Where the camera stands.
    n_pixels : int, default 500
        Length of the picture's longer side.
    """
    return _hemisphere_from(structure, direction, n_pixels)


def is_seen_at_once(axis: BrainAxis) -> bool:
    """Whether a close-up of each hemisphere shows most of a region of the fs_LR 32k cortex."""
    for structure in axis.structures:
        normals = _surface(structure).normals[axis.vertex[axis.rows_in(structure)]]
        if (normals @ normals.mean(axis=0) > 0).mean() < _SHARE_SEEN:
            return False
    return True


@dataclass(frozen=True, eq=False)
class _Surface:
    """An inflated hemisphere: (vertex, 3) coordinates and normals, (face, 3), (vertex,) depth."""

    coordinates: FloatArray
    normals: FloatArray
    faces: IntArray
    sulc: FloatArray


@lru_cache(maxsize=2)
def _surface(structure: str) -> _Surface:
    hemisphere = _HEMISPHERES[structure]
    coordinates, faces = load_mesh("inflated", hemisphere)
    return _Surface(coordinates, _normals(coordinates, faces), faces, load_sulc(hemisphere))


@lru_cache(maxsize=16)  # two sides and two sizes of two hemispheres, and a few more
def _hemisphere_from(structure: str, direction: str, n_pixels: int) -> SurfaceView:
    camera = np.array(_DIRECTIONS[direction], dtype=np.float64)
    return _look(_surface(structure), structure, camera, None, n_pixels)


@lru_cache(maxsize=8)  # the figures of a cohort all show the same region
def _close_up(structure: str, mesh_size: int | None, vertices: bytes, n_pixels: int) -> SurfaceView:
    if structure not in _HEMISPHERES:
        raise SpaceError(
            f"{structure} cannot be drawn.", f"Drawn are {' and '.join(_HEMISPHERES)}."
        )
    surface = _surface(structure)
    if mesh_size != len(surface.coordinates):
        raise SpaceError(
            f"{structure} on a mesh of {mesh_size} vertices cannot be drawn; the meshes at hand "
            f"have {len(surface.coordinates)} (fs_LR 32k)."
        )
    shown = np.frombuffer(vertices, dtype=np.int64)
    return _look(surface, structure, surface.normals[shown].mean(axis=0), shown, n_pixels)


def _look(
    surface: _Surface,
    structure: str,
    towards_camera: FloatArray,
    shown: IntArray | None,
    n_pixels: int,
) -> SurfaceView:
    """Project orthogonally; the picture holds the vertices `shown` with a margin, or all."""
    camera = _camera(towards_camera)
    seen = surface.coordinates @ camera.T
    frame = seen[:, :2] if shown is None else seen[shown, :2]
    margin = (0.01 if shown is None else _MARGIN) * np.ptp(frame, axis=0).max()
    low, high = frame.min(axis=0) - margin, frame.max(axis=0) + margin
    per_mm = (n_pixels - 1) / (high - low).max()
    columns, rows = np.rint((high - low) * per_mm).astype(int) + 1
    points = (seen[:, :2] - low) * per_mm
    points[:, 1] = rows - 1 - points[:, 1]  # rows count downwards

    facing = (surface.normals @ camera[2])[surface.faces].mean(axis=1) > 0
    corners, weights = rasterise(points, seen[:, 2], surface.faces[facing], (rows, columns))
    bare = SurfaceView(structure, _edges(camera), corners, weights, np.empty(0))
    relief = bare.interpolate(_relief(surface, camera))
    return SurfaceView(structure, bare.edges, corners, weights, relief)


def _camera(towards_camera: FloatArray) -> FloatArray:
    """Rows: to the right of the picture, up, and towards the camera. Superior is up if it can."""
    towards = towards_camera / np.linalg.norm(towards_camera)
    superior, anterior = np.array(_DIRECTIONS["superior"]), np.array(_DIRECTIONS["anterior"])
    up = anterior if abs(towards @ superior) > 0.9 else superior
    right = np.cross(up, towards)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(towards, right), towards])


def _edges(camera: FloatArray) -> tuple[str, str, str, str]:
    """Names of the anatomical directions nearest to left, right, down and up."""
    left, right, down, up = (
        max(_DIRECTIONS, key=lambda name: float(direction @ _DIRECTIONS[name]))
        for direction in (-camera[0], camera[0], -camera[1], camera[1])
    )
    return left, right, down, up


def _relief(surface: _Surface, camera: FloatArray) -> FloatArray:
    """Brightness of each vertex: sulci darker than gyri, lit from the upper left."""
    share_of_sulcus = 1 / (1 + np.exp(-8 * surface.sulc / np.abs(surface.sulc).max()))
    grey = _GYRUS + (_SULCUS - _GYRUS) * share_of_sulcus
    light = np.clip(surface.normals @ (camera.T @ _LIGHT), 0, 1)
    return np.asarray(grey * (0.7 + 0.3 * light), dtype=np.float32)


def _normals(coordinates: FloatArray, faces: IntArray) -> FloatArray:
    """Unit normals of the vertices, pointing outwards, shape (vertex, 3)."""
    a, b, c = (coordinates[faces[:, corner]] for corner in range(3))
    of_faces = np.cross(b - a, c - a)
    normals = np.zeros_like(coordinates, dtype=np.float64)
    for corner in range(3):
        np.add.at(normals, faces[:, corner], of_faces)
    outwards = np.sign((normals * (coordinates - coordinates.mean(axis=0))).sum())
    return np.asarray(outwards * normals / np.linalg.norm(normals, axis=1, keepdims=True))
