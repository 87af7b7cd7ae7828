"""Comparisons of what cannot be compared, and outputs that are in the way."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from neuroparcel.brain.atlas import Label
from neuroparcel.brain.parcellation import CohortParcellation
from neuroparcel.io.files import write_json
from neuroparcel.io.regions import load_region
from neuroparcel.io.writers import write_parcellations
from neuroparcel.io.writers.cifti_writer import write_dlabel

from .bad_files import FSAVERAGE3, LEFT, RIGHT, BrainAxis, Folder, fslr
from .bad_inputs import Section

comparisons = Section("Comparisons")


def compare(at: Folder, first: str, second: str, *more: str | Path) -> list[str]:
    """``neuroparcel compare``; names of files and folders are those in the folder."""
    two = [str(at / name) if (at / name).exists() else name for name in (first, second)]
    return ["compare", *two, "--quiet", *map(str, more)]


def results(at: Folder, name: str = "results", status: str = "complete") -> Path:
    """Results of a fit of Broca's area."""
    axis = load_region("broca-left").axis
    p = np.random.default_rng(0).dirichlet([1, 1], len(axis)).astype(np.float32)
    names = (("Network1", "Network2"), ("s1",), ("1",))
    write_parcellations(
        at / name, CohortParcellation(axis, *names, p, p[None], p[None, None]), sources={}
    )
    write_json(at / name / "run.json", {"status": status, "command": "fit", "region": {}})
    return at / name


@comparisons.case("an atlas on another mesh", names="other.dlabel.nii")
def _(at: Folder) -> list[str]:
    results(at)
    axis = BrainAxis.from_vertices("fsaverage", {LEFT: np.arange(FSAVERAGE3)}, {LEFT: FSAVERAGE3})
    at.labels("other.dlabel.nii", axis)
    return compare(at, "results", "other.dlabel.nii")


@comparisons.case("an atlas of the other hemisphere", names="right.dlabel.nii")
def _(at: Folder) -> list[str]:
    results(at)
    at.labels("right.dlabel.nii", fslr({RIGHT: np.arange(100, 120)}))
    return compare(at, "results", "right.dlabel.nii")


@comparisons.case("an atlas of other vertices", names="elsewhere.dlabel.nii")
def _(at: Folder) -> list[str]:
    results(at)
    at.labels("elsewhere.dlabel.nii", fslr({LEFT: np.arange(100, 120)}))
    return compare(at, "results", "elsewhere.dlabel.nii")


@comparisons.case("a comparison with an unknown atlas", names="yeo71")
def _(at: Folder) -> list[str]:
    results(at)
    return compare(at, "results", "yeo71")


@comparisons.case("a label file with two labels of one name", names="twice.dlabel.nii")
def _(at: Folder) -> list[str]:
    axis = load_region("broca-left").axis
    blue = (0.0, 0.0, 1.0, 1.0)
    labels = (Label(1, "Visual", blue), Label(2, "Visual", blue))
    write_dlabel(at / "twice.dlabel.nii", axis, {"areas": 1 + np.arange(len(axis)) % 2}, labels)
    return compare(at, "yeo7", "twice.dlabel.nii")


@comparisons.case("a label file that is cut off", names="short.dlabel.nii")
def _(at: Folder) -> list[str]:
    at.labels("short.dlabel.nii")
    at.bytes("short.dlabel.nii", (at / "short.dlabel.nii").read_bytes()[:-40])
    return compare(at, "yeo7", "short.dlabel.nii")


@comparisons.case("a label file that is not there", names="gone.dlabel.nii")
def _(at: Folder) -> list[str]:
    return compare(at, "yeo7", "gone.dlabel.nii")


@comparisons.case("a folder without a run", names="photos")
def _(at: Folder) -> list[str]:
    at.text("photos/beach.jpg", "sand")
    return compare(at, "photos", "yeo7")


@comparisons.case("a run that is not finished", names="results")
def _(at: Folder) -> list[str]:
    results(at, status="running")
    return compare(at, "results", "yeo7")


@comparisons.case("results without their index", names="results")
def _(at: Folder) -> list[str]:
    (results(at) / "parcellation.json").unlink()
    return compare(at, "results", "yeo7")


@comparisons.case("results without the map of the population", names="probseg.dscalar.nii")
def _(at: Folder) -> list[str]:
    next(results(at).glob("space-*_probseg.dscalar.nii")).unlink()
    return compare(at, "results", "yeo7")


@comparisons.case("results without the map of a subject", names="sub-s1")
def _(at: Folder) -> list[str]:
    results(at)
    next(results(at, "again").glob("sub-s1/func/*_probseg.dscalar.nii")).unlink()
    return compare(at, "results", "again")


@comparisons.case("networks to be matched by names that they do not share", names="--match names")
def _(at: Folder) -> list[str]:
    results(at)
    return compare(at, "results", "yeo7", "--match", "names")


@comparisons.case("profiles of an atlas", names="--match profiles")
def _(at: Folder) -> list[str]:
    results(at)
    return compare(at, "results", "yeo7", "--match", "profiles")


@comparisons.case("results without the profiles to match by", names="networks.tsv")
def _(at: Folder) -> list[str]:
    results(at)
    return compare(at, "results", "results", "--match", "profiles")


@comparisons.case("a spin test of a region", names="--spins")
def _(at: Folder) -> list[str]:
    results(at)
    return compare(at, "results", "yeo7", "--spins", "10")


@comparisons.case("a spin test on a mesh whose sphere is not at hand", names="--spins")
def _(at: Folder) -> list[str]:
    axis = BrainAxis.from_vertices("fsaverage", {LEFT: np.arange(FSAVERAGE3)}, {LEFT: FSAVERAGE3})
    at.labels("other.dlabel.nii", axis)
    return compare(at, "other.dlabel.nii", "other.dlabel.nii", "--spins", "10")


@comparisons.case("BrainSpace is not installed", names="neuroparcel[spin]")
def _(at: Folder) -> list[str]:
    at.patch.setitem(sys.modules, "brainspace.null_models", None)
    return compare(at, "yeo7", "yeo17", "--spins", "10")


@comparisons.case("fewer than no rotations", names="--spins")
def _(at: Folder) -> list[str]:
    return compare(at, "yeo7", "yeo17", "--spins", "-1")


@comparisons.case("a folder that holds a comparison", names="out")
def _(at: Folder) -> list[str]:
    at.text("out/comparison.json", json.dumps({"files": []}))
    return compare(at, "yeo7", "yeo17", "--output", at / "out")


@comparisons.case("a folder of something else for a comparison", names="photos")
def _(at: Folder) -> list[str]:
    at.text("photos/beach.jpg", "sand")
    return compare(at, "yeo7", "yeo17", "--output", at / "photos")


@comparisons.case("a file where the comparison shall go", names="out")
def _(at: Folder) -> list[str]:
    at.text("out", "years of work")
    return compare(at, "yeo7", "yeo17", "--output", at / "out")
