"""Networks as profiles over the targets, for CIFTI readers and as tables."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from neuroparcel.brain.atlas import Targets
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import FileFormatError, SpaceError
from neuroparcel.io.formats.cifti import read_cifti
from neuroparcel.io.writers import ParcellationWriter
from neuroparcel.io.writers.profiles import ProfileWriter

NETWORKS = ("Visual", "Motor")
STEM = "space-fsLR_seg-neuroparcel_den-32k"
AFFINE = np.array([[-2.0, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
# Rows of three targets in turn, one row of none; the second has vertices of both sides and a voxel.
PLACES = BrainAxis(
    "fsLR",
    np.array([*["CORTEX_LEFT"] * 4, *["CORTEX_RIGHT"] * 2, *["THALAMUS_LEFT"] * 2]),
    np.array([8, 2, 5, 31, 7, 3, -1, -1]),
    np.array([*[[-1] * 3] * 6, [1, 2, 3], [4, 0, 2]]),
    {"CORTEX_LEFT": 32492, "CORTEX_RIGHT": 32492},
    AFFINE,
    (6, 7, 5),
)
TARGETS = Targets("toy", PLACES, np.array([0, 1, -1, 0, 1, 2, 1, 2]), ("front", "both", "back"))
PROFILES = np.array([[0.6, 0.8, 0], [-0.5, 0.1, 0.25]])


@pytest.fixture
def make(tmp_path):
    """A writer of profiles over some targets."""

    def writer(targets: Targets | None, features: tuple[str, ...] = TARGETS.names) -> ProfileWriter:
        region = BrainAxis.from_vertices("fsLR", {"CORTEX_LEFT": np.arange(3)}, PLACES.mesh_size)
        sources = {"01": ["/data/1.nii"], "02": ["/data/2.nii"]}
        runs = ParcellationWriter(tmp_path, region, NETWORKS, ("01", "02"), ("1",), sources=sources)
        return ProfileWriter(runs, features, targets)

    return writer


def test_targets_become_parcels(make, tmp_path):
    path, sidecar = make(TARGETS).write(PROFILES, "01", "1")
    name = f"sub-01_ses-1_{STEM}_desc-networks_boldmap"
    assert path == tmp_path / "sub-01/ses-1/func" / f"{name}.pscalar.nii"
    image = nib.load(path)
    assert image.nifti_header["intent_code"] == 3008  # ConnParcelScalr
    assert image.nifti_header.get_intent()[0] == "ConnParcelScalr"
    scalars, parcels = (image.header.get_axis(number) for number in (0, 1))
    assert tuple(scalars.name) == NETWORKS
    assert tuple(parcels.name) == TARGETS.names
    np.testing.assert_array_equal(np.asarray(image.dataobj), PROFILES.astype(np.float32))
    left, right = "CIFTI_STRUCTURE_CORTEX_LEFT", "CIFTI_STRUCTURE_CORTEX_RIGHT"
    assert parcels.nvertices == {left: 32492, right: 32492}
    vertices = [{k: v.tolist() for k, v in one.items()} for one in parcels.vertices]
    assert vertices == [{left: [8, 31]}, {left: [2], right: [7]}, {right: [3]}]
    assert [one.tolist() for one in parcels.voxels] == [[], [[1, 2, 3]], [[4, 0, 2]]]
    np.testing.assert_array_equal(parcels.affine, AFFINE)
    assert parcels.volume_shape == (6, 7, 5)
    said = json.loads(sidecar.read_text())
    assert said["Sources"] == ["bids:recordings:1.nii"]
    assert said["Targets"] == "toy"


def test_they_come_back(make):
    path, _ = make(TARGETS).write(PROFILES)
    matrix = read_cifti(path)
    assert matrix.names == NETWORKS
    assert matrix.axis.names == TARGETS.names
    np.testing.assert_array_equal(matrix.read(), PROFILES.T.astype(np.float32))


def test_names_that_come_twice_are_numbered(make):
    targets = Targets("twins", PLACES, TARGETS.assignment, ("area", "area", "area"))
    path, _ = make(targets, targets.names).write(PROFILES)
    parcels = nib.load(path).header.get_axis(1)
    assert tuple(parcels.name) == ("area", "area (2)", "area (3)")


@pytest.mark.parametrize("places", ["none", "nodes"])
def test_features_without_places_become_a_table(make, tmp_path, places):
    nodes = BrainAxis.from_nodes(("rest", "words", "faces"))
    targets = None if places == "none" else Targets("nodes", nodes, np.arange(3), nodes.names)
    writer = make(targets, nodes.names)
    assert not writer.has_places
    path, sidecar = writer.write(PROFILES, "02")
    assert path == tmp_path / "sub-02/func" / f"sub-02_{STEM}_desc-networks_boldmap.tsv"
    with path.open(newline="") as stream:
        header, *rows = csv.reader(stream, delimiter="\t")
    assert header == ["target", *NETWORKS]
    assert [row[0] for row in rows] == list(nodes.names)
    found = np.array([row[1:] for row in rows], dtype=np.float32)
    np.testing.assert_array_equal(found, PROFILES.T.astype(np.float32))
    assert sidecar == path.with_suffix(".json")


def test_other_shapes_and_structures_are_refused(make, tmp_path: Path):
    with pytest.raises(FileFormatError, match=r"profiles of shape \(2, 2\), not \(2, 3\)"):
        make(TARGETS).write(PROFILES[:, :2])
    tail = BrainAxis.from_vertices("x", {"TAIL": np.arange(3)}, {"TAIL": 3})
    with pytest.raises(SpaceError, match="CIFTI has no structure called TAIL"):
        make(Targets("x", tail, np.arange(3), ("a", "b", "c")))
    assert list(tmp_path.iterdir()) == []
