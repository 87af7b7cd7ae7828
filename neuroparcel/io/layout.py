"""Find the recordings of a cohort on disk: a list of HCP subjects, or a table of files."""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from neuroparcel.errors import LayoutError
from neuroparcel.io.entities import check_names

_TABLE_COLUMNS = ("subject", "session", "path")
_HCP_RESULTS = Path("MNINonLinear", "Results")
# Young Adult 3T has LR and RL, Lifespan AP and PA; the 7T runs have a further word.
_HCP_RUN = re.compile(r"rfMRI_(?P<session>REST\d+)_(?P<run>LR|RL|AP|PA)")
_HCP_PREFERRED = "{run}_Atlas_MSMAll_hp2000_clean.dtseries.nii"
_N_NAMED = 3
_FORMS = "List one subject a line, or give a table with columns subject, session, path."


@dataclass(frozen=True)
class Recording:
    """One file: a run of a session of a subject."""

    subject: str
    session: str
    run: str
    path: Path

    def __str__(self) -> str:
        return f"subject {self.subject}, session {self.session}, run {self.run}"


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

    @property
    def subjects(self) -> tuple[str, ...]:
        """Names of the subjects, in the order of the list."""
        return tuple(dict.fromkeys(r.subject for r in self.recordings))

    @property
    def sessions(self) -> tuple[str, ...]:
        """Names of the sessions of any subject, sorted, numbers by value."""
        return tuple(sorted({r.session for r in self.recordings}, key=_natural))

    def runs(self, subject: str, session: str) -> tuple[Recording, ...]:
        """The recordings of one session of one subject; none if it is missing."""
        return tuple(r for r in self.recordings if (r.subject, r.session) == (subject, session))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know, one line each: the remarks, then what is missing where."""
        return (*self.remarks, *self._missing())

    def _missing(self) -> Iterator[str]:
        """Sessions that other subjects have, and sessions with fewer runs than the others'."""
        runs: dict[tuple[str, str], list[str]] = defaultdict(list)
        for recording in self.recordings:
            runs[recording.subject, recording.session].append(recording.run)
        for session in self.sessions:
            of_subject = {subject: runs.get((subject, session), []) for subject in self.subjects}
            most = max(map(len, of_subject.values()))
            known = sorted({run for own in of_subject.values() for run in own}, key=_natural)
            for subject, own in of_subject.items():
                if not own:
                    yield f"subject {subject}, session {session}: the session is missing."
                elif len(own) < most:
                    lacking = ", ".join(run for run in known if run not in own)
                    yield f"subject {subject}, session {session}: run {lacking} is missing."

    def _check_files(self) -> None:
        """Refuse a file that stands for two recordings."""
        taken: dict[Path, Recording] = {}
        for recording in self.recordings:
            other = taken.setdefault(recording.path.resolve(), recording)
            if other is not recording:
                raise LayoutError(
                    f"The file {recording.path} is listed twice: as {other} and as {recording}.",
                    "Give each recording its own file, or take one off the list.",
                )


def find_cohort(
    subject_list: Path, data_dir: Path | None = None, sessions: str = "day"
) -> CohortFiles:
    """Find the recordings of the subjects in a list.

    Parameters
    ----------
    subject_list : pathlib.Path
        Either plain IDs, one a line (``#`` begins a comment), or a table, tab or comma
        separated, with columns ``subject``, ``session``, ``path`` and perhaps ``run``, whose
        relative paths start from the table's folder.
    data_dir : pathlib.Path, optional
        For plain IDs: the folder that holds ``{ID}/MNINonLinear/Results/rfMRI_REST1_LR/...``.
    sessions : str, default "day"
        ``"day"``: sessions as listed, for HCP data REST1 and REST2, of which LR and RL (or
        AP and PA) are runs. ``"run"``: each run is a session. Otherwise the names of the
        sessions to keep, separated by commas.

    Returns
    -------
    CohortFiles

    Raises
    ------
    LayoutError
        If the list is missing or empty, a subject or file is listed twice, a subject has no
        recording, a run has no file, or names cannot become file names.
    """
    lines = _read_lines(subject_list)
    if _is_table(lines):
        recordings, remarks = _from_table(subject_list, lines)
    else:
        recordings, remarks = _from_hcp(subject_list, lines, data_dir)
    return CohortFiles(tuple(_choose_sessions(recordings, sessions)), tuple(remarks))


