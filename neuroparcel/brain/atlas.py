"""Atlases, the regions cut out of them, and the targets that profiles are measured against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import sparse

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import AtlasError, SpaceError
from neuroparcel.types import FloatArray, IntArray

BACKGROUND_KEY = 0
"""Key of rows without a label, by the convention of CIFTI and GIFTI label tables."""


@dataclass(frozen=True)
class Label:
    """One line of a label table: integer key, name, and colour as red, green, blue, alpha."""

    key: int
    name: str
    rgba: tuple[float, float, float, float]

    @classmethod
    def of(cls, key: int, name: str, rgba: Sequence[float]) -> Label:
        """Make a label of whatever number and string types a file reader yields."""
        red, green, blue, alpha = (float(part) for part in rgba)
        return cls(int(key), str(name), (red, green, blue, alpha))

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Red, green and blue from 0 to 255."""
        red, green, blue = (round(255 * min(max(part, 0), 1)) for part in self.rgba[:3])
        return red, green, blue

    @property
    def hex(self) -> str:
        """The colour as ``#rrggbb``."""
        return "#" + "".join(f"{part:02x}" for part in self.rgb)


@dataclass(frozen=True, eq=False)
class Atlas:
    """A label for every row of an axis, with the paper and the licence it comes under.

    Parameters
    ----------
    name : str
        Short name, such as ``"mmp"``, or the path of the file it was read from.
    axis : BrainAxis
        Where the rows lie.
    keys : (row,) array of int
        Key of each row's label; 0 stands for no label.
    labels : tuple of Label
        The label table, the background left out.
    citation, licence : str
        What to cite, and the terms of use.

    Raises
    ------
    SpaceError
        If there is not one key a row.
    AtlasError
        If a row has a key without a label, two labels share a name or a key.
    """

    name: str
    axis: BrainAxis
    keys: IntArray
    labels: tuple[Label, ...]
    citation: str = ""
    licence: str = ""

    def __post_init__(self) -> None:
        keys = np.array(self.keys, dtype=np.int64).reshape(-1)
        keys.setflags(write=False)
        object.__setattr__(self, "keys", keys)
        if len(keys) != len(self.axis):
            raise SpaceError(
                f"Atlas {self.name} has {len(keys)} keys on an axis of {len(self.axis)} rows."
            )
        unnamed = np.setdiff1d(keys, [BACKGROUND_KEY, *(label.key for label in self.labels)])
        if len(unnamed):
            raise AtlasError(
                f"Atlas {self.name} has no label for the keys {unnamed[:3].tolist()}.",
                "Give each key that occurs a name in the label table.",
            )
        self._check_distinct()

    @property
    def present(self) -> tuple[Label, ...]:
        """The labels that some row carries, in the order of the table."""
        there = set(np.unique(self.keys).tolist())
        return tuple(label for label in self.labels if label.key in there)

    def sizes(self, structure: str | None = None) -> IntArray:
        """Rows that carry each label, in all structures or in one; shape (label,)."""
        keys = self.keys if structure is None else self.keys[self.axis.rows_in(structure)]
        found, counts = np.unique(keys, return_counts=True)
        size_of = dict(zip(found.tolist(), counts.tolist(), strict=True))
        return np.array([size_of.get(label.key, 0) for label in self.labels], dtype=np.int64)

    def region(self, names: Sequence[str], name: str | None = None) -> Region:
        """Cut out the rows of some labels.

        Parameters
        ----------
        names : sequence of str
            Labels to join, such as ``["L_44", "L_45"]``.
        name : str, optional
            What to call the region; the labels joined by commas if not given.

        Returns
        -------
        Region

        Raises
        ------
        AtlasError
            If a label is unknown (with the nearest known ones) or named twice, or no row
            carries any.
        """
        key_of = {label.name: label.key for label in self.labels}
        for label in names:
            if label not in key_of:
                raise AtlasError(
                    f"Atlas {self.name} has no label {label!r}.", _suggest(label, list(key_of))
                )
        name_of = {key_of[label]: label for label in names}
        if len(name_of) < len(names):
            twice, _ = Counter(names).most_common(1)[0]
            raise AtlasError(
                f"The region {name or ','.join(names)} names the label {twice} more than once.",
                "Name each label once; a label file must give its labels different names.",
            )
        rows = np.flatnonzero(np.isin(self.keys, list(name_of)))
        label_of_vertex = np.array([name_of[int(key)] for key in self.keys[rows]], dtype=np.str_)
        region_name = name or ",".join(names)
        return Region(region_name, self.axis.restrict(rows), tuple(names), label_of_vertex)

    def _check_distinct(self) -> None:
        """Refuse a table in which a name or a key stands for two labels."""
        of_name: dict[str, Label] = {}
        of_key: dict[int, Label] = {}
        for label in self.labels:
            same_name = of_name.setdefault(label.name, label)
            same_key = of_key.setdefault(label.key, label)
            if same_name is not label:
                raise AtlasError(
                    f"Atlas {self.name} has two labels called {label.name!r}, the keys "
                    f"{same_name.key} and {label.key}.",
                    "Rename one in its label table: regions are chosen by name.",
                )
            if same_key is not label:
                raise AtlasError(
                    f"Atlas {self.name} has two labels of the key {label.key}, "
                    f"{same_key.name!r} and {label.name!r}.",
                    "Give each its own key in the label table.",
                )


