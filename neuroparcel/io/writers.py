"""Parcellations to files with BIDS-derivative names, and back."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from neuroparcel import __version__
from neuroparcel.brain.atlas import Label
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import CohortParcellation, SoftParcellation, network_colours
from neuroparcel.errors import FileFormatError, OutputError, SpaceError
from neuroparcel.io.cifti import read_cifti
from neuroparcel.io.cifti_writer import CiftiWriter
from neuroparcel.io.entities import check_names, entity
from neuroparcel.io.files import write_json, write_text
from neuroparcel.types import FloatArray

INDEX = "parcellation.json"
DESCRIPTION = "dataset_description.json"

_BIDS_VERSION = "1.10.0"
_LABELS = "dseg.dlabel.nii"
_PROBABILITIES = "probseg.dscalar.nii"
_ENTROPY = "stat-entropy_boldmap.dscalar.nii"
_VERTICES = "vertices.tsv"
_HEMISPHERES = {"CORTEX_LEFT": "L", "CORTEX_RIGHT": "R"}
_STRUCTURES = {letter: structure for structure, letter in _HEMISPHERES.items()}
_NO_LABEL = "n/a"  # BIDS's word for a missing value in a table


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


def write_parcellations(
    folder: Path,
    parcellation: CohortParcellation,
    *,
    full_axis: BrainAxis,
    sources: Mapping[str, Sequence[str]],
    areas: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Write the parcellations of a population, its subjects and their sessions.

    At each level ``..._dseg.dlabel.nii`` holds the labels, ``..._probseg.dscalar.nii`` one
    map of probabilities a network, and ``..._stat-entropy_boldmap.dscalar.nii`` the entropy
    as a share of the largest possible. All lie on `full_axis`, with label 0 and NaN outside
    the region. The top folder also receives the label table (``..._dseg.tsv``), a table of
    all labels with one row a vertex (``..._vertices.tsv``), ``dataset_description.json``,
    and ``parcellation.json``, which :func:`read_parcellations` starts from and which is
    written last.

    Parameters
    ----------
    folder : pathlib.Path
        Where to write; files of the same names are replaced.
    parcellation : CohortParcellation
        What to write.
    full_axis : BrainAxis
        The rows of the maps, such as the whole cortex.
    sources : mapping of str to sequence of str
        Input files of each subject, named in the JSON sidecars.
    areas : sequence of str, optional
        Atlas area of each vertex of the region, for the table of labels.
    progress : callable, optional
        Called after each parcellation with the number done and the number in all.

    Returns
    -------
    list of pathlib.Path
        The files, in the order written.

    Raises
    ------
    SpaceError
        If `full_axis` lacks vertices of the region, or these are not on the cortical surface.
    OutputError
        If names of subjects or sessions cannot tell files apart.
    """
    if not set(parcellation.axis.structures) <= set(_HEMISPHERES):
        raise SpaceError("Parcellations can be written on the cortical surface only.")
    rows = full_axis.rows_of(parcellation.axis)
    (folder / INDEX).unlink(missing_ok=True)  # what an interrupted run leaves has no index
    everyone = sorted({source for paths in sources.values() for source in paths})
    levels = list(_levels(parcellation))
    layout = _Layout(folder, _stem(full_axis))
    writer = CiftiWriter(full_axis)
    files: list[Path] = []
    for number, (subject, session, soft) in enumerate(levels, start=1):
        file = partial(layout.file, subject=subject, session=session)
        of_subject = everyone if subject is None else sources.get(subject, ())
        files += _write_level(writer, file, soft, rows, of_subject)
        if progress:
            progress(number, len(levels))
    files.append(_write_label_table(layout, parcellation))
    files.append(_write_vertices(layout, parcellation, areas))
    files.append(write_json(folder / DESCRIPTION, _description(everyone)))
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
    axis = _read_axis(layout)
    subject = np.full((len(subjects), len(axis), len(networks)), np.nan, np.float32)
    session = np.full((len(subjects), len(sessions), *subject.shape[1:]), np.nan, np.float32)
    population = _read_probabilities(layout.file(_PROBABILITIES), axis, networks)
    for row, name in enumerate(subjects):
        file = layout.file(_PROBABILITIES, name)
        subject[row] = _read_probabilities(file, axis, networks)
        for session_name in index["present"][name]:
            file = layout.file(_PROBABILITIES, name, session_name)
            column = sessions.index(session_name)
            session[row, column] = _read_probabilities(file, axis, networks)
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


