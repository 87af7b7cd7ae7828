"""Find the recordings of a cohort on disk: a list of HCP subjects, or a table of files."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from neuroparcel.errors import LayoutError

_TABLE_COLUMNS = ("subject", "session", "path")
_HCP_RESULTS = Path("MNINonLinear", "Results")
# Young Adult 3T has LR and RL, Lifespan AP and PA; the 7T runs have a further word.
_HCP_RUN = re.compile(r"rfMRI_(?P<session>REST\d+)_(?P<run>LR|RL|AP|PA)")
_HCP_PREFERRED = "{run}_Atlas_MSMAll_hp2000_clean.dtseries.nii"
_N_NAMED = 3


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

    Raises
    ------
    LayoutError
        If there is none, or two stand for the same run.
    """

    recordings: tuple[Recording, ...]

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
        If the list is missing or empty, a subject is listed twice or has no recording, or
        a file does not exist.
    """
    lines = _read_lines(subject_list)
    if _is_table(lines):
        recordings = _from_table(subject_list, lines)
    else:
        recordings = _from_hcp(subject_list, lines, data_dir)
    return CohortFiles(tuple(_choose_sessions(recordings, sessions)))


def _read_lines(subject_list: Path) -> list[str]:
    """Lines with something on them, comments removed."""
    try:
        text = Path(subject_list).read_text(encoding="utf-8-sig")
    except (FileNotFoundError, IsADirectoryError) as error:
        raise LayoutError(f"The subject list {subject_list} does not exist.") from error
    except UnicodeDecodeError as error:
        raise LayoutError(
            f"The subject list {subject_list} is not a text file.",
            "List one subject a line, or give a table with columns subject, session, path.",
        ) from error
    lines = [re.sub(r"(^|\s)#.*", "", line).rstrip() for line in text.splitlines()]
    lines = [line for line in lines if line.strip()]
    if not lines:
        raise LayoutError(
            f"The subject list {subject_list} is empty.",
            "List one subject a line, or give a table with columns subject, session, path.",
        )
    return lines


def _is_table(lines: Sequence[str]) -> bool:
    return "\t" in lines[0] or "," in lines[0]


def _from_table(table: Path, lines: Sequence[str]) -> list[Recording]:
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
    recordings: list[Recording] = []
    n_runs: Counter[tuple[str, str]] = Counter()
    for line, row in zip(lines[1:], reader, strict=True):
        subject, session, path = ((row[name] or "").strip() for name in _TABLE_COLUMNS)
        if not (subject and session and path):
            raise LayoutError(f"A row of {table} lacks a subject, session or path: {line!r}.")
        n_runs[subject, session] += 1
        run = (row.get("run") or "").strip() or str(n_runs[subject, session])
        recordings.append(Recording(subject, session, run, table.parent / path))
    absent = [r for r in recordings if not r.path.exists()]
    if absent:
        raise LayoutError(
            f"{table} lists {len(absent)} of {len(recordings)} files that do not exist; the "
            f"first is {absent[0].path} ({absent[0]}).",
            "Relative paths start from the folder of the table.",
        )
    return recordings


def _from_hcp(subject_list: Path, lines: Sequence[str], data_dir: Path | None) -> list[Recording]:
    subjects = [line.strip() for line in lines]
    if data_dir is None:
        raise LayoutError(
            f"{subject_list} lists subjects only, so the folder of their data is needed.",
            "Give --data-dir, or a table with columns subject, session, path.",
        )
    if not Path(data_dir).is_dir():
        raise LayoutError(f"The data folder {data_dir} does not exist.")
    twice = [subject for subject, n in Counter(subjects).items() if n > 1]
    if twice:
        raise LayoutError(f"{subject_list} lists subject {twice[0]} more than once.")
    found = {subject: _hcp_recordings(Path(data_dir), subject) for subject in subjects}
    empty = [subject for subject, recordings in found.items() if not recordings]
    if empty:
        folder = Path(data_dir) / empty[0] / _HCP_RESULTS
        more = "" if len(empty) == 1 else f" ({len(empty)} subjects: {_names(empty)})"
        raise LayoutError(
            f"No resting-state recording of subject {empty[0]}{more} below {folder}.",
            f"Expected rfMRI_REST1_LR/{_HCP_PREFERRED.format(run='rfMRI_REST1_LR')} or the like.",
        )
    return [recording for recordings in found.values() for recording in recordings]


def _hcp_recordings(data_dir: Path, subject: str) -> list[Recording]:
    """Recordings of one subject in the HCP layout, by session and run."""
    recordings = []
    for folder in sorted((data_dir / subject / _HCP_RESULTS).glob("rfMRI_REST*")):
        match = _HCP_RUN.fullmatch(folder.name)
        path = _hcp_file(folder) if match else None
        if match and path:
            recordings.append(Recording(subject, match["session"], match["run"], path))
    return recordings


def _hcp_file(folder: Path) -> Path | None:
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
    return candidates[0] if candidates else None


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
