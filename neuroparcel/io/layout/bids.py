"""BIDS derivatives of fMRIPrep and XCP-D: ``sub-01/ses-1/func/sub-01_ses-1_task-rest_...``."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from neuroparcel.errors import LayoutError
from neuroparcel.io.layout.bids_names import (
    BidsName,
    censor_of,
    confounds_of,
    is_wanted,
    mask_of,
    parse_name,
)
from neuroparcel.io.layout.naming import name_some, natural
from neuroparcel.io.layout.recordings import Recording
from neuroparcel.io.layout.scanning import is_folder, scan

ONLY_SESSION = "ses-1"
"""Session of subjects without ``ses-`` folders."""

DESCRIPTION = "dataset_description.json"
"""File that every BIDS dataset has at its root."""

_EXPECTED = (
    "Expected sub-*/[ses-*/]func/*_space-fsLR_den-91k_bold.dtseries.nii, hemi-L and hemi-R "
    "_bold.func.gii, _desc-preproc_bold.nii.gz, or the like."
)


@dataclass(frozen=True)
class BidsChoice:
    """What to read of a dataset that holds several things.

    Parameters
    ----------
    task : str, optional
        Label of the task, such as ``"rest"``.
    space : str, optional
        Words that the files must have, joined by ``_``: the space (``"fsLR"``) or entities
        (``"MNI152NLin6Asym_res-2"``, ``"seg-Glasser"``, ``"desc-denoisedSmoothed"``).
    confounds, censor : bool, default False
        Whether to note the tables of confounds and of outliers.
    lenient : bool, default False
        Whether a listed subject that has nothing is a recording that does not exist.
    """

    task: str | None = None
    space: str | None = None
    confounds: bool = False
    censor: bool = False
    lenient: bool = False


def is_bids_subject(folder: str) -> bool:
    """Whether a folder is that of a BIDS subject with functional data."""
    path = Path(folder)
    return path.name.startswith("sub-") and bool(_func_folders(path))


def find_bids(
    data_dir: Path, subjects: Sequence[str] | None, choice: BidsChoice
) -> tuple[list[Recording], list[str]]:
    """Find the recordings of subjects in BIDS derivatives.

    Sessions are the ``ses-`` folders; ``ses-1`` stands for them where there are none. Runs
    are told apart by ``acq``, ``ce``, ``rec``, ``dir``, ``run`` and ``echo``. Of several
    renditions of a run, the grayordinates of fs_LR (91k) are read, else the only other one,
    else the only parcellated one.

    Parameters
    ----------
    data_dir : pathlib.Path
        Root of the dataset.
    subjects : sequence of str, optional
        With or without ``sub-``; all if not given.
    choice : BidsChoice

    Returns
    -------
    recordings : list of Recording
        Named as in the list, else as their folders.
    remarks : list of str
        What was decided, one line each.

    Raises
    ------
    LayoutError
        If a subject is missing or has no recording, or several tasks or renditions stand to
        choose from.
    """
    names = _all_subjects(data_dir) if subjects is None else list(subjects)
    files = {name: _files_of(data_dir, name) for name in names}
    if not choice.lenient:
        _check_present(data_dir, files)
    series = {name: _series(own, choice) for name, own in files.items()}
    task = _one_task(data_dir, series, choice)
    series = {name: [f for f in own if f.task == task] for name, own in series.items()}
    rendition, remarks = _one_rendition(data_dir, series, choice)
    recordings: list[Recording] = []
    lonely: list[str] = []
    for name in names:
        chosen = [file for file in series[name] if file.rendition == rendition]
        recordings += _recordings(name, chosen, files[name], choice, lonely)
    if choice.lenient and subjects is not None and recordings:
        recordings += _absent(data_dir, names, recordings, task)
    remarks += _remark_on_subjects(data_dir, recordings, series, rendition, subjects is not None)
    remarks += _remark_on_lonely(lonely)
    remarks += _remark_on_tables(recordings, choice)
    remarks += _remark_on_sessions(recordings)
    return recordings, remarks


def _absent(
    data_dir: Path, names: Sequence[str], recordings: Sequence[Recording], task: str
) -> list[Recording]:
    """A recording that does not exist for each subject without any; reading it will say so."""
    known = {recording.subject for recording in recordings}
    session = recordings[0].session
    lost = [name for name in names if name not in known]
    labels = [f"sub-{name.removeprefix('sub-')}" for name in lost]
    return [
        Recording(
            name, session, "1", (data_dir / label / "func" / f"{label}_task-{task}_bold.nii",)
        )
        for name, label in zip(lost, labels, strict=True)
    ]


def _all_subjects(data_dir: Path) -> list[str]:
    with scan(data_dir) as entries:
        found = [
            entry.name for entry in entries if entry.name.startswith("sub-") and entry.is_dir()
        ]
    return sorted(found, key=natural)


def _files_of(data_dir: Path, subject: str) -> list[BidsName] | None:
    """What may be of use in the subject's func folders; None if there is no such subject."""
    folder = data_dir / f"sub-{subject.removeprefix('sub-')}"
    if not folder.is_dir():
        return None
    found = []
    for func in sorted(_func_folders(folder), key=natural):
        with scan(func) as entries:
            names = sorted(entry.name for entry in entries if is_wanted(entry.name))
        found += [file for name in names if (file := parse_name(func, name)) is not None]
    return found


