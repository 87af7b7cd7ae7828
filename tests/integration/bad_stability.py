"""Stability analyses of what has no model, no such subjects, or is in the way."""

from __future__ import annotations

import json
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from neuroparcel.io.files import read_json, write_json
from neuroparcel.pipeline.stability_options import StabilityOptions

from ..pipeline.stability_results import SUBJECTS, write_results
from .bad_files import Folder
from .bad_inputs import Section

stabilities = Section("Stability")


@lru_cache(maxsize=1)
def _made() -> tuple[Path, tempfile.TemporaryDirectory[str]]:
    """Results that all cases have a copy of."""
    folder = tempfile.TemporaryDirectory(prefix="neuroparcel-results-")
    write_results(Path(folder.name))
    return Path(folder.name), folder


def analysed(at: Folder, *more: str | Path) -> list[str]:
    """Good results with their cohort and a table, and ``neuroparcel stability`` of them."""
    made, _ = _made()
    shutil.copytree(made, at.path, dirs_exist_ok=True)
    run = at / "results/run.json"
    run.write_text(run.read_text().replace(str(made), str(at.path)))
    rows = [f"{name}\t{'FM'[number % 2]}" for number, name in enumerate(SUBJECTS)]
    at.text("participants.tsv", "participant_id\tsex", *rows)
    small = ["--size", "2", "--samples", "2", "--no-figures", "--quiet"]
    return ["stability", str(at / "results"), *small, *map(str, more)]


def grouped(at: Folder, *more: str) -> list[str]:
    """The same, by sex."""
    return analysed(at, "--table", at / "participants.tsv", "--by", "sex", *more)


def change(at: Folder, name: str, **changed: Any) -> None:
    write_json(at / name, {**read_json(at / name), **changed})


def begun(at: Folder, **changed: Any) -> Path:
    """An analysis that was interrupted before it had made anything."""
    options = StabilityOptions(results=at / "results", sizes=(2,), samples=2).record()
    record = {"status": "running", "options": options, "study": "00", **changed}
    write_json(at / "results/stability/stability.json", record)
    return at / "results/stability"


@stabilities.case("sub-populations larger than the cohort", names="--size")
def _(at: Folder) -> list[str]:
    return analysed(at, "--size", "2,7")


@stabilities.case("sub-populations as large as the cohort", names="itself")
def _(at: Folder) -> list[str]:
    return analysed(at, "--size", "2,6")


@stabilities.case("sizes of a jackknife", names="--size")
def _(at: Folder) -> list[str]:
    return analysed(at, "--design", "jackknife")


@stabilities.case("halves that the cohort does not have", names="--size")
def _(at: Folder) -> list[str]:
    return analysed(at, "--design", "split-half", "--size", "4")


@stabilities.case("sub-populations of one subject", names="--size")
def _(at: Folder) -> list[str]:
    return analysed(at, "--size", "1")


@stabilities.case("stability of a cohort of one subject", names="1")
def _(at: Folder) -> list[str]:
    arguments = analysed(at)
    only = SUBJECTS[0]
    index = read_json(at / "results/parcellation.json")
    change(
        at,
        "results/parcellation.json",
        subjects=[only],
        present={only: index["present"][only]},
    )
    return arguments


@stabilities.case("no sub-populations at all", names="--samples")
def _(at: Folder) -> list[str]:
    return analysed(at, "--samples", "0")


@stabilities.case("an unknown design", names="--design")
def _(at: Folder) -> list[str]:
    return analysed(at, "--design", "cross-validation")


@stabilities.case("an unknown method", names="--method")
def _(at: Folder) -> list[str]:
    return analysed(at, "--method", "refit")


@stabilities.case("groups without a table", names="--table")
def _(at: Folder) -> list[str]:
    return analysed(at, "--by", "sex")


@stabilities.case("groups by a column that is not there", names="gender")
def _(at: Folder) -> list[str]:
    return analysed(at, "--table", at / "participants.tsv", "--by", "gender")