@dataclass(frozen=True, eq=False)
class Region:
    """The vertices to be parcellated.

    Parameters
    ----------
    name : str
        Short name, such as ``"broca-left"``.
    axis : BrainAxis
        The region's vertices.
    labels : tuple of str
        The atlas areas it was joined from.
    label_of_vertex : (vertex,) array of str
        The area of each vertex.

    Raises
    ------
    AtlasError
        If the region has no vertices.
    """

    name: str
    axis: BrainAxis
    labels: tuple[str, ...]
    label_of_vertex: npt.NDArray[np.str_]

    def __post_init__(self) -> None:
        if len(self.axis) == 0:
            raise AtlasError(
                f"The region {self.name} has no vertices.",
                "Name labels that lie on the cortical surface.",
            )
        if len(self.label_of_vertex) != len(self.axis):
            raise SpaceError(
                f"Region {self.name} has {len(self.label_of_vertex)} labels for "
                f"{len(self.axis)} vertices."
            )

    @property
    def n_vertices(self) -> int:
        """Number of vertices."""
        return len(self.axis)


@dataclass(frozen=True, eq=False)
class Targets:
    """The places whose mean signals the vertices of a region are correlated with.

    Parameters
    ----------
    name : str
        Short name, such as ``"seeds"`` or ``"mmp"``.
    axis : BrainAxis
        Rows that belong to the targets; others may be absent.
    assignment : (row,) array of int
        Number of the target each row belongs to, from 0; -1 for none.
    names : tuple of str
        One name a target.

    Raises
    ------
    AtlasError
        If there are fewer than 3 targets, or one has no row.
    """

    name: str
    axis: BrainAxis
    assignment: IntArray
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        assignment = np.array(self.assignment, dtype=np.int64).reshape(-1)
        assignment.setflags(write=False)
        object.__setattr__(self, "assignment", assignment)
        if len(assignment) != len(self.axis):
            raise SpaceError(
                f"Targets {self.name} assign {len(assignment)} rows of {len(self.axis)}."
            )
        if len(self.names) < 3:
            raise AtlasError(
                f"The target set {self.name} has {len(self.names)} targets; a profile needs "
                "at least 3.",
                "Choose a finer atlas.",
            )
        empty = np.setdiff1d(np.arange(len(self.names)), assignment)
        if len(empty):
            raise AtlasError(f"Target {self.names[empty[0]]} of {self.name} has no vertices.")

    @property
    def n_targets(self) -> int:
        """Number of targets."""
        return len(self.names)

    def average(self, series: FloatArray) -> FloatArray:
        """Mean series of each target over those of its rows that are finite throughout.

        Parameters
        ----------
        series : (row, frame) array of float
            Signals on the rows of :attr:`axis`.

        Returns
        -------
        (target, frame) array of float
            Rows of NaN for targets none of whose rows is finite.
        """
        if series.shape[:1] != (len(self.axis),):
            raise SpaceError(
                f"Series of shape {series.shape} do not lie on the {len(self.axis)} rows of "
                f"the targets {self.name}."
            )
        usable = np.isfinite(series).all(axis=1)
        membership = self._membership @ sparse.diags_array(usable.astype(series.dtype))
        counts = np.asarray(membership.sum(axis=1)).reshape(-1, 1)
        total = membership @ (series if usable.all() else np.nan_to_num(series))
        return np.where(counts > 0, total / np.maximum(counts, 1), np.nan).astype(series.dtype)

    @cached_property
    def _membership(self) -> sparse.csr_array:
        """1 where a row belongs to a target, shape (target, row)."""
        rows = np.flatnonzero(self.assignment >= 0)
        ones = np.ones(len(rows), dtype=np.float32)
        shape = (self.n_targets, len(self.axis))
        return sparse.csr_array((ones, (self.assignment[rows], rows)), shape=shape)


def targets_of_atlas(atlas: Atlas) -> Targets:
    """One target for each label that has a row, in the order of the label table."""
    labels = atlas.present
    number_of = {label.key: number for number, label in enumerate(labels)}
    rows = np.flatnonzero(np.isin(atlas.keys, list(number_of)))
    assignment = np.array([number_of[int(key)] for key in atlas.keys[rows]], dtype=np.int64)
    names = tuple(label.name for label in labels)
    return Targets(atlas.name, atlas.axis.restrict(rows), assignment, names)


def _suggest(label: str, known: list[str]) -> str:
    near = get_close_matches(label, known, n=3, cutoff=0.5)
    return f"Did you mean {', '.join(near)}?" if near else f"It has labels such as {known[0]}."
