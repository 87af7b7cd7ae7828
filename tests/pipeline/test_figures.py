"""Which pictures a run gets depends on where its region lies."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from neuroparcel.brain.atlas import Region, Targets
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import CohortParcellation
from neuroparcel.errors import FileFormatError, OptionError
from neuroparcel.inference.stages import TrainingHistory
from neuroparcel.io.files import write_arrays, write_json
from neuroparcel.io.meshes import load_cortex_axis
from neuroparcel.io.network_profiles import NETWORKS_FILE
from neuroparcel.io.recipe import Recipe
from neuroparcel.io.recipe_arrays import recipe_to_arrays, recipe_to_json
from neuroparcel.io.writers import write_parcellations
from neuroparcel.io.writers.similarity import write_similarity
from neuroparcel.pipeline import figures
from neuroparcel.pipeline.figure_sources import read_networks
from neuroparcel.pipeline.figures import draw_run, plot, undrawn
from neuroparcel.plotting import connections, surface

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
    monkeypatch.setattr(surface, "_LARGE", 150)
    monkeypatch.setattr(surface, "_SMALL", 100)
    monkeypatch.setattr(surface, "_INSET", 100)
    monkeypatch.setattr(connections, "_PIXELS", 60)


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
    names = {"population", "overview", "uncertainty", "sub-s1", "training"}
    assert set(draw(PATCH, HISTORY)) == names
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


def write_networks(folder: Path, targets: Targets) -> None:
    """The networks of a run, and of its model what says where the targets lie."""
    region = Region("part", PATCH, ("x",), np.full(len(PATCH), "x"))
    recipe = Recipe(region, targets)
    model = folder / "model"
    model.mkdir()
    write_json(model / "model.json", {"recipe": recipe_to_json(recipe), "family": {"name": "x"}})
    write_arrays(model / "anatomy.safetensors", recipe_to_arrays(recipe))
    rows = [f"{name}\t{n}\t{-n}" for n, name in enumerate(targets.names)]
    (folder / NETWORKS_FILE).write_text("\n".join(["target\ta\tb", *rows, ""]))


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory) -> Path:
    """A run on the cortex with two subjects and 20 targets."""
    folder = tmp_path_factory.mktemp("run")
    p = np.random.default_rng(0).dirichlet([0.3, 0.3], len(PATCH)).astype(np.float32)
    both = np.stack([p, p])
    cohort = CohortParcellation(PATCH, ("a", "b"), ("s1", "s2"), ("1",), p, both, both[:, None])
    write_parcellations(folder, cohort, sources={})
    region = {"name": "part", "labels": ["x"], "label_of_vertex": ["x"] * len(PATCH)}
    run = {"status": "complete", "region": region, "options": {"features": "correlation"}}
    write_json(folder / "run.json", run)
    places = PATCH.restrict(np.arange(0, 40, 2))
    write_networks(folder, Targets("few", places, np.arange(20), places.names))
    return folder


def names_of(files: list[Path]) -> list[str]:
    return [file.name for file in files]


def test_networks_and_connections_of_a_run(run_folder):
    """Those that a run draws itself, and those that are drawn again."""
    files = plot(run_folder, only=["networks", "connections"], dpi=30, quiet=True)
    assert names_of(files) == ["networks.png", "connections.png"]
    known = read_networks(run_folder, {})
    assert known is not None
    assert known.targets is not None
    np.testing.assert_array_equal(known.profiles, [np.arange(20), -np.arange(20)])


def test_text_stays_text_and_surfaces_stay_small(run_folder, tmp_path):
    files = plot(run_folder, only=["population"], formats=("svg", "pdf"), dpi=50, quiet=True)
    assert names_of(files) == ["population.svg", "population.pdf"]
    drawing, page = (file.read_bytes() for file in files)
    assert b">certain" in drawing
    assert b"<image" in drawing
    assert b"/FontFile2" in page, "TrueType fonts are embedded"
    again = plot(run_folder, only=["population"], formats=("svg",), dpi=50, quiet=True)
    assert again[0].read_bytes() == drawing


def test_some_subjects(run_folder):
    jobs = ("overview", "sub-s2")
    files = plot(run_folder, only=jobs, subjects=["s2"], formats=("svg",), dpi=30, quiet=True)
    assert names_of(files) == ["overview.svg", "sub-s2.svg"]
    overview = files[0].read_text(encoding="utf-8")
    assert "1 of 2 subjects" in overview
    assert ">s1<" not in overview


def test_everybody_who_is_asked_for_is_drawn(run_folder, monkeypatch):
    """An overview is cut, here after one subject, only if nobody is asked for."""
    monkeypatch.setitem(surface.draw_cohort.__kwdefaults__, "max_subjects", 1)
    for asked, said in (
        ((), "the first 1 of 2 subjects"),
        (("s1", "s2"), "2 networks, 2 subjects"),
    ):
        how = {"only": ["overview"], "formats": ["svg"], "dpi": 30, "quiet": True}
        (file,) = plot(run_folder, subjects=asked, **how)
        drawing = file.read_text(encoding="utf-8")
        assert f"{said}<" in drawing
        assert (">s2<" in drawing) == bool(asked)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"only": ["overwiev"]}, "--only: this run has no figure 'overwiev'. It has population, "),
        ({"subjects": ["s3"]}, "--subjects: this run has no subject 's3'. It has s1, s2."),
        ({"only": ["sub-s1"], "subjects": ["s2"]}, "has no figure 'sub-s1'"),
        ({"formats": ["gif"]}, "--format is 'gif'. Choose from png, svg, pdf."),
        ({"formats": []}, "--format is ''."),
        ({"dpi": 5}, "--dpi is 5. Give 30 to 1200"),
    ],
)
def test_what_is_not_there_is_refused(run_folder, asked, message):
    with pytest.raises(OptionError, match=re.escape(message)):
        plot(run_folder, **{"quiet": True, **asked})


def test_maps_have_no_connections(tmp_path, capsys):
    write_run(tmp_path, PATCH)
    run = json.loads((tmp_path / "run.json").read_text())
    write_json(tmp_path / "run.json", {**run, "options": {"features": "maps"}})
    (tmp_path / NETWORKS_FILE).write_text("target\ta\tb\nToM\t0.5\t-1\nrest\t1\t0\n")
    with pytest.raises(OptionError, match="No figure of connections: maps have no place"):
        plot(tmp_path, only=["connections"], quiet=True)
    files = plot(tmp_path, only=["networks"], dpi=30)
    assert names_of(files) == ["networks.png"]


def test_a_damaged_table_of_networks_is_named(tmp_path):
    (tmp_path / NETWORKS_FILE).write_text("target\ta\tb\nToM\t0.5\tx\n")
    with pytest.raises(FileFormatError, match=rf"{NETWORKS_FILE} is no table of networks"):
        read_networks(tmp_path, {})
    assert read_networks(tmp_path / "elsewhere", {}) is None


def test_the_targets_of_an_inference_come_from_its_model(run_folder, tmp_path):
    (tmp_path / NETWORKS_FILE).write_text((run_folder / NETWORKS_FILE).read_text())
    for model in (run_folder, run_folder / "model"):
        found = read_networks(tmp_path, {"model": str(model)})
        assert found is not None
        assert found.why_nowhere == ""
    gone = read_networks(tmp_path, {"model": str(tmp_path / "gone")})
    assert gone is not None
    assert "is gone" in gone.why_nowhere
