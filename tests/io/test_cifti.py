from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from neuroparcel.brain.atlas import Label
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import FileFormatError
from neuroparcel.io.cifti import read_cifti, space_of_mesh
from neuroparcel.io.cifti_writer import CiftiWriter, write_dlabel, write_dscalar, write_dtseries

LABELS = (Label(1, "one", (1.0, 0.0, 0.0, 1.0)), Label(7, "seven", (0.0, 0.5, 0.0, 1.0)))


@pytest.fixture(params=["surface", "volume"])
def axis(request) -> BrainAxis:
    """The cortex alone, or with some voxels, as in 91,282 grayordinates."""
    structure = ["CORTEX_LEFT"] * 3 + ["CORTEX_RIGHT"] * 2
    vertex, voxel = [0, 2, 3, 1, 4], [[-1] * 3] * 5
    if request.param == "volume":
        structure += ["BRAIN_STEM", "BRAIN_STEM", "THALAMUS_LEFT"]
        vertex += [-1] * 3
        voxel += [[0, 1, 2], [1, 1, 2], [2, 2, 2]]
    affine = np.diag([-2.0, 2, 2, 1])
    sizes = {"CORTEX_LEFT": 5, "CORTEX_RIGHT": 6}
    return BrainAxis("unknown", structure, vertex, voxel, sizes, affine, (3, 3, 3))


@pytest.fixture
def series(axis) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(len(axis), 9)).astype(np.float32)


def intent(path: Path) -> str:
    return nib.load(path).nifti_header.get_intent()[0]


def test_dtseries_round_trip(tmp_path, axis, series):
    path = write_dtseries(tmp_path / "a.dtseries.nii", axis, series, step=0.72)
    matrix = read_cifti(path)
    assert (matrix.kind, matrix.n_frames, matrix.names) == ("dtseries", 9, ())
    assert matrix.axis == axis
    np.testing.assert_array_equal(matrix.read(), series)
    assert intent(path) == "ConnDenseSeries"
    assert nib.load(path).header.get_axis(0).step == 0.72


def test_dscalar_round_trip(tmp_path, axis, series):
    maps = {"entropy": series[:, 0], "network 1": series[:, 1]}
    maps["network 1"][2] = np.nan
    path = write_dscalar(tmp_path / "a.dscalar.nii", axis, maps)
    matrix = read_cifti(path)
    assert (matrix.kind, matrix.names) == ("dscalar", ("entropy", "network 1"))
    assert matrix.axis == axis
    np.testing.assert_array_equal(matrix.read(), np.column_stack(list(maps.values())))
    assert intent(path) == "ConnDenseScalar"


def test_dlabel_round_trip(tmp_path, axis):
    keys = np.resize([0, 1, 7], len(axis))
    path = write_dlabel(tmp_path / "a.dlabel.nii", axis, {"areas": keys}, LABELS)
    matrix = read_cifti(path)
    assert (matrix.kind, matrix.names) == ("dlabel", ("areas",))
    assert matrix.labels == (LABELS,)
    np.testing.assert_array_equal(matrix.read()[:, 0], keys)
    assert intent(path) == "ConnDenseLabel"
    assert nib.load(path).get_data_dtype() == np.int32
    assert nib.load(path).header.get_axis(0).label[0][0] == ("???", (0, 0, 0, 0))


def test_nibabel_writes_the_same_header(tmp_path, axis, series):
    """Our shortcut around Cifti2Image changes nothing that a reader sees."""
    ours = write_dtseries(tmp_path / "a.dtseries.nii", axis, series, step=1.0)
    image = nib.load(ours)
    theirs = tmp_path / "b.dtseries.nii"
    copy = nib.Cifti2Image(series.T, header=image.header)
    copy.nifti_header.set_intent("ConnDenseSeries")
    copy.to_filename(theirs)
    assert ours.read_bytes() == theirs.read_bytes()


def test_one_writer_serves_many_kinds(tmp_path, axis, series):
    writer = CiftiWriter(axis)
    paths = [
        writer.dscalar(tmp_path / "a.dscalar.nii", {"a": series[:, 0]}),
        writer.dlabel(tmp_path / "a.dlabel.nii", {"a": np.zeros(len(axis), int)}, LABELS),
        writer.dtseries(tmp_path / "a.dtseries.nii", series, step=1.0),
    ]
    assert [read_cifti(path).kind for path in paths] == ["dscalar", "dlabel", "dtseries"]
    assert all(read_cifti(path).axis == axis for path in paths)


def test_rows_are_read_in_the_order_asked_for(tmp_path, axis, series):
    matrix = read_cifti(write_dtseries(tmp_path / "a.dtseries.nii", axis, series, step=1.0))
    rows = np.array([4, 0, 2])
    found = matrix.read(rows)
    np.testing.assert_array_equal(found, series[rows])
    assert found.flags.c_contiguous
    assert found.dtype == np.float32


