"""The targets that make up a profile: by name, from a label file, or from a list of places."""

from __future__ import annotations

import csv
from difflib import get_close_matches
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from neuroparcel.brain.atlas import Targets, targets_of_atlas
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.icosphere import icosphere, nearest_points
from neuroparcel.errors import AtlasError
from neuroparcel.io.atlases import load_atlas
from neuroparcel.io.label_files import LABEL_SUFFIXES, is_label_file
from neuroparcel.io.meshes import SPACE, load_cortex_axis, load_mesh
from neuroparcel.io.regions import NODES, describe_places, is_standard_cortex, load_atlas_on
from neuroparcel.io.registry import registry
from neuroparcel.io.user_atlases import user_atlas_names
from neuroparcel.types import FloatArray, IntArray

SEEDS = "seeds"
_USUAL_TARGETS = ("seeds", "mmp", "cole-anticevic")  # those of the user guide
_LIST_SUFFIXES = (".tsv", ".csv", ".txt")
_STRUCTURES = {
    **dict.fromkeys(("L", "LH", "LEFT"), "CORTEX_LEFT"),
    **dict.fromkeys(("R", "RH", "RIGHT"), "CORTEX_RIGHT"),
}
# The meshes of fsaverage are icospheres whose first vertices are those of the coarser ones
# (B. Fischl et al. 1999, Human Brain Mapping 8, 272-284): these are the 642 of fsaverage3.
_FSAVERAGE_SEEDS = 642
_FAR = 15.0  # mm; a point this far from all data was meant for another template


def load_targets(name: str | Path | None = None, axis: BrainAxis | None = None) -> Targets:
    """Load the targets that make up a connectivity profile.

    Parameters
    ----------
    name : str or path, optional
        ``"seeds"``: on fs_LR 32k the cortical vertices nearest to an icosphere of frequency 9,
        744 in each hemisphere; on fsaverage the 642 vertices of fsaverage3 in each. On fs_LR
        32k the name of an atlas. An atlas that the user has added, or a label file: one target
        for each of its labels. A table (``.tsv``, ``.csv``, ``.txt``) with columns
        ``hemisphere`` and ``vertex``, or ``x``, ``y``, ``z`` in millimetres, and perhaps
        ``name``: the vertex, or the vertex or voxel nearest to each point. ``"nodes"``: every
        node. If not given: ``"nodes"`` where there are nodes, else ``"seeds"``.
    axis : BrainAxis, optional
        Rows of the recordings; the cortex of fs_LR 32k if not given.

    Returns
    -------
    Targets

    Raises
    ------
    AtlasError
        If the name is unknown, or unknown on these rows, an atlas lies on another mesh, there
        are fewer than 3 targets, or the table is none.
    """
    places = load_cortex_axis() if axis is None else axis
    wanted = str(name) if name is not None else NODES if places.is_nodes else SEEDS
    if wanted == NODES:
        return _all_nodes(places)
    if is_label_file(wanted) or wanted in user_atlas_names():
        return targets_of_atlas(load_atlas_on(wanted, axis))
    if wanted.endswith(_LIST_SUFFIXES):
        return _listed(Path(wanted), places)
    return _named(wanted, places)


def _named(name: str, places: BrainAxis) -> Targets:
    seeds, atlases = registry()["targets"], registry()["atlases"]
    if name not in seeds and name not in atlases:
        known = (*seeds, *atlases, *user_atlas_names())
        others = [other for other in known if other not in _USUAL_TARGETS]
        near = get_close_matches(name, known, n=1)
        raise AtlasError(
            f"Unknown targets {name!r}.",
            (f"Did you mean {near[0]}? " if near else "")
            + f"Use {', '.join(_USUAL_TARGETS)} or FILE (ending in {', '.join(LABEL_SUFFIXES)}, or "
            f"a list of places in {', '.join(_LIST_SUFFIXES)}); there is also "
            f"{', '.join(others)}.",
        )
    if is_standard_cortex(places):
        if name in atlases:
            return targets_of_atlas(load_atlas(name))
        return _seeds(name, seeds[name]["frequency"])
    if name == SEEDS and places.space == "fsaverage":
        return _fsaverage_seeds(places)
    raise AtlasError(
        f"The targets {name!r} are not known on {describe_places(places)}.",
        "Give --targets nodes, or leave it away."
        if places.is_nodes
        else "Give --targets a label file, or a list of coordinates.",
    )


def _all_nodes(places: BrainAxis) -> Targets:
    if not places.is_nodes:
        raise AtlasError(f"There are no nodes: the recordings are on {describe_places(places)}.")
    whole = BrainAxis.from_nodes(places.nodes, places.space)
    return Targets(NODES, whole, np.arange(len(whole)), places.nodes)


def _seeds(name: str, frequency: int) -> Targets:
    wanted = icosphere(frequency)
    cortex = load_cortex_axis()
    vertices = {}
    for hemisphere in ("left", "right"):
        structure = f"CORTEX_{hemisphere.upper()}"
        nearest = np.unique(nearest_points(load_mesh("sphere", hemisphere)[0], wanted))
        vertices[structure] = np.intersect1d(nearest, cortex.vertex[cortex.rows_in(structure)])
    return _singles(name, BrainAxis.from_vertices(SPACE, vertices, cortex.mesh_size))


