"""The axis that says which row of an array is which place in the brain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from neuroparcel.errors import SpaceError
from neuroparcel.types import FloatArray, IntArray

NODES = "NODES"
"""Structure of rows that lie nowhere: the parcels or nodes of a matrix of time series."""

_NO_VERTEX = -1
_N_MISSING_NAMED = 3


@dataclass(frozen=True, eq=False)
class BrainAxis:
    """Rows of an array: vertices of a surface mesh, voxels of a volume, or nodes.

    The medial wall is simply absent: a row exists only where there are data, and
    :attr:`mesh_size` remembers how many vertices the whole mesh has. Nodes are regions of
    which only the names are known, such as the parcels of a table of time series; they are
    the vertices of the structure ``"NODES"``.

    Parameters
    ----------
    space : str
        Name of the template space in BIDS words, such as ``"fsLR"``.
    structure : (row,) array of str
        CIFTI name of each row's structure without its ``CIFTI_STRUCTURE_`` prefix, such as
        ``"CORTEX_LEFT"`` or ``"THALAMUS_RIGHT"``.
    vertex : (row,) array of int
        Index into the structure's mesh, or number of the node; -1 for voxels.
    voxel : (row, 3) array of int
        Index into the volume; -1 for vertices.
    mesh_size : mapping of str to int
        Vertices in the mesh of each surface structure, the medial wall included.
    affine : (4, 4) array of float, optional
        Voxel indices to millimetres; needed where there are voxels.
    volume_shape : tuple of 3 int, optional
        Shape of the volume; needed where there are voxels.
    nodes : tuple of str, default ()
        Names of all nodes of the set that the rows were taken from.

    Raises
    ------
    SpaceError
        If the arrays disagree in length, a row is both vertex and voxel or neither, lies
        outside its mesh or volume, or occurs twice.

    Examples
    --------
    >>> axis = BrainAxis.from_vertices("fsLR", {"CORTEX_LEFT": [0, 2, 3]}, {"CORTEX_LEFT": 5})
    >>> axis.expand(np.array([1.0, 2.0, 3.0]), "CORTEX_LEFT", fill=0)
    array([1., 0., 2., 3., 0.])
    >>> axis.rows_of(axis.restrict([2, 0]))
    array([2, 0])
    """

    space: str
    structure: npt.NDArray[np.str_]
    vertex: IntArray
    voxel: IntArray
    mesh_size: Mapping[str, int]
    affine: FloatArray | None = None
    volume_shape: tuple[int, int, int] | None = None
    nodes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _freeze(self, "structure", np.array(self.structure, dtype=np.str_).reshape(-1))
        _freeze(self, "vertex", np.array(self.vertex, dtype=np.int64).reshape(-1))
        _freeze(self, "voxel", np.array(self.voxel, dtype=np.int64).reshape(-1, 3))
        sizes = {str(name): int(size) for name, size in self.mesh_size.items()}
        object.__setattr__(self, "mesh_size", MappingProxyType(sizes))
        n_rows = len(self.structure)
        if len(self.vertex) != n_rows or len(self.voxel) != n_rows:
            raise SpaceError(
                f"A brain axis of {n_rows} structure names has {len(self.vertex)} vertices "
                f"and {len(self.voxel)} voxels.",
                "Give one of each for every row (-1 where it does not apply).",
            )
        self._check_nodes()
        self._check_vertices()
        self._check_voxels()
        self._check_unique()

    @classmethod
    def from_vertices(
        cls, space: str, vertices: Mapping[str, npt.ArrayLike], mesh_size: Mapping[str, int]
    ) -> BrainAxis:
        """Axis of surface vertices only, one block a structure.

        Parameters
        ----------
        space : str
            Name of the template space.
        vertices : mapping of str to (row,) array of int
            Vertices of each structure, in the order the rows shall have.
        mesh_size : mapping of str to int
            Vertices in the whole mesh of each structure.
        """
        blocks = {name: np.asarray(v, dtype=np.int64).reshape(-1) for name, v in vertices.items()}
        names = [np.full(len(block), name) for name, block in blocks.items()]
        vertex = np.concatenate([*blocks.values(), np.empty(0, np.int64)])
        structure = np.concatenate(names) if names else np.empty(0, np.str_)
        voxel = np.full((len(vertex), 3), -1)
        return cls(space, structure, vertex, voxel, {name: mesh_size[name] for name in blocks})

    @classmethod
    def from_nodes(cls, names: Sequence[str], space: str = "nodes") -> BrainAxis:
        """Axis of nodes, in the order of their names.

        Parameters
        ----------
        names : sequence of str
            Different names.
        space : str, default "nodes"
            What they are nodes of.
        """
        names = tuple(map(str, names))
        n = len(names)
        structure, voxel = np.full(n, NODES), np.full((n, 3), -1)
        return cls(space, structure, np.arange(n), voxel, {NODES: n}, nodes=names)

    def __len__(self) -> int:
        return len(self.structure)

    def __eq__(self, other: object) -> bool:
        """Whether both have the same rows in the same order, on the same meshes and volume."""
        if not isinstance(other, BrainAxis):
            return NotImplemented
        return (
            len(self) == len(other)
            and dict(self.mesh_size) == dict(other.mesh_size)
            and np.array_equal(self.vertex, other.vertex)
            and np.array_equal(self.voxel, other.voxel)
            and np.array_equal(self.structure, other.structure)
            and self.nodes == other.nodes
            and self._same_volume(other)
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def structures(self) -> tuple[str, ...]:
        """Names of the structures, in the order of their first rows."""
        names, first = np.unique(self.structure, return_index=True)
        return tuple(str(name) for name in names[np.argsort(first)])

    @property
    def is_surface(self) -> npt.NDArray[np.bool_]:
        """Rows that are vertices or nodes, and not voxels; shape (row,)."""
        return np.asarray(self.vertex != _NO_VERTEX)

    @property
    def is_nodes(self) -> bool:
        """Whether the rows are nodes."""
        return bool(self.nodes)

    @property
    def rows_are(self) -> str:
        """What the rows are: vertices, voxels, nodes, or grayordinates if both of the first."""
        if self.is_nodes:
            return "nodes"
        if self.is_surface.all():
            return "vertices"
        return "grayordinates" if self.is_surface.any() else "voxels"

    @property
    def names(self) -> tuple[str, ...]:
        """One name a row: ``L_120`` a vertex, ``10-20-30`` a voxel, a node its own."""
        if self.is_nodes:
            return tuple(self.nodes[number] for number in self.vertex.tolist())
        short = {
            name: name.replace("CORTEX_LEFT", "L").replace("CORTEX_RIGHT", "R")
            for name in self.structures
        }
        return tuple(
            f"{short[name]}_{vertex}" if vertex != _NO_VERTEX else "-".join(map(str, voxel))
            for name, vertex, voxel in zip(
                self.structure.tolist(), self.vertex.tolist(), self.voxel.tolist(), strict=True
            )
        )

    def rows_in(self, structure: str) -> IntArray:
        """Rows that lie in one structure, shape (row of the structure,)."""
        return np.flatnonzero(self.structure == structure)

    def restrict(self, rows: npt.ArrayLike) -> BrainAxis:
        """Keep the given rows (indices or a mask), in the order given."""
        chosen = np.asarray(rows)
        index = np.flatnonzero(chosen) if chosen.dtype == bool else chosen.astype(np.int64)
        names = set(self.structure[index].tolist())
        return BrainAxis(
            self.space,
            self.structure[index],
            self.vertex[index],
            self.voxel[index],
            {name: size for name, size in self.mesh_size.items() if name in names},
            self.affine,
            self.volume_shape,
            self.nodes if NODES in names else (),
        )

    def rows_of(self, other: BrainAxis) -> IntArray:
        """Rows of this axis that hold the places of another.

        Parameters
        ----------
        other : BrainAxis
            The places looked for.

        Returns
        -------
        (row of other,) array of int
            ``self.restrict(self.rows_of(other)) == other``.

        Raises
        ------
        SpaceError
            If a structure is missing, lies on another mesh or volume, or some of its
            vertices or voxels are missing here.
        """
        rows = np.full(len(other), -1, dtype=np.int64)
        for name in other.structures:
            theirs = other.rows_in(name)
            rows[theirs] = found = self._find(name, other, theirs)
            if (found < 0).any():
                lost = other._places(theirs)[found < 0]
                first = ", ".join(str(place) for place in lost[:_N_MISSING_NAMED])
                raise SpaceError(
                    f"{len(lost)} of {len(theirs)} rows of {name} are missing (first: {first}).",
                    "Use data, region and targets made for the same vertices.",
                )
        return rows

    def find(self, other: BrainAxis) -> IntArray:
        """Rows of this axis that hold the places of another, as far as it has them.

        Returns
        -------
        (row of other,) array of int
            -1 where this axis lacks the place.

        Raises
        ------
        SpaceError
            If a structure is missing altogether, or lies on another mesh or volume.
        """
        rows = np.full(len(other), -1, dtype=np.int64)
        for name in other.structures:
            theirs = other.rows_in(name)
            rows[theirs] = self._find(name, other, theirs)
        return rows

    def expand(self, values: npt.ArrayLike, structure: str, fill: float = np.nan) -> np.ndarray:
        """Spread values over the whole mesh of one surface, medial wall included.

        Parameters
        ----------
        values : (..., row) array
            One value a row of this axis.
        structure : str
            Surface structure, such as ``"CORTEX_LEFT"``.
        fill : float, default NaN
            What vertices without a row receive.

        Returns
        -------
        (..., mesh vertex) array

        Raises
        ------
        SpaceError
            If the structure is not a surface of this axis, or the last dimension is not
            this axis.
        """
        array = np.asarray(values)
        if structure not in self.mesh_size:
            raise SpaceError(
                f"{structure} is not a surface of this axis.",
                f"Its surfaces are {', '.join(self.mesh_size) or 'none'}.",
            )
        if array.ndim == 0 or array.shape[-1] != len(self):
            raise SpaceError(
                f"Values of shape {array.shape} do not lie on an axis of {len(self)} rows."
            )
        rows = self.rows_in(structure)
        dtype = np.result_type(array.dtype, np.min_scalar_type(fill))
        mesh = np.full((*array.shape[:-1], self.mesh_size[structure]), fill, dtype=dtype)
        mesh[..., self.vertex[rows]] = array[..., rows]
        return mesh

    def _find(self, name: str, other: BrainAxis, theirs: IntArray) -> IntArray:
        """Rows of this axis, or -1, for the rows `theirs` of another, all in one structure."""
        mine = self.rows_in(name)
        if len(mine) == 0:
            raise SpaceError(
                f"The structure {name} is missing.",
                f"The structures present are {', '.join(self.structures) or 'none'}.",
            )
        self._check_same_grid(name, other)
        places, wanted = self._places(mine), other._places(theirs)
        found = np.full(max(int(places.max()), int(wanted.max())) + 1, -1, dtype=np.int64)
        found[places] = mine
        return found[wanted]

    def _places(self, rows: IntArray) -> IntArray:
        """One non-negative integer for each row: its vertex, or its voxel counted through."""
        if self.vertex[rows[0]] != _NO_VERTEX:
            return self.vertex[rows]
        assert self.volume_shape is not None  # checked when the axis was made
        return np.ravel_multi_index(tuple(self.voxel[rows].T), self.volume_shape)

    def _check_same_grid(self, name: str, other: BrainAxis) -> None:
        mine, theirs = self.mesh_size.get(name), other.mesh_size.get(name)
        if mine != theirs and name == NODES:
            raise SpaceError(
                f"There are {mine} nodes, where {theirs} are expected.",
                "Use time series of the same parcels, in the same order.",
            )
        if mine != theirs:
            raise SpaceError(
                f"{name} lies on a mesh of {mine or 'no'} vertices, where {theirs or 'no'} "
                "are expected.",
                "Resample the data to the mesh of the region and targets (fs_LR 32k by default).",
            )
        if mine is None and not self._same_volume(other):
            raise SpaceError(f"{name} lies on another volume grid than expected.")
        if name == NODES and self.nodes != other.nodes:
            shuffled = sorted(self.nodes) == sorted(other.nodes)
            differ = "the same names in another order" if shuffled else "other names"
            raise SpaceError(
                f"The {len(self.nodes)} nodes have {differ} than the {len(other.nodes)} "
                f"expected: {_first_difference(self.nodes, other.nodes)}.",
                "Use time series of the same parcels, in the same order.",
            )

    def _same_volume(self, other: BrainAxis) -> bool:
        if self.is_surface.all() and other.is_surface.all():
            return True
        if self.affine is None or other.affine is None:
            return False
        return self.volume_shape == other.volume_shape and np.allclose(self.affine, other.affine)

    def _check_nodes(self) -> None:
        if (NODES in self.mesh_size) != bool(self.nodes):
            raise SpaceError("Nodes need names, and only nodes have them.")
        if len(set(self.nodes)) != len(self.nodes):
            twice = next(name for name in self.nodes if self.nodes.count(name) > 1)
            raise SpaceError(f"Two nodes are called {twice!r}.", "Give each its own name.")
        if self.nodes and (self.structures != (NODES,) or self.mesh_size[NODES] != len(self.nodes)):
            raise SpaceError("Nodes do not mix with vertices or voxels, and each has one name.")

    def _check_vertices(self) -> None:
        for name in self.structures:
            vertex = self.vertex[self.rows_in(name)]
            size = self.mesh_size.get(name)
            if size is None and (vertex != _NO_VERTEX).any():
                raise SpaceError(f"The mesh size of {name} is not given.")
            if size is not None and (vertex.min() < 0 or vertex.max() >= size):
                raise SpaceError(
                    f"Vertices {vertex.min()} to {vertex.max()} of {name} do not fit its mesh "
                    f"of {size} vertices."
                )

    def _check_voxels(self) -> None:
        voxel = self.voxel[~self.is_surface]
        if len(voxel) == 0:
            return
        if self.affine is None or self.volume_shape is None:
            raise SpaceError("A brain axis with voxels needs an affine and a volume shape.")
        if voxel.min() < 0 or (voxel >= np.asarray(self.volume_shape)).any():
            raise SpaceError(f"A voxel lies outside the volume of shape {self.volume_shape}.")

    def _check_unique(self) -> None:
        for name in self.structures:
            places = self._places(self.rows_in(name))
            if len(np.unique(places)) != len(places):
                raise SpaceError(f"A brain axis holds the same place in {name} twice.")


def _first_difference(mine: Sequence[str], theirs: Sequence[str]) -> str:
    pairs = enumerate(zip(mine, theirs, strict=False), start=1)
    number, (own, other) = next((n, pair) for n, pair in pairs if pair[0] != pair[1])
    return f"number {number} is {own!r}, not {other!r}"


def _freeze(axis: BrainAxis, name: str, array: np.ndarray) -> None:
    array.setflags(write=False)
    object.__setattr__(axis, name, array)
