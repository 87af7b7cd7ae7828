"""Maps of a difference are read back as they were written, wherever they lie."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from neuroparcel.brain.atlas import Label
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.io.formats.cifti import read_cifti
from neuroparcel.io.meshes import load_cortex_axis
from neuroparcel.io.writers.difference_maps import DifferenceMaps, write_difference

PATCH = load_cortex_axis().restrict([5, 40000, 7])
VOXELS = BrainAxis(
    "MNI152NLin6Asym",
    np.full(3, "OTHER"),
    np.full(3, -1),
    np.array([[0, 0, 0], [1, 2, 3], [4, 4, 4]]),
    {},
    np.eye(4),
    (5, 5, 5),
)
BLUE = (0.0, 0.0, 1.0, 1.0)
TABLE = (Label(1, "Visual | Network2", BLUE), Label(2, "Network1 (second only)", BLUE))
DIFFERENCE = np.array([0.25, 0.5, 1], np.float32)


def made(axis: BrainAxis) -> DifferenceMaps:
    first, second = np.array([1, 1, 1]), np.array([1, 1, 2])
    return DifferenceMaps(axis, TABLE, first, second, first != second, DIFFERENCE)


@pytest.fixture
def written(tmp_path, request) -> dict[str, Path]:
    """The files by what stands after their stem."""
    files = write_difference(tmp_path, made(request.param), ["a", "b"])
    assert sorted(files) == sorted(tmp_path.iterdir())
    return {file.name.rpartition("_")[2]: file for file in files}


@pytest.mark.parametrize("written", [PATCH], indirect=True)
def test_vertices(written):
    values, labels = written["boldmap.dscalar.nii"], written["dseg.dlabel.nii"]
    assert values.name == "space-fsLR_den-32k_stat-difference_boldmap.dscalar.nii"
    assert labels.name == "space-fsLR_den-32k_desc-difference_dseg.dlabel.nii"
    intents = [nib.load(file).nifti_header.get_intent()[0] for file in (values, labels)]
    assert intents == ["ConnDenseScalar", "ConnDenseLabel"]
    matrix = read_cifti(values)
    rows = matrix.axis.rows_of(PATCH)
    np.testing.assert_array_equal(matrix.read()[rows, 0], DIFFERENCE)
    assert np.isnan(np.delete(matrix.read(), rows)).all()
    keys = read_cifti(labels)
    assert keys.names == ("first", "second", "difference")
    np.testing.assert_array_equal(keys.read()[rows], [[1, 1, 3], [1, 1, 3], [1, 2, 4]])
    assert not np.delete(keys.read(), rows, axis=0).any()
    names = [label.name for label in keys.labels[2]]
    assert names == [*(label.name for label in TABLE), "the same network", "another network"]


@pytest.mark.parametrize("written", [PATCH, VOXELS], indirect=True)
def test_sidecars_name_what_was_compared(written):
    for name in ("boldmap.json", "dseg.json"):
        said = json.loads(written[name].read_text())
        assert said["Sources"] == ["a", "b"]
        assert len(said["Description"]) > 20


@pytest.mark.parametrize("written", [VOXELS], indirect=True)
def test_voxels(written):
    values = nib.load(written["boldmap.nii.gz"]).get_fdata()
    np.testing.assert_array_equal(values[tuple(VOXELS.voxel.T)], DIFFERENCE)
    assert np.isnan(values).sum() == 125 - 3
    keys = np.asarray(nib.load(written["dseg.nii.gz"]).dataobj)
    np.testing.assert_array_equal(keys[tuple(VOXELS.voxel.T)], [1, 1, 2])
    assert np.count_nonzero(keys) == 3


@pytest.mark.parametrize("written", [BrainAxis.from_nodes(["x", "y", "z"])], indirect=True)
def test_nodes(written):
    with written["difference.tsv"].open(newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert rows[0] == {
        "name": "x",
        "first": "Visual | Network2",
        "second": "Visual | Network2",
        "difference": "0.25",
    }
    assert rows[2]["second"] == "Network1 (second only)"
