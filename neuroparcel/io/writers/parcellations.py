"""Parcellations to files with BIDS-derivative names, and back."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from neuroparcel import __version__
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import CohortParcellation, SoftParcellation
from neuroparcel.errors import FileFormatError, OutputError
from neuroparcel.io.axis_arrays import axis_from, axis_to_arrays, axis_to_json
from neuroparcel.io.entities import check_names, entity
from neuroparcel.io.files import read_arrays, write_arrays, write_json
from neuroparcel.io.writers.cifti_maps import CiftiMaps, whole_surfaces
from neuroparcel.io.writers.maps import (
    NO_VALUE,
    NamedFile,
    ParcellationMaps,
    network_labels,
)
from neuroparcel.io.writers.nifti_maps import NiftiMaps
from neuroparcel.io.writers.table_maps import TableMaps
from neuroparcel.io.writers.tables import write_tsv

INDEX = "parcellation.json"
ROWS = "parcellation.safetensors"
DESCRIPTION = "dataset_description.json"

_BIDS_VERSION = "1.10.0"
_SEGMENTATION = "seg-neuroparcel"
_REGION = "region"  # prefix of its arrays


@dataclass(frozen=True)
class _Layout:
    """Where files lie below a folder, and the entities that all their names share."""

    folder: Path
    stem: str

    def file(self, ending: str, subject: str | None = None, session: str | None = None) -> Path:
        if subject is None:
            return self.folder / f"{self.stem}_{ending}"
        entities = [f"sub-{entity(subject)}"]
        entities += [] if session is None else [f"ses-{entity(session)}"]
        name = "_".join([*entities, self.stem, ending])
        return Path(self.folder, *entities, "func", name)


def full_axis_of(axis: BrainAxis) -> BrainAxis:
    """The rows of the maps that a region's parcellation is written on.

    Parameters
    ----------
    axis : BrainAxis
        The region.

    Returns
    -------
    BrainAxis
        For vertices the cortex of fs_LR 32k if it holds them, otherwise the whole meshes that
        they lie on, followed by the region's voxels; for voxels alone and for nodes the
        region itself, whose volume or table needs no more.
    """
    return whole_surfaces(axis) if _has_vertices(axis) else axis


def write_parcellations(
    folder: Path,
    parcellation: CohortParcellation,
    *,
    full_axis: BrainAxis | None = None,
    sources: Mapping[str, Sequence[str]],
    areas: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Write the parcellations of a population, its subjects and their sessions.

    At each level there are the labels (``..._dseg``), one map of probabilities a network
    (``..._probseg``), and the entropy as a share of the largest possible
    (``..._stat-entropy_boldmap``), with label 0 and NaN outside the region:

    - vertices, with or without voxels: CIFTI-2 (``.dlabel.nii``, ``.dscalar.nii``);
    - voxels alone: NIfTI (``.nii.gz``) on the grid of the region;
    - nodes: one table (``..._probseg.tsv``) of label, probabilities and entropy.

    The top folder also receives the label table (``..._dseg.tsv``), a table of all labels with
    one row a vertex, grayordinate, voxel or node (``..._vertices.tsv`` and so on),
    ``dataset_description.json``, the rows of the region, and ``parcellation.json``, which
    :func:`read_parcellations` starts from and which is written last.

    Parameters
    ----------
    folder : pathlib.Path
        Where to write; files of the same names are replaced.
    parcellation : CohortParcellation
        What to write.
    full_axis : BrainAxis, optional
        The rows of CIFTI maps, such as the whole cortex; :func:`full_axis_of` the region if
        not given.
    sources : mapping of str to sequence of str
        Input files of each subject, named in the JSON sidecars.
    areas : sequence of str, optional
        Atlas area of each row of the region, for the table of labels.
    progress : callable, optional
        Called after each parcellation with the number done and the number in all.

    Returns
    -------
    list of pathlib.Path
        The files, in the order written.

    Raises
    ------
    SpaceError
        If `full_axis` lacks rows of the region, or CIFTI has no word for a structure.
    OutputError
        If names of subjects or sessions cannot tell files apart.
    """
    maps = _maps_of(parcellation.axis, full_axis)
    layout = _Layout(folder, "_".join(filter(None, [maps.stem, _SEGMENTATION])))
    levels = list(_levels(parcellation))
    (folder / INDEX).unlink(missing_ok=True)  # what an interrupted run leaves has no index
    everyone = sorted({source for paths in sources.values() for source in paths})
    files: list[Path] = []
    for number, (subject, session, soft) in enumerate(levels, start=1):
        file = partial(layout.file, subject=subject, session=session)
        of_subject = everyone if subject is None else sources.get(subject, ())
        files += _write_level(maps, file, soft, of_subject)
        if progress:
            progress(number, len(levels))
    files.append(_write_label_table(layout, parcellation))
    files.append(_write_all_labels(layout, maps, parcellation, areas))
    files.append(write_json(folder / DESCRIPTION, _description(everyone)))
    files.append(write_arrays(folder / ROWS, axis_to_arrays(_REGION, parcellation.axis)))
    files.append(write_json(folder / INDEX, _index(layout, parcellation)))
    return files


