"""The section on stability: its sentences are the numbers of the analysis, and its limits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from neuroparcel.brain.stability import StabilityReport
from neuroparcel.errors import FileFormatError, OutputError
from neuroparcel.io.files import read_json, write_json
from neuroparcel.io.writers.stability import write_record, write_stability
from neuroparcel.pipeline.model_file import model_digests
from neuroparcel.pipeline.reporting import report
from neuroparcel.plotting.stability import file_endings

from ..plotting.stability_samples import report_of
from .samples import NODES, SUBJECTS, broca, cohort, write_results
from .test_page import Page


def analysed(*, kind: str = "without-replacement", **given: object) -> StabilityReport:
    """Of the population and the two subjects of the samples."""
    found = report_of(cohort(NODES).of_population(), kind=kind, retest=False, **given)
    return of_two(found)


def sessions_apart() -> StabilityReport:
    """A test-retest: each sub-population once from each session."""
    found = analysed(kind="test-retest", sizes=(2, 5))
    sizes = (replace(one, session=np.arange(one.n_samples) % 2) for one in found.sizes)
    return replace(found, sizes=tuple(sizes))


def of_two(found: StabilityReport) -> StabilityReport:
    """The same of two subjects only, who are drawn again and again."""
    sizes = tuple(replace(one, members=one.members % 2) for one in found.sizes)
    return replace(found, subjects=SUBJECTS, sizes=sizes)


def write_analysis(folder: Path, found: StabilityReport, **record: object) -> Path:
    """An analysis with small pictures, as figures take long to draw."""
    files = write_stability(folder, found)
    (folder / "figures").mkdir(exist_ok=True)
    whole = ("spread", "curve", "retest")
    of_groups = ("stability", "population", "parts", "agreement")
    endings = file_endings(found).values()
    for name in (*whole, *(f"{name}{ending}" for name in of_groups for ending in endings)):
        Image.new("RGB", (30, 10), "white").save(folder / "figures" / f"{name}.png")
    write_record(folder, found, record, files)
    return folder


@pytest.fixture
def results(tmp_path) -> Path:
    return write_results(tmp_path / "results", NODES)


def section_of(results: Path, **given: object) -> tuple[str, Page]:
    """The words of the section, and its elements."""
    text = report(results, overwrite=True, quiet=True, **given).read_text(encoding="utf-8")
    start = text.index('<section id="stability"')
    shown = Page(text[start : text.index("</section>", start)])
    return " ".join(shown.words.split()), shown


def test_a_run_without_an_analysis_has_no_section(results):
    assert 'id="stability"' not in report(results, quiet=True).read_text(encoding="utf-8")


def test_sentences_and_table_are_the_numbers(results):
    found = analysed(sizes=(2, 5))
    write_analysis(results / "stability", found)
    words, shown = section_of(results)
    assert (
        "24 sub-populations each of 2 and 5 subjects, drawn at random from the 2 subjects, were "
        "parcellated by the posterior that this fit has trained, without training again." in words
    )
    rows = {(one.size, one.name): one for one in found.statistics if not one.network}
    for size in (2, 5):
        stable, index = rows[size, "stable"], rows[size, "ari_full"]
        share = f"{100 * stable.value:.0f} % ({100 * stable.low:.0f} to {100 * stable.high:.0f} %)"
        assert f"With {size} subjects {share} of the labels are those of" in words
        interval = f"{index.value:.2f} ({index.low:.2f} to {index.high:.2f})"
        assert words.count(interval) >= 2  # in a sentence and in the table
    parts = [f"{100 * rows[2, f'share_{part}'].value:.0f} %" for part in ("population", "subject")]
    assert f"{parts[0]} is due to who is in the sub-population of 2, {parts[1]} to the" in words
    assert "Intervals hold 95 % and are over subjects" in words
    assert "sub-10 has one session." in words
    pictures = shown.all("img")
    assert len(pictures) == 4
    assert all(len(str(picture["alt"])) > 20 for picture in pictures)


def test_where_labels_are_not_stable(results):
    """The first network's nodes keep theirs in 60 %, one of the others' six in 70 %."""
    found = analysed()
    one = found.sizes[0]
    value = np.array([0.6] * 6 + [0.7] + [0.9] * 5, dtype=np.float32)
    stable = replace(one.stable, value=value)
    write_analysis(results / "stability", replace(found, sizes=(replace(one, stable=stable),)))
    words, _ = section_of(results)
    assert "58 % of the nodes keep their label in fewer than three of four" in words
    assert "least stable is Language & co, whose nodes keep theirs in 60 %." in words


def test_intervals_that_are_not_over_subjects_have_a_star(results):
    found = analysed(sizes=(2,))
    rows = found.statistics
    mixed = tuple(replace(o, interval="samples") if o.name == "ari_disjoint" else o for o in rows)
    write_analysis(results / "stability", replace(found, statistics=mixed))
    words, _ = section_of(results)
    assert "Those with a star (*) are over sub-populations of these subjects" in words
    assert words.count(")*") == 1
    only = tuple(replace(one, interval="samples") for one in rows)
    write_analysis(results / "stability", replace(found, statistics=only))
    words, _ = section_of(results)
    assert "Intervals hold 95 % and are over sub-populations of these subjects" in words
    assert ")*" not in words


def test_two_sessions_are_not_two_sub_populations(results):
    write_analysis(results / "stability", sessions_apart())
    words, _ = section_of(results)
    assert (
        "12 sub-populations each of 2 and 5 subjects, drawn at random from the 2 subjects, each "
        "once with one session and once with another, were parcellated" in words
    )
    assert "and that between the two sessions of the same sub-population 0." in words
    assert "The two maps of a pair are of the same subjects, and differ by session only" in words
    assert "two sub-populations" not in words
    assert "Between the sessions" in words
    assert "Sub-populations overlap" not in words


def test_parts_that_are_not_known_are_left_out(results):
    """Where each has one session, what is of the session is with the subject."""
    found = analysed(sizes=(2,))
    rows = tuple(one for one in found.statistics if one.name != "share_session")
    write_analysis(results / "stability", replace(found, statistics=rows))
    words, _ = section_of(results)
    assert "is due to who is in the sub-population of 2 and" in words
    assert "to the session" not in words


def test_halves_share_no_subject(results):
    write_analysis(results / "stability", analysed(kind="split-half"))
    words, _ = section_of(results)
    assert "12 pairs of sub-populations of 5 subjects, drawn without a common subject" in words
    assert "and that between the two halves of a pair 0." in words
    assert "The two halves of a pair share no subject, but both are among the 2" in words


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("amortized", "The trained weights, the networks that training began from and"),
        ("refit:reference", "The networks that each fit began from and the reduction"),
    ],
)
def test_limits_follow_from_the_method(results, method, said):
    write_analysis(results / "stability", replace(analysed(), method=method))
    words, _ = section_of(results)
    assert said in words
    assert "A stable label need not be a right one." in words


def test_overlap_is_said_where_there_is_one(results):
    """Of two that are shown, the one is of the first subject, the other of the second."""
    found = analysed(sizes=(2,))
    one = found.sizes[0]
    apart = np.repeat(np.arange(one.n_samples)[:, None] % 2, 2, axis=1)
    alone = replace(one, members=apart, similarity=one.similarity[:2, :2], shown=np.arange(2))
    write_analysis(results / "stability", found)
    assert "Sub-populations overlap: two of size 2 have 1." in section_of(results)[0]
    write_analysis(results / "stability", replace(found, sizes=(alone,)))
    assert "Sub-populations overlap" not in section_of(results)[0]


def test_groups_have_rows_and_names_that_are_no_elements(results):
    write_analysis(results / "stability", analysed(groups=("<i>old", "young")))
    text = (report(results, quiet=True)).read_text(encoding="utf-8")
    assert "<i>" not in text
    words, shown = section_of(results)
    assert "full population" not in words
    assert "Group young: With 5 subjects" in words
    assert words.count("of the labels are those of the full group,") == 2
    assert "Group young: Of the mean squared deviation" in words
    alts = [str(picture["alt"]) for picture in shown.all("img")]
    assert sum("of group young" in alt for alt in alts) == 3
    assert "of the groups <i>old and young of the 2 subjects" not in words
    assert "from the groups <i>old and young of the 2 subjects" in words
    assert len(shown.all("tr")) == 3


def test_on_the_surface_there_are_maps(tmp_path):
    results = write_results(tmp_path / "results", broca())
    found = of_two(report_of(cohort(broca()).of_population()))
    write_analysis(results / "stability", found)
    words, shown = section_of(results)
    assert "The labels of one session tell 90 % (80 to 100 %) of the subjects by another" in words
    assert len(shown.all("img")) == 6
    assert any(str(p["alt"]).startswith("Map of the probability") for p in shown.all("img"))


def test_pictures_that_are_missing_are_drawn(results):
    folder = write_analysis(results / "stability", analysed())
    (folder / "figures" / "agreement.png").unlink()
    _, shown = section_of(results)
    widths = [int(str(picture["width"])) for picture in shown.all("img")]
    assert sum(width > 1000 for width in widths) == 1


def test_another_folder_may_be_named(results, tmp_path):
    folder = write_analysis(tmp_path / "elsewhere", analysed())
    words, _ = section_of(results, stability=folder)
    assert "24 sub-populations" in words


def test_an_unfinished_analysis_is_left_out_and_that_is_said(results, capfd):
    folder = write_analysis(results / "stability", analysed())
    write_json(folder / "stability.json", {"status": "running"})
    text = report(results).read_text(encoding="utf-8")
    assert 'id="stability"' not in text
    assert "is unfinished, and left out of the report." in capfd.readouterr().err
    with pytest.raises(FileFormatError, match="holds an unfinished stability analysis"):
        report(results, stability=folder, overwrite=True, quiet=True)


def test_an_analysis_of_an_earlier_fit_is_left_out_and_that_is_said(results, capfd):
    """A fit that was overwritten leaves the analysis of the one before it behind."""
    saved = {
        "family": {"name": "adavi"},
        "link": "identity",
        "model": {"emission": "l-normal", "levels": ["population"]},
    }
    (results / "model").mkdir()
    write_json(results / "model" / "model.json", saved)
    used = {"files": model_digests(results / "model")}
    folder = write_analysis(results / "stability", analysed(), model=used)
    assert 'id="stability"' in report(results).read_text(encoding="utf-8")
    write_json(results / "model" / "model.json", {**saved, "link": "softmax"})
    text = report(results, overwrite=True).read_text(encoding="utf-8")
    assert 'id="stability"' not in text
    assert "is of an earlier fit, and left out of the report." in capfd.readouterr().err
    with pytest.raises(OutputError, match="was made from another fit than that in"):
        report(results, stability=folder, overwrite=True, quiet=True)


def test_an_analysis_of_other_results_is_refused(results, tmp_path):
    folder = write_analysis(tmp_path / "other", replace(analysed(), subjects=("x", "y")))
    with pytest.raises(OutputError, match=r"other is not of .*results: its networks, subjects or"):
        report(results, stability=folder, quiet=True)
    assert not (results / "report.html").exists()


def test_a_damaged_record_is_one_line(results):
    folder = write_analysis(results / "stability", analysed())
    record = read_json(folder / "stability.json")
    del record["report"]["networks"]
    write_json(folder / "stability.json", record)
    with pytest.raises(FileFormatError, match=r"stability\.json is damaged"):
        report(results, quiet=True)
