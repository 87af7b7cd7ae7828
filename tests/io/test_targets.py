"""Targets by name, from label files and from lists of places."""

from __future__ import annotations

import numpy as np
import pytest

from neuroparcel.brain.atlas import Label
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import AtlasError
from neuroparcel.io.meshes import load_cortex_axis, load_mesh
from neuroparcel.io.targets import load_targets
from neuroparcel.io.writers.cifti_writer import write_dlabel

GREEN = (0.0, 1.0, 0.0, 1.0)
BOTH = ("CORTEX_LEFT", "CORTEX_RIGHT")
FSAVERAGE5 = BrainAxis.from_vertices(
    "fsaverage", dict.fromkeys(BOTH, np.arange(10242)), dict.fromkeys(BOTH, 10242)
)
NODES = BrainAxis.from_nodes(["Put", "Cau", "Tha", "Pal"])
GRID = np.argwhere(np.ones((4, 4, 4)))
AFFINE = np.array([[-2.0, 0, 0, 10], [0, 2, 0, -20], [0, 0, 2, 5], [0, 0, 0, 1]])
VOLUME = BrainAxis(
    "MNI152NLin6Asym", ["OTHER"] * 64, [-1] * 64, GRID, {}, AFFINE, volume_shape=(4, 4, 4)
)


# By name.


@pytest.mark.parametrize(("name", "n"), [("mmp", 360), ("cole-anticevic", 12), ("yeo17", 17)])
def test_atlases_are_targets(name, n):
    targets = load_targets(name)
    assert (targets.n_targets, targets.name) == (n, name)


def test_seeds_are_744_in_each_hemisphere():
    seeds = load_targets("seeds")
    counts = [len(seeds.axis.rows_in(name)) for name in BOTH]
    assert counts == [744, 744]
    assert seeds.n_targets == len(set(seeds.names)) == 1488
    load_cortex_axis().rows_of(seeds.axis)  # none on the medial wall
    series = np.random.default_rng(0).normal(size=(1488, 5)).astype(np.float32)
    np.testing.assert_array_equal(seeds.average(series), series)


def test_seeds_of_fsaverage_are_the_vertices_of_fsaverage3():
    seeds = load_targets(None, FSAVERAGE5)
    assert (seeds.name, seeds.n_targets) == ("seeds", 1284)
    for structure in BOTH:
        assert seeds.axis.vertex[seeds.axis.rows_in(structure)].tolist() == list(range(642))
    FSAVERAGE5.rows_of(seeds.axis)


def test_nodes_are_their_own_targets():
    for name in (None, "nodes"):
        targets = load_targets(name, NODES)
        assert targets.names == NODES.names
    few = NODES.restrict([0, 3])  # of a region the targets are still all
    assert load_targets(None, few).names == NODES.names


def test_labels_of_a_file_are_targets(tmp_path, toy_axis):
    keys = np.zeros(len(toy_axis), int)
    keys[:6], keys[6:9], keys[40:] = 3, 5, 8
    labels = [Label(key, name, GREEN) for key, name in ((3, "a"), (5, "b"), (8, "c"), (9, "d"))]
    path = write_dlabel(tmp_path / "my.dlabel.nii", toy_axis, {"areas": keys}, labels)
    targets = load_targets(path)
    assert targets.names == ("a", "b", "c")
    assert np.bincount(targets.assignment).tolist() == [6, 3, len(toy_axis) - 40]


# Lists of places.


@pytest.mark.parametrize(
    ("name", "separator"), [("t.tsv", "\t"), ("t.csv", ","), ("t.csv", ", "), ("t.txt", " ")]
)
def test_a_list_of_vertices(tmp_path, name, separator):
    rows = [("hemisphere", "vertex", "name"), ("L", "7", "a"), ("rh", "9", "b"), ("left", "3", "c")]
    (tmp_path / name).write_text("\n".join(separator.join(row) for row in rows) + "\n\n")
    targets = load_targets(tmp_path / name, FSAVERAGE5)
    assert (targets.name, targets.names) == (name, ("a", "b", "c"))
    assert targets.axis.names == ("L_7", "R_9", "L_3")
    FSAVERAGE5.rows_of(targets.axis)


