"""Label files of every kind say which rows have which name."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.freesurfer import write_annot
from nibabel.gifti import GiftiDataArray, GiftiImage, GiftiLabel, GiftiLabelTable

from neuroparcel.brain.atlas import Atlas, Label
from neuroparcel.errors import AtlasError, FileFormatError
from neuroparcel.io.label_files import is_label_file, read_label_file
from neuroparcel.io.writers.cifti_writer import write_dlabel, write_dscalar

from .samples import little_memory

GREEN = (0.0, 1.0, 0.0, 1.0)
AFFINE = np.array([[-2.0, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
MESH = 642  # fsaverage3


def areas(atlas: Atlas) -> dict[str, list[str]]:
    """Label -> the rows that carry it."""
    rows = np.array(atlas.axis.names)
    return {label.name: rows[atlas.keys == label.key].tolist() for label in atlas.labels}


def write_gifti(path: Path, keys: list[int], names: dict[int, str]) -> Path:
    table = GiftiLabelTable()
    for key, name in {0: "???", **names}.items():
        label = GiftiLabel(key, 0.5, 0.5, 0.5, 1.0)
        label.label = name
        table.labels.append(label)
    data = GiftiDataArray(
        np.array(keys, np.int32), intent="NIFTI_INTENT_LABEL", datatype="NIFTI_TYPE_INT32"
    )
    nib.save(GiftiImage(labeltable=table, darrays=[data]), path)
    return path


def write_annotation(path: Path, names: list[str], of_vertex: list[int]) -> Path:
    """An annotation of fsaverage3: the first vertices as given, -1 (no label) for the others."""
    index = np.full(MESH, -1)
    index[: len(of_vertex)] = of_vertex
    table = np.array([[10 * n, 255, n, 0, 0] for n in range(1, len(names) + 1)])
    write_annot(path, index, table, [name.encode() for name in names], fill_ctab=True)
    return path


def write_volume(path: Path, values: np.ndarray) -> Path:
    nib.save(nib.Nifti1Image(values, AFFINE), path)
    return path


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("a.dlabel.nii", True),
        ("a.L.label.gii", True),
        ("lh.aparc.annot", True),
        ("a.nii.gz", True),
        ("a.{L,R}.label.gii", True),
        ("a.dtseries.nii", False),
        ("a.dscalar.nii", False),
        ("a.func.gii", False),
        ("L_44,L_45", False),
    ],
)
def test_label_files_are_known_by_their_ending(name, is_one):
    assert is_label_file(name) is is_one


def test_the_first_map_of_a_dlabel_counts(tmp_path, toy_axis):
    keys = {name: np.zeros(len(toy_axis), int) for name in ("one", "two")}
    keys["one"][:3], keys["two"][3:] = 4, 4
    path = write_dlabel(tmp_path / "a.dlabel.nii", toy_axis, keys, [Label(4, "x", GREEN)])
    atlas = read_label_file(str(path))
    assert atlas.axis == toy_axis
    assert np.flatnonzero(atlas.keys).tolist() == [0, 1, 2]


# Annotations of FreeSurfer.


def test_an_annotation_knows_its_hemisphere_by_its_name(tmp_path):
    path = write_annotation(tmp_path / "rh.my.annot", ["a", "b"], [0, 0, 1, -1, 1])
    atlas = read_label_file(str(path))
    assert areas(atlas) == {"a": ["R_0", "R_1"], "b": ["R_2", "R_4"]}
    assert (len(atlas.axis), atlas.axis.space) == (MESH, "fsaverage")
    assert atlas.labels[0].rgba == pytest.approx((10 / 255, 1, 1 / 255, 1))


@pytest.mark.parametrize(
    "wall", ["unknown", "Medial_wall", "Background+FreeSurfer_Defined_Medial_Wall", "???"]
)
def test_the_medial_wall_of_an_annotation_is_no_area(tmp_path, wall):
    path = write_annotation(tmp_path / "lh.my.annot", [wall, "a"], [0, 0, 1])
    assert areas(read_label_file(str(path))) == {"a": ["L_2"]}


@pytest.mark.parametrize("wall", ["unknown", "MEDIAL.WALL", "Medial_wall", "???"])
def test_nor_is_that_of_other_files(tmp_path, toy_axis, wall):
    keys = np.zeros(len(toy_axis), int)
    keys[:3], keys[3:5] = 4, 7
    labels = [Label(4, wall, GREEN), Label(7, "a", GREEN)]
    write_dlabel(tmp_path / "a.dlabel.nii", toy_axis, {"areas": keys}, labels)
    atlas = read_label_file(str(tmp_path / "a.dlabel.nii"))
    assert atlas.present == (Label(7, "a", GREEN),) == atlas.labels
    write_gifti(tmp_path / "a.L.label.gii", [1, 2, 2], {1: wall, 2: "a"})
    assert areas(read_label_file(str(tmp_path / "a.L.label.gii"))) == {"a": ["L_1", "L_2"]}


# One file for each hemisphere.


def test_a_pair_is_left_then_right(tmp_path):
    write_gifti(tmp_path / "a.L.label.gii", [1, 0, 2], {1: "x", 2: "y"})
    write_gifti(tmp_path / "a.R.label.gii", [2, 2, 1], {1: "x", 2: "y"})
    atlas = read_label_file(str(tmp_path / "a.{L,R}.label.gii"))
    assert atlas.axis.structures == ("CORTEX_LEFT", "CORTEX_RIGHT")
    assert areas(atlas) == {"x": ["L_0", "R_2"], "y": ["L_2", "R_0", "R_1"]}


def test_a_name_is_one_label_whatever_its_keys(tmp_path):
    """FreeSurfer numbers the areas of a hemisphere that lacks one differently."""
    write_gifti(tmp_path / "a.L.label.gii", [1, 2, 3], {1: "x", 2: "y", 3: "z"})
    write_gifti(tmp_path / "a.R.label.gii", [1, 2, 5], {1: "y", 2: "new", 5: "x"})
    atlas = read_label_file(str(tmp_path / "a.{L,R}.label.gii"))
    assert areas(atlas) == {
        "x": ["L_0", "R_2"],
        "y": ["L_1", "R_0"],
        "z": ["L_2"],
        "new": ["R_1"],
    }
    assert len({label.key for label in atlas.labels}) == 4


def test_annotations_come_in_pairs_too(tmp_path):
    write_annotation(tmp_path / "lh.my.annot", ["wall", "a"], [1, 1])
    write_annotation(tmp_path / "rh.my.annot", ["wall", "a"], [0, 1])
    atlas = read_label_file(str(tmp_path / "{lh,rh}.my.annot"))
    assert areas(atlas) == {"wall": ["R_0"], "a": ["L_0", "L_1", "R_1"]}


# Volumes.


def test_a_volume_that_promises_more_than_it_holds(tmp_path):
    header = nib.Nifti1Header()
    header.set_data_dtype(np.int32)
    header.set_data_shape((30000, 30000, 30000))
    header["vox_offset"], header["magic"] = 352, b"n+1"
    for name, compress in (("a.nii", bytes), ("a.nii.gz", gzip.compress)):
        (tmp_path / name).write_bytes(compress(header.binaryblock + bytes(100)))
        with (
            little_memory(),
            pytest.raises(FileFormatError, match="header promises 108000000000000"),
        ):
            read_label_file(str(tmp_path / name))


@pytest.fixture
def labelled() -> np.ndarray:
    values = np.zeros((4, 3, 2), np.int16)
    values[1, 0, 1], values[3, 2, 0], values[2, 2, 0] = 7, 7, 300
    return values


def test_a_volume_is_the_voxels_that_have_a_number(tmp_path, labelled):
    path = write_volume(tmp_path / "a_space-MNI152NLin6Asym_dseg.nii.gz", labelled)
    atlas = read_label_file(str(path))
    assert areas(atlas) == {"label-7": ["1-0-1", "3-2-0"], "label-300": ["2-2-0"]}
    assert (atlas.axis.space, atlas.axis.volume_shape) == ("MNI152NLin6Asym", (4, 3, 2))
    np.testing.assert_array_equal(atlas.axis.affine, AFFINE)


def test_names_stand_in_the_table_beside_a_volume(tmp_path, labelled):
    path = write_volume(tmp_path / "a_dseg.nii.gz", labelled)
    (tmp_path / "a_dseg.tsv").write_text("index\tname\tcolor\n7\tPutamen\t#ff0000\n8\tother\t#0\n")
    assert set(areas(read_label_file(str(path)))) == {"Putamen", "label-300"}
    (tmp_path / "a_dseg.tsv").write_text("number\tname\n7\tPutamen\n")
    with pytest.raises(FileFormatError, match=r"a_dseg\.tsv is no table of labels"):
        read_label_file(str(path))


# Bad input.


@pytest.mark.parametrize(
    "values",
    [np.full((2, 2, 2), 0.5), np.full((2, 2, 2), -1.0), np.ones((2, 2, 2, 3))],
    ids=["fractions", "negative", "four dimensions"],
)
def test_a_volume_of_something_else(tmp_path, values):
    path = write_volume(tmp_path / "a.nii", values.astype(np.float32))
    with pytest.raises(FileFormatError, match=r"a\.nii is no volume of labels"):
        read_label_file(str(path))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("my.annot", b"text", "does not tell its hemisphere"),
        ("lh.my.annot", b"text", "is truncated: 4 bytes, where its header promises"),
        ("lh.my.annot", bytes(3) + b"\1" + bytes(20), "is not a readable annotation"),
        ("a.L.label.gii", b"text", "is not a readable GIFTI"),
        ("a.nii", b"text", "is not a readable NIfTI"),
        ("a.dlabel.nii", b"", "is an empty file"),
        ("lh.my.annot", b"", "is an empty file"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileFormatError, match=message):
        read_label_file(str(tmp_path / name))


@pytest.mark.parametrize("name", ["no.dlabel.nii", "lh.no.annot", "no.nii.gz", "no.L.label.gii"])
def test_files_that_are_not_there(tmp_path, name):
    with pytest.raises(FileFormatError, match=r"no\..* does not exist"):
        read_label_file(str(tmp_path / name))


def test_half_of_a_pair_is_not_there(tmp_path):
    write_gifti(tmp_path / "a.L.label.gii", [1], {1: "x"})
    with pytest.raises(FileFormatError, match=r"a\.R\.label\.gii does not exist"):
        read_label_file(str(tmp_path / "a.{L,R}.label.gii"))


def test_a_pair_of_one_hemisphere(tmp_path):
    for side in ("left", "right"):
        write_gifti(tmp_path / f"{side}_hemi-L.label.gii", [1], {1: "x"})
    with pytest.raises(AtlasError, match="are of the same hemisphere, CORTEX_LEFT"):
        read_label_file(str(tmp_path / "{left,right}_hemi-L.label.gii"))


def test_files_without_labels_and_with_one_name_twice(tmp_path, toy_axis, labelled):
    keys = np.zeros(len(toy_axis), int)
    path = write_dlabel(tmp_path / "a.dlabel.nii", toy_axis, {"a": keys}, [Label(4, "x", GREEN)])
    write_annotation(tmp_path / "lh.a.annot", ["unknown", "a"], [0, 0])
    write_gifti(tmp_path / "a.L.label.gii", [0, 0], {1: "x"})
    write_volume(tmp_path / "a.nii", np.zeros((2, 2, 2), np.int16))
    for name in (path.name, "lh.a.annot", "a.L.label.gii", "a.nii"):
        with pytest.raises(FileFormatError, match=f"{name} holds no labels"):
            read_label_file(str(tmp_path / name))
    write_gifti(tmp_path / "b.L.label.gii", [1, 2], {1: "x", 2: "x"})
    with pytest.raises(AtlasError, match=r"b\.L\.label\.gii has two labels called 'x'"):
        read_label_file(str(tmp_path / "b.L.label.gii"))
    write_volume(tmp_path / "b.nii", labelled)
    (tmp_path / "b.tsv").write_text("index\tname\n7\tPut\n300\tPut\n")
    with pytest.raises(AtlasError, match=r"b\.nii has two labels called 'Put'"):
        read_label_file(str(tmp_path / "b.nii"))


def test_one_side_may_be_without_labels(tmp_path):
    write_gifti(tmp_path / "a.L.label.gii", [0, 0], {1: "x"})
    write_gifti(tmp_path / "a.R.label.gii", [0, 1], {1: "x"})
    assert areas(read_label_file(str(tmp_path / "a.{L,R}.label.gii"))) == {"x": ["R_1"]}


def test_a_file_of_maps_is_no_label_file(tmp_path, toy_axis):
    path = write_dscalar(tmp_path / "a.dscalar.nii", toy_axis, {"a": np.zeros(len(toy_axis))})
    with pytest.raises(FileFormatError, match="holds maps, not labels"):
        read_label_file(str(path.rename(tmp_path / "a.dlabel.nii")))
