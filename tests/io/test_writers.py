from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neuroparcel.atomic import ASIDE
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import CohortParcellation
from neuroparcel.errors import ConnectomeError, FileFormatError, OutputError, SpaceError
from neuroparcel.io.formats.cifti import read_cifti
from neuroparcel.io.meshes import load_cortex_axis
from neuroparcel.io.regions import load_region
from neuroparcel.io.writers import open_parcellations, read_parcellations, write_parcellations
from neuroparcel.io.writers import parcellations as writers

TOY = "space-unknown_seg-neuroparcel_den-0k"


@pytest.fixture
def parcellation(toy_region) -> CohortParcellation:
    """Three subjects, one without its second session; one vertex without data."""
    rng = np.random.default_rng(0)
    session = rng.dirichlet([1, 1], size=(3, 2, 10)).astype(np.float32)
    session[:, :, 4] = np.nan
    subject = session.mean(axis=1)
    session[1, 1] = np.nan
    return CohortParcellation(
        toy_region.axis,
        ("network 1", "network 2"),
        ("100307", "sub-02", "s_3"),
        ("REST1", "ses-2"),
        subject.mean(axis=0),
        subject,
        session,
    )


@pytest.fixture
def written(tmp_path, parcellation, toy_axis, toy_region) -> list[Path]:
    sources = {"100307": ["/data/100307/a.nii", "/data/100307/b.nii"], "sub-02": ["/data/2/c.nii"]}
    return write_parcellations(
        tmp_path,
        parcellation,
        full_axis=toy_axis,
        sources=sources,
        areas=toy_region.label_of_vertex.tolist(),
    )


def test_round_trip(tmp_path, written, parcellation):
    again = read_parcellations(tmp_path)
    assert again.axis == parcellation.axis
    for name in ("networks", "subjects", "sessions"):
        assert getattr(again, name) == getattr(parcellation, name)
    for name in ("population", "subject", "session"):
        np.testing.assert_array_equal(getattr(again, name), getattr(parcellation, name))


def test_names_follow_bids(tmp_path, written):
    names = {path.relative_to(tmp_path).as_posix() for path in written}
    assert names == {
        path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()
    }
    assert f"{TOY}_dseg.dlabel.nii" in names
    assert f"{TOY}_dseg.tsv" in names
    assert f"sub-100307/func/sub-100307_{TOY}_probseg.dscalar.nii" in names
    assert f"sub-02/ses-2/func/sub-02_ses-2_{TOY}_stat-entropy_boldmap.dscalar.nii" in names or (
        f"sub-02/ses-REST1/func/sub-02_ses-REST1_{TOY}_stat-entropy_boldmap.dscalar.nii" in names
    )
    assert not (tmp_path / "sub-02" / "ses-2").exists()
    assert (tmp_path / "sub-s3").is_dir()


def test_maps_cover_the_whole_axis(tmp_path, written, parcellation, toy_axis):
    soft = parcellation.of_population()
    rows = toy_axis.rows_of(parcellation.axis)
    labels = read_cifti(tmp_path / f"{TOY}_dseg.dlabel.nii")
    assert labels.axis == toy_axis
    assert [label.name for label in labels.labels[0]] == ["network 1", "network 2"]
    keys = labels.read()[:, 0]
    np.testing.assert_array_equal(keys[rows], soft.labels)
    assert (np.delete(keys, rows) == 0).all()
    probabilities = read_cifti(tmp_path / f"{TOY}_probseg.dscalar.nii").read()
    np.testing.assert_array_equal(probabilities[rows], soft.probabilities)
    assert np.isnan(np.delete(probabilities, rows, axis=0)).all()
    entropy = read_cifti(tmp_path / f"{TOY}_stat-entropy_boldmap.dscalar.nii").read()[:, 0]
    np.testing.assert_array_equal(entropy[rows], soft.entropy)


