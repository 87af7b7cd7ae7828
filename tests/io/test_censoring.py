"""Which frames are kept, and which confounds are read, by files as the tools write them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from neuroparcel.errors import ConnectomeError, FileFormatError
from neuroparcel.io.layout import Recording
from neuroparcel.io.nuisance.censoring import read_censor, read_confounds
from neuroparcel.io.nuisance.columns import read_columns

N = 30
MOTION = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
MODELS = ("", "_derivative1", "_power2", "_derivative1_power2")


def write(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


def to_tsv(columns: dict[str, np.ndarray]) -> str:
    """TSV as fMRIPrep writes it: n/a where there is no number."""
    rows = ["\t".join(columns)]
    for row in np.column_stack(list(columns.values())):
        rows.append("\t".join("n/a" if np.isnan(value) else repr(float(value)) for value in row))
    return "\n".join(rows) + "\n"


@pytest.fixture
def fmriprep(tmp_path) -> Recording:
    """A run with fMRIPrep's table of confounds: frames 0, 12 and 13 are outliers."""
    rng = np.random.default_rng(0)
    columns = {f"{name}{model}": rng.normal(size=N) for name in MOTION for model in MODELS}
    for tissue in ("global_signal", "csf", "white_matter"):
        columns |= {f"{tissue}{model}": rng.normal(size=N) for model in MODELS}
    for name in columns:
        if "derivative1" in name:
            columns[name][0] = np.nan
    columns["std_dvars"] = np.r_[np.nan, np.ones(N - 1)]
    columns["framewise_displacement"] = np.r_[np.nan, np.full(N - 1, 0.1)]
    columns["framewise_displacement"][[12, 13]] = 0.9
    columns |= {f"cosine0{n}": np.cos(np.pi * (n + 1) * np.arange(N) / N) for n in range(2)}
    columns |= {f"a_comp_cor_0{n}": rng.normal(size=N) for n in range(3)}
    columns["non_steady_state_outlier00"] = np.eye(N)[0]
    columns |= {f"motion_outlier0{n}": np.eye(N)[12 + n] for n in range(2)}
    stem = "sub-1_task-rest"
    confounds = write(tmp_path, f"{stem}_desc-confounds_timeseries.tsv", to_tsv(columns))
    sidecar = {
        f"a_comp_cor_0{n}": {"Method": "aCompCor", "Mask": "combined" if n < 2 else "CSF"}
        for n in range(3)
    }
    confounds.with_suffix(".json").write_text(json.dumps(sidecar))
    image = tmp_path / f"{stem}_space-fsLR_den-91k_bold.dtseries.nii"
    return Recording("1", "1", "1", (image,), confounds=confounds)


KEPT = np.arange(6) != 2
CENSOR_FILES = {
    "CBIG": ("c.txt", "1\n1\n0\n1\n1\n1\n"),
    "CBIG, floats": ("c.txt", "1.0\n1.0\n0.0\n1.0\n1.0\n1.0"),
    "AFNI": ("c.1D", "# censored\n 1\n 1\n 0\n 1\n 1\n 1\n"),
    "XCP-D": ("sub-1_task-rest_outliers.tsv", "framewise_displacement\n0\n0\n1\n0\n0\n0\n"),
    "XCP-D, more columns": (
        "sub-1_outliers.tsv",
        "framewise_displacement\texact_4\n0\t1\n0\t1\n1\t1\n0\t0\n0\t0\n0\t0\n",
    ),
    "keep": ("c.tsv", "keep\n1\n1\n0\n1\n1\n1\n"),
    "drop": ("c.csv", '"drop"\n0\n0\n1\n0\n0\n0\n'),
    "HCP": ("Movement_RelativeRMS.txt", "0\n0.2\n0.2001\n0.1\n0\n0\n"),
    "fMRIPrep": (
        "sub-1_desc-confounds_timeseries.tsv",
        "csf\tstd_dvars\tmotion_outlier00\n"
        + "".join(f"1\tn/a\t{int(n == 2)}\n" for n in range(6)),
    ),
}


@pytest.mark.parametrize("name", CENSOR_FILES)
def test_the_third_frame_is_dropped(tmp_path, name):
    path = write(tmp_path, *CENSOR_FILES[name])
    np.testing.assert_array_equal(read_censor(path, 6), KEPT)


def test_all_frames_are_kept_without_outliers(tmp_path):
    path = write(tmp_path, "x_desc-confounds_timeseries.tsv", "csf\tstd_dvars\n1\tn/a\n2\t1\n")
    np.testing.assert_array_equal(read_censor(path, 2), [True, True])


