"""Parcellations to files with BIDS-derivative names, a subject at a time; see :mod:`.stored`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.overlap import MeanOverlap
from neuroparcel.brain.parcellation import CohortParcellation, Parcellations, SoftParcellation
from neuroparcel.errors import OutputError
from neuroparcel.io.axis_arrays import axis_to_arrays, axis_to_json
from neuroparcel.io.entities import check_names, entity
from neuroparcel.io.files import write_arrays, write_json, write_text
from neuroparcel.io.writers.gifti_maps import gifti_of
from neuroparcel.io.writers.map_files import (
    INDEX,
    REGION,
    ROWS,
    MapFiles,
    full_axis_of,
    maps_of,
)
from neuroparcel.io.writers.maps import NO_VALUE, NamedFile, network_labels
from neuroparcel.io.writers.metadata import (
    DESCRIPTION,
    IGNORE,
    IGNORED,
    SourceFolder,
    describe_space,
    description,
    own_uri,
)
from neuroparcel.io.writers.tables import write_tsv
from neuroparcel.types import FloatArray, IntArray

_HEMISPHERE = re.compile("hemi-[LR]_")
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
    gifti : bool, default True
        Write labels and probabilities on the cortex as GIFTI files too.

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
        gifti: bool = True,
    ) -> None:
        check_names("subject", tuple(subjects), OutputError)
        check_names("session", tuple(sessions), OutputError)
        self.folder, self.networks = folder, tuple(networks)
        self.subjects, self.sessions = tuple(subjects), tuple(sessions)
        self.sources, self.areas = sources, areas
        self._everyone = sorted({source for paths in sources.values() for source in paths})
        self._source = SourceFolder.of(self._everyone)
        full_axis = full_axis_of(axis) if full_axis is None else full_axis
        self._maps = maps_of(axis, full_axis)
        self._layout = MapFiles.of(folder, self._maps.stem)
        self._space = describe_space(full_axis, self._maps.stem)
        self._gifti = gifti_of(folder, axis) if gifti else None
        self._files: list[Path] = []
        self._labels: dict[str, IntArray] = {}
        self._present: dict[str, list[str]] = {}
        self._n_with_data = np.zeros(len(axis), np.int64)
        (folder / INDEX).unlink(missing_ok=True)  # what an interrupted run leaves has no index

    def add(self, parcellations: Parcellations, subject: str) -> None:
        """Write one subject and the sessions that there are."""
        soft = parcellations.of_subject(subject)
        self._write(soft, subject)
        self._labels[subject] = soft.labels.astype(np.int16)
        self._n_with_data += soft.has_data
        self._present[subject] = []
        for session in self.sessions:
            soft = parcellations.of_session(subject, session)
            if soft.has_data.any():
                self._write(soft, subject, session)
                self._present[subject].append(session)

    def level(self, subject: str | None = None, session: str | None = None) -> NamedFile:
        """Where the files of a session, a subject or the population lie."""
        return partial(self._layout.file, subject=subject, session=session)

    def sources_of(self, subject: str | None = None) -> list[str]:
        """BIDS URIs of the input files of a subject, or of all."""
        sources = self._everyone if subject is None else self.sources.get(subject, ())
        return [self._source.uri(source) for source in sources]

    def finish(self, population: SoftParcellation) -> list[Path]:
        """Write the population, what needs it, tables and index; all files in the order written.

        The population is known last, so its agreement with the others is found from their
        files, one at a time.
        """
        self._write(population)
        self._write_agreement(population)
        axis = self._maps.axis
        self._files += [
            _write_label_table(self._layout, population),
            self._write_all_labels(population),
            write_json(self.folder / DESCRIPTION, description(self._source)),
            write_text(self.folder / IGNORE, IGNORED),
            write_arrays(self.folder / ROWS, axis_to_arrays(REGION, axis)),
            write_json(self.folder / INDEX, self._index(population)),
        ]
        return self._files

    def _write(
        self, soft: SoftParcellation, subject: str | None = None, session: str | None = None
    ) -> None:
        """The files of one parcellation, and their sidecars."""
        about = {"Sources": self.sources_of(subject), "PriorOnlyRows": soft.n_prior_only}
        files = self._maps.write(self.level(subject, session), soft)
        sidecars = _sidecars(files, {**about, **self._space})
        if self._gifti is not None:
            halves = self._gifti.write(soft, subject, session)
            # One sidecar is for both hemispheres and for the CIFTI file that is called alike.
            sidecars = _sidecars(halves, {**about, **self._gifti.space}) | sidecars
            files = {**files, **halves}
        self._keep(files, sidecars)

    def _write_agreement(self, population: SoftParcellation) -> None:
        """The agreement of all with the population, read again one after the other."""
        mean = MeanOverlap(population)
        for subject in self.subjects:
            soft = self._read(subject)
            self._add_agreement(soft, mean.add(soft), subject)
            for session in self._present[subject]:
                soft = self._read(subject, session)
                self._add_agreement(soft, mean.of(soft), subject, session)
        self._add_agreement(population, mean.result())

    def _read(self, subject: str, session: str | None = None) -> SoftParcellation:
        return self._maps.read(self.level(subject, session), self.networks)

    def _add_agreement(
        self,
        soft: SoftParcellation,
        agreement: FloatArray,
        subject: str | None = None,
        session: str | None = None,
    ) -> None:
        file = self.level(subject, session)
        compared = self.subjects if subject is None else (None,)
        ending = self._maps.probabilities
        made_of = [file(ending), *(self._layout.file(ending, subject=one) for one in compared)]
        about = {
            "Sources": [own_uri(self.folder, path) for path in made_of],
            "PriorOnlyRows": soft.n_prior_only,
        }
        files = self._maps.write_agreement(file, agreement)
        self._keep(files, _sidecars(files, {**about, **self._space}))

    def _keep(self, files: Iterable[Path], sidecars: Mapping[Path, Mapping[str, Any]]) -> None:
        self._files += files
        self._files += [write_json(path, says) for path, says in sidecars.items()]

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
    gifti: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Write the parcellations of a population, its subjects and their sessions.

    At each level there are the labels (``..._dseg``), one map of probabilities a network
    (``..._probseg``), the entropy as a share of the largest possible
    (``..._stat-entropy_boldmap``), the margin of the first network over the second
    (``..._stat-margin_boldmap``), the agreement with the population
    (``..._stat-agreement_boldmap``, see :func:`~neuroparcel.brain.overlap.overlap`), and where
    there are data (``..._desc-data_mask``: 1, or 0 where the probabilities are the prior's),
    with label 0 and NaN outside the region:

    - vertices, with or without voxels: CIFTI-2 (``.dlabel.nii``, ``.dscalar.nii``), and labels
      and probabilities of each hemisphere as GIFTI (``.label.gii``, ``.func.gii``);
    - voxels alone: NIfTI (``.nii.gz``) on the grid of the region;
    - nodes: one table (``..._probseg.tsv``), a column for each of these.

    The top folder also receives the label table (``..._dseg.tsv``), a table of all labels with
    one row a vertex, grayordinate, voxel or node (``..._vertices.tsv`` and so on),
    ``dataset_description.json`` and ``.bidsignore``, the rows of the region, and
    ``parcellation.json``, which :func:`.read_parcellations` starts from and which is written last.

    Parameters
    ----------
    folder : pathlib.Path
        Where to write; files of the same names are replaced.
    parcellation : CohortParcellation
        What to write.
    full_axis, sources, areas, gifti
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
        gifti=gifti,
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
    words = (NO_VALUE, *networks)  # one string each, however many rows have it
    for start in range(0, len(labels[0]), _BLOCK):
        block = [[words[key] for key in one[start : start + _BLOCK].tolist()] for one in labels]
        yield from zip(*block, strict=True)


def _sidecars(
    files: Mapping[Path, Mapping[str, Any]], about: Mapping[str, Any]
) -> dict[Path, dict[str, Any]]:
    """JSON by path: what each file says of itself, before what holds for all.

    By the inheritance principle of BIDS a name without hemisphere stands for both.
    """
    return {
        path.with_name(_HEMISPHERE.sub("", path.name).partition(".")[0] + ".json"): {
            **says,
            **about,
        }
        for path, says in files.items()
    }