def _write_level(
    writer: CiftiWriter,
    file: Callable[[str], Path],
    soft: SoftParcellation,
    rows: np.ndarray,
    sources: Sequence[str],
) -> list[Path]:
    """Labels, probabilities and entropy of one parcellation, each with its sidecar."""
    n_rows = len(writer.axis)
    keys = np.zeros(n_rows, dtype=np.int32)
    keys[rows] = soft.labels
    probabilities = {
        network: _spread(soft.probabilities[:, number], n_rows, rows)
        for number, network in enumerate(soft.networks)
    }
    entropy = {"entropy": _spread(soft.entropy, n_rows, rows)}
    labels = _labels(soft.networks)
    files = [
        writer.dlabel(file(_LABELS), {"networks": keys}, labels),
        writer.dscalar(file(_PROBABILITIES), probabilities),
        writer.dscalar(file(_ENTROPY), entropy),
    ]
    sidecars = [
        write_json(path.with_name(path.name.partition(".")[0] + ".json"), {"Sources": [*sources]})
        for path in files
    ]
    return files + sidecars


def _spread(values: FloatArray, n_rows: int, rows: np.ndarray) -> FloatArray:
    """Values of the region on all rows of an axis, NaN elsewhere."""
    spread = np.full(n_rows, np.nan, dtype=np.float32)
    spread[rows] = values
    return spread


def _write_label_table(layout: _Layout, parcellation: CohortParcellation) -> Path:
    rows = [
        (label.key, label.name, "#" + "".join(f"{round(255 * c):02x}" for c in label.rgba[:3]))
        for label in _labels(parcellation.networks)
    ]
    return _write_tsv(layout.file("dseg.tsv"), ("index", "name", "color"), rows)


def _write_vertices(
    layout: _Layout, parcellation: CohortParcellation, areas: Sequence[str] | None
) -> Path:
    """One row a vertex: where it lies, and its label in the population and in each subject."""
    axis = parcellation.axis
    names = np.array([_NO_LABEL, *parcellation.networks])
    columns: dict[str, Sequence[Any]] = {
        "hemisphere": [_HEMISPHERES[structure] for structure in axis.structure.tolist()],
        "vertex": axis.vertex.tolist(),
        "area": list(areas) if areas is not None else [_NO_LABEL] * len(axis),
        "population": names[parcellation.of_population().labels].tolist(),
    }
    for subject in parcellation.subjects:
        labels = parcellation.of_subject(subject).labels
        columns[f"sub-{entity(subject)}"] = names[labels].tolist()
    rows = zip(*columns.values(), strict=True)
    return _write_tsv(layout.file(_VERTICES), tuple(columns), rows)


def _write_tsv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return write_text(path, text.getvalue())


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


def _labels(networks: Sequence[str]) -> list[Label]:
    colours = network_colours(len(networks))
    return [
        Label(key, name, rgba)
        for key, (name, rgba) in enumerate(zip(networks, colours, strict=True), start=1)
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
    missing = {"stem", "networks", "subjects", "sessions", "present"} - index.keys()
    if missing:
        raise FileFormatError(f"{path} lacks {', '.join(sorted(missing))}.")
    return index


def _read_axis(layout: _Layout) -> BrainAxis:
    """The region, from the table of vertices and the mesh sizes of the population's maps."""
    path = layout.file(_VERTICES)
    if not path.exists():
        raise FileFormatError(f"{path} does not exist.", "Run neuroparcel fit or infer again.")
    with path.open(encoding="utf-8", newline="") as stream:
        table = list(csv.DictReader(stream, delimiter="\t"))
    full_axis = read_cifti(layout.file(_LABELS)).axis
    try:
        structure = np.array([_STRUCTURES[row["hemisphere"]] for row in table])
        vertex = np.array([int(row["vertex"]) for row in table])
    except (KeyError, ValueError) as error:
        raise FileFormatError(f"{path} is not a table of vertices ({error!r}).") from error
    sizes = {name: full_axis.mesh_size[name] for name in np.unique(structure).tolist()}
    return BrainAxis(full_axis.space, structure, vertex, np.full((len(vertex), 3), -1), sizes)


def _read_probabilities(path: Path, axis: BrainAxis, networks: tuple[str, ...]) -> FloatArray:
    matrix = read_cifti(path)
    if matrix.names != networks:
        raise FileFormatError(f"{path} has the maps {matrix.names}, not {networks}.")
    return matrix.read(matrix.axis.rows_of(axis))


def _stem(axis: BrainAxis) -> str:
    """Space, density in thousands of vertices and kind of map, as BIDS entities."""
    density = round(max(axis.mesh_size.values()) / 1000)
    return f"space-{axis.space}_den-{density}k_seg-neuroparcel"
