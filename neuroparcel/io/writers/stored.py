"""Parcellations that lie in the files of a run, and are read one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.colours import Colour
from neuroparcel.brain.parcellation import CohortParcellation, SoftParcellation, position_of
from neuroparcel.errors import FileFormatError
from neuroparcel.io.axis_arrays import axis_from
from neuroparcel.io.files import parsing, read_arrays, read_json
from neuroparcel.io.writers.map_files import INDEX, REGION, ROWS, MapFiles, maps_of

_TIP = "Put the file back, or run neuroparcel fit or infer again with --overwrite."
_ENTRIES = ("stem", "networks", "colours", "subjects", "sessions", "present", "axis")


@dataclass(frozen=True, eq=False)
class StoredParcellations:
    """What :func:`~.parcellations.write_parcellations` wrote; a map is read when it is asked for.

    Attributes
    ----------
    axis : BrainAxis
        The region.
    networks, subjects, sessions : tuple of str
        Names.
    colours : tuple of Colour
        Of the networks.
    present : mapping of str to tuple of str
        Sessions of each subject.
    files : MapFiles
    """

    axis: BrainAxis
    networks: tuple[str, ...]
    colours: tuple[Colour, ...]
    subjects: tuple[str, ...]
    sessions: tuple[str, ...]
    present: Mapping[str, tuple[str, ...]]
    files: MapFiles

    @property
    def n_networks(self) -> int:
        """Number of networks."""
        return len(self.networks)

    def of_population(self) -> SoftParcellation:
        """The population's parcellation."""
        return self._read()

    def of_subject(self, subject: str) -> SoftParcellation:
        """One subject's parcellation."""
        position_of("subject", subject, self.subjects)
        return self._read(subject)

    def of_session(self, subject: str, session: str) -> SoftParcellation:
        """One session's parcellation, all NaN if the session is missing."""
        position_of("subject", subject, self.subjects)
        position_of("session", session, self.sessions)
        if session in self.present[subject]:
            return self._read(subject, session)
        nothing = np.full((len(self.axis), self.n_networks), np.nan, np.float32)
        return SoftParcellation(self.axis, self.networks, nothing, colours=self.colours)

    def load(self) -> CohortParcellation:
        """All of them, in memory."""
        subject = np.stack([self.of_subject(name).probabilities for name in self.subjects])
        shape = (len(self.subjects), len(self.sessions), len(self.axis))
        session = np.full((*shape, self.n_networks), np.nan, np.float32)
        data = np.zeros(shape, dtype=bool)
        for row, column in np.ndindex(shape[:2]):
            soft = self.of_session(self.subjects[row], self.sessions[column])
            session[row, column], data[row, column] = soft.probabilities, soft.has_data
        population = self.of_population().probabilities
        names = (self.networks, self.subjects, self.sessions)
        return CohortParcellation(
            self.axis, *names, population, subject, session, data, self.colours
        )

    def _read(self, subject: str | None = None, session: str | None = None) -> SoftParcellation:
        file = partial(self.files.file, subject=subject, session=session)
        try:
            soft = maps_of(self.axis).read(file, self.networks)
        except FileFormatError as error:
            raise FileFormatError(error.message, error.tip or _TIP) from error
        return replace(soft, colours=self.colours)


def open_parcellations(folder: Path) -> StoredParcellations:
    """Open what :func:`~.parcellations.write_parcellations` wrote; no map is read.

    Parameters
    ----------
    folder : pathlib.Path
        The folder that was written to.

    Raises
    ------
    FileFormatError
        If the folder holds no parcellations, or what lists them is damaged. Where a map is
        missing or damaged, reading it says so.
    """
    index = _read_index(folder)
    with parsing(folder / INDEX, _TIP):
        axis = axis_from(REGION, index["axis"], read_arrays(folder / ROWS))
        networks, subjects, sessions = (
            _names(index, name) for name in ("networks", "subjects", "sessions")
        )
        present = {subject: tuple(index["present"][subject]) for subject in subjects}
        colours = _colours(index, len(networks))
        files = MapFiles(folder, str(index["stem"]))
    return StoredParcellations(axis, networks, colours, subjects, sessions, present, files)


def read_parcellations(folder: Path) -> CohortParcellation:
    """Read what :func:`~.parcellations.write_parcellations` wrote into memory.

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
    return open_parcellations(folder).load()


def _read_index(folder: Path) -> dict[str, Any]:
    path = folder / INDEX
    if not path.exists():
        raise FileFormatError(
            f"{folder} holds no parcellations ({INDEX} is missing).",
            "Give the output folder of neuroparcel fit or infer.",
        )
    index = read_json(path, _TIP)
    missing = set(_ENTRIES) - index.keys()
    if missing:
        raise FileFormatError(
            f"{path} lacks {', '.join(sorted(missing))}.",
            "Run neuroparcel fit or infer again.",
        )
    return index


def _names(index: Mapping[str, Any], entry: str) -> tuple[str, ...]:
    names = index[entry]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{entry} is no list of names")
    return tuple(names)


def _colours(index: Mapping[str, Any], n_networks: int) -> tuple[Colour, ...]:
    colours: list[Colour] = [
        (float(r), float(g), float(b), float(a)) for r, g, b, a in index["colours"]
    ]
    if len(colours) != n_networks:
        raise ValueError(f"{len(colours)} colours for {n_networks} networks")
    return tuple(colours)
