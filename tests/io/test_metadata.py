"""Sources, spaces, and what is no part of BIDS."""

from __future__ import annotations

import json
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pytest

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import CohortParcellation
from neuroparcel.io.writers import write_parcellations
from neuroparcel.io.writers.metadata import IGNORED, SourceFolder, describe_space, own_uri

TEMPLATES = "https://templateflow.s3.amazonaws.com"


def make_cortex(space: str, n_vertices: int) -> BrainAxis:
    rows = {"CORTEX_LEFT": np.arange(3), "CORTEX_RIGHT": np.arange(3)}
    return BrainAxis.from_vertices(space, rows, dict.fromkeys(rows, n_vertices))


def make_voxels(space: str) -> BrainAxis:
    voxel = np.array([[0, 0, 0], [1, 2, 3]])
    names = np.full(2, "OTHER")
    return BrainAxis(space, names, np.full(2, -1), voxel, {}, np.eye(4), (4, 4, 4))


def test_sources_are_uris_from_their_common_folder():
    paths = ["/data/raw/sub-01/a b.nii", "/data/raw/sub-02/b.nii"]
    folder = SourceFolder.of(paths)
    assert folder.path == Path("/data/raw")
    assert folder.uri(paths[0]) == "bids:recordings:sub-01/a%20b.nii"
    assert folder.links == {
        "SourceDatasets": [{"URL": "file:///data/raw"}],
        "DatasetLinks": {"recordings": "file:///data/raw"},
    }
    assert SourceFolder.of([]).links == {}
    assert SourceFolder.of(["/data/raw/a.nii"]).uri("/data/raw/a.nii") == "bids:recordings:a.nii"


def test_links_stay_what_they_are_called(tmp_path):
    """Data sets of git-annex are links into its own folder."""
    (tmp_path / "annex").mkdir()
    (tmp_path / "annex" / "x9f").touch()
    (tmp_path / "sub-01").mkdir()
    link = tmp_path / "sub-01" / "a.nii"
    link.symlink_to(tmp_path / "annex" / "x9f")
    folder = SourceFolder.of([str(link)])
    assert folder.path == tmp_path / "sub-01"
    assert folder.uri(str(link)) == "bids:recordings:a.nii"


def test_own_files_are_uris_without_a_name():
    assert own_uri(Path("/out"), Path("/out/sub-01/x y.nii")) == "bids::sub-01/x%20y.nii"


@pytest.mark.parametrize(
    ("axis", "stem", "reference"),
    [
        (
            make_cortex("fsLR", 32492),
            "space-fsLR_den-32k",
            {
                f"CIFTI_STRUCTURE_CORTEX_{name}": f"{TEMPLATES}/tpl-fsLR/"
                f"tpl-fsLR_hemi-{side}_den-32k_sphere.surf.gii"
                for name, side in (("LEFT", "L"), ("RIGHT", "R"))
            },
        ),
        (
            make_cortex("fsaverage", 10242).restrict([0, 1]),
            "space-fsaverage_den-10k",
            {
                "CIFTI_STRUCTURE_CORTEX_LEFT": f"{TEMPLATES}/tpl-fsaverage/"
                "tpl-fsaverage_hemi-L_den-10k_sphere.surf.gii"
            },
        ),
        (make_cortex("unknown", 32492), "space-unknown_den-32k", None),
        (make_cortex("fsaverage", 642), "space-fsaverage_den-1k", None),
        (
            make_voxels("MNI152NLin6Asym"),
            "space-MNI152NLin6Asym",
            f"{TEMPLATES}/tpl-MNI152NLin6Asym/tpl-MNI152NLin6Asym_res-01_T1w.nii.gz",
        ),
        (
            make_voxels("fsLR"),
            "space-MNI152NLin6Asym",
            f"{TEMPLATES}/tpl-MNI152NLin6Asym/tpl-MNI152NLin6Asym_res-01_T1w.nii.gz",
        ),
        (make_voxels("mine"), "space-mine", None),
        (BrainAxis.from_nodes(["a", "b"]), "", None),
    ],
)
def test_standard_spaces_have_a_reference(axis, stem, reference):
    found = describe_space(axis, stem)
    assert found.get("SpatialReference") == reference
    assert ("Density" in found) == ("_den-" in stem)


def test_grayordinates_have_a_volume_too():
    vertices, voxels = make_cortex("fsLR", 32492), make_voxels("fsLR")
    both = BrainAxis(
        "fsLR",
        np.concatenate([vertices.structure, voxels.structure]),
        np.concatenate([vertices.vertex, voxels.vertex]),
        np.concatenate([vertices.voxel, voxels.voxel]),
        vertices.mesh_size,
        voxels.affine,
        voxels.volume_shape,
    )
    found = describe_space(both, "space-fsLR_den-91k")
    assert found["SpatialReference"].keys() == {
        *("CIFTI_STRUCTURE_CORTEX_LEFT", "CIFTI_STRUCTURE_CORTEX_RIGHT", "VolumeReference")
    }
    assert found["Density"]["91k"].endswith("of CORTEX_RIGHT, 2 voxels")


@pytest.mark.parametrize(
    "axis",
    [make_cortex("fsLR", 32492), make_voxels("mine"), BrainAxis.from_nodes(["a", "b"])],
    ids=["surface", "volume", "nodes"],
)
def test_bids_is_asked_about_nothing_it_has_no_rule_for(tmp_path, axis):
    """bids-validator 3.0.2 knows, of what is written, the description alone."""
    shares = np.full((len(axis), 2), 0.5, np.float32)
    names = (("a", "b"), ("01",), ("1",))
    levels = CohortParcellation(axis, *names, shares, shares[None], shares[None, None])
    files = write_parcellations(tmp_path, levels, sources={"01": ["/data/a.nii"]})
    assert (tmp_path / ".bidsignore").read_text() == IGNORED
    patterns = [line for line in IGNORED.splitlines() if not line.startswith("#")]
    left = [
        path.name for path in files if not any(fnmatch(path.name, pattern) for pattern in patterns)
    ]
    assert sorted(left) == [".bidsignore", "dataset_description.json"]
    for name in ("desc-networks_posterior.nc", "run.json", "training.tsv", "model", "figures"):
        assert any(fnmatch(name, pattern) for pattern in patterns)
    description = json.loads((tmp_path / "dataset_description.json").read_text())
    assert description.keys() == {
        *("Name", "BIDSVersion", "DatasetType", "GeneratedBy", "SourceDatasets", "DatasetLinks")
    }