@stabilities.case("a table that is not there", names="gone.tsv")
def _(at: Folder) -> list[str]:
    return analysed(at, "--table", at / "gone.tsv", "--by", "sex")


@stabilities.case("a table that lacks a subject", names="participants.tsv")
def _(at: Folder) -> list[str]:
    arguments = grouped(at)
    at.text("participants.tsv", *(at / "participants.tsv").read_text().splitlines()[:-1])
    return arguments


@stabilities.case("a column without values", names="participants.tsv")
def _(at: Folder) -> list[str]:
    arguments = grouped(at)
    at.text("participants.tsv", "participant_id\tsex", *(f"{name}\tn/a" for name in SUBJECTS))
    return arguments


@stabilities.case("a group of one subject", names="'X'")
def _(at: Folder) -> list[str]:
    arguments = grouped(at)
    text = (at / "participants.tsv").read_text()
    at.text("participants.tsv", text.replace("sub-01\tF", "sub-01\tX").rstrip())
    return arguments


@stabilities.case("a group that is called all", names="'all'")
def _(at: Folder) -> list[str]:
    arguments = grouped(at)
    text = (at / "participants.tsv").read_text()
    at.text("participants.tsv", text.replace("\tF", "\tall").rstrip())
    return arguments


@stabilities.case("a group whose name is too long for files", names="300 letters")
def _(at: Folder) -> list[str]:
    arguments = grouped(at)
    text = (at / "participants.tsv").read_text()
    at.text("participants.tsv", text.replace("\tF", "\t" + 300 * "F").rstrip())
    return arguments


@stabilities.case("strata with a gap", names="sub-01")
def _(at: Folder) -> list[str]:
    arguments = analysed(at, "--table", at / "participants.tsv", "--stratify", "sex")
    text = (at / "participants.tsv").read_text()
    at.text("participants.tsv", text.replace("sub-01\tF", "sub-01\tn/a").rstrip())
    return arguments


@stabilities.case("a session that is not there", names="day3")
def _(at: Folder) -> list[str]:
    return analysed(at, "--design", "test-retest", "--retest", "day1,day3")


@stabilities.case("a session that too few subjects have", names="both sessions")
def _(at: Folder) -> list[str]:
    arguments = analysed(at, "--design", "test-retest")
    present = read_json(at / "results/parcellation.json")["present"]
    only = {name: ["day1"] for name in SUBJECTS[1:]}
    change(at, "results/parcellation.json", present={**present, **only})
    return arguments


@stabilities.case("sessions where none are compared", names="--retest")
def _(at: Folder) -> list[str]:
    return analysed(at, "--retest", "day1,day2")


@stabilities.case("the results of another cohort: a subject too many", names="another cohort")
def _(at: Folder) -> list[str]:
    arguments = analysed(at, "--subjects", at / "cohort/more.tsv")
    text = (at / "cohort/cohort.tsv").read_text()
    shutil.copy(at / "cohort/sub-01_day1.npy", at / "cohort/sub-99_day1.npy")
    at.text("cohort/more.tsv", text + "sub-99\tday1\tsub-99_day1.npy")
    return arguments


@stabilities.case("the results of another cohort: a session is missing", names="another cohort")
def _(at: Folder) -> list[str]:
    arguments = analysed(at, "--subjects", at / "cohort/fewer.tsv")
    at.text("cohort/fewer.tsv", *(at / "cohort/cohort.tsv").read_text().splitlines()[:-1])
    return arguments


@stabilities.case("the results of another cohort: a recording has changed", names="another cohort")
def _(at: Folder) -> list[str]:
    arguments = analysed(at)
    series = np.load(at / "cohort/sub-02_day1.npy")
    np.save(at / "cohort/sub-02_day1.npy", series[:-1])
    return arguments


@stabilities.case("a recording is gone since the fit", names="sub-02_day1.npy")
def _(at: Folder) -> list[str]:
    arguments = analysed(at)
    (at / "cohort/sub-02_day1.npy").unlink()
    return arguments


@stabilities.case("the list of the cohort is gone since the fit", names="cohort.tsv")
def _(at: Folder) -> list[str]:
    arguments = analysed(at)
    (at / "cohort/cohort.tsv").unlink()
    return arguments


