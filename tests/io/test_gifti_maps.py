"""Labels and probabilities of each hemisphere as GIFTI, read by us and by others."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from neuroparcel.brain.atlas import Label
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import CohortParcellation, SoftParcellation
from neuroparcel.io.formats.gifti import read_gifti, read_label_gifti
from neuroparcel.io.writers import write_parcellations
from neuroparcel.io.writers.cifti_maps import CiftiMaps
from neuroparcel.io.writers.gifti_maps import GiftiMaps
from neuroparcel.io.writers.gifti_writer import write_func_gifti, write_label_gifti

MESH = {"CORTEX_LEFT": 642, "CORTEX_RIGHT": 642}
NETWORKS = ("Visual", "Motor")
COLOURS = ((0.25, 0.5, 0.75, 1.0), (1.0, 0.0, 0.125, 1.0))
VERTICES = {"CORTEX_LEFT": np.array([9, 3, 640]), "CORTEX_RIGHT": np.array([0, 5])}
AXIS = BrainAxis.from_vertices("fsaverage", VERTICES, MESH)
SHARES = np.array([[0.9, 0.1], [0.2, 0.8], [np.nan] * 2, [0.5, 0.5], [0, 1]], np.float32)
STEM = "space-fsaverage_seg-neuroparcel_den-1k"


def make(axis: BrainAxis, shares: np.ndarray) -> CohortParcellation:
    names = (NETWORKS, ("01",), ("1",))
    return CohortParcellation(
        axis, *names, shares, shares[None], shares[None, None], colours=COLOURS
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("results")
    write_parcellations(path, make(AXIS, SHARES), sources={"01": ["/data/a.nii", "/data/b.nii"]})
    return path


def test_they_come_back(folder):
    """Both hemispheres together hold the region's rows, and nothing beside them."""
    level = folder / "sub-01" / "ses-1" / "func"
    pair = [level / f"sub-01_ses-1_hemi-{side}_{STEM}_probseg.func.gii" for side in "LR"]
    found = read_gifti(pair)
    assert (found.kind, found.names) == ("maps", NETWORKS)
    rows = found.axis.rows_of(AXIS)
    np.testing.assert_array_equal(found.read(rows), SHARES)
    assert np.isnan(np.delete(found.read(), rows, axis=0)).all()
    for side, structure, keys in (("L", "CORTEX_LEFT", [1, 2, 0]), ("R", "CORTEX_RIGHT", [1, 2])):
        atlas = read_label_gifti(level / f"sub-01_ses-1_hemi-{side}_{STEM}_dseg.label.gii")
        assert atlas.axis.structures == (structure,)
        assert len(atlas.axis) == 642
        assert atlas.keys[VERTICES[structure]].tolist() == keys
        assert np.count_nonzero(atlas.keys) == 2
        assert atlas.labels == tuple(
            Label(key, name, colour)
            for key, name, colour in zip((1, 2), NETWORKS, COLOURS, strict=True)
        )


def test_intents_and_structures(folder):
    for side, primary in (("L", "CortexLeft"), ("R", "CortexRight")):
        labels = nib.load(folder / f"hemi-{side}_{STEM}_dseg.label.gii")
        assert [array.intent for array in labels.darrays] == [1002]  # NIFTI_INTENT_LABEL
        assert labels.darrays[0].data.dtype == np.int32
        assert labels.labeltable.get_labels_as_dict() == {0: "???", 1: "Visual", 2: "Motor"}
        assert labels.labeltable.labels[0].rgba == (0, 0, 0, 0)
        shares = nib.load(folder / f"hemi-{side}_{STEM}_probseg.func.gii")
        assert [array.intent for array in shares.darrays] == [0, 0]  # NIFTI_INTENT_NONE
        assert [array.meta["Name"] for array in shares.darrays] == list(NETWORKS)
        assert {array.data.dtype for array in shares.darrays} == {np.dtype(np.float32)}
        for image in (labels, shares):
            assert image.meta["AnatomicalStructurePrimary"] == primary


def test_nilearn_makes_a_surface_image_of_them(folder):
    from nilearn.surface import InMemoryMesh, SurfaceImage, load_surf_data

    keys = load_surf_data(folder / f"hemi-L_{STEM}_dseg.label.gii")
    assert keys.shape == (642,)
    assert keys[VERTICES["CORTEX_LEFT"]].tolist() == [1, 2, 0]
    files = {
        part: folder / f"hemi-{part[0].upper()}_{STEM}_probseg.func.gii"
        for part in ("left", "right")
    }
    flat = InMemoryMesh(np.zeros((642, 3)), np.array([[0, 1, 2]]))
    meshes = dict.fromkeys(files, flat)
    image = SurfaceImage(meshes, files)
    assert image.shape == (1284, 2)
    np.testing.assert_array_equal(image.data.parts["right"][VERTICES["CORTEX_RIGHT"]], SHARES[3:])


