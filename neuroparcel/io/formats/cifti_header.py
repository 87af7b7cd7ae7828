"""The XML in a CIFTI-2 file: what each dimension of its matrix is.

nibabel's own parser takes half a second for 91,282 grayordinates, most of it spent on lists
of Python integers; a cohort of 4,000 runs is opened in half a minute here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias
from xml.etree import ElementTree

import numpy as np

from neuroparcel.brain.atlas import BACKGROUND_KEY, Label
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import FileFormatError
from neuroparcel.io.formats.spaces import MAX_VERTICES, UNKNOWN_SPACE, space_of_mesh
from neuroparcel.types import IntArray

Element: TypeAlias = ElementTree.Element

STRUCTURE_PREFIX = "CIFTI_STRUCTURE_"
"""Of the names of structures in CIFTI files; a brain axis leaves it away."""

_SURFACE, _VOXELS = "CIFTI_MODEL_TYPE_SURFACE", "CIFTI_MODEL_TYPE_VOXELS"
_TYPE_PREFIX = "CIFTI_INDEX_TYPE_"
_MILLIMETRE_EXPONENT = -3
# Beyond any volume in use: a header that promises more is damaged.
_MAX_VOXELS = 2**28
_MAX_MILLIMETRES = 1e6


@dataclass(frozen=True)
class SeriesDimension:
    """Points in time, or in another unit."""

    n_points: int
    step: float
    unit: str

    @property
    def tr(self) -> float | None:
        """Seconds from point to point; None where the unit is another, or no step is given."""
        return self.step if self.unit == "SECOND" and self.step > 0 else None


@dataclass(frozen=True)
class MapsDimension:
    """Maps by name; a label table each if they are label maps."""

    names: tuple[str, ...]
    labels: tuple[tuple[Label, ...], ...]


Dimension: TypeAlias = BrainAxis | SeriesDimension | MapsDimension


def parse_dimensions(xml: bytes) -> tuple[Dimension, ...]:
    """What the dimensions of a CIFTI-2 matrix are, in order.

    Dimension 0 runs along a row of the matrix as stored, so that its neighbours are adjacent
    in the file.

    Parameters
    ----------
    xml : bytes
        The XML of the file.

    Returns
    -------
    tuple of BrainAxis, SeriesDimension or MapsDimension

    Raises
    ------
    FileFormatError
        If the version is 1, or the XML is not that of a CIFTI matrix.
    SpaceError, ValueError, KeyError
        If it is, but contradicts itself.
    """
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError as error:
        raise FileFormatError(f"its XML is damaged: {error}") from error
    if root.tag != "CIFTI":
        raise FileFormatError(f"its XML is of {root.tag}")
    if root.get("Version", "").split(".")[0] != "2":
        raise FileFormatError(f"found version {root.get('Version')}")
    found: dict[int, Dimension] = {}
    for element in root.iterfind("Matrix/MatrixIndicesMap"):
        dimension = _parse_dimension(element)
        for number in element.attrib["AppliesToMatrixDimension"].split(","):
            found[int(number)] = dimension
    if sorted(found) != list(range(len(found))):
        raise FileFormatError(f"its XML describes the dimensions {sorted(found)}")
    return tuple(found[number] for number in sorted(found))


def describe(dimension: Dimension) -> str:
    """Name a dimension for a message."""
    match dimension:
        case SeriesDimension():
            return "time points"
        case MapsDimension():
            return "label maps" if dimension.labels else "maps"
        case _:
            return "parcels" if dimension.is_nodes else "vertices"


def length(dimension: Dimension) -> int:
    """Number of indices along a dimension."""
    match dimension:
        case SeriesDimension():
            return dimension.n_points
        case MapsDimension():
            return len(dimension.names)
        case _:
            return len(dimension)


def _parse_dimension(element: Element) -> Dimension:
    kind = element.attrib["IndicesMapToDataType"].removeprefix(_TYPE_PREFIX)
    match kind:
        case "BRAIN_MODELS":
            return _parse_brain_models(element)
        case "PARCELS":
            names = tuple(parcel.attrib["Name"] for parcel in element.iterfind("Parcel"))
            return BrainAxis.from_nodes(names)
        case "SERIES":
            return _parse_series(element)
        case "SCALARS" | "LABELS":
            return _parse_maps(element, with_labels=kind == "LABELS")
    raise FileFormatError(f"its XML names the unknown type {kind}")


def _parse_series(element: Element) -> SeriesDimension:
    step = float(element.attrib["SeriesStep"])
    step *= 10.0 ** int(element.get("SeriesExponent", "0"))
    if not math.isfinite(step):
        raise FileFormatError(f"its time points are {step} apart")
    unit = element.get("SeriesUnit", "")
    return SeriesDimension(int(element.attrib["NumberOfSeriesPoints"]), step, unit)


def _parse_maps(element: Element, *, with_labels: bool) -> MapsDimension:
    maps = element.findall("NamedMap")
    names = tuple(_text(named, "MapName") for named in maps)
    if not with_labels:
        return MapsDimension(names, ())
    return MapsDimension(names, tuple(_parse_labels(m.iterfind("LabelTable/Label")) for m in maps))


def _parse_labels(elements: Iterable[Element]) -> tuple[Label, ...]:
    labels = [
        Label.of(
            int(label.attrib["Key"]),
            (label.text or "").strip(),
            [float(label.get(colour, "1")) for colour in ("Red", "Green", "Blue", "Alpha")],
        )
        for label in elements
    ]
    return tuple(
        sorted((lb for lb in labels if lb.key != BACKGROUND_KEY), key=lambda label: label.key)
    )


def _text(element: Element, child: str) -> str:
    return (element.findtext(child) or "").strip()


@dataclass(frozen=True)
class _BrainModel:
    """One structure's stretch of rows, its indices still in words."""

    structure: str
    is_surface: bool
    start: int
    count: int
    mesh_size: int
    indices: str


