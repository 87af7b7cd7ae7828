"""Parcellations of every kind of region: what is written is read, by us and by others."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import CohortParcellation
from neuroparcel.errors import FileFormatError, SpaceError
from neuroparcel.io.formats.cifti import read_cifti
from neuroparcel.io.meshes import load_cortex_axis
from neuroparcel.io.writers import full_axis_of, read_parcellations, write_parcellations
from neuroparcel.io.writers.cifti_maps import CiftiMaps
from neuroparcel.io.writers.nifti_writer import NiftiWriter

SHAPE = (6, 7, 5)
AFFINE = np.array([[-2.0, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2.5, -72], [0, 0, 0, 1]])
NETWORKS = ("Network 1", "Network 2", "Network 3")

Cohort = Callable[[BrainAxis], CohortParcellation]


def make_volume(n_voxels: int = 12, structure: str = "OTHER") -> BrainAxis:
    """Voxels that are neither in order nor in one piece."""
    chosen = np.random.default_rng(1).permutation(np.prod(SHAPE))[:n_voxels]
    voxel = np.stack(np.unravel_index(chosen, SHAPE), axis=1)
    names, vertex = np.full(n_voxels, structure), np.full(n_voxels, -1)
    return BrainAxis("MNI152NLin6Asym", names, vertex, voxel, {}, AFFINE, SHAPE)


def make_surface(space: str, mesh_size: int, *hemispheres: str) -> BrainAxis:
    rows = {name: np.arange(number, 60, 7) for number, name in enumerate(hemispheres)}
    return BrainAxis.from_vertices(space, rows, dict.fromkeys(hemispheres, mesh_size))


def make_mixed() -> BrainAxis:
    """Vertices, and voxels of two structures that lie interleaved."""
    deep = make_volume(6)
    names = np.array(["CORTEX_LEFT", *["THALAMUS_LEFT", "PUTAMEN_RIGHT"] * 3, "CORTEX_LEFT"])
    return BrainAxis(
        "fsLR",
        names,
        np.array([5, *[-1] * 6, 3]),
        np.concatenate([[[-1] * 3], deep.voxel, [[-1] * 3]]),
        {"CORTEX_LEFT": 32492},
        AFFINE,
        SHAPE,
    )


def make_nodes() -> BrainAxis:
    """Some nodes of a set, not in order."""
    return BrainAxis.from_nodes([f"parcel {n}" for n in range(9)]).restrict([7, 0, 4, 8])


AXES = {
    "fsaverage5": (
        make_surface("fsaverage", 10242, "CORTEX_RIGHT", "CORTEX_LEFT"),
        "space-fsaverage_seg-neuroparcel_den-10k_",
    ),
    "fsaverage6-left": (
        make_surface("fsaverage", 40962, "CORTEX_LEFT"),
        "space-fsaverage_seg-neuroparcel_den-41k_",
    ),
    "fsLR-32k": (
        load_cortex_axis().restrict(np.arange(0, 59412, 5000)),
        "space-fsLR_seg-neuroparcel_den-32k_",
    ),
    "medial-wall": (
        make_surface("fsLR", 32492, "CORTEX_LEFT"),
        "space-fsLR_seg-neuroparcel_den-32k_",
    ),
    "cerebellum": (
        make_surface("fsLR", 28935, "CEREBELLUM"),
        "space-fsLR_seg-neuroparcel_den-29k_",
    ),
    "volume": (make_volume(), "space-MNI152NLin6Asym_seg-neuroparcel_"),
    "subcortex": (make_volume(5, "THALAMUS_LEFT"), "space-MNI152NLin6Asym_seg-neuroparcel_"),
    "grayordinates": (make_mixed(), "space-fsLR_seg-neuroparcel_den-32k_"),
    "nodes": (make_nodes(), "seg-neuroparcel_"),
}


@pytest.fixture
def make_cohort() -> Cohort:
    """Two subjects, the second without session 2; the first has no data in the last row."""

    def make(axis: BrainAxis) -> CohortParcellation:
        rng = np.random.default_rng(3)
        session = rng.dirichlet(np.full(3, 0.3), size=(2, 2, len(axis))).astype(np.float32)
        subject = session.mean(axis=1)
        session[1, 1] = np.nan
        data = np.isfinite(session).all(axis=-1)
        data[0, :, -1] = False
        population = np.where(data[:, 0, :, None], subject, np.nan)
        return CohortParcellation(
            axis,
            NETWORKS,
            ("01", "02"),
            ("1", "2"),
            np.nanmean(population, axis=0),
            subject,
            session,
            data,
        )

    return make


@pytest.fixture(params=AXES)
def kind(request) -> str:
    return request.param


def read_table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def test_every_kind_comes_back(tmp_path, kind, make_cohort):
    axis, stem = AXES[kind]
    written = make_cohort(axis)
    files = write_parcellations(tmp_path, written, sources={})
    again = read_parcellations(tmp_path)
    assert again.axis == axis
    assert again.axis.space == axis.space
    for name in ("networks", "subjects", "sessions"):
        assert getattr(again, name) == getattr(written, name)
    for name in ("population", "subject", "session"):
        np.testing.assert_array_equal(getattr(again, name), getattr(written, name))
    np.testing.assert_array_equal(again.has_data, written.data)
    assert sorted(files) == sorted(path for path in tmp_path.rglob("*") if path.is_file())
    maps = [path.name for path in files if "probseg" in path.name]
    assert all(f"{stem}probseg" in name for name in maps)
    assert len({name for name in maps if not name.endswith((".json", ".gii"))}) == 6
    sides = {"fsaverage5": 2, "fsLR-32k": 2, "fsaverage6-left": 1, "medial-wall": 1}
    sides["grayordinates"] = 1
    assert len([name for name in maps if name.endswith(".func.gii")]) == 6 * sides.get(kind, 0)


def test_the_full_axis_holds_the_region(kind):
    axis, _ = AXES[kind]
    full_axis = full_axis_of(axis)
    assert full_axis.restrict(full_axis.rows_of(axis)) == axis
    expected = {
        "fsaverage5": 2 * 10242,
        "fsaverage6-left": 40962,
        "fsLR-32k": 59412,
        "medial-wall": 32492,
        "cerebellum": 28935,
        "grayordinates": 59412 + 6,
    }
    assert len(full_axis) == expected.get(kind, len(axis))


def test_a_surface_on_other_meshes_opens_in_nibabel(tmp_path, make_cohort):
    axis, stem = AXES["fsaverage5"]
    cohort = make_cohort(axis)
    write_parcellations(tmp_path, cohort, sources={})
    image = nib.load(tmp_path / f"{stem}dseg.dlabel.nii")
    models = image.header.get_axis(1)
    assert models.nvertices == dict.fromkeys(
        ("CIFTI_STRUCTURE_CORTEX_LEFT", "CIFTI_STRUCTURE_CORTEX_RIGHT"), 10242
    )
    labels = np.asarray(image.dataobj)[0]
    rows = read_cifti(Path(image.get_filename())).axis.rows_of(axis)
    np.testing.assert_array_equal(labels[rows], cohort.of_population().labels)
    assert np.count_nonzero(labels) == len(axis)


def test_standard_grayordinates_are_named_by_all_their_rows():
    """59,412 vertices with 31,870 voxels are den-91k; with one voxel fewer they are not."""
    cortex = load_cortex_axis()
    voxel = np.stack(np.unravel_index(np.arange(31870), (91, 109, 91)), axis=1)
    whole = BrainAxis(
        "fsLR",
        np.concatenate([cortex.structure, np.full(31870, "BRAIN_STEM")]),
        np.concatenate([cortex.vertex, np.full(31870, -1)]),
        np.concatenate([cortex.voxel, voxel]),
        cortex.mesh_size,
        AFFINE,
        (91, 109, 91),
    )
    assert CiftiMaps(whole, whole).stem == "space-fsLR_den-91k"
    fewer = whole.restrict(np.arange(91281))
    assert CiftiMaps(fewer, fewer).stem == "space-fsLR_den-32k"


def test_volumes_are_what_nilearn_expects(tmp_path, make_cohort):
    from nilearn.image import load_img
    from nilearn.maskers import NiftiLabelsMasker

    axis = make_volume()
    cohort = make_cohort(axis)
    write_parcellations(tmp_path, cohort, sources={"01": ["/data/1/a.nii.gz"]})
    stem = "space-MNI152NLin6Asym_seg-neuroparcel"
    path = tmp_path / f"{stem}_dseg.nii.gz"
    labels = load_img(path)
    np.testing.assert_allclose(labels.affine, AFFINE)
    assert labels.shape == SHAPE
    assert labels.get_data_dtype() == np.int32
    assert int(labels.header["sform_code"]) == 4, "MNI"
    keys = np.asarray(labels.dataobj)
    place = tuple(axis.voxel.T)
    np.testing.assert_array_equal(keys[place], cohort.of_population().labels)
    assert np.count_nonzero(keys) == len(axis)

    shares = load_img(tmp_path / f"{stem}_probseg.nii.gz").get_fdata(dtype=np.float32)
    assert shares.shape == (*SHAPE, 3)
    np.testing.assert_array_equal(shares[place], cohort.population)
    assert np.isnan(shares).sum() == shares.size - 3 * len(axis)
    entropy = load_img(tmp_path / f"{stem}_stat-entropy_boldmap.nii.gz").get_fdata()
    np.testing.assert_allclose(entropy[place], cohort.of_population().entropy)
    sidecar = json.loads((tmp_path / f"sub-01/func/sub-01_{stem}_probseg.json").read_text())
    assert sidecar == {
        "Description": "Posterior probability of each network; NaN outside the region.",
        "LabelMap": list(NETWORKS),
        "Sources": ["bids:recordings:a.nii.gz"],
        "PriorOnlyRows": 1,
        "SpatialReference": "https://templateflow.s3.amazonaws.com/tpl-MNI152NLin6Asym/"
        "tpl-MNI152NLin6Asym_res-01_T1w.nii.gz",
    }
    mask = load_img(tmp_path / f"sub-01/func/sub-01_{stem}_desc-data_mask.nii.gz").get_fdata()
    assert mask[place].tolist() == [1.0] * (len(axis) - 1) + [0.0]

    signal = np.zeros((*SHAPE, 4), np.float32)
    signal[place] = cohort.of_population().labels[:, None] * np.arange(1, 5)
    masker = NiftiLabelsMasker(labels, standardize=None)
    means = masker.fit_transform(nib.Nifti1Image(signal, AFFINE))
    present = np.unique(cohort.of_population().labels)
    np.testing.assert_allclose(means, np.arange(1, 5)[:, None] * present)


def test_tables_say_where_each_row_lies(tmp_path, make_cohort):
    for kind, name in (
        ("volume", "voxels"),
        ("grayordinates", "grayordinates"),
        ("nodes", "nodes"),
        ("cerebellum", "grayordinates"),
    ):
        axis, stem = AXES[kind]
        folder = tmp_path / kind
        areas = [f"area {row}" for row in range(len(axis))]
        write_parcellations(folder, make_cohort(axis), sources={}, areas=areas)
        rows = read_table(folder / f"{stem}{name}.tsv")
        assert [row["area"] for row in rows] == areas
        assert set(rows[0]) >= {"population", "sub-01", "sub-02"}
        assert rows[-1]["sub-01"] in NETWORKS  # the prior's
        assert [row["subjects_with_data"] for row in rows] == ["2"] * (len(axis) - 1) + ["1"]
        if kind == "nodes":
            assert [row["node"] for row in rows] == ["7", "0", "4", "8"]
            assert [row["name"] for row in rows] == list(axis.names)
        if kind == "volume":
            assert list(rows[0])[:6] == list("ijkxyz")
            voxel = np.array([[int(row[c]) for c in "ijk"] for row in rows])
            np.testing.assert_array_equal(voxel, axis.voxel)
            millimetres = np.array([[float(row[c]) for c in "xyz"] for row in rows])
            np.testing.assert_allclose(millimetres, nib.affines.apply_affine(AFFINE, voxel))
        if kind == "grayordinates":
            first, second = rows[:2]
            assert (first["structure"], first["vertex"], first["x"]) == ("CORTEX_LEFT", "5", "n/a")
            assert (second["structure"], second["vertex"]) == ("THALAMUS_LEFT", "n/a")
            assert second["i"] == str(axis.voxel[1, 0])
        if kind == "cerebellum":
            assert (rows[0]["structure"], rows[1]["vertex"]) == ("CEREBELLUM", "7")
            assert "x" not in rows[0]


def test_nodes_are_tables(tmp_path, make_cohort):
    axis = make_nodes()
    cohort = make_cohort(axis)
    files = write_parcellations(tmp_path, cohort, sources={"01": ["/data/1.npy"]})
    assert {path.suffix for path in files} == {".tsv", ".json", ".safetensors", ""}
    assert not any("space-" in path.name or "den-" in path.name for path in files)
    rows = read_table(tmp_path / "sub-01/func/sub-01_seg-neuroparcel_probseg.tsv")
    soft = cohort.of_subject("01")
    after = ["entropy", "margin", "agreement"]
    assert list(rows[0]) == ["index", "name", "label", "data", *NETWORKS, *after]
    assert [row["index"] for row in rows] == ["7", "0", "4", "8"]
    assert rows[0]["label"] == NETWORKS[soft.labels[0] - 1]
    assert float(rows[0]["entropy"]) == pytest.approx(soft.entropy[0])
    assert [row["data"] for row in rows] == ["1", "1", "1", "0"]
    sidecar = tmp_path / "sub-01/func/sub-01_seg-neuroparcel_probseg.json"
    described = json.loads(sidecar.read_text())
    assert {"label", "data", *NETWORKS, *after} <= described.keys()
    colours = read_table(tmp_path / "seg-neuroparcel_dseg.tsv")
    assert [row["name"] for row in colours] == list(NETWORKS)


def test_damaged_tables_are_refused(tmp_path, make_cohort):
    write_parcellations(tmp_path, make_cohort(make_nodes()), sources={})
    path = tmp_path / "seg-neuroparcel_probseg.tsv"
    text = path.read_text()
    for damaged, message in (
        (text.replace("Network 2", "Network B"), "not a table of probabilities"),
        (text.replace("parcel 4", "parcel 5"), "has other nodes than the region"),
        (text.replace("agreement\n", "agreement\n1\t2\n"), "has 10 columns, but not in line 2"),
        ("", "is not a table"),
    ):
        path.write_text(damaged)
        with pytest.raises(FileFormatError, match=message):
            read_parcellations(tmp_path)
    path.unlink()
    with pytest.raises(FileFormatError, match=r"probseg\.tsv does not exist"):
        read_parcellations(tmp_path)


def test_damaged_volumes_are_refused(tmp_path, make_cohort):
    axis = make_volume()
    write_parcellations(tmp_path, make_cohort(axis), sources={})
    path = tmp_path / "space-MNI152NLin6Asym_seg-neuroparcel_probseg.nii.gz"
    whole = path.read_bytes()
    NiftiWriter(axis).maps(path, np.zeros((len(axis), 2)))
    with pytest.raises(FileFormatError, match=r"has the shape \(6, 7, 5, 2\), not \(6, 7, 5, 3\)"):
        read_parcellations(tmp_path)
    nib.Nifti1Image(np.zeros((*SHAPE, 3), np.float32), np.eye(4)).to_filename(path)
    with pytest.raises(SpaceError, match="has another affine than the region"):
        read_parcellations(tmp_path)
    path.write_bytes(gzip.compress(gzip.decompress(whole)[:1500]))
    with pytest.raises(FileFormatError, match="is truncated or damaged"):
        read_parcellations(tmp_path)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileFormatError, match="is truncated or damaged"):
        read_parcellations(tmp_path)
    path.unlink()
    with pytest.raises(FileFormatError, match="does not exist"):
        read_parcellations(tmp_path)


def test_a_volume_is_written_from_as_many_voxels_as_it_has(tmp_path):
    writer = NiftiWriter(make_volume())
    with pytest.raises(FileFormatError, match="3 values cannot be written on 12 voxels"):
        writer.labels(tmp_path / "x.nii.gz", np.zeros(3, int))
    with pytest.raises(SpaceError, match="from voxels only"):
        NiftiWriter(make_nodes())
    assert list(tmp_path.iterdir()) == []
