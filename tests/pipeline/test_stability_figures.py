"""Which pictures a stability analysis has, and what their files are called."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.io.regions import load_region
from neuroparcel.pipeline import stability_figures
from neuroparcel.pipeline.figure_files import Printing
from neuroparcel.pipeline.stability_figures import draw_stability, stability_jobs

from ..plotting.stability_samples import report_of


def soft_of(axis: BrainAxis) -> SoftParcellation:
    rows = np.arange(len(axis)) % 2
    return SoftParcellation(axis, ("A", "B"), np.eye(2, dtype=np.float32)[rows])


@pytest.fixture(scope="module")
def nodes() -> SoftParcellation:
    return soft_of(BrainAxis.from_nodes([f"node {number}" for number in range(8)]))


def test_on_the_surface_there_are_maps():
    jobs = stability_jobs(report_of(soft_of(load_region("broca-left").axis)))
    assert set(jobs) == {"stability", "population", "parts", "agreement", "spread", "retest"}
    assert jobs["stability"].func.__name__ == "draw_stability_map"
    assert jobs["retest"].keywords == {"on_surface": True}


def test_elsewhere_rows_are_sorted(nodes):
    jobs = stability_jobs(report_of(nodes, (2, 5), retest=False))
    assert set(jobs) == {"stability", "parts", "agreement", "curve"}
    assert jobs["stability"].func.__name__ == "draw_stability_ranks"


def test_groups_have_files_of_their_own(nodes):
    """Also where their names differ by letters that no file name has."""
    jobs = stability_jobs(report_of(nodes, groups=("F", "F+", "+", "all"), retest=False))
    maps = [name for name in jobs if name.startswith("stability")]
    assert maps == ["stability_group-F", "stability_group-F2", "stability_group-3", "stability"]
    assert [jobs[name].args[1] for name in maps] == ["F", "F+", "+", "all"]


def test_every_figure_is_written_in_every_format(nodes, tmp_path, monkeypatch):
    few = {name: lambda: Figure(figsize=(1, 1)) for name in ("parts", "curve")}
    monkeypatch.setattr(stability_figures, "stability_jobs", lambda report: few)
    told: list[tuple[int, int, str]] = []
    report, printing = report_of(nodes), Printing(("png", "svg"), 40)
    files = draw_stability(tmp_path, report, printing, lambda *step: told.append(step))
    assert [file.name for file in files] == ["parts.png", "parts.svg", "curve.png", "curve.svg"]
    assert {file.parent for file in files} == {tmp_path / "figures"}
    assert all(file.stat().st_size for file in files)
    assert told == [(0, 2, "parts"), (1, 2, "curve"), (2, 2, "")]


def test_a_picture_that_cannot_be_made_leaves_nothing_half_written(nodes, tmp_path, monkeypatch):
    def broken(*given: object) -> Figure:
        raise RuntimeError("no")

    monkeypatch.setattr(stability_figures, "stability_jobs", lambda report: {"parts": broken})
    with pytest.raises(RuntimeError, match="no"):
        draw_stability(tmp_path, report_of(nodes), Printing())
    assert not list(tmp_path.rglob("*.png"))
