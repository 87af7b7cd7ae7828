"""From what a user gives, a list or a folder or both, to the recordings of a cohort."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from neuroparcel.errors import LayoutError
from neuroparcel.io.layout.bids import DESCRIPTION, BidsChoice, find_bids, is_bids_subject
from neuroparcel.io.layout.cbig import find_cbig
from neuroparcel.io.layout.hcp import find_hcp, is_hcp_subject
from neuroparcel.io.layout.lists import FORMS, read_lines, read_subjects
from neuroparcel.io.layout.recordings import CohortFiles, Recording
from neuroparcel.io.layout.scanning import scan
from neuroparcel.io.layout.sessions import choose_sessions
from neuroparcel.io.layout.tables import is_table, read_table

_Layout: TypeAlias = Literal["HCP", "BIDS"]
_Found: TypeAlias = tuple[list[Recording], list[str]]


def find_cohort(
    subject_list: Path | None,
    data_dir: Path | None = None,
    sessions: str = "day",
    *,
    task: str | None = None,
    space: str | None = None,
    confounds: bool = False,
    censor: bool = False,
    lenient: bool = False,
) -> CohortFiles:
    """Find the recordings of the subjects in a list, or of all in a folder.

    Parameters
    ----------
    subject_list : pathlib.Path, optional
        Plain IDs, one a line (``#`` begins a comment); or a table, tab or comma separated,
        with columns ``subject``, ``session``, ``path`` and perhaps ``run``, ``censor``,
        ``confounds`` and ``mask``, whose relative paths start from the table's folder; or a
        folder of CBIG's lists, ``fMRI_list/sub1_sess1.txt``. None takes every subject of
        `data_dir`.
    data_dir : pathlib.Path, optional
        For plain IDs, or none: an HCP folder, ``{ID}/MNINonLinear/Results/rfMRI_REST1_LR/...``,
        or BIDS derivatives of fMRIPrep or XCP-D, ``sub-{ID}/[ses-1/]func/...``.
    sessions : str, default "day"
        ``"day"``: sessions as listed, for HCP data REST1 and REST2, of which LR and RL (or
        AP and PA) are runs. ``"run"``: each run is a session. Otherwise the names of the
        sessions to keep, separated by commas.
    task : str, optional
        For BIDS: the task, needed where there are several.
    space : str, optional
        For BIDS: the space or other words of the files' names, joined by ``_``, such as
        ``"fsLR"``, ``"MNI152NLin6Asym_res-2"`` or ``"seg-Glasser"``; needed where there are
        several and none is fs_LR with 91,282 grayordinates.
    confounds : bool, default False
        Note the tables of nuisance signals that HCP and BIDS folders hold.
    censor : bool, default False
        Note the files in these folders that tell which frames to drop. Tables and CBIG's
        lists name theirs themselves, asked for or not.
    lenient : bool, default False
        Whether listed subjects and files that are not there are among the recordings, so that
        one of them does not stop the others: whoever reads them finds the error.

    Returns
    -------
    CohortFiles

    Raises
    ------
    LayoutError
        If the list is missing or empty, a subject or file is listed twice, a subject has no
        recording, a run has no file, several tasks or spaces stand to choose from, or names
        cannot become file names.
    """
    choice = BidsChoice(task, space, confounds, censor, lenient)
    recordings, remarks = _find(subject_list, data_dir, choice)
    return CohortFiles(tuple(choose_sessions(recordings, sessions)), tuple(remarks))


def _find(subject_list: Path | None, data_dir: Path | None, choice: BidsChoice) -> _Found:
    if subject_list is None:
        if data_dir is None:
            raise LayoutError("There is neither a subject list nor a data folder.", FORMS)
        return _in_folder(Path(data_dir), None, choice)
    listed = Path(subject_list)
    if listed.is_dir():
        _refuse_choice(choice, f"{listed} is a folder of lists")
        return find_cbig(listed)
    lines = read_lines(listed)
    if is_table(lines):
        _refuse_choice(choice, f"{listed} is a table of files")
        return read_table(listed, lines, lenient=choice.lenient)
    subjects = read_subjects(listed, lines)
    if data_dir is None:
        raise LayoutError(
            f"{listed} lists subjects only, so the folder of their data is needed.",
            "Give --data-dir, or a table with columns subject, session, path.",
        )
    return _in_folder(Path(data_dir), subjects, choice)


def _in_folder(data_dir: Path, subjects: Sequence[str] | None, choice: BidsChoice) -> _Found:
    if not data_dir.is_dir():
        raise LayoutError(f"The data folder {data_dir} does not exist.", "Check --data-dir.")
    if _layout(data_dir) == "BIDS":
        return find_bids(data_dir, subjects, choice)
    _refuse_choice(choice, f"{data_dir} is an HCP folder")
    return find_hcp(
        data_dir,
        subjects,
        confounds=choice.confounds,
        censor=choice.censor,
        lenient=choice.lenient,
    )


def _layout(data_dir: Path) -> _Layout:
    """Tell the layouts apart by the first folder that belongs to either."""
    with scan(data_dir) as entries:
        for entry in entries:
            if is_hcp_subject(entry.path):
                return "HCP"
            if entry.name == DESCRIPTION or is_bids_subject(entry.path):
                return "BIDS"
    raise LayoutError(
        f"{data_dir} holds neither HCP subjects (ID/MNINonLinear/Results/rfMRI_REST1_LR/) nor "
        f"BIDS derivatives (sub-ID/func/ and {DESCRIPTION}).",
        "Check --data-dir, or give a table with columns subject, session, path.",
    )


def _refuse_choice(choice: BidsChoice, where: str) -> None:
    """Say that an option has nothing to choose from, rather than pass it over."""
    given = [f"--{name}" for name in ("task", "space") if getattr(choice, name) is not None]
    if given:
        raise LayoutError(
            f"{' and '.join(given)} can be chosen in BIDS derivatives only, and {where}.",
            f"Leave {' and '.join(given)} away.",
        )
