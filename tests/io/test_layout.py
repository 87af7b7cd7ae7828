from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from neuroparcel.errors import LayoutError
from neuroparcel.io.entities import entity
from neuroparcel.io.layout import CohortFiles, Recording, find_cohort

USUAL = "_Atlas_MSMAll_hp2000_clean.dtseries.nii"


def add_run(data_dir: Path, subject: str, run: str, ending: str = USUAL) -> Path:
    folder = data_dir / subject / "MNINonLinear" / "Results" / run
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{run}{ending}").touch()
    return folder / f"{run}{ending}"


@pytest.fixture
def hcp(tmp_path) -> Path:
    """Subject 101 is complete, 102 lacks its second day and one run."""
    for run in ("REST1_LR", "REST1_RL", "REST2_LR", "REST2_RL"):
        add_run(tmp_path, "101", f"rfMRI_{run}")
    add_run(tmp_path, "102", "rfMRI_REST1_RL")
    add_run(tmp_path, "102", "rfMRI_REST1_7T_PA")
    return tmp_path


def write(folder: Path, text: str, name: str = "list.txt") -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_days_are_sessions_and_encodings_their_runs(hcp):
    files = find_cohort(write(hcp, "# pilot\n101\n\n102  # short\n"), hcp)
    assert (files.subjects, files.sessions) == (("101", "102"), ("REST1", "REST2"))
    assert [r.run for r in files.runs("101", "REST2")] == ["LR", "RL"]
    assert [r.run for r in files.runs("102", "REST1")] == ["RL"]
    assert files.runs("102", "REST2") == ()
    name = f"rfMRI_REST1_LR{USUAL}"
    assert files.runs("101", "REST1")[0].path == (
        hcp / "101" / "MNINonLinear" / "Results" / "rfMRI_REST1_LR" / name
    )


def test_each_run_can_be_a_session(hcp):
    files = find_cohort(write(hcp, "101\n102\n"), hcp, sessions="run")
    assert files.sessions == ("REST1_LR", "REST1_RL", "REST2_LR", "REST2_RL")
    assert len(files.runs("102", "REST1_RL")) == 1


def test_sessions_can_be_chosen(hcp):
    files = find_cohort(write(hcp, "101\n"), hcp, sessions="REST2")
    assert files.sessions == ("REST2",)
    with pytest.raises(LayoutError, match=r"No recording is of session .REST3"):
        find_cohort(write(hcp, "101\n"), hcp, sessions="REST2,REST3")
    with pytest.raises(LayoutError, match="Subject 102 has none of the sessions REST2"):
        find_cohort(write(hcp, "101\n102\n"), hcp, sessions="REST2")


def test_another_file_name_counts_if_it_is_the_only_one(hcp):
    path = add_run(hcp, "103", "rfMRI_REST1_LR", "_Atlas_hp2000_clean.dtseries.nii")
    assert find_cohort(write(hcp, "103\n"), hcp).recordings[0].path == path
    add_run(hcp, "103", "rfMRI_REST1_LR", "_Atlas.dtseries.nii")
    with pytest.raises(LayoutError, match="holds 2 time series and none is"):
        find_cohort(write(hcp, "103\n"), hcp)


def test_the_usual_file_wins_over_others(hcp):
    add_run(hcp, "101", "rfMRI_REST1_LR", "_Atlas.dtseries.nii")
    files = find_cohort(write(hcp, "101\n"), hcp)
    assert all(r.path.name.endswith(USUAL) for r in files.recordings)


@pytest.mark.parametrize(("delimiter", "name"), [("\t", "cohort.tsv"), (",", "cohort.csv")])
def test_table_with_paths_relative_to_itself(tmp_path, delimiter, name):
    (tmp_path / "data").mkdir()
    rows = [("session", "subject", "path", "age")]
    for subject, session in [("b", "ses-10"), ("b", "ses-2"), ("a", "ses-2"), ("a", "ses-2")]:
        path = write(tmp_path, "", f"data/{subject}{session}{len(rows)}.nii")
        rows.append((session, subject, f"data/{path.name}", "33"))
    table = write(tmp_path, "\n".join(delimiter.join(row) for row in rows) + "\n", name)
    files = find_cohort(table)
    assert (files.subjects, files.sessions) == (("b", "a"), ("ses-2", "ses-10"))
    assert [r.run for r in files.runs("a", "ses-2")] == ["1", "2"]
    assert all(r.path.exists() for r in files.recordings)


def test_table_takes_absolute_paths_and_names_of_runs(tmp_path):
    one, two = write(tmp_path, "", "x.nii"), write(tmp_path, "", "y.nii")
    files = find_cohort(write(tmp_path, f"subject,session,path,run\na,1,{one},LR\na,1,{two},RL\n"))
    assert [r.run for r in files.recordings] == ["LR", "RL"]
    assert files.notes == ()