def test_outliers_of_fmriprep(fmriprep):
    assert fmriprep.confounds is not None
    dropped = np.flatnonzero(~read_censor(fmriprep.confounds, N))
    np.testing.assert_array_equal(dropped, [0, 12, 13])


BAD_CENSOR = {
    "c.txt": ("1\n1\n2\n", r"holds 2 at frame 3, where only 0 and 1"),
    "d.txt": ("1\n1\nx\n", r"Line 3 of .* holds 'x', which is no number"),
    "e.tsv": ("censor\n1\n0\n", "does not tell whether 1 is kept or dropped"),
    "f.txt": ("1 0\n1 0\n", "has 2 columns, none of which tells the frames to drop"),
    "motion.tsv": ("rot_x\tframewise_displacement\n0\t0\n", "has 2 columns, none of which"),
    "g.txt": ("1\n1 0\n", r"Line 2 of .* has 2 cells, where the first has 1"),
    "h.txt": ("\n\n", "holds no numbers"),
    "i.txt": ("", "is an empty file"),
    "Movement_RelativeRMS.txt": ("0\nnan\n", "is no column of displacements in mm"),
}


@pytest.mark.parametrize("name", BAD_CENSOR)
def test_bad_censor_files(tmp_path, name):
    text, message = BAD_CENSOR[name]
    with pytest.raises(FileFormatError, match=message) as caught:
        read_censor(write(tmp_path, name, text), 3)
    assert name in caught.value.message


def test_censoring_of_another_length_names_both_files(tmp_path):
    path = write(tmp_path, "c.txt", "1\n0\n1\n")
    message = r"c\.txt has 3 frames, but .*run\.nii has 5"
    with pytest.raises(ConnectomeError, match=message):
        read_censor(path, 5, tmp_path / "run.nii")
    with pytest.raises(ConnectomeError, match="the recording has 2") as caught:
        read_censor(path, 2)
    assert "censored already" in caught.value.tip


def test_simple_strategy(fmriprep):
    values, names, keep = read_confounds(fmriprep, "simple", N)
    assert values.shape == (N, 24 + 2 + 2)  # motion, tissues, cosines
    assert {"csf", "white_matter", "cosine00", "rot_z_derivative1_power2"} < set(names)
    np.testing.assert_array_equal(np.flatnonzero(~keep), [0])  # not yet in steady state
    np.testing.assert_allclose(values[keep].mean(axis=0), 0, atol=1e-12)
    assert fmriprep.confounds is not None
    table = read_columns(fmriprep.confounds)
    csf = table.values[:, table.names.index("csf")]
    np.testing.assert_allclose(values[:, names.index("csf")], csf - csf[keep].mean())


def test_scrubbing_drops_frames_and_short_segments(fmriprep):
    _, _, keep = read_confounds(fmriprep, "scrubbing", N)
    np.testing.assert_array_equal(np.flatnonzero(~keep), [0, 12, 13])


def test_compcor_reads_the_sidecar(fmriprep):
    _, names, _ = read_confounds(fmriprep, "compcor", N)
    assert [name for name in names if "comp" in name] == ["a_comp_cor_00", "a_comp_cor_01"]
    assert fmriprep.confounds is not None
    fmriprep.confounds.with_suffix(".json").unlink()
    with pytest.raises(ConnectomeError, match=r"timeseries\.tsv does not serve .*'compcor'"):
        read_confounds(fmriprep, "compcor", N)


def test_ica_aroma_needs_its_images(fmriprep):
    with pytest.raises(ConnectomeError, match=r"needs \*_desc-smoothAROMAnonaggr_bold\.nii\.gz"):
        read_confounds(fmriprep, "ica_aroma", N)
    image = fmriprep.path.with_name("sub-1_task-rest_desc-smoothAROMAnonaggr_bold.nii.gz")
    aroma = Recording("1", "1", "1", (image,), confounds=fmriprep.confounds)
    _, names, _ = read_confounds(aroma, "ica_aroma", N)
    assert set(names) == {"cosine00", "cosine01", "csf", "white_matter"}


ENDINGS = [
    ("space-fsLR_den-91k_bold.dtseries.nii",),
    ("hemi-L_space-fsaverage5_bold.func.gii", "hemi-R_space-fsaverage5_bold.func.gii"),
    ("space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz",),
]


