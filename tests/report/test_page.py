"""The page is whole, readable without pictures, and as safe as the names in it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from neuroparcel.pipeline.reporting import report
from neuroparcel.report import page, survey
from neuroparcel.report.section import Section
from neuroparcel.report.surface_data import packed_map

from .samples import (
    NETWORKS,
    NODES,
    SUBJECTS,
    add_reliability,
    add_training,
    broca,
    cohort,
    write_results,
)


class Page(HTMLParser):
    """Elements with their attributes, and the words between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self._is_text = True
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._is_text = tag not in ("script", "style")

    def handle_endtag(self, tag):
        self._is_text = True

    def handle_data(self, data):
        self.words += f"{data} " if self._is_text else ""

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> str:
    """A report with every section, of a region on the surface."""
    folder = tmp_path_factory.mktemp("results")
    add_training(folder)
    labels = add_reliability(folder)
    identity = {"reference": "yeo17", "match": "overlap", "scores": [0.81, None]}
    write_results(folder, broca(), labels=labels, identity=identity)
    return report(folder, quiet=True).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def shown(text) -> Page:
    return Page(text)


@pytest.fixture(scope="module")
def of_nodes(tmp_path_factory) -> Page:
    folder = write_results(tmp_path_factory.mktemp("nodes"), NODES)
    return Page(report(folder, quiet=True).read_text(encoding="utf-8"))


def test_it_fetches_nothing(text, shown):
    sources = [e.get("src") or e.get("href") for t, e in shown.elements if t != "a"]
    assert {source.partition(":")[0] for source in sources if source} == {"data"}
    assert not re.search(r"url\(|@import", text)


def test_every_picture_says_what_it_shows(shown):
    pictures = shown.all("img")
    assert len(pictures) == 4 + 2 + 1  # figures, subjects, and the one that is enlarged
    described = [picture for picture in pictures if picture["src"] != "data:,"]
    assert all(len(str(picture["alt"])) > 20 for picture in described)
    assert all(int(str(p["width"])) > 0 < int(str(p["height"])) for p in described)


def test_headings_are_in_order_and_anchors_lead_somewhere(shown):
    levels = [int(tag[1]) for tag, _ in shown.elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    ids = [e["id"] for _, e in shown.elements if "id" in e]
    assert len(ids) == len(set(ids))
    anchors = {str(e["href"])[1:] for e in shown.all("a") if str(e["href"]).startswith("#")}
    assert anchors <= set(ids)
    assert {"summary", "surface", "subjects", "references"} <= anchors


def test_controls_have_names(text):
    for control in re.findall(r"<select[^>]*>", text):
        before = text[: text.index(control)]
        assert before.rfind("<label") > before.rfind("</label>"), control
    assert '<html lang="en">' in text


def test_names_are_text_and_no_elements(text, shown):
    assert "<b>" not in text
    alternatives = [str(picture["alt"]) for picture in shown.all("img")]
    assert any(f"Map of {SUBJECTS[1]}: " in alternative for alternative in alternatives)
    assert SUBJECTS[1] in shown.words
    assert NETWORKS[0] in shown.words


def test_it_tells_the_verdict_the_numbers_and_the_warnings(shown):
    words = " ".join(shown.words.split())
    assert "2 networks of broca-left in 2 subjects" in words
    assert "Verdict: look closer held-out vertices: -5.00 nats 1 warning" in words
    assert "Sessions 3 1 missing" in words
    assert "Missing sessions: 1. Subjects with" in words
    assert "this model −5.00 k-means of the pooled cohort −8.00" in words  # noqa: RUF001
    assert "single-session maps, same subject 0.50 0.25 n/a" in words
    assert f"{SUBJECTS[0]} 1, 2 0 0.19 1.00" in words  # 1 - entropy of (3/4, 1/4) in bits
    assert f"{SUBJECTS[1]} 1 2 1 0.00 0.75" in words
    assert f"{NETWORKS[0]} 169 49.9% 0.19 0.81 word, rest, hand" in words
    assert f"{NETWORKS[1]} 170 50.1% 0.19 unmatched hand, rest, word" in words
    assert "Cleaning detrend, band pass 0.01-0.08" in words
    assert "Steps 3 Stages one" in words
    assert "of all networks 0.500 0.500 0.450 0.050" in words


def test_nodes_have_no_surface_and_that_is_said_once(of_nodes):
    words = " ".join(of_nodes.words.split())
    assert "Nodes have no place on the surface" in words
    assert not of_nodes.all("canvas")
    assert "surface" not in {str(e.get("id")) for e in of_nodes.all("section")}
    assert "Heat map" in str(of_nodes.all("img")[0]["alt"])


def test_what_had_no_room_is_said(tmp_path, monkeypatch):
    maps = cohort(broca())
    first, second = (survey._picture(maps.of_subject(s), "", 100).n_bytes for s in SUBJECTS)
    monkeypatch.setattr(survey, "_SIZES", (400, 100))
    monkeypatch.setattr(survey, "PICTURES_MAY_TAKE", first + second)
    monkeypatch.setattr(survey, "MAPS_MAY_TAKE", len(packed_map(maps.of_population())) + 10)
    folder = write_results(tmp_path, broca())
    page = report(folder, quiet=True).read_text(encoding="utf-8")
    assert "Pictures are smaller than for few subjects, so that this page stays" in page
    assert "Only the first 0 of 2 subjects can be chosen, so that this page stays" in page
    monkeypatch.setattr(survey, "PICTURES_MAY_TAKE", first + second - 1)
    again = report(folder, overwrite=True, quiet=True).read_text(encoding="utf-8")
    said = "Only the first 1 of 2 subjects are shown and pictures are smaller than for few subjects"
    assert said in again


def test_a_section_is_one_more_function(tmp_path, monkeypatch):
    extra = Section("extra", "Stability <new>", "summary.html", {"facts": []})
    monkeypatch.setattr(page, "SECTIONS", (page.summary, lambda run: None, lambda run: extra))
    folder = write_results(tmp_path, NODES)
    text = report(folder, quiet=True).read_text(encoding="utf-8")
    assert '<h2 id="extra-title">Stability &lt;new&gt;</h2>' in text
    assert text.count("<section ") == 2


@pytest.mark.parametrize(
    ("n_bytes", "said"), [(999, "999 bytes"), (1499, "1 kB"), (152e6, "152 MB"), (5e12, "5,000 GB")]
)
def test_sizes_are_in_units_that_can_be_read(n_bytes, said):
    assert page.in_units(n_bytes) == said


def test_the_same_run_makes_the_same_page(tmp_path, monkeypatch):
    class Stopped(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(2026, 1, 2, tzinfo=UTC)

    monkeypatch.setattr(page, "datetime", Stopped)
    folder = write_results(tmp_path / "results", NODES)
    first, second = (report(folder, tmp_path / name, quiet=True) for name in ("1.html", "2.html"))
    assert first.read_bytes() == second.read_bytes()
    assert b"2026-01-02 00:00 UTC" in first.read_bytes()
