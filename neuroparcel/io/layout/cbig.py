"""Lists as CBIG's MS-HBM takes them: ``fMRI_list/lh_sub1_sess1.txt``, one run a line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from neuroparcel.errors import LayoutError
from neuroparcel.io.layout.lists import read_lines
from neuroparcel.io.layout.naming import natural
from neuroparcel.io.layout.recordings import Recording
from neuroparcel.io.layout.scanning import is_file, scan

_LIST = re.compile(r"(?:(?P<hemi>lh|rh)_)?sub(?P<subject>.+)_sess(?P<session>.+)\.txt")
_SERIES, _CENSOR = "fMRI_list", "censor_list"
_TIP = "Each line of it is the path of one run's file."


def find_cbig(folder: Path) -> tuple[list[Recording], list[str]]:
    """Find the recordings that a folder of lists names.

    Parameters
    ----------
    folder : pathlib.Path
        Holds ``fMRI_list`` and perhaps ``censor_list``, itself or in ``data_list``; or is the
        ``fMRI_list``. Lists of surfaces in fsaverage come in pairs, ``lh_sub1_sess1.txt`` and
        ``rh_sub1_sess1.txt``; those of CIFTI files are called ``sub1_sess1.txt``.

    Returns
    -------
    recordings : list of Recording
        Subject 1 and session 1 of ``sub1_sess1.txt``; runs are numbered by their lines.
    remarks : list of str
        What was decided, one line each.

    Raises
    ------
    LayoutError
        If there are no lists, a hemisphere is missing, a file does not exist, or lists that
        belong together differ in length.
    """
    lists = _lists_folder(folder)
    found, ignored = _lists(lists)
    if not found:
        raise LayoutError(
            f"{lists} holds no list called like sub1_sess1.txt or lh_sub1_sess1.txt.",
            "Name the lists so, or give a table with columns subject, session, path.",
        )
    recordings = []
    for cell in sorted(found, key=lambda cell: (natural(cell[0]), natural(cell[1]))):
        recordings += _of_cell(cell, found[cell], lists.parent / _CENSOR)
    remarks = [f"{lists} holds files that are no lists of runs: {', '.join(ignored)}."]
    return recordings, remarks if ignored else []


def _lists_folder(folder: Path) -> Path:
    for candidate in (folder / _SERIES, folder / "data_list" / _SERIES):
        if candidate.is_dir():
            return candidate
    if folder.name == _SERIES:
        return folder
    raise LayoutError(
        f"The folder {folder} holds no {_SERIES} with lists such as lh_sub1_sess1.txt.",
        "Name a subject list, a table, or a folder of CBIG's lists; data go to --data-dir.",
    )


def _lists(folder: Path) -> tuple[dict[tuple[str, str], dict[str, Path]], list[str]]:
    """The lists of each subject and session, by hemisphere; and what is no list."""
    found: dict[tuple[str, str], dict[str, Path]] = {}
    ignored = []
    with scan(folder) as entries:
        names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
    for name in names:
        if match := _LIST.fullmatch(name):
            of_cell = found.setdefault((match["subject"], match["session"]), {})
            of_cell[match["hemi"] or ""] = folder / name
        else:
            ignored.append(name)
    return found, ignored


def _of_cell(cell: tuple[str, str], lists: dict[str, Path], censor_lists: Path) -> list[Recording]:
    subject, session = cell
    if set(lists) not in ({""}, {"lh", "rh"}):
        names = ", ".join(str(path) for path in lists.values())
        raise LayoutError(
            f"Subject {subject}, session {session} has the lists {names}.",
            "Give one, or one for lh_ and one for rh_.",
        )
    columns = [_paths(lists[hemi]) for hemi in sorted(lists)]
    n_runs = len(columns[0])
    if len(columns[-1]) != n_runs:
        raise LayoutError(
            f"{lists['lh']} lists {n_runs} runs, {lists['rh']} {len(columns[-1])}.",
            "Line n of both must be the hemispheres of run n.",
        )
    censor_list = censor_lists / f"sub{subject}_sess{session}.txt"
    censor = _paths(censor_list) if censor_list.exists() else [None] * n_runs
    if len(censor) != n_runs:
        raise LayoutError(
            f"{censor_list} lists {len(censor)} files for the {n_runs} runs of "
            f"{lists[min(lists)]}.",
            "Line n must be the censor file of run n.",
        )
    return [
        Recording(subject, session, str(number), paths, kept)
        for number, (paths, kept) in enumerate(
            zip(zip(*columns, strict=True), censor, strict=True), start=1
        )
    ]


def _paths(path: Path) -> Sequence[Path]:
    """The files that a list names; relative ones start from its folder."""
    found = []
    for line in read_lines(path, "list of runs", _TIP):
        file = path.parent / line.text.strip()
        if not is_file(file):
            raise LayoutError(
                f"Line {line.number} of {path} names a file that does not exist: {file}.", _TIP
            )
        found.append(file)
    return found
