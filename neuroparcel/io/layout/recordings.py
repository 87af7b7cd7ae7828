"""The recordings of a cohort: which file is which run of which session of which subject."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from neuroparcel.errors import LayoutError
from neuroparcel.io.entities import check_names
from neuroparcel.io.layout.naming import natural


@dataclass(frozen=True)
class Recording:
    """A run of a session of a subject, and the files it lies in.

    Parameters
    ----------
    subject, session, run : str
        Names.
    paths : tuple of pathlib.Path
        One file, or two for the hemispheres of a surface, left first.
    censor : pathlib.Path, optional
        Tells which frames to keep; see :func:`neuroparcel.io.nuisance.censoring.read_censor`.
    confounds : pathlib.Path, optional
        Table of nuisance signals, one row a frame.
    mask : pathlib.Path, optional
        Brain mask of a volume.

    Raises
    ------
    LayoutError
        If there are no files.
    """

    subject: str
    session: str
    run: str
    paths: tuple[Path, ...]
    censor: Path | None = None
    confounds: Path | None = None
    mask: Path | None = None

    def __post_init__(self) -> None:
        if not self.paths:
            raise LayoutError(f"There is no file for {self}.", "Name one, or two of a pair.")

    def __str__(self) -> str:
        return f"subject {self.subject}, session {self.session}, run {self.run}"

    @property
    def path(self) -> Path:
        """The first file, for messages."""
        return self.paths[0]


@dataclass(frozen=True)
class CohortFiles:
    """The recordings of a cohort; sessions may be missing.

    Parameters
    ----------
    recordings : tuple of Recording
        At least one.
    remarks : tuple of str, default ()
        What was decided while they were looked for, one line each.

    Raises
    ------
    LayoutError
        If there is none, two stand for the same run or lie in the same file, or the names of
        subjects or sessions cannot become file names.
    """

    recordings: tuple[Recording, ...]
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.recordings:
            raise LayoutError("The cohort has no recordings.", "List at least one subject.")
        counts = Counter((r.subject, r.session, r.run) for r in self.recordings)
        (subject, session, run), n = counts.most_common(1)[0]
        if n > 1:
            raise LayoutError(
                f"Subject {subject}, session {session}, run {run} is listed {n} times.",
                "List each recording once; give runs of one session different names.",
            )
        self._check_files()
        check_names("subject", self.subjects)
        check_names("session", self.sessions)

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """Names of the subjects, in the order of the list."""
        return tuple(dict.fromkeys(r.subject for r in self.recordings))

    @cached_property
    def sessions(self) -> tuple[str, ...]:
        """Names of the sessions of any subject, sorted, numbers by value."""
        return tuple(sorted({r.session for r in self.recordings}, key=natural))

    def runs(self, subject: str, session: str) -> tuple[Recording, ...]:
        """The recordings of one session of one subject; none if it is missing."""
        return self._cells.get((subject, session), ())

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a user should know, one line each: the remarks, then what is missing where."""
        return (*self.remarks, *self._missing())

    @cached_property
    def _cells(self) -> dict[tuple[str, str], tuple[Recording, ...]]:
        cells: dict[tuple[str, str], list[Recording]] = {}
        for recording in self.recordings:
            cells.setdefault((recording.subject, recording.session), []).append(recording)
        return {key: tuple(runs) for key, runs in cells.items()}

    def _missing(self) -> Iterator[str]:
        """Sessions that other subjects have, and sessions with fewer runs than the others'."""
        for session in self.sessions:
            of_subject = {
                subject: [r.run for r in self.runs(subject, session)] for subject in self.subjects
            }
            most = max(map(len, of_subject.values()))
            known = sorted({run for own in of_subject.values() for run in own}, key=natural)
            for subject, own in of_subject.items():
                if not own:
                    yield f"subject {subject}, session {session}: the session is missing."
                elif len(own) < most:
                    lacking = ", ".join(run for run in known if run not in own)
                    yield f"subject {subject}, session {session}: run {lacking} is missing."

    def _check_files(self) -> None:
        """Refuse a file that stands for two recordings."""
        taken: dict[str, Recording] = {}
        known: dict[str, str] = {}
        for recording in self.recordings:
            for path in recording.paths:
                other = taken.setdefault(_real_path(os.fspath(path), known), recording)
                if other is not recording:
                    raise LayoutError(
                        f"The file {path} is listed twice: as {other} and as {recording}.",
                        "Give each recording its own file, or take one off the list.",
                    )
            if len(set(recording.paths)) < len(recording.paths):
                raise LayoutError(
                    f"The file {recording.path} stands for both hemispheres of {recording}.",
                    "Name the files of the left and the right hemisphere.",
                )


def _real_path(path: str, known: dict[str, str]) -> str:
    """The path with its links followed; each folder is looked up once, into `known`.

    Path.resolve() asks the file system for every folder of every path, which takes four
    times as long for thousands of files, and more over a network.
    """
    folder, name = os.path.split(path)
    if not folder or folder == path or name in ("", ".", ".."):
        return os.path.realpath(path)
    if folder not in known:
        known[folder] = _real_path(folder, known)
    real = f"{known[folder].rstrip(os.sep)}{os.sep}{name}"
    return os.path.realpath(real) if os.path.islink(real) else real  # noqa: PTH114 - as above
