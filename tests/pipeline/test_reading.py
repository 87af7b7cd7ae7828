"""Signed profiles come out alike from files and from a store, which holds plain numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neuroparcel.brain.atlas import Region
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.connectome import Cohort
from neuroparcel.brain.features import Features
from neuroparcel.io.layout import CohortFiles, Recording
from neuroparcel.io.recipe import Recipe
from neuroparcel.io.store import build_store
from neuroparcel.io.writers.cifti_writer import write_dscalar
from neuroparcel.pipeline.options import FitOptions
from neuroparcel.pipeline.planning import Plan
from neuroparcel.pipeline.reading import read_cohort

MAPS = ("faces", "math", "rest")
N_VERTICES = 12
FLAT = 7  # a vertex of subject b on which all maps agree
WARNING = (
    "subject b, session 1: 1 vertices with the same number in all features have no signed "
    "profile and are masked."
)


@pytest.fixture
def axis() -> BrainAxis:
    vertices = {"CORTEX_LEFT": np.arange(N_VERTICES)}
    return BrainAxis.from_vertices("unknown", vertices, {"CORTEX_LEFT": N_VERTICES})


@pytest.fixture
def files(tmp_path: Path, axis: BrainAxis) -> CohortFiles:
    rng = np.random.default_rng(0)
    recordings = []
    for subject in "ab":
        maps = {name: rng.normal(size=N_VERTICES) for name in MAPS}
        if subject == "b":
            for values in maps.values():
                values[FLAT] = 1.5
        path = write_dscalar(tmp_path / f"{subject}.dscalar.nii", axis, maps)
        recordings.append(Recording(subject, "1", "1", (path,)))
    return CohortFiles(tuple(recordings))


@pytest.fixture
def recipe(axis: BrainAxis) -> Recipe:
    region = Region("all", axis, ("all",), np.full(N_VERTICES, "all"))
    return Recipe(region, None, Features("maps"), maps=MAPS)


def read(
    files: CohortFiles | None, recipe: Recipe, folder: Path, store: Path | None = None
) -> tuple[Cohort, tuple[str, ...]]:
    options = FitOptions(
        subjects=folder / "list.txt", output=folder / "out", connectome=store, quiet=True
    )
    return read_cohort(Plan(files, recipe, 2, options.output, store), options)


def test_maps_keep_their_signs(tmp_path, files, recipe):
    cohort, warnings = read(files, recipe, tmp_path)
    assert cohort.signed
    assert (cohort.profiles < 0).any()
    np.testing.assert_array_equal(np.argwhere(~cohort.valid), [[1, 0, FLAT]])
    assert warnings == (WARNING,)


def test_a_store_gives_the_same(tmp_path, files, recipe):
    build_store(tmp_path / "store", files, recipe)
    expected, _ = read(files, recipe, tmp_path)
    for given in (files, None):
        cohort, warnings = read(given, recipe, tmp_path, tmp_path / "store")
        assert cohort.signed
        assert warnings == (WARNING,)
        np.testing.assert_array_equal(cohort.valid, expected.valid)
        for cell in np.ndindex(2, 1):
            np.testing.assert_array_equal(cohort.profiles[cell], expected.profiles[cell])


def test_signs_are_decided_on_reading(tmp_path, files, recipe):
    """One store serves signed and positive profiles, and the flat vertex is a profile there."""
    build_store(tmp_path / "store", files, recipe)
    shifted = replace(recipe, features=Features("maps", "shift"))
    cohort, warnings = read(None, shifted, tmp_path, tmp_path / "store")
    assert not cohort.signed
    assert cohort.valid.all()
    assert (cohort.profiles[1, 0] > 0).all()
    assert warnings == ()
