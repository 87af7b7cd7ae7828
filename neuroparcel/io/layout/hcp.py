"""Folders of the Human Connectome Project: ``{ID}/MNINonLinear/Results/rfMRI_REST1_LR/...``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from neuroparcel.errors import LayoutError
from neuroparcel.io.layout.naming import name_some, natural
from neuroparcel.io.layout.recordings import Recording
from neuroparcel.io.layout.scanning import is_file, is_folder, scan

RESULTS = Path("MNINonLinear", "Results")
"""Where the runs of a subject lie in its folder."""

# Young Adult 3T has LR and RL, Lifespan AP and PA; the 7T runs have a further word.
_RUN = re.compile(r"rfMRI_(?P<session>REST\d+)_(?P<run>LR|RL|AP|PA)")
_PREFIX = "rfMRI_REST"
_PREFERRED = "{run}_Atlas_MSMAll_hp2000_clean.dtseries.nii"
_CONFOUNDS = "Movement_Regressors.txt"
_CENSOR = "Movement_RelativeRMS.txt"


def is_hcp_subject(folder: str) -> bool:
    """Whether a folder is that of an HCP subject."""
    return is_folder(f"{folder}/MNINonLinear")


def find_hcp(
    data_dir: Path,
    subjects: Sequence[str] | None,
    *,
    confounds: bool,
    censor: bool,
    lenient: bool = False,
) -> tuple[list[Recording], list[str]]:
    """Find the resting-state runs of subjects: REST1, ... are sessions, LR and RL their runs.

    Parameters
    ----------
    data_dir : pathlib.Path
        Folder of the subjects' folders.
    subjects : sequence of str, optional
        Their names; all if not given.
    confounds : bool
        Whether to note ``Movement_Regressors.txt``.
    censor : bool
        Whether to note ``Movement_RelativeRMS.txt``.
    lenient : bool, default False
        Whether a listed subject without a recording, or a run without a file, is a recording
        that does not exist, instead of an error.

    Returns
    -------
    recordings : list of Recording
    remarks : list of str
        What was decided, one line each.

    Raises
    ------
    LayoutError
        If a subject has no recording, or a run no file.
    """
    listed = subjects is not None
    names = _all_subjects(data_dir) if subjects is None else list(subjects)
    unread: dict[str, list[str]] = {}
    found = {name: _of_subject(data_dir, name, unread, lenient) for name in names}
    empty = [name for name, recordings in found.items() if not recordings]
    if lenient and listed and len(empty) < len(names):
        found |= {name: [_absent(data_dir, name)] for name in empty}
        empty = []
    if empty and (listed or len(empty) == len(names)):
        folder = data_dir / empty[0] / RESULTS
        more = "" if len(empty) == 1 else f" ({len(empty)} subjects: {name_some(empty)})"
        raise LayoutError(
            f"No resting-state recording of subject {empty[0]}{more} below {folder}.",
            f"Expected rfMRI_REST1_LR/{_PREFERRED.format(run='rfMRI_REST1_LR')} or the like.",
        )
    recordings = [recording for of_subject in found.values() for recording in of_subject]
    remarks = [
        f"The folder {name} is no run like rfMRI_REST1_LR and was not read (subject "
        f"{name_some(of)})."
        for name, of in unread.items()
    ]
    if empty:
        remarks.append(
            f"{len(empty)} folders of subjects in {data_dir} hold no resting-state recording and "
            f"were left out: {name_some(empty)}."
        )
    if confounds:
        recordings = [_with_confounds(r) for r in recordings]
        without = [r for r in recordings if r.confounds is None]
        remarks.append(_remark_on(_CONFOUNDS, "--confounds", without, len(recordings)))
    if censor:
        recordings = [_with_censor(r) for r in recordings]
        without = [r for r in recordings if r.censor is None]
        remarks.append(_remark_on(_CENSOR, "--censor", without, len(recordings)))
    return recordings, remarks


def _all_subjects(data_dir: Path) -> list[str]:
    with scan(data_dir) as entries:
        found = [entry.name for entry in entries if is_hcp_subject(entry.path)]
    return sorted(found, key=natural)


def _absent(data_dir: Path, subject: str) -> Recording:
    """A recording that does not exist; reading it will say so."""
    run = "rfMRI_REST1_LR"
    path = data_dir / subject / RESULTS / run / _PREFERRED.format(run=run)
    return Recording(subject, "REST1", "LR", (path,))


def _of_subject(
    data_dir: Path, subject: str, unread: dict[str, list[str]], lenient: bool
) -> list[Recording]:
    """Recordings of one subject; folders that are no 3T run, such as those of 7T, are noted."""
    results = data_dir / subject / RESULTS
    recordings = []
    for name in sorted(_run_folders(results)):
        if match := _RUN.fullmatch(name):
            path = _series(results / name, lenient)
            recordings.append(Recording(subject, match["session"], match["run"], (path,)))
        else:
            unread.setdefault(name, []).append(subject)
    return recordings


def _run_folders(results: Path) -> Iterator[str]:
    try:
        with scan(results) as entries:
            for entry in entries:
                if entry.name.startswith(_PREFIX) and entry.is_dir():
                    yield entry.name
    except FileNotFoundError:
        return


def _series(folder: Path, lenient: bool) -> Path:
    """The cleaned time series of a run: the usual name, else the only one that fits."""
    preferred = folder / _PREFERRED.format(run=folder.name)
    if is_file(preferred):
        return preferred
    start = f"{folder.name}_Atlas"
    with scan(folder) as entries:
        names = [entry.name for entry in entries]
    candidates = sorted(n for n in names if n.startswith(start) and n.endswith(".dtseries.nii"))
    if len(candidates) > 1:
        raise LayoutError(
            f"{folder} holds {len(candidates)} time series and none is {preferred.name}: "
            f"{name_some(candidates)}.",
            "Choose with a table of columns subject, session, path.",
        )
    if not candidates and lenient:
        return preferred
    if not candidates:
        raise LayoutError(
            f"The run folder {folder} holds no time series {preferred.name}.",
            "Copy the file there; if the run does not exist, remove the folder.",
        )
    return folder / candidates[0]


def _with_confounds(recording: Recording) -> Recording:
    path = recording.path.parent / _CONFOUNDS
    return replace(recording, confounds=path) if is_file(path) else recording


def _with_censor(recording: Recording) -> Recording:
    path = recording.path.parent / _CENSOR
    return replace(recording, censor=path) if is_file(path) else recording


def _remark_on(name: str, option: str, without: Sequence[Recording], n_runs: int) -> str:
    if not without:
        return f"{name} in the folder of each run is what {option} uses."
    return (
        f"{len(without)} of {n_runs} runs have no {name}, which {option} uses; the first is "
        f"{without[0]}."
    )
