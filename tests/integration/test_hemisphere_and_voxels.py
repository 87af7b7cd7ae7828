"""One hemisphere, and voxels of the cerebellum: the command line."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner
from neuroparcel_cli.main import neuroparcel
from sklearn.metrics import adjusted_rand_score

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.io.meshes import load_cortex_axis
from neuroparcel.io.writers import open_parcellations
from neuroparcel.io.writers.cifti_writer import CiftiWriter
from neuroparcel.pipeline import figures

MAPS = tuple(f"contrast {number}" for number in range(6))
MODEL = (
    *("--features", "maps", "--emission", "von-mises-fisher", "--family", "reference"),
    *("--label-prior", "vertex", "--smoothness", "1", "--networks", "2", "--quiet"),
)
SIDE, AFFINE = 8, np.diag([-2.0, 2.0, 2.0, 1.0])
AFFINE[:3, 3] = [90, -126, -72]


def grayordinates() -> BrainAxis:
    """Every 16th vertex of the cortex, and two blocks of voxels that touch."""
    cortex = load_cortex_axis().restrict(np.arange(0, 59412, 16))
    voxel = np.stack(np.meshgrid(*[np.arange(SIDE)] * 3, indexing="ij"), -1).reshape(-1, 3)
    left = np.where(voxel[:, 0] < SIDE // 2, "CEREBELLUM_LEFT", "CEREBELLUM_RIGHT")
    order = np.argsort(left, kind="stable")
    return BrainAxis(
        "fsLR",
        np.concatenate([cortex.structure, left[order]]),
        np.concatenate([cortex.vertex, np.full(len(voxel), -1)]),
        np.concatenate([cortex.voxel, voxel[order]]),
        cortex.mesh_size,
        AFFINE,
        (SIDE, SIDE, SIDE),
    )


def truth_of(axis: BrainAxis, subject: int) -> np.ndarray:
    """Two halves of each structure, whose border lies elsewhere in each subject."""
    along = np.where(axis.is_surface, axis.vertex / 32492, axis.voxel[:, 2] / SIDE)
    return (along > 0.45 + 0.05 * subject).astype(int)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Maps of four subjects with two sessions; the last has three dead voxels in both."""
    folder = tmp_path_factory.mktemp("maps")
    axis, rows = grayordinates(), ["subject\tsession\tpath"]
    writer = CiftiWriter(axis)
    for subject, session in np.ndindex(4, 2):
        rng = np.random.default_rng((subject, session))
        signal = np.repeat(np.eye(2), 3, axis=1)[truth_of(axis, subject)].T
        maps = (signal + 0.7 * rng.normal(size=signal.shape)).astype(np.float32)
        if subject == 3:
            maps[:, axis.rows_in("CEREBELLUM_RIGHT")[:3]] = 0
        path = folder / f"{subject}-{session}.dscalar.nii"
        writer.dscalar(path, dict(zip(MAPS, maps, strict=True)))
        rows.append(f"s{subject}\t{session}\t{path.name}")
    (folder / "list.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def run(*arguments: object) -> str:
    result = CliRunner().invoke(neuroparcel, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def accuracy(folder) -> float:
    """Smallest adjusted Rand index of a subject with its truth, where there are data."""
    stored = open_parcellations(folder)
    found = []
    for number, name in enumerate(stored.subjects):
        soft = stored.of_subject(name)
        truth = truth_of(stored.axis, number)[soft.has_data]
        found.append(adjusted_rand_score(soft.labels[soft.has_data], truth))
    return min(found)


def test_voxels_of_the_cerebellum(cohort, tmp_path):
    output = tmp_path / "results"
    roi = "voxels:CEREBELLUM_LEFT,CEREBELLUM_RIGHT"
    said = run("fit", "--subjects", cohort / "list.tsv", "--roi", roi, "--output", output, *MODEL)
    assert "512 voxels, 2 networks" in said
    assert "which have the prior (desc-data_mask tells them): s3 3" in said
    assert accuracy(output) > 0.9
    record = json.loads((output / "run.json").read_text())
    assert record["prior_only"] == {"population": 0, "subjects": {"s3": 3}}
    stem = "space-MNI152NLin6Asym_seg-neuroparcel"
    labels = nib.load(output / f"{stem}_dseg.nii.gz")
    np.testing.assert_allclose(labels.affine, AFFINE)
    assert set(np.unique(np.asarray(labels.dataobj))) == {1, 2}
    mask = nib.load(output / f"sub-s3/func/sub-s3_{stem}_desc-data_mask.nii.gz").get_fdata()
    assert int((mask == 0).sum()) == 3
    new = tmp_path / "new"
    run("infer", "--model", output, "--subjects", cohort / "list.tsv", "--output", new, "--quiet")
    assert accuracy(new) > 0.9


def test_one_hemisphere(cohort, tmp_path, monkeypatch):
    """The maps hold a sixteenth of the vertices: the rest of the region has no signal."""
    monkeypatch.setattr(figures, "_DPI", 30)  # pixels that this test does not look at
    output, listed = tmp_path / "results", cohort / "three.tsv"
    listed.write_text("".join((cohort / "list.tsv").read_text().splitlines(keepends=True)[:7]))
    region = ("--roi", "cortex-left", "--max-dead", "0.95")
    run("fit", "--subjects", listed, *region, "--output", output, *MODEL)
    stored = open_parcellations(output)
    assert stored.axis.structures == ("CORTEX_LEFT",)
    assert accuracy(output) > 0.7
    population = stored.of_population()
    assert population.n_prior_only == len(stored.axis) - int(population.has_data.sum()) > 25_000
    assert (population.labels > 0).all()
    assert {file.name for file in (output / "figures").iterdir()} >= {
        *("population.png", "overview.png", "sub-s0.png")
    }