def _func_folders(subject: Path) -> list[str]:
    try:
        with scan(subject) as entries:
            below = [e.path for e in entries if e.name == "func" or e.name.startswith("ses-")]
    except FileNotFoundError:
        return []
    folders = []
    for path in below:
        func = path if path.endswith(f"{os.sep}func") else f"{path}{os.sep}func"
        if is_folder(func):
            folders.append(func)
    return folders


def _check_present(data_dir: Path, files: Mapping[str, object]) -> None:
    absent = [f"sub-{name.removeprefix('sub-')}" for name, own in files.items() if own is None]
    if absent:
        raise LayoutError(
            f"{data_dir} has no folder of {len(absent)} of {len(files)} subjects: "
            f"{name_some(absent)}.",
            "Check the spelling, or take them off the list.",
        )


def _series(files: Sequence[BidsName] | None, choice: BidsChoice) -> list[BidsName]:
    """Time series that answer to what was asked for, or else are the usual ones."""
    found = [file for file in files or () if file.form is not None]
    if choice.space is None:
        return [file for file in found if file.is_usual]
    asked = [file for file in found if file.answers(choice.space)]
    return asked if "desc-" in choice.space else [file for file in asked if file.is_usual]


def _one_task(data_dir: Path, series: Mapping[str, Sequence[BidsName]], choice: BidsChoice) -> str:
    tasks = sorted({file.task for own in series.values() for file in own})
    if not tasks:
        _raise_nothing(data_dir, choice)
    if choice.task is not None:
        if choice.task not in tasks:
            raise LayoutError(
                f"{data_dir} holds no task {choice.task!r}.", f"Its tasks: {', '.join(tasks)}."
            )
        return choice.task
    if len(tasks) > 1:
        raise LayoutError(
            f"{data_dir} holds {len(tasks)} tasks: {', '.join(tasks)}.", "Choose one with --task."
        )
    return tasks[0]


def _raise_nothing(data_dir: Path, choice: BidsChoice) -> None:
    below = data_dir / "derivatives"
    tip = _EXPECTED
    if choice.space is not None:
        raise LayoutError(
            f"{data_dir} holds no time series with {choice.space!r} in their names.",
            "--space takes a space or entities, such as fsLR, MNI152NLin6Asym_res-2 or "
            "seg-Glasser.",
        )
    if below.is_dir():
        with scan(below) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir())
        tip = f"Give a folder of derivatives: {name_some([str(below / n) for n in names])}."
    raise LayoutError(f"{data_dir} holds no time series in a space that subjects share.", tip)


def _one_rendition(
    data_dir: Path, series: Mapping[str, Sequence[BidsName]], choice: BidsChoice
) -> tuple[str, list[str]]:
    """The rendition to read, and a remark if there were others."""
    ranks = {file.rendition: file.rank for own in series.values() for file in own}
    best = min(ranks.values())
    equal = sorted(name for name, rank in ranks.items() if rank == best)
    if len(equal) > 1:
        raise LayoutError(
            f"{data_dir} holds each run in {len(equal)} renditions: {', '.join(equal)}.",
            f"Choose one with --space, such as --space {equal[0]}.",
        )
    others = sorted(name for name in ranks if name != equal[0])
    if not others:
        return equal[0], []
    return equal[0], [f"Read in {equal[0]}; --space chooses another ({', '.join(others)})."]


