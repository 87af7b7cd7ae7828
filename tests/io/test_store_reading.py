from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neuroparcel.brain.features import Features, to_sphere
from neuroparcel.errors import ConnectomeError, FileFormatError, OptionError, OutputError
from neuroparcel.io.cells import make_cell
from neuroparcel.io.cohort import load_cohort
from neuroparcel.io.layout import CohortFiles
from neuroparcel.io.recipe import Recipe
from neuroparcel.io.store import build_store, export, open_store, prune, verify
from neuroparcel.io.store.hold import hold_store
from neuroparcel.io.store.index import Head

from .store_cases import ALL, only, write_cohort


@pytest.fixture
def files(tmp_path, toy_axis) -> CohortFiles:
    folder = tmp_path / "in"
    folder.mkdir()
    return write_cohort(folder, toy_axis)


@pytest.fixture
def recipe(toy_region, toy_targets) -> Recipe:
    return Recipe(toy_region, toy_targets)


@pytest.fixture
def path(tmp_path, files, recipe) -> Path:
    build_store(tmp_path / "store", files, recipe)
    return tmp_path / "store"


def block(path: Path, name: tuple[str, str]) -> Path:
    return path / "blocks" / f"{open_store(path).index.entries[name].key}.npy"


@pytest.mark.parametrize("positive", ["shift", "signed"])
@pytest.mark.parametrize("kind", ["correlation", "fisher-z"])
def test_profiles_are_those_of_the_files(path, files, recipe, kind, positive):
    features = Features(kind, positive)
    cohort = open_store(path).cohort(features)
    assert cohort.signed == (positive == "signed")
    assert (cohort.subjects, cohort.sessions) == (("a", "b", "c"), ("1", "2"))
    assert cohort.axis == recipe.region.axis
    assert cohort.targets == recipe.feature_names
    for subject, session in np.ndindex(3, 2):
        runs = files.runs("abc"[subject], "12"[session])
        if runs:
            profiles, alive = to_sphere(make_cell(runs, recipe).values, features)
        else:
            profiles, alive = np.zeros((10, 5)), np.zeros(10, bool)
        np.testing.assert_array_equal(cohort.profiles[subject, session], profiles)
        np.testing.assert_array_equal(cohort.valid[subject, session], alive)
    assert cohort.valid.sum() == 49  # a dead row of b


def test_strengths_are_those_of_the_files(path, files, recipe):
    signed = Features(positive="signed")
    expected, _ = load_cohort(files, replace(recipe, features=signed))
    found = open_store(path).cohort(signed)
    np.testing.assert_array_equal(found.strength, expected.strength)
    assert (found.strength[found.valid] > 0).all()
    assert not found.strength[~found.valid].any()
    assert open_store(path).cohort(Features()).strength is None


def test_strengths_are_relative_to_the_rows_that_are_kept(path):
    signed = Features(positive="signed")
    whole = open_store(path).cohort(signed).strength[0, 0]
    part = open_store(path).cohort(signed, rows=[7, 2, 3]).strength[0, 0]
    np.testing.assert_allclose(part, whole[[7, 2, 3]] / whole[[7, 2, 3]].mean(), rtol=1e-5)
    assert not np.allclose(part, whole[[7, 2, 3]], rtol=1e-3)


def test_blocks_are_opened_when_they_are_asked_for(path, monkeypatch):
    opened: list[Path] = []
    load = np.load
    monkeypatch.setattr(np, "load", lambda file, **k: opened.append(file) or load(file, **k))
    cohort = open_store(path).cohort(Features(), subjects=["b", "a"]).select(["a"])
    assert opened == []
    cohort.profiles[0, 1]
    assert opened == [block(path, ("a", "2"))]


def test_parts_of_a_store(path):
    store = open_store(path)
    whole = store.cohort(Features())
    rows = np.array([7, 2, 3])
    for chosen in (rows, np.isin(np.arange(10), rows)):
        part = store.cohort(Features(), ["c", "b"], ["2", "1"], chosen)
        kept = rows if chosen is rows else np.sort(rows)
        assert part.axis == whole.axis.restrict(kept)
        assert part.profiles.shape == (2, 2, 3, 5)
        np.testing.assert_array_equal(part.profiles[1, 0], whole.profiles[1, 1][kept])
        np.testing.assert_array_equal(part.valid, whole.valid[[2, 1]][:, [1, 0]][:, :, kept])