@pytest.mark.parametrize("endings", ENDINGS)
def test_the_table_is_found_beside_every_kind_of_file(fmriprep, endings):
    """Another run's table lies there too, which nilearn by itself would take for a rival."""
    folder = fmriprep.path.parent
    write(folder, "sub-1_desc-confounds_timeseries.tsv", "csf\n1\n")
    paths = tuple(folder / f"sub-1_task-rest_{ending}" for ending in endings)
    found = read_confounds(Recording("1", "1", "1", paths), "simple", N)
    np.testing.assert_array_equal(found[0], read_confounds(fmriprep, "simple", N)[0])


def test_a_table_that_lacks_what_a_strategy_needs(tmp_path):
    confounds = write(tmp_path, "c.tsv", "csf\twhite_matter\n1\t2\n2\t1\n")
    recording = Recording("1", "1", "1", (tmp_path / "x.nii",), confounds=confounds)
    with pytest.raises(
        ConnectomeError, match=r"c\.tsv does not serve .*'simple'.*motion"
    ) as caught:
        read_confounds(recording, "simple", 2)
    assert "/neuroparcel-" not in str(caught.value)  # no folder of our own
    confounds.write_text("1\t2\n2\t1\n")
    with pytest.raises(ConnectomeError, match=r"c\.tsv has no header, so the strategy 'simple'"):
        read_confounds(recording, "simple", 2)


def test_scrubbing_that_leaves_nothing(fmriprep):
    assert fmriprep.confounds is not None
    table = read_columns(fmriprep.confounds)
    values = table.values.copy()
    values[:, table.names.index("framewise_displacement")] = 3
    columns = dict(zip(table.names, values.T, strict=True))
    fmriprep.confounds.write_text(to_tsv(columns))
    with pytest.raises(ConnectomeError, match=f"scrubbing drops all {N} frames"):
        read_confounds(fmriprep, "scrubbing", N)


def test_columns_by_name(fmriprep):
    values, names, keep = read_confounds(fmriprep, "csf, csf_derivative1", N)
    assert (names, keep) == (("csf", "csf_derivative1"), None)
    assert fmriprep.confounds is not None
    table = read_columns(fmriprep.confounds)
    expected = table.values[:, [table.names.index(name) for name in names]]
    assert np.isnan(expected[0, 1])
    expected[0, 1] = 0  # the first frame has no derivative
    np.testing.assert_array_equal(values, expected)


def test_movement_regressors_of_hcp(tmp_path):
    numbers = np.random.default_rng(1).normal(size=(5, 12))
    text = "\n".join("  ".join(f"{x: .6f}" for x in row) for row in numbers)
    path = write(tmp_path, "Movement_Regressors.txt", text + "\n")
    recording = Recording("1", "1", "1", (tmp_path / "x.nii",), confounds=path)
    values, names, keep = read_confounds(recording, "all", 5)
    assert (names, keep) == (tuple(str(n) for n in range(1, 13)), None)
    np.testing.assert_allclose(values, numbers, atol=1e-6)
    values, names, _ = read_confounds(recording, "12,1", 5)
    np.testing.assert_allclose(values, numbers[:, [11, 0]], atol=1e-6)


def test_bad_confounds(tmp_path, fmriprep):
    with pytest.raises(ConnectomeError, match="has no column 'csff'") as caught:
        read_confounds(fmriprep, "csff", N)
    assert "Did you mean csf" in caught.value.tip
    with pytest.raises(ConnectomeError, match="has no column ','") as caught:
        read_confounds(fmriprep, ",", N)
    assert "simple, scrubbing" in caught.value.tip
    message = rf"timeseries\.tsv have {N} rows, but .*bold\.dtseries\.nii has 29 frames"
    with pytest.raises(ConnectomeError, match=message):
        read_confounds(fmriprep, "simple", 29)
    image = (tmp_path / "elsewhere" / "x.nii",)
    with pytest.raises(ConnectomeError, match=r"x\.nii has no table of confounds \(subject 1"):
        read_confounds(Recording("1", "1", "1", image), "all", N)
    path = write(tmp_path, "gap.csv", "a,b\n1,2\n3,\n")
    with pytest.raises(FileFormatError, match=r"gap\.csv has no finite number for b at frame 2"):
        read_confounds(Recording("1", "1", "1", image, confounds=path), "all", 2)
    path.write_bytes(b"a,b\n\xff\xfe")
    with pytest.raises(FileFormatError, match="is not a text file"):
        read_columns(path)