def _recordings(
    subject: str,
    chosen: Iterable[BidsName],
    files: Sequence[BidsName] | None,
    choice: BidsChoice,
    lonely: list[str],
) -> list[Recording]:
    """Recordings of one subject; hemispheres without a partner go to `lonely`."""
    runs: dict[tuple[tuple[str, str], ...], list[BidsName]] = defaultdict(list)
    for file in chosen:
        runs[file.source].append(file)
    beside: dict[str, list[BidsName]] = defaultdict(list)
    for file in files or ():
        if file.form is None:
            beside[file.folder].append(file)
    recordings = []
    for own in sorted(runs.values(), key=lambda own: natural(own[0].run)):
        paths = _paths(own)
        first, around = own[0], beside[own[0].folder]
        if not paths:
            lonely.append(str(first.path))
            continue
        recordings.append(
            Recording(
                subject,
                f"ses-{first.entities['ses']}" if "ses" in first.entities else ONLY_SESSION,
                first.run,
                paths,
                censor_of(first, around) if choice.censor else None,
                confounds_of(first, around) if choice.confounds else None,
                mask_of(first, around) if first.form == "volume" else None,
            )
        )
    return recordings


def _paths(files: Sequence[BidsName]) -> tuple[Path, ...]:
    """The file to read, or the two of a pair; none if a hemisphere is missing."""
    ordered = sorted(files, key=lambda file: file.preference)
    if ordered[0].form != "surface":
        return (ordered[0].path,)
    description = ordered[0].entities.get("desc", "")
    same = [file for file in ordered if file.entities.get("desc", "") == description]
    sides = {file.entities["hemi"]: file.path for file in same}
    return (sides["L"], sides["R"]) if len(sides) == 2 else ()


def _remark_on_subjects(
    data_dir: Path,
    recordings: Sequence[Recording],
    series: Mapping[str, Sequence[BidsName]],
    rendition: str,
    listed: bool,
) -> list[str]:
    """Subjects without a recording, and runs that lie in other renditions only."""
    with_data = {recording.subject for recording in recordings}
    empty = [name for name in series if name not in with_data]
    if empty and (listed or not with_data):
        raise LayoutError(
            f"{data_dir} holds no recording in {rendition} of {len(empty)} of {len(series)} "
            f"subjects: {name_some(empty)}.",
            "Take them off the list, or choose another rendition with --space.",
        )
    remarks = []
    if empty:
        remarks.append(
            f"{len(empty)} subjects of {data_dir} have no recording in {rendition} and were left "
            f"out: {name_some(empty)}."
        )
    elsewhere = [
        min({str(f.path) for f in own if f.source == source})
        for own in series.values()
        for source in dict.fromkeys(file.source for file in own)
        if not any(f.rendition == rendition for f in own if f.source == source)
    ]
    if elsewhere:
        remarks.append(
            f"{len(elsewhere)} runs lie in another rendition than {rendition} only and were not "
            f"read; the first is {elsewhere[0]}."
        )
    return remarks


def _remark_on_lonely(lonely: Sequence[str]) -> list[str]:
    return [f"{path} lacks the other hemisphere, so the run was not read." for path in lonely]


def _remark_on_tables(recordings: Sequence[Recording], choice: BidsChoice) -> list[str]:
    """Say where confounds or outliers were asked for and are not there."""
    remarks = []
    wanted = (
        ("confounds", "--confounds", choice.confounds, [r.confounds for r in recordings]),
        ("outliers", "--censor", choice.censor, [r.censor for r in recordings]),
    )
    for what, option, asked, paths in wanted:
        without = [r for r, path in zip(recordings, paths, strict=True) if path is None]
        if asked and without:
            remarks.append(
                f"{len(without)} of {len(recordings)} runs have no table of {what}, which {option} "
                f"uses; the first is {without[0]}."
            )
    return remarks


def _remark_on_sessions(recordings: Sequence[Recording]) -> list[str]:
    """Say so if some subjects have ses- folders and others have not."""
    apart = Counter(r.path.parent.parent.name.startswith("ses-") for r in recordings)
    if len(apart) < 2:
        return []
    return [f"{apart[False]} runs lie in no ses- folder; their session was named {ONLY_SESSION}."]
