"""Which hemisphere a surface file holds, and the axis of one hemisphere or a pair."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import FileFormatError
from neuroparcel.io.formats.spaces import UNKNOWN_SPACE, space_of_surface

LEFT, RIGHT = "CORTEX_LEFT", "CORTEX_RIGHT"

_PRIMARY = {"CortexLeft": LEFT, "CortexRight": RIGHT}
_ENTITY_IN_NAME = re.compile(r"(?:^|_)hemi-(?P<side>L|R|lh|rh)(?=[._-])")
_SIDE_IN_NAME = re.compile(r"(?:^|[._-])(?P<side>lh|rh|L|R)(?=[._-])")
_FREESURFER_NAME = re.compile(r"(?:^|[._-])(?P<side>lh|rh)(?=[._-])")


@dataclass(frozen=True)
class Side:
    """One hemisphere's file: its structure, and the number of vertices and frames."""

    path: Path
    structure: str
    n_vertices: int
    n_frames: int


def side_of_name(path: Path, *, freesurfer: bool = False) -> str | None:
    """Structure that a file name tells: ``hemi-L``, ``.L.``, ``lh.``; None if it tells none.

    Parameters
    ----------
    path : pathlib.Path
        The file; a name that tells both sides tells none.
    freesurfer : bool, default False
        Whether only ``lh`` and ``rh`` count.
    """
    patterns = (_FREESURFER_NAME,) if freesurfer else (_ENTITY_IN_NAME, _SIDE_IN_NAME)
    for pattern in patterns:
        sides = {match["side"].lower()[0] for match in pattern.finditer(path.name)}
        if len(sides) == 1:
            return LEFT if sides == {"l"} else RIGHT
    return None


def structure_of(path: Path, primary: str) -> str:
    """Structure of a file by its ``AnatomicalStructurePrimary``, held against its name.

    Raises
    ------
    FileFormatError
        If the two contradict each other, neither tells the hemisphere, or it is no cortex.
    """
    by_name, by_content = side_of_name(path), _PRIMARY.get(primary)
    if by_content and by_name and by_content != by_name:
        raise FileFormatError(
            f"{path} is called {_word(by_name)} and says {primary} inside: the hemispheres are "
            "swapped or labelled wrongly.",
            "Find out which is true, then rename it or use wb_command -set-structure.",
        )
    # The side of a name says nothing of a cerebellum.
    is_cortex = not primary or primary.startswith("Cortex")
    found = by_content or (by_name if is_cortex else None)
    if found is None:
        raise FileFormatError(
            f"{path} does not tell its hemisphere.",
            "Name it like rest.L.func.gii or atlas.L.label.gii, or set AnatomicalStructurePrimary "
            "with wb_command -set-structure.",
        )
    return found


def order_sides(sides: Sequence[Side]) -> tuple[Side, ...]:
    """Put one or two hemispheres in order, left first.

    Raises
    ------
    FileFormatError
        If there are more than two, two of one side, or their meshes or frames differ.
    """
    if len(sides) > 2:
        raise FileFormatError(
            f"{sides[0].path} and {len(sides) - 1} others are given as one recording.",
            "Give one file, or the two of a left and a right hemisphere.",
        )
    if len(sides) == 2:
        _check_pair(*sides)
    return tuple(sorted(sides, key=lambda side: side.structure))


def axis_of_sides(sides: Sequence[Side]) -> BrainAxis:
    """All vertices of the meshes, left before right."""
    spaces = {space_of_surface(side.path, side.n_vertices) for side in sides}
    return BrainAxis.from_vertices(
        spaces.pop() if len(spaces) == 1 else UNKNOWN_SPACE,
        {side.structure: np.arange(side.n_vertices) for side in sides},
        {side.structure: side.n_vertices for side in sides},
    )


def _check_pair(first: Side, second: Side) -> None:
    both = f"{first.path} and {second.path}"
    if first.structure == second.structure:
        raise FileFormatError(
            f"{both} are both {_word(first.structure)} hemispheres.",
            "Give one left and one right.",
        )
    if first.n_vertices != second.n_vertices:
        raise FileFormatError(
            f"{both} lie on meshes of {first.n_vertices} and {second.n_vertices} vertices.",
            "Give both hemispheres at the same resolution.",
        )
    if first.n_frames != second.n_frames:
        raise FileFormatError(
            f"{both} have {first.n_frames} and {second.n_frames} frames.",
            "Give both hemispheres of the same run.",
        )


def _word(structure: str) -> str:
    return "left" if structure == LEFT else "right"
