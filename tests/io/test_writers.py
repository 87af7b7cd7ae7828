from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import CohortParcellation
from neuroparcel.errors import FileFormatError, OutputError, SpaceError
from neuroparcel.io.formats.cifti import read_cifti
from neuroparcel.io.meshes import load_cortex_axis
from neuroparcel.io.regions import load_region
from neuroparcel.io.writers import parcellations as writers
from neuroparcel.io.writers import read_parcellations, write_parcellations

TOY = "space-unknown_den-0k_seg-neuroparcel"


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
    columns = ["hemisphere", "vertex", "area", "population", "sub-100307", "sub-02", "sub-s3"]
    assert list(table[0]) == columns
    assert [int(row["vertex"]) for row in table] == parcellation.axis.vertex.tolist()
    assert table[0]["area"] == "front"
    labels = parcellation.of_subject("100307").labels
    names = ["n/a", "network 1", "network 2"]
    assert [row["sub-100307"] for row in table] == [names[label] for label in labels]
    assert table[4]["population"] == "n/a"


def test_descriptions(tmp_path, written):
    description = json.loads((tmp_path / "dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative"
    assert description["GeneratedBy"][0]["Name"] == "neuroparcel"
    assert description["SourceDatasets"] == [{"URL": "file:///data"}]
    sidecar = json.loads((tmp_path / "sub-02" / "func" / f"sub-02_{TOY}_dseg.json").read_text())
    assert sidecar == {"Sources": ["/data/2/c.nii"]}
    with (tmp_path / f"{TOY}_dseg.tsv").open(newline="") as stream:
        table = list(csv.DictReader(stream, delimiter="\t"))
    assert table[0] == {"index": "1", "name": "network 1", "color": "#0072b2"}


def test_a_cortical_region_gets_its_usual_names(tmp_path):
    region = load_region("broca-left")
    p = np.full((339, 2), 0.5, np.float32)
    levels = CohortParcellation(region.axis, ("a", "b"), ("1",), ("x",), p, p[None], p[None, None])
    write_parcellations(tmp_path, levels, full_axis=load_cortex_axis(), sources={})
    path = tmp_path / "space-fsLR_den-32k_seg-neuroparcel_dseg.dlabel.nii"
    assert int((read_cifti(path).read() > 0).sum()) == 339


def test_progress_counts_the_parcellations(tmp_path, parcellation, toy_axis):
    seen: list[tuple[int, int]] = []
    write_parcellations(
        tmp_path,
        parcellation,
        full_axis=toy_axis,
        sources={},
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(n, 9) for n in range(1, 10)]  # population, 3 subjects, 5 sessions


def test_an_interrupted_run_cannot_be_read(tmp_path, written, parcellation, toy_axis, monkeypatch):
    def interrupted(*args: object) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(writers, "_write_label_table", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_parcellations(tmp_path, parcellation, full_axis=toy_axis, sources={})
    with pytest.raises(FileFormatError, match="holds no parcellations"):
        read_parcellations(tmp_path)
    assert not list(tmp_path.rglob(".*"))


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
    with pytest.raises(FileFormatError, match="not valid JSON"):
        read_parcellations(tmp_path)
    index.write_text(text)
    rows = tmp_path / writers.ROWS
    rows.write_bytes(b"damaged")
    with pytest.raises(FileFormatError, match="not a safetensors file"):
        read_parcellations(tmp_path)
    rows.unlink()
    with pytest.raises(FileFormatError, match=r"parcellation\.safetensors does not exist"):
        read_parcellations(tmp_path)
