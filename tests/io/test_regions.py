"""Regions by name, by labels and from files, in every space that recordings come in."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from neuroparcel.brain.atlas import Label
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import AtlasError
from neuroparcel.io.atlases import load_atlas
from neuroparcel.io.meshes import load_cortex_axis
from neuroparcel.io.regions import describe_places, is_standard_cortex, load_region
from neuroparcel.io.writers.cifti_writer import write_dlabel

GREEN = (0.0, 1.0, 0.0, 1.0)
BOTH = ("CORTEX_LEFT", "CORTEX_RIGHT")


def whole_meshes(space: str, n_vertices: int) -> BrainAxis:
    return BrainAxis.from_vertices(
        space, dict.fromkeys(BOTH, np.arange(n_vertices)), dict.fromkeys(BOTH, n_vertices)
    )


FSAVERAGE5 = whole_meshes("fsaverage", 10242)
NODES = BrainAxis.from_nodes(["Put", "Cau", "Tha"])
VOLUME = BrainAxis(
    "MNI152NLin6Asym", ["OTHER"] * 2, [-1] * 2, [[0, 0, 0], [0, 0, 1]], {}, np.eye(4), (1, 1, 2)
)


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


def test_an_atlas_by_name_is_all_its_labels_or_those_after_the_colon():
    yeo = load_atlas("yeo17")
    assert load_region("yeo17").n_vertices == np.count_nonzero(yeo.keys)
    some = load_region("yeo17:DefaultA, DefaultB")
    assert (some.name, some.labels) == ("yeo17:DefaultA, DefaultB", ("DefaultA", "DefaultB"))
    assert some.axis == yeo.region(["DefaultA", "DefaultB"]).axis
    assert load_region("mmp:L_44,L_45").axis == load_region("broca-left").axis
    assert load_region("yeo7:Dorsal Attention").labels == ("Dorsal Attention",)


# The whole cortex.


def test_the_cortex_of_fs_lr_has_no_medial_wall():
    for places in (None, whole_meshes("fsLR", 32492)):
        region = load_region("cortex", places)
        assert region.axis == load_cortex_axis()
    mmp = load_atlas("mmp")
    area = region.axis.restrict(region.label_of_vertex == "R_V1")
    assert area == mmp.region(["R_V1"]).axis


def test_the_cortex_of_one_hemisphere():
    cortex = load_cortex_axis()
    right = cortex.restrict(cortex.rows_in("CORTEX_RIGHT"))
    assert load_region("cortex", right).axis == right


def test_the_cortex_of_another_mesh_is_all_its_vertices():
    region = load_region("cortex", FSAVERAGE5)
    assert region.axis == FSAVERAGE5
    assert set(region.label_of_vertex) == {"cortex"}


def test_only_surfaces_of_the_cortex_are_cortex():
    voxel = [[-1, -1, -1]] * 2 + [[0, 0, 1]]
    mixed = BrainAxis(
        "unknown",
        ["CORTEX_LEFT"] * 2 + ["THALAMUS_LEFT"],
        [1, 2, -1],
        voxel,
        {"CORTEX_LEFT": 5},
        np.eye(4),
        (1, 1, 2),
    )
    region = load_region("cortex", mixed)
    assert region.axis.structures == ("CORTEX_LEFT",)
    mixed.rows_of(region.axis)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_hemisphere_by_its_name(side):
    structure = f"CORTEX_{side.upper()}"
    region = load_region(f"cortex-{side}")
    assert region.axis == load_cortex_axis().restrict(load_cortex_axis().rows_in(structure))
    assert {label[0] for label in region.labels} == {side[0].upper()}
    assert len(region.labels) == 180
    other = load_region(f"cortex-{side}", FSAVERAGE5)
    assert other.axis == FSAVERAGE5.restrict(FSAVERAGE5.rows_in(structure))
    assert other.labels == (f"cortex-{side}",)


# Voxels.


GRAYORDINATES = BrainAxis(
    "fsLR",
    ["CORTEX_LEFT", "THALAMUS_LEFT", "CEREBELLUM_LEFT", "THALAMUS_LEFT", "CEREBELLUM_RIGHT"],
    [3, -1, -1, -1, -1],
    [[-1] * 3, [0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1]],
    {"CORTEX_LEFT": 32492},
    np.eye(4),
    (1, 2, 2),
)


def test_voxels_are_all_or_those_of_some_structures():
    every = load_region("voxels", GRAYORDINATES)
    assert GRAYORDINATES.rows_of(every.axis).tolist() == [1, 2, 3, 4]
    assert every.labels == ("THALAMUS_LEFT", "CEREBELLUM_LEFT", "CEREBELLUM_RIGHT")
    some = load_region("voxels:CEREBELLUM_RIGHT,CEREBELLUM_LEFT", GRAYORDINATES)
    assert GRAYORDINATES.rows_of(some.axis).tolist() == [2, 4]
    assert some.label_of_vertex.tolist() == ["CEREBELLUM_LEFT", "CEREBELLUM_RIGHT"]
    assert load_region("voxels", VOLUME).axis == VOLUME


# Nodes.


def test_nodes_are_all_or_those_named():
    assert load_region("nodes", NODES).axis == NODES
    some = load_region("nodes:Tha, Put", NODES)
    assert some.axis.names == some.labels == ("Tha", "Put")
    assert NODES.rows_of(some.axis).tolist() == [2, 0]


# Label files.


@pytest.fixture
def dlabel(tmp_path, toy_axis):
    keys = np.zeros(len(toy_axis), dtype=int)
    keys[:6], keys[6:9], keys[40:] = 3, 5, 8
    labels = [Label(key, name, GREEN) for key, name in ((3, "a"), (5, "b"), (8, "c"), (9, "d"))]
    return write_dlabel(tmp_path / "my.dlabel.nii", toy_axis, {"areas": keys}, labels)


def test_all_labels_of_a_file_or_those_after_the_colon(dlabel, toy_axis):
    assert load_region(dlabel).n_vertices == 9 + len(toy_axis) - 40
    assert load_region(dlabel).labels == ("a", "b", "c")  # d has no vertex
    some = load_region(f"{dlabel}:b, a")
    assert (some.n_vertices, some.labels) == (9, ("b", "a"))


def test_a_label_volume_is_a_region_of_voxels(tmp_path):
    values = np.zeros((3, 3, 3), np.uint8)
    values[1, 1], values[2, 2, 2] = 1, 2
    path = tmp_path / "my_dseg.nii.gz"
    nib.save(nib.Nifti1Image(values, np.eye(4)), path)
    assert load_region(path, VOLUME).n_vertices == 4
    assert load_region(f"{path}:label-2", VOLUME).axis.voxel.tolist() == [[2, 2, 2]]


# Bad input.


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("broca-lfet", "Unknown region 'broca-lfet'. Did you mean broca-left"),
        ("cortx", "Unknown region 'cortx'. Did you mean cortex"),
        ("cortex-rigt", "Unknown region 'cortex-rigt'. Did you mean cortex-right"),
        ("voxel", "Unknown region 'voxel'. Did you mean voxels"),
        ("L_44,L45", "no label 'L45'. Did you mean L_45"),
        ("44", "no label '44'. Did you mean"),
        ("L_44,L_44", "names the label L_44 more than once"),
        ("", "has no vertices"),
        (" , ", "has no vertices"),
        ("nodes", "have no nodes: they are on fsLR"),
        ("yeo71:Visual", "Unknown atlas 'yeo71'. Did you mean yeo7"),
        ("yeo17:", "region without labels"),
        ("motorr", "Unknown region 'motorr'. Did you mean motor"),
    ],
)
def test_bad_regions(spec, message):
    with pytest.raises(AtlasError, match=message):
        load_region(spec)


@pytest.mark.parametrize(
    ("spec", "places", "message", "tip"),
    [
        ("broca-left", FSAVERAGE5, r"on fsaverage \(10242 vertices a hemisphere\)", "label file"),
        ("yeo7:Visual", FSAVERAGE5, "'yeo7:Visual' is known on the fs_LR 32k", "a label file"),
        ("L_44", VOLUME, r"on a volume \(MNI152NLin6Asym\)", "label file made for them"),
        ("broca-left", NODES, "on 3 nodes", "--roi nodes"),
        ("cortex", VOLUME, "no cortical surface: they are on a volume", "--roi a label file"),
        ("cortex", NODES, "no cortical surface: they are on 3 nodes", "--roi nodes"),
        ("cortex-right", GRAYORDINATES, "no cortical surface of the right hemi", "a label file"),
        ("voxels", FSAVERAGE5, "have no voxels: they are on fsaverage", "--roi cortex"),
        ("voxels", NODES, "have no voxels: they are on 3 nodes", "--roi nodes"),
        ("voxels:PUTAMEN_LEFT", GRAYORDINATES, "no voxels of 'PUTAMEN_LEFT'", "THALAMUS_LEFT, "),
        ("nodes", FSAVERAGE5, "have no nodes: they are on fsaverage", "--roi cortex"),
        ("nodes:Amy", NODES, "There is no node 'Amy'", "called Put and so on"),
        ("nodes:Put,Put", NODES, "names the node 'Put' twice", "Name each node once"),
        ("nodes:,", NODES, "region without labels", "Name labels"),
    ],
)
def test_a_region_that_these_rows_do_not_have(spec, places, message, tip):
    with pytest.raises(AtlasError, match=message) as caught:
        load_region(spec, places)
    assert tip in caught.value.tip


def test_region_of_a_label_without_vertices(dlabel):
    with pytest.raises(AtlasError, match="region d has no vertices"):
        load_atlas(dlabel).region(["d"])
    with pytest.raises(AtlasError, match="has no vertices"):
        load_region(f"{dlabel}:d")


# Where rows lie.


@pytest.mark.parametrize(
    ("places", "is_standard", "described"),
    [
        (load_cortex_axis(), True, "fsLR (32492 vertices a hemisphere)"),
        (FSAVERAGE5, False, "fsaverage (10242 vertices a hemisphere)"),
        (VOLUME, False, "a volume (MNI152NLin6Asym)"),
        (NODES, False, "3 nodes"),
    ],
    ids=["fsLR", "fsaverage5", "volume", "nodes"],
)
def test_where_rows_lie(places, is_standard, described):
    assert is_standard_cortex(places) is is_standard
    assert describe_places(places) == described
