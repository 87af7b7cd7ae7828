"""References that networks cannot be named after, and figures that cannot be drawn."""

from __future__ import annotations

import numpy as np

from neuroparcel.brain.atlas import Label
from neuroparcel.io.files import write_json
from neuroparcel.io.regions import load_region
from neuroparcel.io.writers.cifti_writer import write_dlabel
from neuroparcel.pipeline.run_folder import read_run

from ..report.samples import NODES, add_reliability, add_training, write_results
from .bad_files import FSAVERAGE3, LEFT, RIGHT, BrainAxis, Folder, fslr
from .bad_inputs import Section

figures = Section("Names and figures")


def named_after(at: Folder, reference: str, *more: str) -> list[str]:
    """``neuroparcel fit`` of one session of maps, with a reference from the folder or by name."""
    at.listed(at.maps("good.dscalar.nii", ("rest", "story", "math")))
    there = str(at / reference) if (at / reference).exists() else reference
    given = ("--features", "maps", "--networks", "2", "--family", "reference")
    return at.fit(*given, "--reference", there, *more)


@figures.case("an unknown reference", names="yeo18")
def _(at: Folder) -> list[str]:
    return named_after(at, "yeo18")


@figures.case("a reference on another mesh", names="other.dlabel.nii")
def _(at: Folder) -> list[str]:
    axis = BrainAxis.from_vertices("fsLR", {LEFT: np.arange(FSAVERAGE3)}, {LEFT: FSAVERAGE3})
    return named_after(at, at.labels("other.dlabel.nii", axis))


@figures.case("a reference of other vertices", names="right.dlabel.nii")
def _(at: Folder) -> list[str]:
    return named_after(at, at.labels("right.dlabel.nii", fslr({RIGHT: np.arange(100, 120)})))


@figures.case("a reference with one name twice", names="twice.dlabel.nii")
def _(at: Folder) -> list[str]:
    axis, grey = load_region("broca-left").axis, (0.5, 0.5, 0.5, 1.0)
    keys = 1 + np.arange(len(axis)) % 2
    write_dlabel(
        at / "twice.dlabel.nii", axis, {"areas": keys}, (Label(1, "a", grey), Label(2, "a", grey))
    )
    return named_after(at, "twice.dlabel.nii")


@figures.case("an atlas to match profiles with", names="yeo17")
def _(at: Folder) -> list[str]:
    return named_after(at, "yeo17", "--match", "profiles")


@figures.case("a reference that is a folder without a run", names="photos")
def _(at: Folder) -> list[str]:
    at.text("photos/beach.txt", "sand")
    return named_after(at, "photos")


@figures.case("a figure that the run has not", names="--only")
def _(at: Folder) -> list[str]:
    write_results(at / "results", NODES)
    return ["plot", str(at / "results"), "--only", "sunset"]


@figures.case("a format that figures have not", names="--format")
def _(at: Folder) -> list[str]:
    write_results(at / "results", NODES)
    return ["plot", str(at / "results"), "--format", "docx"]


@figures.case("figures of results that lack a file", names="_probseg.tsv")
def _(at: Folder) -> list[str]:
    write_results(at / "results", NODES)
    for file in (at / "results").glob("*_probseg.tsv"):
        file.unlink()
    return ["plot", str(at / "results")]


def drawn(at: Folder, *more: str) -> list[str]:
    """A good results folder, with a training and reliability, and ``neuroparcel plot`` of it."""
    results = write_results(at / "results", NODES)
    add_training(results)
    write_json(results / "run.json", {**read_run(results), "labels": add_reliability(results)})
    return ["plot", str(results), "--quiet", *more]


@figures.case("figures of a model that is cut off", names="model.json")
def _(at: Folder) -> list[str]:
    at.text("results/model/model.json", "{")
    return drawn(at, "--only", "networks")


@figures.case("figures of a model that says nothing", names="model.json")
def _(at: Folder) -> list[str]:
    at.text("results/model/model.json", '{"format": 6}')
    return drawn(at, "--only", "networks")


@figures.case("figures of a training with a line of garbage", names="training.tsv")
def _(at: Folder) -> list[str]:
    arguments = drawn(at, "--only", "population")
    text = (at / "results/training.tsv").read_text(encoding="utf-8")
    at.text("results/training.tsv", text + "garbage")
    return arguments


@figures.case("figures of results without the table of reliability", names="reliability.tsv")
def _(at: Folder) -> list[str]:
    arguments = drawn(at, "--only", "reliability")
    (at / "results/desc-labels_reliability.tsv").unlink()
    return arguments


@figures.case("figures of a damaged table of reliability", names="reliability.tsv")
def _(at: Folder) -> list[str]:
    arguments = drawn(at, "--only", "reliability")
    at.text("results/desc-labels_reliability.tsv", "kind\tlow\thigh", "garbage")
    return arguments


@figures.case("figures of a run whose record is no object", names="run.json")
def _(at: Folder) -> list[str]:
    arguments = drawn(at)
    at.text("results/run.json", "[1]")
    return arguments


@figures.case("figures of a run whose record lacks the region", names="run.json")
def _(at: Folder) -> list[str]:
    arguments = drawn(at)
    record = read_run(at / "results")
    write_json(at / "results/run.json", {k: v for k, v in record.items() if k != "region"})
    return arguments


@figures.case("figures of results with a damaged list of parcellations", names="parcellation.json")
def _(at: Folder) -> list[str]:
    arguments = drawn(at)
    at.text("results/parcellation.json", '{"networks": 5}')
    return arguments
