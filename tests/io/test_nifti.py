from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nilearn.maskers import NiftiMasker

from neuroparcel.errors import FileFormatError
from neuroparcel.io.formats import blocks, open_matrix
from neuroparcel.io.formats.nifti import VOLUME

from .samples import (
    AFFINE,
    MASK,
    N_FRAMES,
    little_memory,
    numbers,
    samples,
    volume,
    volume_bytes,
    write_mask,
)

NAME = "sub-1_task-rest_space-MNI152NLin6Asym_desc-preproc_bold.nii.gz"


@pytest.fixture
def mask(tmp_path) -> Path:
    return write_mask(tmp_path)


@pytest.mark.parametrize("name", ["a.nii", "two.nii", "a.nii.gz"])
def test_rows_are_those_of_nilearns_masker(tmp_path, mask, name):
    path = tmp_path / name
    path.write_bytes(samples()[name].content)
    matrix = open_matrix(path, mask)
    expected = NiftiMasker(mask, standardize=None).fit_transform(path).T
    np.testing.assert_array_equal(matrix.read(), expected)
    rows = np.array([7, 0, 3])
    np.testing.assert_array_equal(matrix.read(rows), expected[rows])
    assert (matrix.kind, matrix.n_frames, matrix.tr) == ("series", N_FRAMES, 2.0)


def test_the_axis_says_where_the_voxels_are(tmp_path, mask):
    (tmp_path / NAME).write_bytes(samples()["a.nii.gz"].content)
    axis = open_matrix(tmp_path / NAME, mask).axis
    assert (axis.space, axis.structures) == ("MNI152NLin6Asym", (VOLUME,))
    assert axis.volume_shape == MASK.shape
    np.testing.assert_array_equal(axis.affine, AFFINE)
    np.testing.assert_array_equal(axis.voxel, np.argwhere(MASK))


def test_scaled_big_endian_integers(tmp_path, mask):
    stored = np.round(volume() * 100).astype(np.int16)
    image = nib.Nifti1Image(stored, AFFINE, nib.Nifti1Header(endianness=">"))
    content = bytearray(image.to_bytes())
    content[112:120] = np.array([0.25, -3.0], ">f4").tobytes()  # scl_slope and scl_inter
    (tmp_path / "a.nii").write_bytes(content)
    expected = stored[MASK > 0].astype(np.float32) * 0.25 - 3
    np.testing.assert_array_equal(open_matrix(tmp_path / "a.nii", mask).read(), expected)


@pytest.mark.parametrize(
    ("unit", "step", "tr"),
    [("sec", 0.8, 0.8), ("msec", 800.0, 0.8), ("usec", 8e5, 0.8), ("hz", 2.0, None), (0, 2, None)],
)
def test_tr_in_any_unit(tmp_path, mask, unit, step, tr):
    image = nib.Nifti1Image(volume(), AFFINE)
    image.header.set_xyzt_units("mm", unit)
    image.header["pixdim"][4] = step
    nib.save(image, tmp_path / "a.nii")
    assert open_matrix(tmp_path / "a.nii", mask).tr == (tr and pytest.approx(tr))


def test_a_volume_without_time_is_one_frame(tmp_path, mask):
    (tmp_path / "a.nii").write_bytes(volume_bytes(volume()[..., 0]))
    matrix = open_matrix(tmp_path / "a.nii", mask)
    assert (matrix.n_frames, matrix.tr) == (1, None)
    np.testing.assert_array_equal(matrix.read()[:, 0], volume()[MASK > 0][:, 0])


def test_compressed_volumes_are_streamed(tmp_path, monkeypatch):
    """40 MB of frames pass through slabs of 1 MB; only two voxels stay."""
    monkeypatch.setattr(blocks, "_SLAB_BYTES", 2**20)
    frames = np.zeros((20, 20, 25, 1000), np.float32)
    frames[3, 4, 5] = np.arange(1000)
    frames[19, 19, 24] = 7
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(volume_bytes(frames), 1))
    inside = np.zeros(frames.shape[:3], np.uint8)
    inside[3, 4, 5] = inside[19, 19, 24] = 1
    (tmp_path / "mask.nii").write_bytes(volume_bytes(inside))
    matrix = open_matrix(tmp_path / "a.nii.gz", tmp_path / "mask.nii")
    with little_memory():
        values = matrix.read()
    np.testing.assert_array_equal(values, [np.arange(1000), np.full(1000, 7)])