def test_float16_is_off_by_at_most_a_quarter_thousandth(tmp_path, path, files, recipe):
    build_store(tmp_path / "half", files, recipe, dtype="float16")
    exact, half = open_store(path), open_store(tmp_path / "half")
    for name in ALL:
        # Half a unit in the last place of a number below 1 is 2^-12.
        np.testing.assert_allclose(half.values(*name), exact.values(*name), rtol=0, atol=2**-12)
    profiles = half.cohort(Features()).profiles[1, 1]
    expected, alive = to_sphere(half.values("b", "2").astype(np.float32), Features())
    np.testing.assert_array_equal(profiles, expected)
    assert alive.sum() == 9


def test_where_a_session_comes_from(path, files):
    record = open_store(path).provenance("b", "2")
    assert record["inputs"][0][0] == str(files.recordings[4].path)
    assert record["frames"] == 24
    assert "1 of 10 vertices" in record["warnings"][0]
    assert record["dead"] == [2]


def test_what_is_not_there_is_said(tmp_path, path):
    store = open_store(path)
    with pytest.raises(ConnectomeError, match="The store has no subject 'x'"):
        store.cohort(Features(), subjects=["x"])
    with pytest.raises(ConnectomeError, match="The store has no session '9'"):
        store.cohort(Features(), sessions=["9"])
    with pytest.raises(ConnectomeError, match="no profile of subject c: it has none of these"):
        store.cohort(Features(), ["c"], ["2"])
    with pytest.raises(ConnectomeError, match="holds correlation values, which cannot become maps"):
        store.cohort(Features("maps"))
    with pytest.raises(ConnectomeError, match=r"has no session 2 of subject c\."):
        store.values("c", "2")
    with pytest.raises(OutputError, match=r"in holds no connectome store .no index\.json"):
        open_store(tmp_path / "in")


def test_a_subject_that_failed_is_told(tmp_path, files, recipe):
    files.recordings[5].path.write_bytes(b"no file")
    report = build_store(tmp_path / "store", files, recipe)
    store = open_store(tmp_path / "store")
    assert store.failed == report.failed
    assert store.cohort(Features()).subjects == ("a", "b")
    with pytest.raises(ConnectomeError, match=r"no profile of subject c: .*c1\.dtseries\.nii"):
        store.cohort(Features(), subjects=["c"])
    nothing = build_store(tmp_path / "none", only(files, "c"), recipe)
    assert not nothing.ok
    with pytest.raises(ConnectomeError, match="none holds no session"):
        open_store(tmp_path / "none").cohort(Features())


def test_a_damaged_index_is_named(path):
    index = path / "index.json"
    content = json.loads(index.read_text())
    index.write_text(json.dumps(content | {"format": 99}))
    with pytest.raises(FileFormatError, match="has the format 99; this version reads 2"):
        open_store(path)
    index.write_text(json.dumps(content | {"cells": 5}))
    with pytest.raises(FileFormatError, match=r"index\.json is damaged .TypeError"):
        open_store(path)
    index.write_text("{")
    with pytest.raises(FileFormatError, match=r"index\.json is damaged"):
        open_store(path)


def test_a_whole_store_verifies(path):
    found = verify(path)
    assert found.ok
    assert found.n_blocks == 5
    assert found.summary() == (
        f"{path}: 5 blocks read, 0 damaged; 0 sessions failed; 0 unused blocks; "
        "input files: 10 unchanged, 0 changed, 0 missing."
    )


def test_damaged_blocks_are_found(path, files, recipe):
    flipped, cut, gone, other = (block(path, name) for name in ALL[:4])
    content = bytearray(flipped.read_bytes())
    content[-1] ^= 1
    flipped.write_bytes(content)
    cut.write_bytes(cut.read_bytes()[:-8])
    gone.unlink()
    np.save(other, np.zeros((2, 5), np.float32))
    found = verify(path)
    assert not found.ok
    lines = {(subject, session): line for subject, session, line in found.damaged}
    assert lines.keys() == set(ALL[:4])
    assert "has other content than was written" in lines[ALL[0]]
    assert "cannot be read" in lines[ALL[1]]
    assert "No such file" in lines[ALL[2]]
    assert "holds float32 of shape (2, 5), not float32 of shape (10, 5)" in lines[ALL[3]]
    assert f"subject a, session 1: {lines[ALL[0]]}" in found.summary().splitlines()
    with pytest.raises(FileFormatError, match="connectome verify"):
        open_store(path).cohort(Features()).profiles[0, 1]


