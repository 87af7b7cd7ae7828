"""Parcellations to files with BIDS-derivative names, a subject at a time; see :mod:`.stored`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from neuroparcel import __version__
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import CohortParcellation, Parcellations, SoftParcellation
from neuroparcel.errors import OutputError
from neuroparcel.io.axis_arrays import axis_to_arrays, axis_to_json
from neuroparcel.io.entities import check_names, entity
from neuroparcel.io.files import write_arrays, write_json
from neuroparcel.io.writers.map_files import INDEX, REGION, ROWS, MapFiles, maps_of
from neuroparcel.io.writers.maps import NO_VALUE, network_labels
from neuroparcel.io.writers.tables import write_tsv
from neuroparcel.types import IntArray

DESCRIPTION = "dataset_description.json"

_BIDS_VERSION = "1.10.0"
_BLOCK = 4096  # rows of the table of labels that are words at the same time


class ParcellationWriter:
    """Writes the parcellations of a cohort, so that one subject at a time is in memory.

    Parameters
    ----------
    folder : pathlib.Path
        Where to write; files of the same names are replaced.
    axis : BrainAxis
        The region.
    networks, subjects, sessions : sequence of str
        Names of the whole cohort.
    full_axis : BrainAxis, optional
        The rows of CIFTI maps, such as the whole cortex; :func:`.full_axis_of` the region if
        not given.
    sources : mapping of str to sequence of str
        Input files of each subject, named in the JSON sidecars.
    areas : sequence of str, optional
        Atlas area of each row of the region, for the table of labels.

    Raises
    ------
    SpaceError
        If `full_axis` lacks rows of the region, or CIFTI has no word for a structure.
    OutputError
        If names of subjects or sessions cannot tell files apart.
    """

    def __init__(
        self,
        folder: Path,
        axis: BrainAxis,
        networks: Sequence[str],
        subjects: Sequence[str],
        sessions: Sequence[str],
        *,
        full_axis: BrainAxis | None = None,
        sources: Mapping[str, Sequence[str]],
        areas: Sequence[str] | None = None,
    ) -> None:
        check_names("subject", tuple(subjects), OutputError)
        check_names("session", tuple(sessions), OutputError)
        self.folder, self.networks = folder, tuple(networks)
        self.subjects, self.sessions = tuple(subjects), tuple(sessions)
        self.sources, self.areas = sources, areas
        self._maps = maps_of(axis, full_axis)
        self._layout = MapFiles.of(folder, self._maps)
        self._files: list[Path] = []
        self._labels: dict[str, IntArray] = {}
        self._present: dict[str, list[str]] = {}
        self._n_with_data = np.zeros(len(axis), np.int64)
        (folder / INDEX).unlink(missing_ok=True)  # what an interrupted run leaves has no index

    def add(self, parcellations: Parcellations, subject: str) -> None:
        """Write one subject and the sessions that there are."""
        soft = parcellations.of_subject(subject)
        self._write(soft, self.sources.get(subject, ()), subject)
        self._labels[subject] = soft.labels.astype(np.int16)
        self._n_with_data += soft.has_data
        self._present[subject] = []
        for session in self.sessions:
            soft = parcellations.of_session(subject, session)
            if soft.has_data.any():
                self._write(soft, self.sources.get(subject, ()), subject, session)
                self._present[subject].append(session)

    def finish(self, population: SoftParcellation) -> list[Path]:
        """Write the population, the tables, and the index; all files in the order written."""
        everyone = sorted({source for paths in self.sources.values() for source in paths})
        self._write(population, everyone)
        axis = self._maps.axis
        self._files += [
            _write_label_table(self._layout, population),
            self._write_all_labels(population),
            write_json(self.folder / DESCRIPTION, _description(everyone)),
            write_arrays(self.folder / ROWS, axis_to_arrays(REGION, axis)),
            write_json(self.folder / INDEX, self._index(population)),
        ]
        return self._files

    def _write(
        self,
        soft: SoftParcellation,
        sources: Sequence[str],
        subject: str | None = None,
        session: str | None = None,
    ) -> None:
        """The files of one parcellation, each with its sidecar."""
        file = partial(self._layout.file, subject=subject, session=session)
        files = self._maps.write(file, soft)
        about = {"Sources": [*sources], "PriorOnlyRows": soft.n_prior_only}
        self._files += files
        self._files += [
            write_json(path.with_name(path.name.partition(".")[0] + ".json"), {**about, **said})
            for path, said in files.items()
        ]

    def _write_all_labels(self, population: SoftParcellation) -> Path:
        """One row a vertex, voxel or node: where it is, and its label in each parcellation."""
        n_rows = len(self._maps.axis)
        places: dict[str, Sequence[Any]] = {
            **self._maps.places(),
            "area": list(self.areas) if self.areas is not None else [NO_VALUE] * n_rows,
            "subjects_with_data": self._n_with_data.tolist(),
        }
        labels = {f"sub-{entity(name)}": self._labels[name] for name in self.subjects}
        labels = {"population": population.labels, **labels}
        places_of_rows = zip(*places.values(), strict=True)
        words_of_rows = _as_words(list(labels.values()), self.networks)
        rows = (
            (*place, *words) for place, words in zip(places_of_rows, words_of_rows, strict=True)
        )
        return write_tsv(self._layout.file(f"{self._maps.row}.tsv"), (*places, *labels), rows)

    def _index(self, population: SoftParcellation) -> dict[str, Any]:
        return {
            "stem": self._layout.stem,
            "networks": list(self.networks),
            "colours": population.colours,
            "subjects": list(self.subjects),
            "sessions": list(self.sessions),
            "axis": axis_to_json(population.axis),
            "present": {subject: self._present[subject] for subject in self.subjects},
        }


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
    (``..._probseg``), the entropy as a share of the largest possible
    (``..._stat-entropy_boldmap``), and where there are data (``..._desc-data_mask``: 1, or 0
    where the probabilities are the prior's), with label 0 and NaN outside the region:

    - vertices, with or without voxels: CIFTI-2 (``.dlabel.nii``, ``.dscalar.nii``);
    - voxels alone: NIfTI (``.nii.gz``) on the grid of the region;
    - nodes: one table (``..._probseg.tsv``) of label, data, probabilities and entropy.

    The top folder also receives the label table (``..._dseg.tsv``), a table of all labels with
    one row a vertex, grayordinate, voxel or node (``..._vertices.tsv`` and so on),
    ``dataset_description.json``, the rows of the region, and ``parcellation.json``, which
    :func:`.read_parcellations` starts from and which is written last.

    Parameters
    ----------
    folder : pathlib.Path
        Where to write; files of the same names are replaced.
    parcellation : CohortParcellation
        What to write.
    full_axis, sources, areas
        See :class:`ParcellationWriter`.
    progress : callable, optional
        Called after each subject with the number done and the number in all.

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
    writer = ParcellationWriter(
        folder,
        parcellation.axis,
        parcellation.networks,
        parcellation.subjects,
        parcellation.sessions,
        full_axis=full_axis,
        sources=sources,
        areas=areas,
    )
    for done, subject in enumerate(parcellation.subjects, start=1):
        writer.add(parcellation, subject)
        if progress:
            progress(done, len(parcellation.subjects))
    return writer.finish(parcellation.of_population())


def _write_label_table(layout: MapFiles, soft: SoftParcellation) -> Path:
    rows = [
        (label.key, label.name, "#" + "".join(f"{round(255 * c):02x}" for c in label.rgba[:3]))
        for label in network_labels(soft.networks, soft.colours)
    ]
    return write_tsv(layout.file("dseg.tsv"), ("index", "name", "color"), rows)


def _as_words(labels: Sequence[IntArray], networks: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Names of the networks in each row, one a parcellation, a block of rows at a time."""
    words = np.array([NO_VALUE, *networks])
    for start in range(0, len(labels[0]), _BLOCK):
        block = [words[one[start : start + _BLOCK]].tolist() for one in labels]
        yield from zip(*block, strict=True)


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