# Bad input.


def test_a_volume_needs_a_mask(tmp_path):
    (tmp_path / "a.nii").write_bytes(samples()["a.nii"].content)
    with pytest.raises(FileFormatError, match="needs a brain mask on its grid of 3 x 4 x 2") as e:
        open_matrix(tmp_path / "a.nii")
    assert "desc-brain_mask.nii.gz" in e.value.tip


def test_masks_on_another_grid(tmp_path):
    (tmp_path / "a.nii").write_bytes(samples()["a.nii"].content)
    moved = AFFINE.copy()
    moved[0, 3] += 1
    nib.save(nib.Nifti1Image(MASK, moved), tmp_path / "moved.nii")
    nib.save(nib.Nifti1Image(np.ones((4, 4, 2), np.uint8), AFFINE), tmp_path / "larger.nii")
    for name, grid in (
        ("moved", r"3 x 4 x 2 voxels of 2 x 2 x 3 mm from \(11, -20, 5\)"),
        ("larger", "4 x 4 x 2 voxels of 2 x 2 x 3 mm"),
    ):
        with pytest.raises(FileFormatError, match=f"on a grid of {grid}") as caught:
            open_matrix(tmp_path / "a.nii", tmp_path / f"{name}.nii")
        assert "a.nii" in caught.value.message
        assert "resample_to_img" in caught.value.tip


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.zeros(MASK.shape), "empty"),
        (np.arange(24.0).reshape(MASK.shape), "not made of 2 values"),
    ],
)
def test_masks_that_are_none(tmp_path, values, reason):
    (tmp_path / "a.nii").write_bytes(samples()["a.nii"].content)
    (tmp_path / "mask.nii").write_bytes(volume_bytes(values.astype(np.float32)))
    with pytest.raises(FileFormatError, match=f"mask.nii is unusable .*{reason}"):
        open_matrix(tmp_path / "a.nii", tmp_path / "mask.nii")


def test_volumes_that_are_none(tmp_path, mask):
    path = tmp_path / "a.nii"
    path.write_bytes(volume_bytes(numbers(6)))
    with pytest.raises(FileFormatError, match="has 2 dimensions; a volume in time has 4"):
        open_matrix(path, mask)
    path.write_bytes(volume_bytes(volume().astype(np.complex64)))
    with pytest.raises(FileFormatError, match="holds complex numbers"):
        open_matrix(path, mask)
    path.write_bytes(samples()["a.nii"].content[:-1])
    with pytest.raises(FileFormatError, match="is truncated"):
        open_matrix(path, mask)
    path.write_bytes(samples()["a.nii"].content[:100])
    with pytest.raises(FileFormatError, match="where a header takes 348"):
        open_matrix(path, mask)
    header = bytearray(samples()["a.nii"].content)
    header[344:348] = b"ni1\0"
    path.write_bytes(header)
    with pytest.raises(FileFormatError, match="its numbers lie in another file"):
        open_matrix(path, mask)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_headers_that_promise_terabytes(tmp_path, mask, name):
    sample = samples()[name]
    header = bytearray(sample.inner)
    header[48:50] = (30_000).to_bytes(2, "little")  # frames
    (tmp_path / name).write_bytes(sample.wrap(bytes(header)))
    with little_memory(), pytest.raises(FileFormatError, match=r"truncated|ends before"):
        open_matrix(tmp_path / name, mask).read([0])
    header[42:48] = (30_000).to_bytes(2, "little") * 3  # the grid, of the mask too
    (tmp_path / name).write_bytes(sample.wrap(bytes(header)))
    with little_memory(), pytest.raises(FileFormatError, match="makes no sense"):
        open_matrix(tmp_path / name, tmp_path / name)


def test_a_damaged_stream(tmp_path, mask):
    content = bytearray(samples()["a.nii.gz"].content)
    content[-40:-10] = bytes(30)
    (tmp_path / "a.nii.gz").write_bytes(content)
    with pytest.raises(FileFormatError, match=r"unreadable|not a readable"):
        open_matrix(tmp_path / "a.nii.gz", mask).read()