def test_targets_without_a_name_are_called_by_their_place(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("vertex,hemisphere\n7,L\n9,R\n3,L\n")
    assert load_targets(path, FSAVERAGE5).names == ("L_7", "R_9", "L_3")


def test_coordinates_are_the_nearest_voxels(tmp_path):
    voxels = np.array([[3, 0, 1], [0, 0, 0], [1, 2, 3]])
    points = voxels * [-2, 2, 2] + [10, -20, 5] + [0.4, -0.6, 0.9]
    rows = ["x,y,z", *(",".join(map(str, point)) for point in points)]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    targets = load_targets(tmp_path / "t.csv", VOLUME)
    np.testing.assert_array_equal(targets.axis.voxel, voxels)


def test_coordinates_are_the_nearest_vertices_of_the_midthickness(tmp_path):
    cortex = load_cortex_axis()
    of_right = cortex.vertex[cortex.rows_in("CORTEX_RIGHT")][[5, 5000, 20000]]
    points = load_mesh("midthickness", "right")[0][of_right] + 0.05
    rows = ["x\ty\tz", *("\t".join(map(str, point)) for point in points)]
    (tmp_path / "t.tsv").write_text("\n".join(rows))
    targets = load_targets(tmp_path / "t.tsv")
    assert targets.axis.vertex.tolist() == of_right.tolist()
    assert targets.axis.structures == ("CORTEX_RIGHT",)


# Bad input.


def test_unknown_targets():
    with pytest.raises(AtlasError, match="Unknown targets 'foo'") as caught:
        load_targets("foo")
    assert caught.value.tip.startswith("Use seeds, mmp, cole-anticevic or FILE")


@pytest.mark.parametrize(
    ("name", "places", "message", "tip"),
    [
        ("mmp", FSAVERAGE5, "'mmp' are not known on fsaverage", "--targets a label file"),
        (None, VOLUME, "'seeds' are not known on a volume", "list of coordinates"),
        ("seeds", NODES, "'seeds' are not known on 4 nodes", "--targets nodes"),
        ("nodes", FSAVERAGE5, "There are no nodes: the recordings are on fsaverage", ""),
        (None, BrainAxis.from_nodes(["a", "b"]), "has 2 targets; a profile needs", "finer"),
    ],
)
def test_targets_that_these_rows_do_not_have(name, places, message, tip):
    with pytest.raises(AtlasError, match=message) as caught:
        load_targets(name, places)
    assert tip in (caught.value.tip or "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no rows"),
        ("hemisphere,vertex\n", "has no rows"),
        ("side,vertex\nL,1\n", "side, vertex"),
        ("hemisphere,vertex\nL,1\nmiddle,2\nL,3\n", "is no list of targets"),
        ("hemisphere,vertex\nL,1\nL,two\nL,3\n", "is no list of targets"),
        ("hemisphere,vertex\nL,1\nL,99999\nL,3\n", "do not fit its mesh"),
        ("hemisphere,vertex\nL,1\nL,1\nL,3\n", "holds the same place in CORTEX_LEFT twice"),
        ("hemisphere,vertex\nL,1\nL,2,9\nL,3\n", "row with more or fewer cells"),
        ("hemisphere,vertex\nL,1\nL\nL,3\n", "row with more or fewer cells"),
        ("hemisphere,vertex,name\nL,1,a\nL,2,a\nL,3,b\n", "gives two targets one name"),
        ("hemisphere,vertex\nL,1\nR,2\n", "has 2 targets"),
        ("x,y,z\n1,2,3\n4,5,6\n7,8,9\n", "No coordinates are known for fsaverage"),
    ],
)
def test_lists_that_are_none(tmp_path, text, message):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(AtlasError, match=message):
        load_targets(path, FSAVERAGE5)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("10,-20,5\n10,-18,5\n90,0,0\n", r"\[90\.0, 0\.0, 0\.0\] of the list .* mm away"),
        ("10,-20,5\n10,-18,5\n10.1,-20,5\n", "Two points of the list of targets fall on the same"),
        ("10,-20,5\n10,-18,5\n10,nan,5\n", "is no list of targets"),
        ("10,-20,5\n10,-18,5\n10,,5\n", "is no list of targets"),
    ],
)
def test_points_that_lie_nowhere(tmp_path, rows, message):
    path = tmp_path / "t.csv"
    path.write_text(f"x,y,z\n{rows}")
    with pytest.raises(AtlasError, match=message):
        load_targets(path, VOLUME)


def test_a_list_that_cannot_be_read(tmp_path):
    with pytest.raises(AtlasError, match=r"The list of targets .*none\.tsv cannot be read"):
        load_targets(tmp_path / "none.tsv")
    (tmp_path / "t.tsv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(AtlasError, match=r"t\.tsv cannot be read"):
        load_targets(tmp_path / "t.tsv")
