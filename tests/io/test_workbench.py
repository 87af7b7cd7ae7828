"""Connectome Workbench, where it is installed, opens every kind of file and finds the same."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from neuroparcel.brain.atlas import Targets
from neuroparcel.brain.parcellation import CohortParcellation
from neuroparcel.io.meshes import load_cortex_axis
from neuroparcel.io.writers import write_parcellations
from neuroparcel.io.writers.parcellations import ParcellationWriter
from neuroparcel.io.writers.profiles import ProfileWriter

WORKBENCH = shutil.which("wb_command")
pytestmark = pytest.mark.skipif(WORKBENCH is None, reason="no wb_command on this machine")

NETWORKS = ("Visual", "Somatomotor A")
COLOURS = ((0.2, 0.4, 0.6, 1.0), (1.0, 0.0, 0.8, 1.0))
STEM = "space-fsLR_seg-neuroparcel_den-32k"
CORTEX = load_cortex_axis()
REGION = CORTEX.restrict(np.arange(0, 59412, 3000))


def workbench(*words: object) -> str:
    """What a command of Workbench prints."""
    done = subprocess.run(
        [str(WORKBENCH), *map(str, words)], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def fields(path: Path) -> dict[str, str]:
    """What Workbench says of a file, line by line."""
    lines = workbench("-file-information", path).splitlines()
    pairs = (line.partition(":") for line in lines)
    return {name.strip(): value.strip() for name, _, value in pairs}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The files of a population of one subject."""
    path = tmp_path_factory.mktemp("results")
    shares = np.random.default_rng(0).dirichlet([1, 1], size=len(REGION)).astype(np.float32)
    names = (NETWORKS, ("01",), ("1",))
    levels = CohortParcellation(
        REGION, *names, shares, shares[None], shares[None, None], colours=COLOURS
    )
    write_parcellations(path, levels, sources={})
    return path


@pytest.mark.parametrize(
    ("name", "kind", "n_maps"),
    [
        (f"{STEM}_dseg.dlabel.nii", "CIFTI - Dense Label", 1),
        (f"{STEM}_probseg.dscalar.nii", "CIFTI - Dense Scalar", 2),
        (f"{STEM}_stat-agreement_boldmap.dscalar.nii", "CIFTI - Dense Scalar", 1),
        (f"hemi-L_{STEM}_dseg.label.gii", "Label", 1),
        (f"hemi-R_{STEM}_probseg.func.gii", "Metric", 2),
    ],
)
def test_it_knows_the_kind(folder, name, kind, n_maps):
    found = fields(folder / name)
    assert found["Type"] == kind
    assert found["Number of Maps"] == str(n_maps)
    if name.startswith("hemi-"):
        assert found["Structure"] == {"L": "CortexLeft", "R": "CortexRight"}[name[5]]
        assert found["Number of Vertices"] == "32492"
    else:
        assert found["Structure"] == "CortexLeft CortexRight"
        assert found["Number of Rows"] == "59412"


def test_label_tables_come_back(folder, tmp_path):
    """Names and colours, the latter to an eighth bit, out of both kinds of label file."""
    expected = [
        *("Visual", "1 51 102 153 255"),
        *("Somatomotor A", "2 255 0 204 255"),
    ]
    cifti, gifti = folder / f"{STEM}_dseg.dlabel.nii", folder / f"hemi-L_{STEM}_dseg.label.gii"
    workbench("-cifti-label-export-table", cifti, 1, tmp_path / "cifti.txt")
    workbench("-label-export-table", gifti, tmp_path / "gifti.txt")
    for name in ("cifti.txt", "gifti.txt"):
        assert (tmp_path / name).read_text().splitlines()[-4:] == expected


def test_separated_hemispheres_are_the_gifti_files(folder, tmp_path):
    side = tmp_path / "side.label.gii"
    cifti = folder / f"{STEM}_dseg.dlabel.nii"
    workbench("-cifti-separate", cifti, "COLUMN", "-label", "CORTEX_RIGHT", side)
    ours = nib.load(folder / f"hemi-R_{STEM}_dseg.label.gii").agg_data()
    theirs = nib.load(side).agg_data()
    assert np.count_nonzero(ours) == len(REGION.rows_in("CORTEX_RIGHT"))
    np.testing.assert_array_equal(theirs, ours)


def test_profiles_lie_on_their_targets(tmp_path):
    places = CORTEX.restrict(np.arange(0, 59412, 9000))
    targets = Targets("toy", places, np.array([0, 1, 1, -1, 2, 2, 0]), ("a", "b", "c"))
    parcellations = ParcellationWriter(tmp_path, REGION, NETWORKS, ("01",), ("1",), sources={})
    profiles = np.array([[0.5, 0.25, 2], [1, -1, 4]])
    path, _ = ProfileWriter(parcellations, targets.names, targets).write(profiles)
    found = fields(path)
    assert found["Type"] == "CIFTI - Parcel Scalar"
    assert found["Number of Rows"] == "3"
    assert [found[f"Parcel {number}"] for number in (1, 2, 3)] == ["a", "b", "c"]
    said = workbench("-file-information", path)
    assert said.count("vertices") == 2 + 4, "two meshes, and a on either side"
    workbench("-cifti-convert", "-to-text", path, tmp_path / "values.txt")
    np.testing.assert_allclose(np.loadtxt(tmp_path / "values.txt"), profiles.T)
