from __future__ import annotations

import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.cifti2 import BrainModelAxis, SeriesAxis

from neuroparcel.errors import ConnectomeError, FileFormatError
from neuroparcel.io.formats import ENDINGS, open_matrix
from neuroparcel.io.formats.matrix import unchanged
from neuroparcel.io.meshes import load_cortex_axis
from neuroparcel.io.writers import cifti_writer

from .samples import numbers, samples, write_mask


@pytest.mark.parametrize("name", samples())
def test_the_ending_or_the_content_decides(tmp_path, name):
    sample = samples()[name]
    (tmp_path / name).write_bytes(sample.content)
    matrix = open_matrix(tmp_path / name, write_mask(tmp_path))
    assert matrix.paths == (tmp_path / name,)
    assert (len(matrix.axis), matrix.n_frames) == sample.values.shape
    np.testing.assert_allclose(matrix.read(), sample.values, rtol=1e-6, atol=6e-7)


def test_every_ending_has_a_sample():
    shown = {ending for ending in ENDINGS if any(name.endswith(ending) for name in samples())}
    assert set(ENDINGS) - shown == {".pscalar.nii"}  # in test_cifti


def test_cifti_under_a_plain_name(tmp_path):
    """The content says what a name like rest.nii leaves open."""
    sample = samples()["a.dtseries.nii"]
    (tmp_path / "rest.nii").write_bytes(sample.content)
    np.testing.assert_array_equal(open_matrix(tmp_path / "rest.nii").read(), sample.values)


def test_unknown_endings(tmp_path):
    (tmp_path / "a.h5").write_bytes(b"x")
    with pytest.raises(FileFormatError, match=r"a\.h5 has an unknown ending") as caught:
        open_matrix(tmp_path / "a.h5")
    assert ".dtseries.nii, .ptseries.nii" in caught.value.tip
    with pytest.raises(FileFormatError, match="without a file"):
        open_matrix([])


def test_compressed_cifti_is_refused(tmp_path):
    (tmp_path / "a.dtseries.nii.gz").write_bytes(samples()["a.nii.gz"].content)
    with pytest.raises(FileFormatError, match="rows cannot be picked from a compressed CIFTI"):
        open_matrix(tmp_path / "a.dtseries.nii.gz")


# Hemispheres.


def write_hemispheres(path: Path, left: str, right: str) -> Path:
    """One frame on the vertices of two known cortices, under the names of left and right."""
    cortex = load_cortex_axis()
    axis = BrainModelAxis.from_surface(cortex.vertex[cortex.rows_in(left)], 32492, "CORTEX_LEFT")
    if right:
        vertex = cortex.vertex[cortex.rows_in(right)]
        axis += BrainModelAxis.from_surface(vertex, 32492, "CORTEX_RIGHT")
    nib.Cifti2Image(np.zeros((1, len(axis)), np.float32), (SeriesAxis(0, 1, 1), axis)).to_filename(
        path
    )
    return path


def test_swapped_hemispheres_are_found_out(tmp_path):
    left, right = "CORTEX_LEFT", "CORTEX_RIGHT"
    path = write_hemispheres(tmp_path / "a.dtseries.nii", left, right)
    assert open_matrix(path).axis == load_cortex_axis()
    for swapped in ((right, left), (right, "")):
        path = write_hemispheres(tmp_path / "b.dtseries.nii", *swapped)
        with pytest.raises(FileFormatError, match="the hemispheres are swapped") as caught:
            open_matrix(path)
        assert str(path) in caught.value.message
    path = write_hemispheres(tmp_path / "c.dtseries.nii", left, left)
    assert len(open_matrix(path).axis) == 2 * 29696  # odd, and not what swapping makes


# Files that change while they are read.


def test_unchanged_files_pass(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, numbers(4))
    with unchanged([path, tmp_path / "none"]):
        open_matrix(path).read()


@pytest.mark.parametrize("change", ["longer", "newer", "gone"])
def test_files_that_change_while_they_are_read(tmp_path, change):
    path, other = tmp_path / "a.npy", tmp_path / "b.npy"
    np.save(path, numbers(4))
    np.save(other, numbers(4))

    def spoil() -> None:
        if change == "longer":
            with path.open("ab") as stream:
                stream.write(b"x")
        elif change == "newer":
            os.utime(path, ns=(0, 1))
        else:
            path.unlink()

    with (
        pytest.raises(ConnectomeError, match=r"a\.npy changed while it was read"),
        unchanged([other, path]),
    ):
        spoil()


def test_an_error_inside_is_not_hidden(tmp_path):
    with pytest.raises(FileFormatError, match="does not exist"), unchanged([tmp_path]):
        open_matrix(tmp_path / "none.npy")


def test_a_nan_stays_a_nan(tmp_path, toy_axis):
    values = np.random.default_rng(0).normal(size=(len(toy_axis), 5)).astype(np.float32)
    values[3], values[5, 2] = np.nan, np.inf
    path = cifti_writer.write_dtseries(tmp_path / "a.dtseries.nii", toy_axis, values, step=1.0)
    np.testing.assert_array_equal(open_matrix(path).read(), values)
