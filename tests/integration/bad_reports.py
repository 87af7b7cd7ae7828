"""Results folders that no report can be made of, and places that none can be written to."""

from __future__ import annotations

from neuroparcel.io.files import write_json
from neuroparcel.io.writers.stability import write_record, write_stability
from neuroparcel.pipeline.run_folder import read_run

from ..plotting.stability_samples import report_of
from ..report.samples import NODES, add_reliability, add_training, cohort, write_results
from .bad_files import Folder
from .bad_inputs import Section

reports = Section("Reports")


def written(at: Folder, *more: str) -> list[str]:
    """A good results folder, and ``neuroparcel report`` of it."""
    write_results(at / "results", NODES)
    return ["report", str(at / "results"), "--quiet", *more]


@reports.case("a report of a folder without a run", names="run.json")
def _(at: Folder) -> list[str]:
    at.text("photos/beach.txt", "sand")
    return ["report", str(at / "photos"), "--quiet"]


@reports.case("a report of a run that is unfinished", names="unfinished")
def _(at: Folder) -> list[str]:
    arguments = written(at)
    write_json(at / "results/run.json", {**read_run(at / "results"), "status": "running"})
    return arguments


@reports.case("a report of results that lack a file", names="sub-01_seg-neuroparcel_probseg.tsv")
def _(at: Folder) -> list[str]:
    arguments = written(at)
    (at / "results/sub-01/func/sub-01_seg-neuroparcel_probseg.tsv").unlink()
    return arguments


@reports.case("a report of a run whose record is no object", names="run.json")
def _(at: Folder) -> list[str]:
    arguments = written(at)
    at.text("results/run.json", "[1]")
    return arguments


@reports.case("a report of a run whose record is no text", names="run.json")
def _(at: Folder) -> list[str]:
    arguments = written(at)
    at.bytes("results/run.json", b"\xff\xfe")
    return arguments


@reports.case("a report of a run whose record is edited", names="options, inputs")
def _(at: Folder) -> list[str]:
    arguments = written(at)
    write_json(at / "results/run.json", {**read_run(at / "results"), "options": 5, "inputs": []})
    return arguments


@reports.case("a report of results with a damaged list of parcellations", names="parcellation.json")
def _(at: Folder) -> list[str]:
    arguments = written(at)
    at.text("results/parcellation.json", "[]")
    return arguments


@reports.case("a report of a model that is cut off", names="model.json")
def _(at: Folder) -> list[str]:
    arguments = written(at)
    at.text("results/model/model.json", "{")
    return arguments


@reports.case("a report of a model that says nothing", names="model.json")
def _(at: Folder) -> list[str]:
    arguments = written(at)
    at.text("results/model/model.json", '{"format": 6}')
    return arguments


@reports.case("a report of a training with a line of garbage", names="training.tsv")
def _(at: Folder) -> list[str]:
    arguments = written(at)
    add_training(at / "results")
    text = (at / "results/training.tsv").read_text(encoding="utf-8")
    at.text("results/training.tsv", text + "garbage")
    return arguments


@reports.case("a report of a damaged table of reliability", names="reliability.tsv")
def _(at: Folder) -> list[str]:
    arguments = written(at)
    labels = add_reliability(at / "results")
    write_json(at / "results/run.json", {**read_run(at / "results"), "labels": labels})
    at.text("results/desc-labels_reliability.tsv", "garbage")
    return arguments


@reports.case("a report that is there already", names="report.html")
def _(at: Folder) -> list[str]:
    arguments = written(at)
    at.text("results/report.html", "mine")
    return arguments


@reports.case("a report into a file that is a folder", names="--output")
def _(at: Folder) -> list[str]:
    return written(at, "--output", str(at / "results"))


@reports.case("a report below something that is no folder", names="notes.txt")
def _(at: Folder) -> list[str]:
    at.text("notes.txt", "mine")
    return written(at, "--output", str(at / "notes.txt/report.html"))


@reports.case("a report with a stability analysis that is not there", names="stability.json")
def _(at: Folder) -> list[str]:
    return written(at, "--stability", str(at / "nowhere"))


@reports.case("a report with a stability analysis of other results", names="is not of")
def _(at: Folder) -> list[str]:
    found = report_of(cohort(NODES).of_population(), retest=False)
    files = write_stability(at / "other", found)
    write_record(at / "other", found, {}, files)
    return written(at, "--stability", str(at / "other"))


@reports.case("a report with a damaged stability analysis", names="stability.json")
def _(at: Folder) -> list[str]:
    at.text("results/stability/stability.json", "garbage")
    return written(at)