def read_parcellations(folder: Path) -> CohortParcellation:
    """Read what :func:`write_parcellations` wrote.

    Parameters
    ----------
    folder : pathlib.Path
        The folder that was written to.

    Returns
    -------
    CohortParcellation

    Raises
    ------
    FileFormatError
        If the folder holds no parcellations, or a file of them is missing or damaged.
    """
    index = _read_index(folder)
    layout = _Layout(folder, index["stem"])
    networks, subjects, sessions = (
        tuple(index[name]) for name in ("networks", "subjects", "sessions")
    )
    axis = axis_from(_REGION, index["axis"], read_arrays(folder / ROWS))
    maps = _maps_of(axis)
    subject = np.full((len(subjects), len(axis), len(networks)), np.nan, np.float32)
    session = np.full((len(subjects), len(sessions), *subject.shape[1:]), np.nan, np.float32)
    population = maps.read(layout.file, networks)
    for row, name in enumerate(subjects):
        subject[row] = maps.read(partial(layout.file, subject=name), networks)
        for session_name in index["present"][name]:
            file = partial(layout.file, subject=name, session=session_name)
            session[row, sessions.index(session_name)] = maps.read(file, networks)
    return CohortParcellation(axis, networks, subjects, sessions, population, subject, session)


def _levels(
    parcellation: CohortParcellation,
) -> Iterable[tuple[str | None, str | None, SoftParcellation]]:
    """Every parcellation to write, with its subject and session."""
    check_names("subject", parcellation.subjects, OutputError)
    check_names("session", parcellation.sessions, OutputError)
    yield None, None, parcellation.of_population()
    for subject in parcellation.subjects:
        yield subject, None, parcellation.of_subject(subject)
        for session in _present_sessions(parcellation, subject):
            yield subject, session, parcellation.of_session(subject, session)


def _has_vertices(axis: BrainAxis) -> bool:
    return bool(axis.is_surface.any()) and not axis.is_nodes


def _maps_of(axis: BrainAxis, full_axis: BrainAxis | None = None) -> ParcellationMaps:
    """The one place that decides which kind of file a region's maps become."""
    if axis.is_nodes:
        return TableMaps(axis)
    if _has_vertices(axis):
        return CiftiMaps(axis, whole_surfaces(axis) if full_axis is None else full_axis)
    return NiftiMaps(axis)


def _write_level(
    maps: ParcellationMaps, file: NamedFile, soft: SoftParcellation, sources: Sequence[str]
) -> list[Path]:
    """The files of one parcellation, each with its sidecar."""
    files = maps.write(file, soft)
    sidecars = [
        write_json(
            path.with_name(path.name.partition(".")[0] + ".json"), {"Sources": [*sources], **said}
        )
        for path, said in files.items()
    ]
    return [*files, *sidecars]


def _write_label_table(layout: _Layout, parcellation: CohortParcellation) -> Path:
    rows = [
        (label.key, label.name, "#" + "".join(f"{round(255 * c):02x}" for c in label.rgba[:3]))
        for label in network_labels(parcellation.networks)
    ]
    return write_tsv(layout.file("dseg.tsv"), ("index", "name", "color"), rows)


def _write_all_labels(
    layout: _Layout,
    maps: ParcellationMaps,
    parcellation: CohortParcellation,
    areas: Sequence[str] | None,
) -> Path:
    """One row a vertex, voxel or node: where it is, and its label in each parcellation."""
    words = np.array([NO_VALUE, *parcellation.networks])
    columns: dict[str, Sequence[Any]] = {
        **maps.places(),
        "area": list(areas) if areas is not None else [NO_VALUE] * len(maps.axis),
        "population": words[parcellation.of_population().labels].tolist(),
    }
    for subject in parcellation.subjects:
        labels = parcellation.of_subject(subject).labels
        columns[f"sub-{entity(subject)}"] = words[labels].tolist()
    rows = zip(*columns.values(), strict=True)
    return write_tsv(layout.file(f"{maps.row}.tsv"), tuple(columns), rows)


def _description(sources: Sequence[str]) -> dict[str, Any]:
    return {
        "Name": "neuroparcel: functional parcellations with their uncertainty",
        "BIDSVersion": _BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "neuroparcel", "Version": __version__}],
        "SourceDatasets": [{"URL": _common_folder(sources).as_uri()}] if sources else [],
    }


def _common_folder(sources: Sequence[str]) -> Path:
    return Path(os.path.commonpath([Path(source).resolve().parent for source in sources]))


def _index(layout: _Layout, parcellation: CohortParcellation) -> dict[str, Any]:
    return {
        "stem": layout.stem,
        "networks": list(parcellation.networks),
        "subjects": list(parcellation.subjects),
        "sessions": list(parcellation.sessions),
        "axis": axis_to_json(parcellation.axis),
        "present": {
            subject: _present_sessions(parcellation, subject) for subject in parcellation.subjects
        },
    }


def _present_sessions(parcellation: CohortParcellation, subject: str) -> list[str]:
    return [
        session
        for session in parcellation.sessions
        if parcellation.of_session(subject, session).has_data.any()
    ]


def _read_index(folder: Path) -> dict[str, Any]:
    path = folder / INDEX
    try:
        index: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FileFormatError(
            f"{folder} holds no parcellations ({INDEX} is missing).",
            "Give the output folder of neuroparcel fit or infer.",
        ) from error
    except ValueError as error:
        raise FileFormatError(f"{path} is not valid JSON ({error}).") from error
    missing = {"stem", "networks", "subjects", "sessions", "present", "axis"} - index.keys()
    if missing:
        raise FileFormatError(
            f"{path} lacks {', '.join(sorted(missing))}.",
            "Run neuroparcel fit or infer again.",
        )
    return index