def _read_lines(subject_list: Path) -> list[str]:
    """Lines with something on them, comments removed."""
    try:
        text = Path(subject_list).read_text(encoding="utf-8-sig")
    except (FileNotFoundError, IsADirectoryError) as error:
        raise LayoutError(
            f"The subject list {subject_list} does not exist.", f"Check the path. {_FORMS}"
        ) from error
    except UnicodeDecodeError as error:
        raise LayoutError(
            f"The subject list {subject_list} is not a text file.",
            _FORMS,
        ) from error
    lines = [re.sub(r"(^|\s)#.*", "", line).rstrip() for line in text.splitlines()]
    lines = [line for line in lines if line.strip()]
    if not lines:
        raise LayoutError(
            f"The subject list {subject_list} is empty.",
            _FORMS,
        )
    return lines


def _is_table(lines: Sequence[str]) -> bool:
    return "\t" in lines[0] or "," in lines[0]


def _from_table(table: Path, lines: Sequence[str]) -> tuple[list[Recording], list[str]]:
    reader = csv.DictReader(lines, delimiter="\t" if "\t" in lines[0] else ",")
    columns = [name.strip() for name in reader.fieldnames or ()]
    reader.fieldnames = columns
    missing = [name for name in _TABLE_COLUMNS if name not in columns]
    if missing:
        raise LayoutError(
            f"The table {table} lacks the column {', '.join(missing)} (it has "
            f"{', '.join(columns)}).",
            "It needs the columns subject, session, path and may have run.",
        )
    if len(lines) == 1:
        raise LayoutError(
            f"The table {table} has a header but no rows, so the cohort has no recordings.",
            "Add a row for each recording.",
        )
    recordings: list[Recording] = []
    n_runs: Counter[tuple[str, str]] = Counter()
    unnamed: set[tuple[str, str]] = set()
    for line, row in zip(lines[1:], reader, strict=True):
        subject, session, path = ((row[name] or "").strip() for name in _TABLE_COLUMNS)
        if not (subject and session and path):
            raise LayoutError(
                f"A row of {table} lacks a subject, session or path: {line!r}.",
                "Fill the cell, or remove the row.",
            )
        n_runs[subject, session] += 1
        run = (row.get("run") or "").strip()
        if not run:
            unnamed.add((subject, session))
            run = str(n_runs[subject, session])
        recordings.append(Recording(subject, session, run, table.parent / path))
    absent = [r for r in recordings if not r.path.exists()]
    if absent:
        raise LayoutError(
            f"{table} lists {len(absent)} of {len(recordings)} files that do not exist; the "
            f"first is {absent[0].path} ({absent[0]}).",
            "Relative paths start from the folder of the table.",
        )
    numbered = [pair for pair, n in n_runs.items() if n > 1 and pair in unnamed]
    return recordings, _remark_on_numbered(table, numbered)


def _remark_on_numbered(table: Path, numbered: Sequence[tuple[str, str]]) -> list[str]:
    if not numbered:
        return []
    subject, session = numbered[0]
    more = f" and {len(numbered) - 1} further sessions" if len(numbered) > 1 else ""
    return [
        f"{table} lists subject {subject}, session {session}{more} more than once without naming "
        "runs; the rows were taken as runs 1, 2, ... of the session."
    ]