BAD_TABLES = {
    "subject\tpath\n1\tx\n": "lacks the column session",
    "subject\tsession\tpath\na\t1\tnone.nii\nb\t1\tx.nii\n": r"1 of 2 files .*none\.nii \(s",
    "subject\tsession\tpath\na\t\tx.nii\n": r"lacks a subject, session or path: 'a\\t\\tx\.nii'",
    "subject\tsession\tpath\trun\na\t1\tx.nii\tLR\na\t1\ty.nii\tLR\n": "run LR is listed 2 times",
    "subject\tsession\tpath\n": r"cohort\.tsv has a header but no rows",
}


@pytest.mark.parametrize("text", BAD_TABLES)
def test_bad_tables(tmp_path, text):
    write(tmp_path, "", "x.nii")
    write(tmp_path, "", "y.nii")
    with pytest.raises(LayoutError, match=BAD_TABLES[text]):
        find_cohort(write(tmp_path, text, "cohort.tsv"))


@pytest.mark.parametrize("text", ["", "\n\n", "# nobody\n"])
def test_empty_list(hcp, text):
    with pytest.raises(LayoutError, match=r"list\.txt is empty"):
        find_cohort(write(hcp, text), hcp)


def test_bad_lists_name_what_is_wrong(hcp):
    with pytest.raises(LayoutError, match=r"none\.txt does not exist") as caught:
        find_cohort(hcp / "none.txt", hcp)
    assert "List one subject a line" in caught.value.tip
    with pytest.raises(LayoutError, match="folder of their data is needed") as caught:
        find_cohort(write(hcp, "101\n"))
    assert "--data-dir" in caught.value.tip
    with pytest.raises(LayoutError, match="elsewhere does not exist"):
        find_cohort(write(hcp, "101\n"), hcp / "elsewhere")
    with pytest.raises(LayoutError, match="subject 101 more than once"):
        find_cohort(write(hcp, "101\n102\n101\n"), hcp)
    (hcp / "binary.txt").write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(LayoutError, match="not a text file"):
        find_cohort(hcp / "binary.txt", hcp)


def test_missing_subjects_are_named(hcp):
    with pytest.raises(LayoutError, match=r"subject 777 \(2 subjects: 777, 778\) below .*777"):
        find_cohort(write(hcp, "101\n777\n778\n"), hcp)


def test_a_run_folder_without_a_file_is_named(hcp):
    add_run(hcp, "101", "rfMRI_REST2_RL").unlink()
    with pytest.raises(LayoutError, match=r"run folder .*101.*rfMRI_REST2_RL holds no time series"):
        find_cohort(write(hcp, "101\n"), hcp)


def test_notes_tell_what_is_missing(hcp):
    files = find_cohort(write(hcp, "101\n102\n"), hcp)
    assert files.notes == (
        "The folder rfMRI_REST1_7T_PA is no run like rfMRI_REST1_LR and was not read "
        "(subject 102).",
        "subject 102, session REST1: run LR is missing.",
        "subject 102, session REST2: the session is missing.",
    )
    assert find_cohort(write(hcp, "101\n"), hcp).notes == ()


def test_notes_tell_that_runs_were_numbered(tmp_path):
    rows = ["subject,session,path"]
    for subject in "ab":
        for number in range(2):
            path = write(tmp_path, "", f"{subject}{number}.nii")
            rows.append(f"{subject},1,{path.name}")
    (note,) = find_cohort(write(tmp_path, "\n".join(rows), "cohort.csv")).notes
    assert "cohort.csv lists subject a, session 1 and 1 further sessions more than once" in note


def test_a_file_listed_twice_is_refused(tmp_path):
    path = write(tmp_path, "", "x.nii")
    (tmp_path / "link.nii").symlink_to(path)
    table = write(tmp_path, "subject,session,path\na,1,x.nii\nb,1,link.nii\n")
    message = (
        r"link\.nii is listed twice: as subject a, session 1, run 1 and as subject b, session 1"
    )
    with pytest.raises(LayoutError, match=message):
        find_cohort(table)


BAD_NAMES = {
    ("a_b", "ab"): "'a_b' and 'ab' would share the file name sub-ab",
    ("sub-1", "1"): "'sub-1' and '1' would share the file name sub-1",
    ("a/b", "c"): "subject name 'a/b' holds a path separator",
    ("a\\b", "c"): "holds a path separator",
    ("..", "c"): r"subject name '\.\.' holds a path separator or '\.\.'",
    ("_", "c"): "subject name '_' has no letter or digit",
}


@pytest.mark.parametrize("names", BAD_NAMES)
def test_names_that_cannot_become_file_names(tmp_path, names):
    recordings = tuple(
        Recording(name, "1", "1", (tmp_path / str(n),)) for n, name in enumerate(names)
    )
    with pytest.raises(LayoutError, match=BAD_NAMES[names]):
        CohortFiles(recordings)
    with pytest.raises(LayoutError, match=BAD_NAMES[names]):
        find_cohort(write(tmp_path, "\n".join(names)), tmp_path)


