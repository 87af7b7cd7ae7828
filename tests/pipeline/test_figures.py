"""Which pictures a run gets depends on where its region lies."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import CohortParcellation
from neuroparcel.inference.stages import TrainingHistory
from neuroparcel.io.files import write_json
from neuroparcel.io.meshes import load_cortex_axis
from neuroparcel.io.writers import write_parcellations
from neuroparcel.io.writers.similarity import write_similarity
from neuroparcel.pipeline import figures
from neuroparcel.pipeline.figures import draw_run, plot, undrawn

NODES = BrainAxis.from_nodes([f"parcel {n}" for n in range(12)])
VOXELS = BrainAxis(
    "MNI152NLin6Asym",
    np.full(4, "OTHER"),
    np.full(4, -1),
    np.arange(12).reshape(4, 3) % 5,
    {},
    np.eye(4),
    (5, 5, 5),
)
FSAVERAGE = BrainAxis.from_vertices("fsaverage", {"CORTEX_LEFT": [7, 3]}, {"CORTEX_LEFT": 10242})
PATCH = load_cortex_axis().restrict(np.arange(3000, 3040))
HISTORY = TrainingHistory(
    np.arange(3), ("one",) * 3, ("reverse",) * 3, np.ones(3), np.array([2]), np.ones(1)
)

Draw = Callable[..., dict[str, Path]]


def make_cohort(axis: BrainAxis) -> CohortParcellation:
    p = np.random.default_rng(0).dirichlet([0.3, 0.3], len(axis)).astype(np.float32)
    return CohortParcellation(axis, ("a", "b"), ("s1",), ("1",), p, p[None], p[None, None])


@pytest.fixture(autouse=True)
def coarse(monkeypatch) -> None:
    """Fewer pixels, which these tests do not look at."""
    monkeypatch.setattr(figures, "_DPI", 30)


@pytest.fixture
def draw(tmp_path) -> Draw:
    """Draw a run of one subject; the files by name."""

    def draw_axis(axis: BrainAxis, history=None, similarity=None) -> dict[str, Path]:
        steps: list[tuple[int, int]] = []

        def advance(done: int, total: int, what: str) -> None:
            steps.append((done, total))

        files = draw_run(tmp_path, make_cohort(axis), None, history, advance, similarity)
        assert steps == [(done, len(files)) for done in range(len(files) + 1)]
        return {file.stem: file for file in files}

    return draw_axis


def test_the_cortex_is_drawn(draw):
    assert set(draw(PATCH, HISTORY)) == {"population", "overview", "sub-s1", "training"}
    assert undrawn(PATCH) is None


def test_nodes_have_a_heat_map(draw):
    similarity = np.random.default_rng(0).normal(size=(12, 12))
    files = draw(NODES, similarity=similarity)
    assert set(files) == {"population"}
    assert np.ptp(imread(files["population"])) > 0.5
    assert undrawn(NODES) is None


def test_without_similarity_only_the_training_is_drawn(draw):
    assert set(draw(NODES, HISTORY)) == {"training"}


@pytest.mark.parametrize(
    ("axis", "place"),
    [
        (VOXELS, r"on 4 voxels \(MNI152NLin6Asym\)"),
        (FSAVERAGE, r"on a mesh of 10,242 vertices \(fsaverage\)"),
    ],
    ids=["voxels", "fsaverage"],
)
def test_other_maps_are_not_drawn_and_that_is_said(draw, axis, place):
    assert set(draw(axis, HISTORY)) == {"training"}
    reason = undrawn(axis)
    assert reason is not None
    assert re.search(place, reason)
    assert "\n" not in reason


def write_run(folder: Path, axis: BrainAxis) -> None:
    write_parcellations(folder, make_cohort(axis), sources={})
    region = {"name": "part", "labels": ["x"], "label_of_vertex": ["x"] * len(axis)}
    write_json(folder / "run.json", {"status": "complete", "region": region})


def test_plot_reads_the_similarity_again(tmp_path):
    write_run(tmp_path, NODES)
    assert plot(tmp_path, quiet=True) == []
    write_similarity(tmp_path, np.eye(12), NODES.names)
    assert [file.name for file in plot(tmp_path, quiet=True)] == ["population.png"]


def test_plot_says_what_it_cannot_draw(tmp_path, capsys):
    write_run(tmp_path, VOXELS)
    assert plot(tmp_path) == []
    assert "No figure of the maps" in capsys.readouterr().err
    plot(tmp_path, quiet=True)
    assert capsys.readouterr().err == ""