def test_one_sidecar_is_for_both_hemispheres_and_cifti(folder):
    names = {path.name for path in folder.iterdir()}
    assert not any(name.startswith("hemi-") and name.endswith(".json") for name in names)
    sidecar = json.loads((folder / f"{STEM}_dseg.json").read_text())
    assert sidecar["Sources"] == ["bids:recordings:a.nii", "bids:recordings:b.nii"]


def make_grayordinates(n_voxels: int) -> BrainAxis:
    """Two vertices of the right cortex, one of the cerebellum's surface, and voxels."""
    voxel = np.stack(np.unravel_index(np.arange(n_voxels), (91, 109, 91)), axis=1)
    return BrainAxis(
        "fsLR",
        np.array(["CORTEX_RIGHT", "CORTEX_RIGHT", "CEREBELLUM"] + ["BRAIN_STEM"] * n_voxels),
        np.array([4, 7, 2] + [-1] * n_voxels),
        np.concatenate([np.full((3, 3), -1), voxel]),
        {"CORTEX_RIGHT": 32492, "CEREBELLUM": 28935},
        np.diag([2.0, 2, 2, 1]),
        (91, 109, 91),
    )


def test_only_what_lies_on_the_cortex_is_written(tmp_path):
    axis = make_grayordinates(3)
    write_parcellations(tmp_path, make(axis, np.full((6, 2), 0.5, np.float32)), sources={})
    stem = "space-fsLR_seg-neuroparcel_den-32k"
    assert [path.name for path in sorted(tmp_path.glob("hemi-*"))] == [
        f"hemi-R_{stem}_dseg.label.gii",
        f"hemi-R_{stem}_probseg.func.gii",
    ]
    atlas = read_label_gifti(tmp_path / f"hemi-R_{stem}_dseg.label.gii")
    assert np.flatnonzero(atlas.keys).tolist() == [4, 7]


def test_their_density_is_that_of_the_mesh(tmp_path):
    axis = make_grayordinates(91282 - 3)
    assert CiftiMaps(axis, axis).stem == "space-fsLR_den-91k"
    said = GiftiMaps(tmp_path, axis).space
    assert said["Density"] == {"32k": "32492 vertices on the mesh of CORTEX_RIGHT"}


@pytest.mark.parametrize(("n_known", "encoding"), [(642, 2), (10, 3)])  # base64, and compressed
def test_maps_are_compressed_where_it_pays(tmp_path, n_known, encoding):
    values = np.full(642, np.nan, np.float32)
    values[:n_known] = np.random.default_rng(0).random(n_known)
    path = write_func_gifti(tmp_path / "hemi-L_a.func.gii", "CORTEX_LEFT", {"a": values})
    assert nib.load(path).darrays[0].encoding == encoding
    np.testing.assert_array_equal(nib.load(path).agg_data(), values)
    np.testing.assert_array_equal(read_gifti(path).read()[:, 0], values)


def test_they_can_be_left_out(tmp_path):
    written = write_parcellations(tmp_path, make(AXIS, SHARES), sources={}, gifti=False)
    assert not list(tmp_path.rglob("*.gii"))
    assert len(written) == len(set(written))


def test_an_interrupt_leaves_nothing_behind(tmp_path, monkeypatch):
    def interrupted(image: nib.GiftiImage, path: Path) -> None:
        Path(path).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(nib.GiftiImage, "to_filename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_func_gifti(tmp_path / "a.func.gii", "CORTEX_LEFT", {"a": np.zeros(9)})
    with pytest.raises(KeyboardInterrupt):
        write_label_gifti(tmp_path / "a.label.gii", "CORTEX_LEFT", {"a": np.zeros(9, int)}, ())
    assert list(tmp_path.iterdir()) == []


def test_an_empty_mesh_part_is_not_written(tmp_path):
    """A region in one hemisphere touches one."""
    left = AXIS.restrict(AXIS.rows_in("CORTEX_LEFT"))
    write_parcellations(tmp_path, make(left, SHARES[:3]), sources={})
    assert {path.name[:6] for path in tmp_path.rglob("*.gii")} == {"hemi-L", "sub-01"}
    assert not list(tmp_path.rglob("*hemi-R*"))
    assert SoftParcellation(left, NETWORKS, SHARES[:3]).labels.tolist() == [1, 2, 0]
