"""Which template space a mesh or a file belongs to, in BIDS words."""

from __future__ import annotations

import re
from pathlib import Path

UNKNOWN_SPACE = "unknown"
MAX_VERTICES = 10_000_000
"""Beyond any mesh in use: a header that promises more is damaged."""

# A file of vertices need not say its space; these mesh sizes belong to one family each.
# BIDS names the meshes of FreeSurfer by one space and a density (space-fsaverage_den-10k for
# the 10,242 vertices of fsaverage5), so they share a space and differ in size.
_SPACE_OF_MESH = {4002: "fsLR", 7842: "fsLR", 32492: "fsLR", 59292: "fsLR"} | dict.fromkeys(
    (642, 2562, 10242, 40962), "fsaverage"
)
# 163,842 vertices are shared by fsaverage and the 164k mesh of fs_LR.
_AMBIGUOUS_MESH = 163842
_SPACE_IN_NAME = re.compile(r"(?:^|_)space-(?P<space>[A-Za-z0-9]+)(?=[_.])")


def space_of_mesh(n_vertices: int) -> str:
    """Space that a mesh of that many vertices belongs to, in BIDS words, else ``"unknown"``."""
    return _SPACE_OF_MESH.get(n_vertices, UNKNOWN_SPACE)


def is_known_mesh(n_vertices: int) -> bool:
    """Whether a template mesh of that many vertices is in use."""
    return n_vertices in _SPACE_OF_MESH or n_vertices == _AMBIGUOUS_MESH


def space_of_surface(path: Path, n_vertices: int) -> str:
    """Space of a surface file; its name decides only where the mesh leaves two."""
    known = space_of_mesh(n_vertices)
    if n_vertices != _AMBIGUOUS_MESH:
        return known
    named = space_of_name(path)
    return next((space for space in ("fsLR", "fsaverage") if named.startswith(space)), known)


def space_of_name(path: Path) -> str:
    """Space that a BIDS name tells (``space-MNI152NLin6Asym``), else ``"unknown"``."""
    match = _SPACE_IN_NAME.search(path.name)
    return match["space"] if match else UNKNOWN_SPACE
