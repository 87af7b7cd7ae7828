"""Cohorts in BIDS derivatives: what is read, what is noted, and what needs a choice."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuroparcel.errors import LayoutError
from neuroparcel.io.layout import find_cohort
from neuroparcel.io.layout.bids_names import find_confounds, parse_name

CIFTI = "space-fsLR_den-91k_bold.dtseries.nii"
LEFT, RIGHT = (f"hemi-{side}_space-fsaverage5_bold.func.gii" for side in "LR")
VOLUME = "space-MNI152NLin2009cAsym_res-2_desc-preproc_bold.nii.gz"
MASK = "space-MNI152NLin2009cAsym_res-2_desc-brain_mask.nii.gz"
CONFOUNDS = "desc-confounds_timeseries.tsv"


def add(root: Path, source: str, *endings: str) -> list[Path]:
    """Touch files of one run, ``sub-1_ses-2_task-rest_...``, in its func folder."""
    subject, *rest = source.split("_")
    session = [word for word in rest if word.startswith("ses-")]
    folder = root.joinpath(subject, *session, "func")
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{source}_{ending}" for ending in endings]
    for path in paths:
        path.touch()
    return paths


@pytest.fixture
def fmriprep(tmp_path) -> Path:
    """Two subjects of two sessions; the second lacks a run of the second one."""
    root = tmp_path / "fmriprep"
    everything = (CIFTI, LEFT, RIGHT, VOLUME, MASK, CONFOUNDS, "desc-preproc_bold.nii.gz")
    for source in ("01_ses-1", "01_ses-2", "02_ses-1"):
        add(root, f"sub-{source}_task-rest_run-1", *everything)
        add(root, f"sub-{source}_task-rest_run-2", *everything)
    add(root, "sub-02_ses-2_task-rest_run-1", *everything)
    (root / "dataset_description.json").write_text("{}")
    (root / "sub-01.html").touch()
    return root


def write(folder: Path, text: str) -> Path:
    (folder / "list.txt").write_text(text)
    return folder / "list.txt"


def test_grayordinates_come_first_and_the_others_are_named(fmriprep):
    files = find_cohort(None, fmriprep)
    assert (files.subjects, files.sessions) == (("sub-01", "sub-02"), ("ses-1", "ses-2"))
    assert [r.run for r in files.runs("sub-01", "ses-2")] == ["run-1", "run-2"]
    (first, _) = files.runs("sub-01", "ses-1")
    assert first.paths == (
        fmriprep / "sub-01/ses-1/func" / f"sub-01_ses-1_task-rest_run-1_{CIFTI}",
    )
    assert (first.censor, first.confounds, first.mask) == (None, None, None)
    assert files.notes == (
        "Read in fsLR_den-91k; --space chooses another (MNI152NLin2009cAsym_res-2, fsaverage5).",
        "subject sub-02, session ses-2: run run-2 is missing.",
    )


@pytest.mark.parametrize("text", ["sub-02\nsub-01\n", "02\n01\n"])
def test_plain_ids_match_with_or_without_their_prefix(fmriprep, text):
    files = find_cohort(write(fmriprep, text), fmriprep)
    assert files.subjects == tuple(text.split())
    assert len(files.runs(files.subjects[1], "ses-2")) == 2


def test_subjects_that_are_not_there_are_named(fmriprep):
    with pytest.raises(LayoutError, match=r"no folder of 2 of 3 subjects: sub-77, sub-78"):
        find_cohort(write(fmriprep, "01\n77\nsub-78\n"), fmriprep)


def test_hemispheres_are_joined_and_a_lonely_one_is_noted(fmriprep):
    (left,) = add(fmriprep, "sub-02_ses-2_task-rest_run-2", LEFT)
    files = find_cohort(None, fmriprep, space="fsaverage5")
    for recording in files.recordings:
        names = [path.name for path in recording.paths]
        assert [name.split("hemi-")[1][0] for name in names] == ["L", "R"]
        assert names[0].replace("hemi-L", "hemi-R") == names[1]
    assert f"{left} lacks the other hemisphere, so the run was not read." in files.notes
    assert len(files.recordings) == 7


def test_volumes_bring_their_masks(fmriprep):
    files = find_cohort(None, fmriprep, space="MNI152NLin2009cAsym")
    for recording in files.recordings:
        assert recording.path.name.endswith(VOLUME)
        assert recording.mask is not None
        assert recording.mask.name == recording.path.name.replace(VOLUME, MASK)
    assert find_cohort(None, fmriprep, space="MNI152NLin2009cAsym_res-2") == files


def test_confounds_serve_for_censoring_too(fmriprep):
    files = find_cohort(None, fmriprep, confounds=True, censor=True)
    for recording in files.recordings:
        assert recording.confounds == recording.censor
        assert str(recording.confounds) == str(recording.path).replace(CIFTI, CONFOUNDS)
    (fmriprep / "sub-01/ses-1/func" / f"sub-01_ses-1_task-rest_run-1_{CONFOUNDS}").unlink()
    notes = find_cohort(None, fmriprep, confounds=True, censor=True).notes
    where = "uses; the first is subject sub-01, session ses-1, run run-1."
    assert [n for n in notes if n.startswith("1 ")] == [
        f"1 of 7 runs have no table of confounds, which --confounds {where}",
        f"1 of 7 runs have no table of outliers, which --censor {where}",
    ]


def test_outliers_of_xcp_d_are_preferred(tmp_path):
    denoised = CIFTI.replace("_bold", "_desc-denoised_bold")
    add(tmp_path, "sub-1_task-rest", denoised, denoised.replace("denoised", "denoisedSmoothed"))
    (outliers,) = add(tmp_path, "sub-1_task-rest", "outliers.tsv")
    add(tmp_path, "sub-1_task-rest", CONFOUNDS)
    (recording,) = find_cohort(None, tmp_path, censor=True).recordings
    assert (recording.censor, recording.session, recording.run) == (outliers, "ses-1", "1")
    assert recording.path.name.endswith("desc-denoised_bold.dtseries.nii")
    (smoothed,) = find_cohort(None, tmp_path, space="desc-denoisedSmoothed").recordings
    assert "denoisedSmoothed" in smoothed.path.name


def test_several_tasks_need_a_choice(fmriprep):
    add(fmriprep, "sub-01_ses-1_task-nback", CIFTI)
    with pytest.raises(LayoutError, match="holds 2 tasks: nback, rest") as caught:
        find_cohort(None, fmriprep)
    assert "--task" in caught.value.tip
    assert len(find_cohort(None, fmriprep, task="rest").recordings) == 7
    with pytest.raises(LayoutError, match=r"holds no task 'faces'.* Its tasks: nback, rest"):
        find_cohort(None, fmriprep, task="faces")


def test_subjects_without_the_task_are_named(fmriprep):
    add(fmriprep, "sub-01_ses-1_task-nback", CIFTI)
    (note,) = find_cohort(None, fmriprep, task="nback").notes
    assert note.endswith("have no recording in fsLR_den-91k and were left out: sub-02.")
    with pytest.raises(LayoutError, match="no recording in fsLR_den-91k of 1 of 2 subjects: 02"):
        find_cohort(write(fmriprep, "01\n02\n"), fmriprep, task="nback")


def test_spaces_of_equal_rank_need_a_choice(tmp_path):
    add(tmp_path, "sub-1_task-rest", LEFT, RIGHT, VOLUME)
    message = "in 2 renditions: MNI152NLin2009cAsym_res-2, fsaverage5"
    with pytest.raises(LayoutError, match=message) as caught:
        find_cohort(None, tmp_path)
    assert "--space MNI152NLin2009cAsym_res-2" in caught.value.tip
    with pytest.raises(LayoutError, match="no time series with 'fsLR' in their names"):
        find_cohort(None, tmp_path, space="fsLR")


@pytest.mark.parametrize("key", ["seg", "atlas"])
def test_atlases_of_parcellated_series_need_a_choice(tmp_path, key):
    for atlas in ("Glasser", "Gordon"):
        name = f"space-fsLR_{key}-{atlas}_den-91k_stat-mean_timeseries"
        add(tmp_path, "sub-1_task-rest", f"{name}.ptseries.nii", f"{name}.tsv")
    add(tmp_path, "sub-1_task-rest", CONFOUNDS)
    with pytest.raises(LayoutError, match=f"fsLR_{key}-Glasser_den-91k, fsLR_{key}-Gordon_den"):
        find_cohort(None, tmp_path)
    (recording,) = find_cohort(None, tmp_path, space=f"{key}-Gordon").recordings
    assert recording.path.name.endswith("stat-mean_timeseries.ptseries.nii")
    add(tmp_path, "sub-1_task-rest", CIFTI)
    assert find_cohort(None, tmp_path).recordings[0].path.name.endswith(CIFTI)


def test_runs_in_another_space_only_are_noted(fmriprep):
    (volume,) = add(fmriprep, "sub-02_ses-2_task-rest_run-2", VOLUME)
    notes = find_cohort(None, fmriprep).notes
    assert (
        f"1 runs lie in another rendition than fsLR_den-91k only and were not read; the first is "
        f"{volume}." in notes
    )


def test_runs_are_told_apart_by_all_their_entities(tmp_path):
    for run in ("acq-mb_dir-LR_run-1", "acq-mb_dir-LR_run-10", "acq-mb_dir-LR_run-2", "dir-RL"):
        add(tmp_path, f"sub-1_ses-a_task-rest_{run}", CIFTI)
    files = find_cohort(None, tmp_path)
    assert [r.run for r in files.recordings] == [
        "acq-mb_dir-LR_run-1",
        "acq-mb_dir-LR_run-2",
        "acq-mb_dir-LR_run-10",
        "dir-RL",
    ]
    assert len(find_cohort(None, tmp_path, "run").sessions) == 4


@pytest.mark.parametrize("sessions", ["2", "ses-2"])
def test_sessions_are_chosen_with_or_without_their_prefix(fmriprep, sessions):
    assert find_cohort(None, fmriprep, sessions).sessions == ("ses-2",)


def test_subjects_without_session_folders_are_noted(fmriprep):
    add(fmriprep, "sub-03_task-rest", CIFTI)
    files = find_cohort(None, fmriprep)
    assert len(files.runs("sub-03", "ses-1")) == 1
    assert "1 runs lie in no ses- folder; their session was named ses-1." in files.notes


def test_raw_data_and_own_spaces_are_no_derivatives(tmp_path):
    add(tmp_path, "sub-1_task-rest", "bold.nii.gz", "space-T1w_desc-preproc_bold.nii.gz")
    with pytest.raises(
        LayoutError, match="no time series in a space that subjects share"
    ) as caught:
        find_cohort(None, tmp_path)
    assert "Expected sub-*/" in caught.value.tip
    (tmp_path / "derivatives" / "xcp_d").mkdir(parents=True)
    with pytest.raises(LayoutError) as caught:
        find_cohort(None, tmp_path)
    assert caught.value.tip == f"Give a folder of derivatives: {tmp_path}/derivatives/xcp_d."


def test_the_nearest_table_of_confounds_counts(tmp_path):
    (image, _) = add(tmp_path, "sub-1_task-rest_acq-x", CIFTI, CONFOUNDS)
    add(tmp_path, "sub-1_task-rest", CONFOUNDS)
    add(tmp_path, "sub-1_task-rest_acq-y", CONFOUNDS)
    assert find_confounds(image) == image.with_name(f"sub-1_task-rest_acq-x_{CONFOUNDS}")
    (echo,) = add(tmp_path, "sub-1_task-rest_echo-2", CIFTI)
    assert find_confounds(echo) == image.with_name(f"sub-1_task-rest_{CONFOUNDS}")
    assert find_confounds(tmp_path / "lh.run1.func.gii") is None


def test_names_are_taken_apart():
    name = parse_name("", "sub-1_ses-2_task-rest_dir-AP_run-1_space-fsLR_den-91k_bold.dtseries.nii")
    assert name is not None
    assert (name.run, name.rendition, name.rank, name.form) == (
        "dir-AP_run-1",
        "fsLR_den-91k",
        0,
        "CIFTI",
    )
    assert parse_name("", "task.func.gii") is not None
    assert parse_name("", "my_file.nii.gz") is None


def test_a_listed_subject_that_is_not_there_can_be_left_to_the_reader(fmriprep, tmp_path):
    listed = tmp_path / "list.txt"
    listed.write_text("01\n03\n")
    with pytest.raises(LayoutError, match="no folder of 1 of 2 subjects: sub-03"):
        find_cohort(listed, fmriprep)
    found = find_cohort(listed, fmriprep, lenient=True)
    assert found.subjects == ("01", "03")
    (absent,) = found.runs("03", "ses-1")
    assert absent.path.parent == fmriprep / "sub-03" / "func"
    assert not absent.path.exists()
    nobody = tmp_path / "nobody.txt"
    nobody.write_text("03\n")
    with pytest.raises(LayoutError):
        find_cohort(nobody, fmriprep, lenient=True)