@dataclass(frozen=True)
class _Volume:
    shape: str
    affine: str
    exponent: int


def _parse_brain_models(element: Element) -> BrainAxis:
    models = []
    for model in element.iterfind("BrainModel"):
        is_surface = model.attrib["ModelType"] == _SURFACE
        if not is_surface and model.attrib["ModelType"] != _VOXELS:
            raise FileFormatError(f"its XML names the unknown model {model.attrib['ModelType']}")
        models.append(
            _BrainModel(
                model.attrib["BrainStructure"].removeprefix(STRUCTURE_PREFIX),
                is_surface,
                int(model.attrib["IndexOffset"]),
                int(model.attrib["IndexCount"]),
                int(model.attrib["SurfaceNumberOfVertices"]) if is_surface else 0,
                _text(model, "VertexIndices" if is_surface else "VoxelIndicesIJK"),
            )
        )
    return _to_axis(tuple(sorted(models, key=lambda model: model.start)), _parse_volume(element))


def _parse_volume(element: Element) -> _Volume | None:
    volume = element.find("Volume")
    if volume is None:
        return None
    matrix = volume.find("TransformationMatrixVoxelIndicesIJKtoXYZ")
    if matrix is None:
        raise FileFormatError("its volume has no affine")
    exponent = int(matrix.get("MeterExponent", str(_MILLIMETRE_EXPONENT)))
    return _Volume(volume.attrib["VolumeDimensions"], matrix.text or "", exponent)


@lru_cache(maxsize=8)
def _to_axis(models: tuple[_BrainModel, ...], volume: _Volume | None) -> BrainAxis:
    """The rows; kept in memory, since all runs of a cohort have the same."""
    vertices, voxels, structures, sizes = [], [], [], {}
    n_rows = 0
    for model in models:
        if model.start != n_rows or model.count < 1:
            raise FileFormatError(
                f"its {model.structure} begins at row {model.start}, not {n_rows}"
            )
        if not 0 <= model.mesh_size <= MAX_VERTICES:
            raise FileFormatError(f"its {model.structure} has {model.mesh_size} vertices")
        vertex, voxel = _parse_indices(model)
        vertices.append(vertex)
        voxels.append(voxel)
        structures.append(np.full(model.count, model.structure))
        if model.is_surface:
            sizes[model.structure] = model.mesh_size
        n_rows += model.count
    if not models:
        raise FileFormatError("it has no rows")
    spaces = {space_of_mesh(size) for size in sizes.values()}
    return BrainAxis(
        space=spaces.pop() if len(spaces) == 1 else UNKNOWN_SPACE,
        structure=np.concatenate(structures),
        vertex=np.concatenate(vertices),
        voxel=np.concatenate(voxels),
        mesh_size=sizes,
        affine=_to_affine(volume) if volume else None,
        volume_shape=_to_shape(volume) if volume else None,
    )


def _parse_indices(model: _BrainModel) -> tuple[IntArray, IntArray]:
    """Vertex and voxel of each row of a structure, -1 where the other applies."""
    indices = np.array(model.indices.split(), dtype=np.int64)
    expected = model.count if model.is_surface else 3 * model.count
    if len(indices) != expected or indices.min() < 0:
        raise FileFormatError(
            f"its {model.structure} has {len(indices)} indices for {model.count} rows"
            if len(indices) != expected
            else f"its {model.structure} has negative indices"
        )
    if model.is_surface:
        return indices, np.full((model.count, 3), -1)
    return np.full(model.count, -1), indices.reshape(-1, 3)


def _to_affine(volume: _Volume) -> np.ndarray:
    affine = np.array(volume.affine.split(), dtype=np.float64).reshape(4, 4)
    affine[:3] *= 10.0 ** (volume.exponent - _MILLIMETRE_EXPONENT)
    if not (np.abs(affine) < _MAX_MILLIMETRES).all():  # not if it holds NaN either
        raise FileFormatError("its affine makes no sense")
    return affine


def _to_shape(volume: _Volume) -> tuple[int, int, int]:
    i, j, k = (int(size) for size in volume.shape.split(","))
    if min(i, j, k) < 1 or i * j * k > _MAX_VOXELS:
        raise FileFormatError(f"its volume has the shape {(i, j, k)}")
    return i, j, k