def test_sessions_need_names_for_files_too(tmp_path):
    with pytest.raises(
        LayoutError, match="sessions '1_a' and '1a' would share the file name ses-1"
    ):
        CohortFiles(tuple(Recording("s", name, "1", (tmp_path / name,)) for name in ("1_a", "1a")))


def test_entities_are_letters_and_digits():
    names = ("sub-01", "ses-2", "REST1_LR", "100307")
    assert [entity(name) for name in names] == ["01", "2", "REST1LR", "100307"]


def test_no_recordings_are_no_cohort():
    with pytest.raises(LayoutError, match="no recordings"):
        CohortFiles(())


def test_a_recording_says_what_it_is():
    assert (
        str(Recording("101", "REST1", "LR", (Path("x"),))) == "subject 101, session REST1, run LR"
    )


def test_all_subjects_of_a_folder(hcp):
    (hcp / "103" / "MNINonLinear" / "Results").mkdir(parents=True)
    (hcp / "README").touch()
    files = find_cohort(None, hcp)
    assert files.subjects == ("101", "102")
    assert files.notes[1] == (
        f"1 folders of subjects in {hcp} hold no resting-state recording and were left out: 103."
    )


def test_movement_serves_as_confounds_and_for_censoring(hcp):
    folders = [r.path.parent for r in find_cohort(None, hcp).recordings]
    for folder in folders:
        (folder / "Movement_Regressors.txt").touch()
        (folder / "Movement_RelativeRMS.txt").touch()
    files = find_cohort(None, hcp, confounds=True, censor=True)
    for recording, folder in zip(files.recordings, folders, strict=True):
        assert recording.confounds == folder / "Movement_Regressors.txt"
        assert recording.censor == folder / "Movement_RelativeRMS.txt"
    assert files.remarks[1:] == (
        "Movement_Regressors.txt in the folder of each run is what --confounds uses.",
        "Movement_RelativeRMS.txt in the folder of each run is what --censor uses.",
    )
    (folders[0] / "Movement_Regressors.txt").unlink()
    assert find_cohort(None, hcp, confounds=True).remarks[1] == (
        "1 of 5 runs have no Movement_Regressors.txt, which --confounds uses; the first is "
        "subject 101, session REST1, run LR."
    )
    assert find_cohort(None, hcp).recordings[0].censor is None


def test_folders_of_neither_layout(tmp_path):
    (tmp_path / "101" / "func").mkdir(parents=True)
    with pytest.raises(LayoutError, match=r"holds neither HCP subjects .* nor BIDS derivatives"):
        find_cohort(None, tmp_path)
    with pytest.raises(LayoutError, match="neither a subject list nor a data folder"):
        find_cohort(None)


def test_options_of_bids_are_refused_in_hcp_folders(hcp):
    with pytest.raises(LayoutError, match=r"--space can be chosen in BIDS .* is an HCP folder"):
        find_cohort(None, hcp, space="fsLR")


def test_folders_and_lists_without_permission(hcp, monkeypatch):
    """Root may read everything, so the refusal of the system is acted."""

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    listed = write(hcp, "101\n")
    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refuse)
        with pytest.raises(
            LayoutError, match=r"The folder .* cannot be read \(Permission denied\)"
        ):
            find_cohort(listed, hcp)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refuse)
        with pytest.raises(LayoutError, match=r"list\.txt cannot be read \(Permission denied\)"):
            find_cohort(listed, hcp)


def test_a_recording_has_files():
    with pytest.raises(LayoutError, match="no file for subject s, session 1, run 2"):
        Recording("s", "1", "2", ())


def test_discovery_of_a_thousand_subjects_is_quick(tmp_path):
    """Processor time, for the machine may be busy: about 0.4 s of the 2 s allowed."""
    (tmp_path / "data").mkdir()
    rows = ["subject,session,path"]
    for number in range(4000):
        (tmp_path / "data" / f"{number}.nii").touch()
        rows.append(f"s{number // 4},{number % 4},data/{number}.nii")
    table = write(tmp_path, "\n".join(rows), "cohort.csv")
    start = time.process_time()
    files = find_cohort(table)
    assert len(files.notes) == 0
    assert len(files.runs("s999", "3")) == 1
    assert time.process_time() - start < 2


def test_links_of_folders_are_followed(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.nii").touch()
    (tmp_path / "link").symlink_to("data")
    monkeypatch.chdir(tmp_path)
    one = Recording("a", "1", "1", (tmp_path / "data" / "x.nii",))
    for other in ("link/x.nii", "link/../data/x.nii", "data/x.nii", "./link/./x.nii"):
        with pytest.raises(LayoutError, match="is listed twice"):
            CohortFiles((one, Recording("b", "1", "1", (Path(other),))))
    assert CohortFiles((one, Recording("b", "1", "1", (Path("x.nii"),)))).subjects == ("a", "b")