def _fsaverage_seeds(places: BrainAxis) -> Targets:
    coarse = np.arange(_FSAVERAGE_SEEDS)
    vertices = {
        name: np.intersect1d(coarse, places.vertex[places.rows_in(name)])
        for name in places.structures
        if name in _STRUCTURES.values()
    }
    return _singles(SEEDS, BrainAxis.from_vertices(places.space, vertices, places.mesh_size))


def _singles(name: str, axis: BrainAxis) -> Targets:
    """One target a row."""
    return Targets(name, axis, np.arange(len(axis)), axis.names)


def _listed(path: Path, places: BrainAxis) -> Targets:
    """The targets of a table: vertices, or points in millimetres."""
    rows = _read_table(path)
    columns = set(rows[0])
    has_vertices = {"hemisphere", "vertex"} <= columns
    if not has_vertices and not {"x", "y", "z"} <= columns:
        raise AtlasError(
            f"{path} has the columns {', '.join(sorted(columns))}.",
            "A list of targets needs hemisphere and vertex, or x, y and z.",
        )
    try:
        if has_vertices:
            axis = _vertices(rows, places)
        else:
            points = np.array([[float(row[name]) for name in "xyz"] for row in rows])
            axis = _nearest(points, places)
    except AtlasError as error:
        raise AtlasError(f"{path}: {error.message}", error.tip) from error
    except (KeyError, ValueError, TypeError) as error:
        raise AtlasError(
            f"{path} is no list of targets ({error}).",
            "Columns: hemisphere (L or R) and vertex (a number); or x, y, z in millimetres.",
        ) from error
    names = tuple(row["name"] for row in rows) if "name" in columns else axis.names
    if len(set(names)) != len(names):
        raise AtlasError(f"{path} gives two targets one name.", "Name each differently.")
    return Targets(path.name, axis, np.arange(len(axis)), names)


def _read_table(path: Path) -> list[dict[str, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text file"
        raise AtlasError(
            f"The list of targets {path} cannot be read ({reason}).", "Check --targets."
        ) from error
    lines = [line for line in text.splitlines() if line.strip()]
    first = lines[0] if lines else ""
    delimiter = "\t" if "\t" in first else "," if "," in first else " "
    rows = list(csv.DictReader(lines, delimiter=delimiter, skipinitialspace=True))
    if not rows:
        raise AtlasError(f"The list of targets {path} has no rows.", "Add one row a target.")
    if any(None in row or None in row.values() for row in rows):
        raise AtlasError(
            f"The list of targets {path} has a row with more or fewer cells than its header.",
            "Give every row a cell for each column.",
        )
    return [{key.strip(): value.strip() for key, value in row.items()} for row in rows]


def _vertices(rows: list[dict[str, str]], places: BrainAxis) -> BrainAxis:
    structure = np.array([_STRUCTURES[row["hemisphere"].upper()] for row in rows])
    vertex = np.array([int(row["vertex"]) for row in rows])
    lacking = sorted(set(structure.tolist()) - set(places.mesh_size))
    if lacking:
        raise AtlasError(
            f"It lists vertices of {lacking[0]}, which the recordings lack: they have "
            f"{', '.join(places.structures)}.",
            "List vertices of these, or give recordings of both hemispheres.",
        )
    sizes = {name: places.mesh_size[name] for name in np.unique(structure).tolist()}
    return BrainAxis(places.space, structure, vertex, np.full((len(rows), 3), -1), sizes)


def _nearest(points: FloatArray, places: BrainAxis) -> BrainAxis:
    """The rows nearest to points in the millimetres of the template, (point, 3)."""
    rows, coordinates = _coordinates(places)
    distance, nearest = cKDTree(coordinates).query(points)
    if distance.max() > _FAR:
        raise AtlasError(
            f"The point {points[distance.argmax()].tolist()} of the list of targets is "
            f"{distance.max():.0f} mm away from the nearest vertex or voxel.",
            "Give coordinates in the millimetres of the recordings' template.",
        )
    chosen = rows[nearest]
    if len(np.unique(chosen)) != len(chosen):
        raise AtlasError(
            "Two points of the list of targets fall on the same vertex or voxel.",
            "Give points that lie further apart.",
        )
    return places.restrict(chosen)


def _coordinates(places: BrainAxis) -> tuple[IntArray, FloatArray]:
    """Rows whose places are known, and these in millimetres, (row, 3)."""
    rows, coordinates = [np.flatnonzero(~places.is_surface)], []
    if len(rows[0]):
        assert places.affine is not None  # a voxel has one
        homogeneous = np.column_stack([places.voxel[rows[0]], np.ones(len(rows[0]))])
        coordinates.append((homogeneous @ np.asarray(places.affine).T)[:, :3])
    if is_standard_cortex(places):
        for hemisphere in ("left", "right"):
            of_side = places.rows_in(f"CORTEX_{hemisphere.upper()}")
            rows.append(np.asarray(of_side, np.int64))
            coordinates.append(load_mesh("midthickness", hemisphere)[0][places.vertex[of_side]])
    if not coordinates:
        raise AtlasError(
            f"No coordinates are known for {describe_places(places)}.",
            "List vertices (hemisphere, vertex), or give a label file.",
        )
    return np.concatenate(rows), np.concatenate(coordinates)
