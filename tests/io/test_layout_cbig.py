"""Folders of lists as CBIG's MS-HBM takes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuroparcel.errors import LayoutError
from neuroparcel.io.layout import find_cohort


@pytest.fixture
def lists(tmp_path) -> Path:
    """Subject 1 has two sessions, the second of two runs, on fsaverage."""
    folder = tmp_path / "out" / "data_list"
    add(folder / "fMRI_list", "lh_sub1_sess1.txt", "lh.s1r1.nii.gz")
    add(folder / "fMRI_list", "rh_sub1_sess1.txt", "rh.s1r1.nii.gz")
    add(folder / "fMRI_list", "lh_sub1_sess2.txt", "lh.s2r1.nii.gz", "lh.s2r2.nii.gz")
    add(folder / "fMRI_list", "rh_sub1_sess2.txt", "rh.s2r1.nii.gz", "rh.s2r2.nii.gz")
    return folder


def add(folder: Path, name: str, *files: str) -> Path:
    """Write a list of files in a folder beside the lists, and the files."""
    folder.mkdir(parents=True, exist_ok=True)
    data = folder.parent / "data"
    data.mkdir(exist_ok=True)
    for file in files:
        (data / file).touch()
    (folder / name).write_text("".join(f"{data / file}\n" for file in files))
    return folder / name


@pytest.mark.parametrize("named", ["", "..", "fMRI_list"])
def test_lists_of_hemispheres(lists, named):
    files = find_cohort((lists / named).resolve())
    assert (files.subjects, files.sessions) == (("1",), ("1", "2"))
    assert [(r.session, r.run, [p.name for p in r.paths]) for r in files.recordings] == [
        ("1", "1", ["lh.s1r1.nii.gz", "rh.s1r1.nii.gz"]),
        ("2", "1", ["lh.s2r1.nii.gz", "rh.s2r1.nii.gz"]),
        ("2", "2", ["lh.s2r2.nii.gz", "rh.s2r2.nii.gz"]),
    ]
    assert all(r.censor is None for r in files.recordings)


def test_lists_of_grayordinates_and_censoring(tmp_path):
    add(tmp_path / "fMRI_list", "sub0064_sess10.txt", "a.dtseries.nii")
    add(tmp_path / "fMRI_list", "sub0064_sess2.txt", "b.dtseries.nii", "c.dtseries.nii")
    add(tmp_path / "censor_list", "sub0064_sess2.txt", "b.txt", "c.txt")
    files = find_cohort(tmp_path)
    assert [
        (r.subject, r.session, r.run, r.path.name, r.censor and r.censor.name)
        for r in files.recordings
    ] == [
        ("0064", "2", "1", "b.dtseries.nii", "b.txt"),
        ("0064", "2", "2", "c.dtseries.nii", "c.txt"),
        ("0064", "10", "1", "a.dtseries.nii", None),
    ]


def test_what_is_no_list_is_noted(lists):
    (lists / "fMRI_list" / "notes.md").touch()
    assert find_cohort(lists).notes[0].endswith("no lists of runs: notes.md.")


def test_bad_lists(lists):
    series = lists / "fMRI_list"
    (series / "rh_sub1_sess1.txt").unlink()
    with pytest.raises(LayoutError, match=r"session 1 has the lists .*lh_sub1_sess1\.txt\."):
        find_cohort(lists)
    add(series, "rh_sub1_sess1.txt", "rh.s1r1.nii.gz", "more.nii.gz")
    with pytest.raises(LayoutError, match=r"lh_sub1_sess1\.txt lists 1 runs, .*sess1\.txt 2"):
        find_cohort(lists)
    add(series, "rh_sub1_sess1.txt", "rh.s1r1.nii.gz")
    add(lists / "censor_list", "sub1_sess2.txt", "c.txt")
    with pytest.raises(
        LayoutError, match=r"censor_list.* lists 1 files for the 2 runs of .*lh_sub1"
    ):
        find_cohort(lists)
    (series / "rh_sub1_sess1.txt").write_text("\nnone.nii.gz\n")
    with pytest.raises(LayoutError, match=r"Line 2 of .*rh_sub1_sess1\.txt names a file that does"):
        find_cohort(lists)
    (series / "rh_sub1_sess1.txt").write_text("")
    with pytest.raises(LayoutError, match=r"list of runs .*rh_sub1_sess1\.txt is empty"):
        find_cohort(lists)


def test_folders_without_lists(tmp_path):
    with pytest.raises(LayoutError, match="holds no fMRI_list") as caught:
        find_cohort(tmp_path)
    assert "--data-dir" in caught.value.tip
    (tmp_path / "fMRI_list").mkdir()
    with pytest.raises(LayoutError, match="holds no list called like"):
        find_cohort(tmp_path)
    with pytest.raises(LayoutError, match="--task can be chosen in BIDS derivatives only"):
        find_cohort(tmp_path, task="rest")