def test_scaled_integers_are_read_in_their_unit(tmp_path, axis, series):
    """Files written by other tools may hold int16 with a slope."""
    image = nib.load(write_dtseries(tmp_path / "a.dtseries.nii", axis, series, step=1.0))
    scaled = nib.Nifti2Image(series.T.reshape(1, 1, 1, 1, 9, -1), None, image.nifti_header)
    scaled.set_data_dtype(np.int16)
    scaled.to_filename(tmp_path / "b.dtseries.nii")
    np.testing.assert_allclose(read_cifti(tmp_path / "b.dtseries.nii").read(), series, atol=1e-3)


def test_spaces_are_told_by_the_size_of_the_mesh():
    assert (space_of_mesh(32492), space_of_mesh(10242), space_of_mesh(163842)) == (
        "fsLR",
        "fsaverage",
        "unknown",
    )


def test_nothing_is_written_that_does_not_fit(tmp_path, axis, series):
    with pytest.raises(FileFormatError, match="2 values cannot be written on"):
        write_dtseries(tmp_path / "a.dtseries.nii", axis, series[:2], step=1.0)
    with pytest.raises(FileFormatError, match=r"no label for the keys \[3\]"):
        write_dlabel(tmp_path / "a.dlabel.nii", axis, {"a": np.full(len(axis), 3)}, LABELS)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_leaves_nothing_behind(tmp_path, axis, series, monkeypatch):
    def interrupted(image: nib.Nifti2Image, path: Path) -> None:
        Path(path).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(nib.Nifti2Image, "to_filename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_dtseries(tmp_path / "a.dtseries.nii", axis, series, step=1.0)
    assert list(tmp_path.iterdir()) == []


# Bad input: what, which file, and a tip.

CONTENTS = {
    "empty": (b"", "is an empty file", "Copy or download it again"),
    "lfs": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 439\n",
        "is a Git LFS pointer",
        "git lfs pull",
    ),
    "annex": (
        b"/annex/objects/MD5E-s439--0123.dtseries.nii\n",
        "is a git-annex pointer",
        "git annex get",
    ),
    "text": (b"subject\tsession\tpath\n" * 50, "is not a readable CIFTI file", "another format"),
}


@pytest.mark.parametrize("case", CONTENTS)
def test_contents_that_are_no_cifti(tmp_path, case):
    content, message, tip = CONTENTS[case]
    path = tmp_path / f"{case}.dtseries.nii"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=message) as caught:
        read_cifti(path)
    assert str(path) in caught.value.message
    assert tip in caught.value.tip


def test_missing_file_and_broken_link(tmp_path):
    path = tmp_path / "none.dtseries.nii"
    with pytest.raises(FileFormatError, match="does not exist"):
        read_cifti(path)
    path.symlink_to(tmp_path / "annexed")
    with pytest.raises(FileFormatError, match="broken link") as caught:
        read_cifti(path)
    assert "datalad get" in caught.value.tip


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.999])
def test_truncated_files(write_recording, kept):
    path = write_recording("whole", n_frames=200)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(FileFormatError, match="truncated"):
        read_cifti(path)


def test_cifti_version_1(write_recording):
    path = write_recording("old")
    content = path.read_bytes()
    assert content.count(b'<CIFTI Version="2.0">') == 1
    path.write_bytes(content.replace(b'<CIFTI Version="2.0">', b'<CIFTI Version="1.0">'))
    with pytest.raises(FileFormatError, match="CIFTI version 1 file") as caught:
        read_cifti(path)
    assert "wb_command -file-convert -cifti-version-convert" in caught.value.tip


def test_other_nifti_files(tmp_path):
    path = tmp_path / "bold.nii"
    nib.Nifti1Image(np.zeros((2, 2, 2, 5), np.float32), np.eye(4)).to_filename(path)
    with pytest.raises(FileFormatError, match="Nifti1Image, not a CIFTI file"):
        read_cifti(path)


def test_parcellated_and_connectivity_files(tmp_path, axis):
    from nibabel.cifti2 import BrainModelAxis, ParcelsAxis, SeriesAxis

    rows = BrainModelAxis.from_surface(np.arange(3), 5, "CORTEX_LEFT")
    parcels = ParcelsAxis.from_brain_models([("a", rows[:2]), ("b", rows[2:])])
    cases = {"a.ptseries.nii": (SeriesAxis(0, 1, 4), parcels), "a.dconn.nii": (rows, rows)}
    for name, axes in cases.items():
        shape = tuple(len(axis) for axis in axes)
        nib.Cifti2Image(np.zeros(shape, np.float32), header=axes).to_filename(tmp_path / name)
        with pytest.raises(FileFormatError, match="vertices with a time series"):
            read_cifti(tmp_path / name)