def test_table_of_labels_has_a_row_for_each_vertex(tmp_path, written, parcellation):
    with (tmp_path / f"{TOY}_vertices.tsv").open(newline="") as stream:
        table = list(csv.DictReader(stream, delimiter="\t"))
    assert len(table) == 10
    assert list(table[0]) == [
        *("hemisphere", "vertex", "area", "subjects_with_data"),
        *("population", "sub-100307", "sub-02", "sub-s3"),
    ]
    assert [int(row["vertex"]) for row in table] == parcellation.axis.vertex.tolist()
    assert table[0]["area"] == "front"
    labels = parcellation.of_subject("100307").labels
    names = ["n/a", "network 1", "network 2"]
    assert [row["sub-100307"] for row in table] == [names[label] for label in labels]
    assert table[4]["population"] == "n/a"
    assert [row["subjects_with_data"] for row in table] == ["3"] * 4 + ["0"] + ["3"] * 5


def test_descriptions(tmp_path, written):
    description = json.loads((tmp_path / "dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative"
    assert description["GeneratedBy"][0]["Name"] == "neuroparcel"
    assert description["SourceDatasets"] == [{"URL": "file:///data"}]
    assert description["DatasetLinks"] == {"recordings": "file:///data"}
    sidecar = json.loads((tmp_path / "sub-02" / "func" / f"sub-02_{TOY}_dseg.json").read_text())
    assert sidecar == {
        "Description": "Most probable network. 0: outside the region, or nothing is known.",
        "Sources": ["bids:recordings:2/c.nii"],
        "PriorOnlyRows": 0,
        "Density": {
            "0k": "40 vertices on the mesh of CORTEX_LEFT, 40 vertices on the mesh of CORTEX_RIGHT"
        },
    }
    with (tmp_path / f"{TOY}_dseg.tsv").open(newline="") as stream:
        table = list(csv.DictReader(stream, delimiter="\t"))
    assert table[0] == {"index": "1", "name": "network 1", "color": "#0072b2"}


def test_a_cortical_region_gets_its_usual_names(tmp_path):
    region = load_region("broca-left")
    p = np.full((339, 2), 0.5, np.float32)
    levels = CohortParcellation(region.axis, ("a", "b"), ("1",), ("x",), p, p[None], p[None, None])
    write_parcellations(tmp_path, levels, full_axis=load_cortex_axis(), sources={})
    path = tmp_path / "space-fsLR_seg-neuroparcel_den-32k_dseg.dlabel.nii"
    assert int((read_cifti(path).read() > 0).sum()) == 339


def test_progress_counts_the_subjects(tmp_path, parcellation, toy_axis):
    seen: list[tuple[int, int]] = []
    write_parcellations(
        tmp_path,
        parcellation,
        full_axis=toy_axis,
        sources={},
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_rows_without_data_hold_the_prior_and_are_marked(tmp_path, parcellation, toy_axis):
    """Row 0 has data in nobody, row 1 in one session of one subject; no row is empty."""
    known = np.random.default_rng(1).dirichlet([1, 1], size=(3, 2, 10)).astype(np.float32)
    known[1, 1] = np.nan  # the session is missing
    data = np.isfinite(known).all(axis=-1)
    data[:, :, :2] = False
    data[0, 1, 1] = True
    marked = replace(
        parcellation,
        subject=np.nanmean(known, axis=1),
        population=np.nanmean(known, axis=(0, 1)),
        session=known,
        data=data,
    )
    files = write_parcellations(tmp_path, marked, full_axis=toy_axis, sources={})
    again = read_parcellations(tmp_path)
    np.testing.assert_array_equal(again.session, known)
    np.testing.assert_array_equal(again.has_data, data)
    assert again.of_population().has_data.tolist() == [False] + [True] * 9
    assert again.of_subject("100307").has_data.tolist() == [False] + [True] * 9
    assert again.of_subject("sub-02").n_prior_only == 2

    rows = toy_axis.rows_of(marked.axis)
    mask = read_cifti(tmp_path / f"sub-02/func/sub-02_{TOY}_desc-data_mask.dscalar.nii")
    assert mask.names == ("data",)
    values = mask.read()[:, 0]
    assert values[rows].tolist() == [0, 0] + [1] * 8
    assert np.isnan(np.delete(values, rows)).all()
    labels = read_cifti(tmp_path / f"sub-02/func/sub-02_{TOY}_dseg.dlabel.nii").read()[:, 0]
    assert (labels[rows] > 0).all()
    sidecar = json.loads((tmp_path / f"sub-02/func/sub-02_{TOY}_desc-data_mask.json").read_text())
    assert sidecar["PriorOnlyRows"] == 2
    assert "0: it has none, and its probabilities are the prior's" in sidecar["Description"]
    masks = [path for path in files if path.name.endswith("desc-data_mask.dscalar.nii")]
    assert len(masks) == 9  # population, 3 subjects, 5 sessions
    with (tmp_path / f"{TOY}_vertices.tsv").open(newline="") as stream:
        counts = [row["subjects_with_data"] for row in csv.DictReader(stream, delimiter="\t")]
    assert counts == ["0", "1"] + ["3"] * 8


def test_maps_are_read_when_they_are_asked_for(tmp_path, written, parcellation):
    stored = open_parcellations(tmp_path)
    for name in ("axis", "networks", "subjects", "sessions", "n_networks"):
        assert getattr(stored, name) == getattr(parcellation, name)
    (tmp_path / f"sub-02/func/sub-02_{TOY}_probseg.dscalar.nii").unlink()
    for mine, theirs in (
        (stored.of_population(), parcellation.of_population()),
        (stored.of_subject("s_3"), parcellation.of_subject("s_3")),
        (stored.of_session("sub-02", "REST1"), parcellation.of_session("sub-02", "REST1")),
        (stored.of_session("sub-02", "ses-2"), parcellation.of_session("sub-02", "ses-2")),
    ):
        np.testing.assert_array_equal(mine.probabilities, theirs.probabilities)
    with pytest.raises(FileFormatError, match=r"sub-02_.*_probseg\.dscalar\.nii"):
        stored.of_subject("sub-02")
    with pytest.raises(ConnectomeError, match="no subject 'nobody'"):
        stored.of_subject("nobody")
    with pytest.raises(ConnectomeError, match="no session 'REST9'"):
        stored.of_session("s_3", "REST9")


def test_an_interrupted_run_cannot_be_read(tmp_path, written, parcellation, toy_axis, monkeypatch):
    def interrupted(*args: object) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(writers, "_write_label_table", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_parcellations(tmp_path, parcellation, full_axis=toy_axis, sources={})
    with pytest.raises(FileFormatError, match="holds no parcellations"):
        read_parcellations(tmp_path)
    assert not list(tmp_path.rglob(f"{ASIDE}*"))


def test_names_that_would_collide_are_refused(tmp_path, parcellation, toy_axis):
    same = replace(parcellation, subjects=("a_1", "b", "a1"))
    with pytest.raises(OutputError, match="'a_1' and 'a1' would share the file name sub-a1"):
        write_parcellations(tmp_path, same, full_axis=toy_axis, sources={})
    outside = replace(parcellation, sessions=("../a", "b"))
    with pytest.raises(OutputError, match=r"session name '\.\./a' holds a path separator"):
        write_parcellations(tmp_path, outside, full_axis=toy_axis, sources={})


def test_rows_that_cannot_be_written_are_refused(tmp_path, parcellation, toy_axis):
    with pytest.raises(SpaceError, match="rows of CORTEX_LEFT are missing"):
        write_parcellations(
            tmp_path, parcellation, full_axis=toy_axis.restrict(np.arange(10, 74)), sources={}
        )
    unheard_of = BrainAxis.from_vertices("x", {"TAIL": np.arange(10)}, {"TAIL": 10})
    with pytest.raises(SpaceError, match="CIFTI has no structure called TAIL"):
        write_parcellations(tmp_path, replace(parcellation, axis=unheard_of), sources={})
    assert list(tmp_path.iterdir()) == []


def test_damaged_results_are_refused(tmp_path, written):
    index = tmp_path / writers.INDEX
    text = index.read_text()
    index.write_text(text.replace('"subjects"', '"people"'))
    with pytest.raises(FileFormatError, match="lacks subjects"):
        read_parcellations(tmp_path)
    index.write_text("{")
    with pytest.raises(FileFormatError, match=r"parcellation\.json is damaged .*Put the file back"):
        read_parcellations(tmp_path)
    index.write_text(text)
    rows = tmp_path / writers.ROWS
    rows.write_bytes(b"damaged")
    with pytest.raises(FileFormatError, match="not a safetensors file"):
        read_parcellations(tmp_path)
    rows.unlink()
    with pytest.raises(FileFormatError, match=r"parcellation\.safetensors does not exist"):
        read_parcellations(tmp_path)