def _from_hcp(
    subject_list: Path, lines: Sequence[str], data_dir: Path | None
) -> tuple[list[Recording], list[str]]:
    subjects = [line.strip() for line in lines]
    if data_dir is None:
        raise LayoutError(
            f"{subject_list} lists subjects only, so the folder of their data is needed.",
            "Give --data-dir, or a table with columns subject, session, path.",
        )
    if not Path(data_dir).is_dir():
        raise LayoutError(f"The data folder {data_dir} does not exist.", "Check --data-dir.")
    twice = [subject for subject, n in Counter(subjects).items() if n > 1]
    if twice:
        raise LayoutError(
            f"{subject_list} lists subject {twice[0]} more than once.", "List each subject once."
        )
    check_names("subject", subjects)  # before folders are looked for by these names
    found = {subject: _hcp_recordings(Path(data_dir), subject) for subject in subjects}
    empty = [subject for subject, recordings in found.items() if not recordings]
    if empty:
        folder = Path(data_dir) / empty[0] / _HCP_RESULTS
        more = "" if len(empty) == 1 else f" ({len(empty)} subjects: {_names(empty)})"
        raise LayoutError(
            f"No resting-state recording of subject {empty[0]}{more} below {folder}.",
            f"Expected rfMRI_REST1_LR/{_HCP_PREFERRED.format(run='rfMRI_REST1_LR')} or the like.",
        )
    recordings = [recording for recordings in found.values() for recording in recordings]
    return recordings, _remark_on_unread(Path(data_dir), subjects)


def _remark_on_unread(data_dir: Path, subjects: Sequence[str]) -> list[str]:
    """Name resting-state folders that are no 3T run, such as those of 7T."""
    owners: dict[str, list[str]] = defaultdict(list)
    for subject in subjects:
        for folder in _hcp_folders(data_dir, subject):
            if not _HCP_RUN.fullmatch(folder.name):
                owners[folder.name].append(subject)
    return [
        f"The folder {name} is no run like rfMRI_REST1_LR and was not read (subject {_names(of)})."
        for name, of in owners.items()
    ]


def _hcp_folders(data_dir: Path, subject: str) -> list[Path]:
    found = (data_dir / subject / _HCP_RESULTS).glob("rfMRI_REST*")
    return sorted(folder for folder in found if folder.is_dir())


def _hcp_recordings(data_dir: Path, subject: str) -> list[Recording]:
    """Recordings of one subject in the HCP layout, by session and run."""
    recordings = []
    for folder in _hcp_folders(data_dir, subject):
        if match := _HCP_RUN.fullmatch(folder.name):
            path = _hcp_file(folder)
            recordings.append(Recording(subject, match["session"], match["run"], path))
    return recordings


def _hcp_file(folder: Path) -> Path:
    """The cleaned time series of a run: the usual name, else the only one that fits."""
    preferred = folder / _HCP_PREFERRED.format(run=folder.name)
    if preferred.exists():
        return preferred
    candidates = sorted(folder.glob(f"{folder.name}_Atlas*.dtseries.nii"))
    if len(candidates) > 1:
        raise LayoutError(
            f"{folder} holds {len(candidates)} time series and none is {preferred.name}: "
            f"{_names([path.name for path in candidates])}.",
            "Choose with a table of columns subject, session, path.",
        )
    if not candidates:
        raise LayoutError(
            f"The run folder {folder} holds no time series {preferred.name}.",
            "Copy the file there; if the run does not exist, remove the folder.",
        )
    return candidates[0]


def _choose_sessions(recordings: Sequence[Recording], sessions: str) -> list[Recording]:
    if sessions == "day":
        return list(recordings)
    if sessions == "run":
        return [replace(r, session=f"{r.session}_{r.run}") for r in recordings]
    kept = [name.strip() for name in sessions.split(",") if name.strip()]
    known = {r.session for r in recordings}
    unknown = [name for name in kept if name not in known]
    if unknown or not kept:
        raise LayoutError(
            f"No recording is of session {', '.join(unknown) or sessions!r}.",
            f"The sessions are {', '.join(sorted(known, key=_natural))}; or use 'day' or 'run'.",
        )
    chosen = [r for r in recordings if r.session in kept]
    lost = [r.subject for r in recordings if r.subject not in {c.subject for c in chosen}]
    if lost:
        raise LayoutError(
            f"Subject {lost[0]} has none of the sessions {', '.join(kept)}.",
            "Take it off the list, or keep more sessions.",
        )
    return chosen


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort key by which ses-2 comes before ses-10."""
    parts = re.findall(r"\d+|\D+", name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_N_NAMED])
    return shown + (", ..." if len(names) > _N_NAMED else "")