@stabilities.case("stability of a folder without a run", names="photos")
def _(at: Folder) -> list[str]:
    at.text("photos/beach.jpg", "sand")
    return ["stability", str(at / "photos"), "--quiet"]


@stabilities.case("stability of a file", names="beach.jpg")
def _(at: Folder) -> list[str]:
    at.text("beach.jpg", "sand")
    return ["stability", str(at / "beach.jpg"), "--quiet"]


@stabilities.case("stability of a comparison", names="run.json")
def _(at: Folder) -> list[str]:
    at.text("out/comparison.json", json.dumps({"files": []}))
    return ["stability", str(at / "out"), "--quiet"]


@stabilities.case("stability of a selection", names="select")
def _(at: Folder) -> list[str]:
    arguments = analysed(at)
    change(at, "results/run.json", command="select")
    return arguments


@stabilities.case("stability of an unfinished run", names="unfinished")
def _(at: Folder) -> list[str]:
    arguments = analysed(at)
    change(at, "results/run.json", status="running")
    return arguments


@stabilities.case("stability of a run whose record says no inputs", names="run.json")
def _(at: Folder) -> list[str]:
    arguments = analysed(at)
    change(at, "results/run.json", inputs={"a.npy": {"bytes": 5}})
    return arguments


@stabilities.case("the model of the results is gone", names="model")
def _(at: Folder) -> list[str]:
    arguments = analysed(at)
    shutil.rmtree(at / "results/model")
    return arguments


@stabilities.case("a model that is not amortized", names="refit:reference")
def _(at: Folder) -> list[str]:
    arguments = analysed(at)
    family = read_json(at / "results/model/model.json")["family"]
    change(at, "results/model/model.json", family={**family, "name": "reference"})
    return arguments


@stabilities.case("a prior of labels that have none", names="--prior")
def _(at: Folder) -> list[str]:
    return analysed(at, "--prior", "trained")


@stabilities.case("a spin test of nodes", names="--spins")
def _(at: Folder) -> list[str]:
    return analysed(at, "--spins", "10")


@stabilities.case("a stability analysis that was interrupted", names="--resume")
def _(at: Folder) -> list[str]:
    arguments = analysed(at)
    begun(at)
    return arguments


@stabilities.case("a stability analysis that is finished", names="finished")
def _(at: Folder) -> list[str]:
    arguments = analysed(at, "--resume")
    begun(at, status="complete")
    return arguments


@stabilities.case("going on with other options", names="--samples")
def _(at: Folder) -> list[str]:
    arguments = analysed(at, "--resume", "--samples", "3")
    begun(at)
    return arguments


@stabilities.case("going on with another study", names="begun with other results")
def _(at: Folder) -> list[str]:
    arguments = analysed(at, "--resume")
    begun(at)
    return arguments


@stabilities.case("going on with a damaged record", names="stability.json")
def _(at: Folder) -> list[str]:
    arguments = analysed(at, "--resume")
    at.text("results/stability/stability.json", "{")
    return arguments


@stabilities.case("a task of the wrong number", names="--task-id")
def _(at: Folder) -> list[str]:
    return analysed(at, "--task-id", "4", "--n-tasks", "4")


@stabilities.case("a task that would remove what others have done", names="--overwrite")
def _(at: Folder) -> list[str]:
    return analysed(at, "--task-id", "0", "--n-tasks", "4", "--overwrite")


@stabilities.case("a stability analysis into the results", names="--output")
def _(at: Folder) -> list[str]:
    return analysed(at, "--output", at / "results", "--overwrite")


@stabilities.case("a folder of something else for a stability analysis", names="photos")
def _(at: Folder) -> list[str]:
    at.text("photos/beach.jpg", "sand")
    return analysed(at, "--output", at / "photos")


@stabilities.case("a file where the stability analysis shall go", names="out")
def _(at: Folder) -> list[str]:
    at.text("out", "years of work")
    return analysed(at, "--output", at / "out")
