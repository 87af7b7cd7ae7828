"""Atlases as label files: written, read, equal; and as other programs read them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.freesurfer import read_annot

from neuroparcel.brain.atlas import Atlas, Label
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import OptionError
from neuroparcel.io.atlases import load_atlas
from neuroparcel.io.label_files import read_label_file
from neuroparcel.io.writers.atlas_files import atlas_files, write_atlas

RED, NEAR_RED, BLACK = (1.0, 0.0, 0.0, 1.0), (0.999, 0.0, 0.0, 1.0), (0.0, 0.0, 0.0, 1.0)


@pytest.fixture
def atlas(toy_axis: BrainAxis) -> Atlas:
    """Areas of both hemispheres, two of which share a colour and one of which is black."""
    keys = np.zeros(len(toy_axis), int)
    keys[1:6], keys[6:9], keys[40:50], keys[30:38] = 3, 50, 8, 9
    labels = (Label(3, "a", RED), Label(50, "b b", NEAR_RED), Label(8, "c", RED))
    return Atlas("toy", toy_axis, keys, (*labels, Label(9, "ä", BLACK)))


@pytest.fixture
def volume() -> Atlas:
    """Two structures of a volume."""
    voxel = [[0, 0, 0], [1, 2, 0], [1, 1, 1]]
    axis = BrainAxis("MNI152NLin6Asym", ["OTHER"] * 3, [-1] * 3, voxel, {}, np.eye(4), (2, 3, 2))
    return Atlas("nuclei", axis, np.array([5, 5, 2]), (Label(2, "Put", RED), Label(5, "Cau", RED)))


def places(atlas: Atlas) -> dict[str, set[str]]:
    """Label -> the names of the rows that carry it."""
    rows = np.array(atlas.axis.names)
    return {label.name: set(rows[atlas.keys == label.key].tolist()) for label in atlas.present}


# Written, read, equal.


@pytest.mark.parametrize("name", ["a.dlabel.nii", "a.{L,R}.label.gii", "{lh,rh}.a.annot"])
def test_what_is_written_is_read(atlas, tmp_path, name):
    files = write_atlas(str(tmp_path / name), atlas)
    assert [path for path in tmp_path.iterdir() if path not in files] == []
    again = read_label_file(str(tmp_path / name))
    assert places(again) == places(atlas)
    assert dict(again.axis.mesh_size) == dict(atlas.axis.mesh_size)
    colours = {label.name: label.rgb for label in atlas.labels}
    for label in again.labels:
        np.testing.assert_allclose(label.rgb, colours[label.name], atol=2)
    if not name.endswith(".annot"):
        assert {label.name: label.key for label in again.labels} == {
            label.name: label.key for label in atlas.labels
        }


@pytest.mark.parametrize("name", ["yeo17", "mmp"])
def test_atlases_of_the_package_too(name, tmp_path):
    atlas = load_atlas(name)
    for spec in (f"{name}.dlabel.nii", f"{name}.{{L,R}}.label.gii", f"{{lh,rh}}.{name}.annot"):
        write_atlas(str(tmp_path / spec), atlas)
        again = read_label_file(str(tmp_path / spec))
        assert again.axis.space == "fsLR"
        names = {label.key: label.name for label in again.labels}
        expected = {label.key: label.name for label in atlas.labels}
        found = again.keys[again.axis.rows_of(atlas.axis)]
        assert [names.get(key) for key in found.tolist()] == [
            expected.get(key) for key in atlas.keys.tolist()
        ]
        assert np.count_nonzero(again.keys) == np.count_nonzero(atlas.keys)  # no medial wall


@pytest.mark.parametrize("name", ["a_dseg.nii.gz", "a_dseg.nii"])
def test_a_volume_has_its_names_in_a_table(volume, tmp_path, name):
    files = write_atlas(str(tmp_path / name), volume)
    assert [path.name for path in files] == [name, "a_dseg.tsv"]
    again = read_label_file(str(tmp_path / name))
    assert places(again) == places(volume)
    np.testing.assert_array_equal(again.axis.affine, volume.axis.affine)


def test_a_volume_is_a_dlabel_too(volume, tmp_path):
    write_atlas(str(tmp_path / "a.dlabel.nii"), volume)
    again = read_label_file(str(tmp_path / "a.dlabel.nii"))
    assert places(again) == places(volume)


def test_the_table_alone(atlas, tmp_path):
    (path,) = write_atlas(str(tmp_path / "a.tsv"), atlas)
    assert path.read_text(encoding="utf-8").splitlines() == [
        "index\tname\tcolor\tn_vertices",
        "3\ta\t#ff0000\t5",
        "50\tb b\t#ff0000\t3",
        "8\tc\t#ff0000\t10",
        "9\tä\t#000000\t8",
    ]


def test_one_hemisphere_is_one_file(atlas, tmp_path):
    left = Atlas("left", atlas.axis, np.where(atlas.keys == 3, 3, 0), atlas.labels)
    for name in ("a.L.label.gii", "lh.a.annot", "areas.label.gii"):
        (path,) = write_atlas(str(tmp_path / name), left)
        assert places(read_label_file(str(path))) == places(left)


# As other programs read them.


def test_gifti_as_nibabel_reads_it(atlas, tmp_path):
    for path, side in zip(
        write_atlas(str(tmp_path / "{L,R}.label.gii"), atlas), ("Left", "Right"), strict=True
    ):
        image = nib.load(path)
        (data,) = image.darrays
        assert image.meta["AnatomicalStructurePrimary"] == f"Cortex{side}"
        assert data.intent == nib.nifti1.intent_codes["NIFTI_INTENT_LABEL"]
        assert data.data.dtype == np.int32
        structure = f"CORTEX_{side.upper()}"
        np.testing.assert_array_equal(data.data, atlas.axis.expand(atlas.keys, structure, 0))
        names = image.labeltable.get_labels_as_dict()
        assert names == {0: "???", 3: "a", 50: "b b", 8: "c", 9: "ä"}


def test_dlabel_as_nibabel_reads_it(atlas, tmp_path):
    (path,) = write_atlas(str(tmp_path / "a.dlabel.nii"), atlas)
    image = nib.load(path)
    assert image.nifti_header.get_intent()[0] == "ConnDenseLabel"
    assert image.header.get_axis(0).label[0][50][0] == "b b"


def test_annot_as_nibabel_reads_it(atlas, tmp_path):
    """A label is known by its colour there, so no two may be alike, nor black like no label."""
    left, _ = write_atlas(str(tmp_path / "{lh,rh}.a.annot"), atlas)
    places, table, names = read_annot(left)
    assert names == [b"unknown", b"a", b"b b", b"c", "ä".encode()]
    assert len(set(table[:, 4].tolist())) == len(table)
    keys = np.array([0, 3, 50, 8, 9, 0])[places]  # -1 is no label
    np.testing.assert_array_equal(keys, atlas.axis.expand(atlas.keys, "CORTEX_LEFT", 0))
    assert np.abs(table[1:4, :3] - [255, 0, 0]).max() <= 2


@pytest.mark.skipif(shutil.which("wb_command") is None, reason="Connectome Workbench is not here")
def test_files_as_workbench_reads_them(tmp_path):
    """It joins the two hemispheres into one file, which is the atlas again."""
    atlas = load_atlas("yeo7")
    sides = write_atlas(str(tmp_path / "{L,R}.label.gii"), atlas)
    joined = tmp_path / "joined.dlabel.nii"
    names = ("-left-label", str(sides[0]), "-right-label", str(sides[1]))
    subprocess.run(["wb_command", "-cifti-create-label", str(joined), *names], check=True)
    again = read_label_file(str(joined))
    assert again.present == atlas.present
    rows = again.axis.rows_of(atlas.axis)
    np.testing.assert_array_equal(again.keys[rows], atlas.keys)
    (dense,) = write_atlas(str(tmp_path / "a.dlabel.nii"), atlas)
    told = subprocess.run(
        ["wb_command", "-file-information", str(dense)], check=True, capture_output=True, text=True
    ).stdout
    assert "CIFTI - Dense Label" in told
    assert "29696 out of 32492 vertices" in told


# Bad input.


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.png", r"a\.png does not end as label files do"),
        ("a.L.label.gii", "has two hemispheres"),
        ("lh.a.annot", "has two hemispheres"),
        ("a.nii.gz", "lies on surfaces, and .* is a volume"),
    ],
)
def test_files_that_cannot_hold_it(atlas, tmp_path, name, message):
    for function in (atlas_files, write_atlas):
        with pytest.raises(OptionError, match=message):
            function(str(tmp_path / name), atlas)
    assert list(tmp_path.iterdir()) == []


def test_names_that_tell_another_hemisphere(atlas, tmp_path):
    left = Atlas("left", atlas.axis, np.where(atlas.keys == 3, 3, 0), atlas.labels)
    for name in ("a.R.label.gii", "rh.a.annot", "a.annot"):
        with pytest.raises(OptionError, match="would hold CORTEX_LEFT, and its name says"):
            write_atlas(str(tmp_path / name), left)
    alone = atlas.region(["a"])
    only = Atlas("only", alone.axis, np.full(5, 3), atlas.labels)
    with pytest.raises(OptionError, match="has no vertices of CORTEX_RIGHT"):
        write_atlas(str(tmp_path / "{L,R}.label.gii"), only)


def test_voxels_are_on_no_surface(volume, tmp_path):
    with pytest.raises(OptionError, match=r"has voxels, which \.label\.gii files cannot hold"):
        write_atlas(str(tmp_path / "{L,R}.label.gii"), volume)


def test_half_a_file_is_none(atlas, tmp_path, monkeypatch):
    from nibabel.gifti import GiftiImage

    def stopped(_image: GiftiImage, path: Path) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(GiftiImage, "to_filename", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_atlas(str(tmp_path / "{L,R}.label.gii"), atlas)
    assert list(tmp_path.iterdir()) == []
