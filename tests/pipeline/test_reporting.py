"""Reports of results folders: written whole or not at all, and what they refuse."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from neuroparcel.atomic import ASIDE
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import FileFormatError, OutputError
from neuroparcel.io.files import read_json, write_json
from neuroparcel.pipeline import FitOptions, report, reporting
from neuroparcel.pipeline.run_folder import open_run, read_run

from ..report.samples import NODES, add_reliability, broca, write_results

VOXELS = BrainAxis(
    "MNI152NLin6Asym",
    np.full(4, "OTHER"),
    np.full(4, -1),
    np.arange(12).reshape(4, 3) % 5,
    {},
    np.eye(4),
    (5, 5, 5),
)


@pytest.fixture
def results(tmp_path) -> Path:
    """Of nodes, whose report is quick."""
    return write_results(tmp_path / "results", NODES)


def change_run(folder: Path, **changed: object) -> None:
    write_json(folder / "run.json", {**read_run(folder), **changed})


def test_it_lies_in_the_results_unless_another_file_is_named(results, tmp_path):
    assert report(results, quiet=True) == results / "report.html"
    other = tmp_path / "new folder" / "mine.html"
    assert report(results, other, quiet=True) == other
    assert "<h1>2 networks" in other.read_text(encoding="utf-8")
    assert not list(tmp_path.rglob(f"{ASIDE}*"))


def test_it_replaces_a_report_only_if_told(results):
    path = report(results, quiet=True)
    path.write_text("mine")
    with pytest.raises(OutputError, match=r"report\.html exists\. Give --overwrite"):
        report(results, quiet=True)
    assert path.read_text() == "mine"
    report(results, overwrite=True, quiet=True)
    assert "<h1>" in path.read_text(encoding="utf-8")


def test_a_new_run_takes_the_old_report_away(results):
    path = report(results, quiet=True)
    options = FitOptions(output=results, overwrite=True, subjects=Path("cohort.tsv"))
    open_run(options, "fit").begin({})
    assert not path.exists()


def test_figures_that_are_missing_are_drawn_for_the_page(tmp_path):
    folder = write_results(tmp_path / "results", NODES, figures=False)
    page = report(folder, quiet=True).read_text(encoding="utf-8")
    assert page.count("data:image/webp") == 1
    assert not (folder / "figures").exists()


def test_damaged_figures_are_drawn_again(results, monkeypatch):
    drawn = Figure(figsize=(2, 1))
    monkeypatch.setattr("neuroparcel.plotting.heatmap.draw_heatmap", lambda *_, **__: drawn)
    for name in ("population", "networks"):
        (results / "figures" / f"{name}.png").write_bytes(b"no picture")
    page = report(results, quiet=True).read_text(encoding="utf-8")
    assert 'width="320" height="160" alt="Heat map' in page
    assert page.count("data:image/webp") == 1


def test_other_figures_of_the_run_are_shown_where_they_belong(results):
    picture = results / "figures" / "population.png"
    shutil.copy(picture, picture.with_name("networks.png"))
    page = report(results, quiet=True).read_text(encoding="utf-8")
    networks = page[page.index('<section id="networks"') : page.index('<section id="uncertainty"')]
    assert networks.count("<img ") == 1


def test_figures_of_the_run_are_taken_as_they_are(results, monkeypatch):
    def never(*given: object, **named: object) -> None:
        raise AssertionError("drawn again")

    monkeypatch.setattr("neuroparcel.plotting.heatmap.draw_heatmap", never)
    page = report(results, quiet=True).read_text(encoding="utf-8")
    assert 'width="40" height="20" alt="Heat map' in page


def test_voxels_have_neither_maps_nor_surface_and_that_is_said(tmp_path):
    folder = write_results(tmp_path / "results", VOXELS)
    page = report(folder, quiet=True).read_text(encoding="utf-8")
    assert "No figure of the maps: the region lies on 4 voxels" in page
    assert "<canvas" not in page
    assert "data:image/webp" not in page


def test_the_command_names_the_folder(results):
    page = report(results, quiet=True).read_text(encoding="utf-8")
    assert f"--output {results.resolve()}-again</code>" in page


def test_an_inferred_run_tells_of_its_model(tmp_path):
    model = tmp_path / "model"
    saved = {
        "family": {"name": "adavi"},
        "link": "ilr",
        "model": {"emission": "l-normal", "levels": ["population", "subject"]},
        "labels": None,
    }
    write_json(model / "model.json", saved)
    options = {"model": str(model), "networks": 2}
    folder = write_results(tmp_path / "new", NODES, command="infer", options=options)
    page = report(folder, quiet=True).read_text(encoding="utf-8")
    assert "<dd>adavi <small>trained, amortized posteriors" in page
    assert "<dd>population, subject</dd>" in page
    assert "lee2019" in page
    (model / "model.json").unlink()
    assert "lee2019" not in report(folder, overwrite=True, quiet=True).read_text(encoding="utf-8")


def test_only_the_first_inputs_are_listed(results):
    inputs = {f"/data/{number}.npy": {"bytes": 1} for number in range(2001)}
    change_run(results, inputs=inputs)
    page = report(results, quiet=True).read_text(encoding="utf-8")
    assert "The first 2000 are listed; run.json names all." in page
    assert "/data/1999.npy" in page
    assert "/data/2000.npy" not in page


def no_run(folder: Path) -> None:
    (folder / "run.json").unlink()


def unfinished(folder: Path) -> None:
    change_run(folder, status="running")


def damaged(folder: Path) -> None:
    (folder / "run.json").write_text("{")


def a_list(folder: Path) -> None:
    (folder / "run.json").write_text("[1]")


def other_bytes(folder: Path) -> None:
    (folder / "run.json").write_bytes(b"\xff\xfe")


def other_types(folder: Path) -> None:
    change_run(folder, options=[], prior_only=5)


def half_a_verdict(folder: Path) -> None:
    change_run(folder, verdict={"good": True}, inputs={"a": 1}, reduction={"a": 1})


def another_region(folder: Path) -> None:
    change_run(folder, region={"name": "broca-left"})


def garbage_in_training(folder: Path) -> None:
    (folder / "training.tsv").write_text("step\tstage\tobjective\tloss\tvalidation_loss\nx\n")


def another_training(folder: Path) -> None:
    (folder / "training.tsv").write_text("a\tb\n1\t2\n")


def no_reliability(folder: Path) -> None:
    change_run(folder, labels=add_reliability(folder))
    (folder / "desc-labels_reliability.tsv").unlink()


def garbage_in_reliability(folder: Path) -> None:
    change_run(folder, labels=add_reliability(folder))
    path = folder / "desc-labels_reliability.tsv"
    path.write_text(path.read_text().replace("top", "tip"))


def half_a_reliability(folder: Path) -> None:
    labels = {**add_reliability(folder), "reliability": {"brier": 0.5}}
    change_run(folder, labels=labels)


def index_of_another_kind(folder: Path) -> None:
    (folder / "parcellation.json").write_text("[]")


def networks_that_are_no_list(folder: Path) -> None:
    index = read_json(folder / "parcellation.json")
    write_json(folder / "parcellation.json", {**index, "networks": "ab"})


def too_few_colours(folder: Path) -> None:
    index = read_json(folder / "parcellation.json")
    write_json(folder / "parcellation.json", {**index, "colours": index["colours"][:1]})


def no_axis(folder: Path) -> None:
    index = read_json(folder / "parcellation.json")
    write_json(folder / "parcellation.json", {**index, "axis": {}})


def a_model_cut_off(folder: Path) -> None:
    (folder / "model").mkdir()
    (folder / "model/model.json").write_text("{")


def a_model_of_another_kind(folder: Path) -> None:
    (folder / "model").mkdir()
    (folder / "model/model.json").write_text('{"format": 6}')


def empty_networks(folder: Path) -> None:
    (folder / "desc-population_networks.tsv").write_text("target\ta\tb\n")


def of_a_selection(folder: Path) -> None:
    content = read_run(folder)
    write_json(folder / "run.json", {k: v for k, v in content.items() if k != "verdict"})


def without_a_map(folder: Path) -> None:
    next(folder.glob("sub-01/func/*probseg.tsv")).unlink()


def without_maps(folder: Path) -> None:
    for path in folder.glob("sub-*/func/*probseg.tsv"):
        path.unlink()


def without_index(folder: Path) -> None:
    (folder / "parcellation.json").unlink()


def without_numbers(folder: Path) -> None:
    path = folder / "desc-population_networks.tsv"
    path.write_text(path.read_text().replace("3.5", "many"))


@pytest.mark.parametrize(
    ("spoil", "error", "said"),
    [
        (no_run, OutputError, r"holds no run of neuroparcel \(no run\.json\)\. Give the --output"),
        (unfinished, OutputError, r"unfinished run\. Go on with neuroparcel fit"),
        (damaged, OutputError, r"run\.json is damaged .*Run again with --overwrite"),
        (a_list, OutputError, r"run\.json is damaged \(it is no JSON object\)\. Run again"),
        (other_bytes, OutputError, r"run\.json is damaged .'utf-8' codec"),
        (other_types, OutputError, r"run\.json is damaged \(options, prior_only\)"),
        (half_a_verdict, OutputError, r"run\.json is damaged \(verdict, inputs, reduction\)"),
        (another_region, OutputError, r"run\.json is damaged \(no 'label_of_vertex'\)"),
        (garbage_in_training, FileFormatError, r"training\.tsv has 5 columns, but not in line 2"),
        (another_training, FileFormatError, r"training\.tsv is damaged .its columns are not step"),
        (no_reliability, FileFormatError, r"reliability\.tsv does not exist\. Put it back"),
        (garbage_in_reliability, FileFormatError, r"reliability\.tsv is damaged .a kind of lab"),
        (half_a_reliability, FileFormatError, r"run\.json is damaged \(no 'n_subjects'\)"),
        (index_of_another_kind, FileFormatError, r"parcellation\.json is damaged .it is no JSON"),
        (networks_that_are_no_list, FileFormatError, r"networks is no list of names.*Put the"),
        (too_few_colours, FileFormatError, r"damaged \(1 colours for 2 networks\)"),
        (no_axis, FileFormatError, r"parcellation\.json is damaged \(no 'structures'\)"),
        (a_model_cut_off, FileFormatError, r"model\.json is damaged \(Expecting.*Put it back"),
        (a_model_of_another_kind, FileFormatError, r"model\.json is damaged \(no 'family'\)"),
        (empty_networks, FileFormatError, r"networks\.tsv is no table of networks .it has no ro"),
        (of_a_selection, OutputError, r"run\.json says nothing of verdict.*Give the --output"),
        (
            without_a_map,
            OutputError,
            r"sub-01_seg-neuroparcel_probseg\.tsv is missing, which .*Put it back, or run "
            r"neuroparcel fit again",
        ),
        (without_maps, OutputError, r"probseg\.tsv is missing, and 1 others are, which"),
        (without_index, FileFormatError, r"parcellation\.json is missing\)\. Give the output"),
        (without_numbers, FileFormatError, r"networks\.tsv is no table of networks.*Put it back"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_folder_that_cannot_be_reported_is_one_clear_line(results, spoil, error, said):
    spoil(results)
    before = sorted(results.rglob("*"))
    with pytest.raises(error, match=said) as raised:
        report(results, quiet=True)
    assert "\n" not in str(raised.value)
    assert raised.value.tip
    assert sorted(results.rglob("*")) == before


def test_maps_of_sessions_and_the_model_are_not_needed(results):
    for path in {*results.glob("sub-*/ses-*/func/*"), *results.glob("**/*.json")}:
        if path.name not in ("run.json", "parcellation.json"):
            path.unlink()
    assert report(results, quiet=True).is_file()


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("a folder", r"a folder is a folder, not a file\. Give --output FILE"),
        ("a file/report.html", r"a file is no folder that you may write to\. Give another"),
    ],
)
def test_places_that_cannot_be_written_are_said_before_anything_is_read(tmp_path, output, said):
    (tmp_path / "a folder").mkdir()
    (tmp_path / "a file").write_text("")
    with pytest.raises(OutputError, match=said):
        report(tmp_path / "no results", tmp_path / output)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_locked_folder_is_named(results, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(OutputError, match=r"locked is no folder that you may write to"):
        report(results, locked / "report.html")


def test_a_page_that_is_too_large_is_refused(results, monkeypatch):
    monkeypatch.setattr(reporting, "LARGEST", 10_000)
    with pytest.raises(OutputError, match=r"would take \d\.\d MB, more than the 0 MB"):
        report(results, quiet=True)
    assert not (results / "report.html").exists()


def test_a_report_of_the_surface_stays_small(tmp_path):
    folder = write_results(tmp_path / "results", broca())
    size = report(folder, quiet=True).stat().st_size
    assert 1e6 < size < 2.5e6  # niivue and one hemisphere's mesh