def test_inputs_that_changed_or_went_are_found(path, files):
    changed, gone, touched = (files.recordings[n].path for n in (0, 2, 3))
    changed.write_bytes(changed.read_bytes()[:-1] + b"!")
    gone.unlink()
    touched.touch()
    found = verify(path)
    states = {file: state for file, state in found.inputs if state != "unchanged"}
    assert states == {str(changed): "changed", str(gone): "missing"}
    assert not found.ok
    assert f"{gone} is missing." in found.summary().splitlines()
    changed.write_bytes(b"short")
    assert dict(verify(path).inputs)[str(changed)] == "changed"


def test_prune_removes_what_is_not_in_use(path, files, recipe):
    build_store(path, files, recipe, dtype="float16")
    assert len(verify(path).unused) == 5
    with (
        hold_store(path, Head.of(recipe, "float16")),
        pytest.raises(OutputError, match="A process is building"),
    ):
        prune(path)
    assert prune(path) == 5
    assert verify(path).ok
    assert verify(path).unused == ()
    assert len(list((path / "blocks").iterdir())) == 10


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("format", ["zarr", "npz"])
def test_exports_hold_the_same_numbers(tmp_path, files, recipe, format, dtype):
    build_store(tmp_path / "store", files, recipe, dtype=dtype)
    store = open_store(tmp_path / "store")
    destination = tmp_path / "out" / f"all.{format}"
    assert export(store, destination, format) == destination
    if format == "zarr":
        zarr = pytest.importorskip("zarr")
        array = zarr.open_array(str(destination), mode="r")
        values, about = array[:], dict(array.attrs)
        assert array.chunks == (1, 1, 10, 5)
        assert array.metadata.dimension_names == ("subject", "session", "vertex", "feature")
    else:
        with np.load(destination) as archive:
            about = {name: archive[name].tolist() for name in archive if name != "values"}
            values = archive["values"]
        about["recipe"] = json.loads(about["recipe"])
    assert values.dtype == dtype
    assert values.shape == (3, 2, 10, 5)
    for subject, session in ALL:
        found = values["abc".index(subject), "12".index(session)]
        np.testing.assert_array_equal(found, store.values(subject, session))
    assert np.isnan(values[2, 1]).all()
    assert about["subjects"] == ["a", "b", "c"]
    assert about["sessions"] == ["1", "2"]
    assert about["features"] == list(recipe.feature_names)
    assert about["vertices"] == list(recipe.region.axis.names)
    assert about["recipe"] == store.recipe.to_json()
    with pytest.raises(OutputError, match=f"all.{format} exists already"):
        export(store, destination, format)


@pytest.mark.parametrize("format", ["zarr", "npz"])
def test_exports_are_written_whole_or_not_at_all(tmp_path, path, format, monkeypatch):
    block(path, ("b", "1")).unlink()
    out = tmp_path / "out"
    with pytest.raises(FileFormatError, match="cannot be read"):
        export(open_store(path), out / "all", format)
    assert list(out.iterdir()) == []
    monkeypatch.setattr(
        "neuroparcel.io.store.exporting.disk_usage", lambda _: type("Usage", (), {"free": 7})
    )
    with pytest.raises(OutputError, match="and its disk has"):
        export(open_store(path), out / "all", format)


def test_exports_that_cannot_be_made(tmp_path, path, monkeypatch):
    store = open_store(path)
    with pytest.raises(OptionError, match=r"Unknown format 'mat'\. Use zarr or npz"):
        export(store, tmp_path / "a", "mat")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        export(store, tmp_path / "file" / "a", "npz")
    monkeypatch.setitem(__import__("sys").modules, "zarr", None)
    with pytest.raises(OptionError, match=r"pip install neuroparcel\[zarr\]"):
        export(store, tmp_path / "a", "zarr")
