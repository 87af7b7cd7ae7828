"""The options of ``neuroparcel stability`` reach the pipeline, with the library's defaults."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from neuroparcel_cli.stability import Sizes, stability

from neuroparcel import pipeline
from neuroparcel.pipeline import StabilityOptions

from .conftest import Report


@pytest.fixture
def asked(monkeypatch) -> dict[str, Any]:
    """What the pipeline was asked, by the name of the function."""
    asked: dict[str, Any] = {}

    def record(name: str) -> None:
        def run(options: StabilityOptions) -> Report:
            asked[name] = options
            return Report(name)

        monkeypatch.setattr(pipeline, name, run)

    record("stability")
    record("plan_stability")
    return asked


def test_the_command_line_offers_what_the_library_does():
    offered = {parameter.name for parameter in stability.params if parameter.expose_value}
    assert offered - {"dry_run"} == {field.name for field in fields(StabilityOptions)}


def test_defaults_are_those_of_the_library(invoke, asked):
    assert invoke("stability", "results").stdout == "the summary of stability\n"
    assert asked == {"stability": StabilityOptions(results=Path("results"))}


def test_options_are_passed_on(invoke, asked):
    drawn = ("--design", "test-retest", "--size", "2,5, 10", "--samples", 20, "--retest", "1,2")
    who = ("--table", "p.tsv", "--by", "sex", "--stratify", "site", "--subjects", "list.tsv")
    how = ("--method", "refit:reference", "--prior", "trained", "--permutations", 9, "--spins", 5)
    where = ("--task-id", 3, "--n-tasks", 4, "--jobs", 2, "--scheduler", "dask:tcp://a:1")
    figure = ("--format", "svg,pdf", "--dpi", 600, "--output", "out", "--resume", "--seed", 4)
    result = invoke("stability", "results", *drawn, *who, *how, *where, *figure)
    assert result.exit_code == 0, result.output
    assert asked["stability"] == StabilityOptions(
        results=Path("results"),
        design="test-retest",
        sizes=(2, 5, 10),
        samples=20,
        retest=("1", "2"),
        table=Path("p.tsv"),
        by="sex",
        stratify="site",
        subjects=Path("list.tsv"),
        method="refit:reference",
        prior="trained",
        permutations=9,
        spins=5,
        task_id=3,
        n_tasks=4,
        jobs=2,
        scheduler="dask:tcp://a:1",
        formats=("svg", "pdf"),
        dpi=600,
        output=Path("out"),
        resume=True,
        seed=4,
    )


def test_a_dry_run_only_plans(invoke, asked):
    result = invoke("stability", "results", "--dry-run", "--size", 3)
    assert result.stdout == "the summary of plan_stability\n"
    assert asked == {"plan_stability": StabilityOptions(results=Path("results"), sizes=(3,))}


def test_a_file_gives_options(invoke, asked, tmp_path):
    config = tmp_path / "stability.toml"
    config.write_text("size = [2, 4]\nsamples = 10\nfigures = false\n".replace("size", "sizes"))
    assert invoke("stability", "results", "--config", config).exit_code == 0
    assert asked["stability"].sizes == (2, 4)
    assert asked["stability"].samples == 10


@pytest.mark.parametrize("text", ["", "two", "2,", "1.5", "2;3"])
def test_what_is_no_list_of_sizes(invoke, asked, text):
    result = invoke("stability", "results", f"--size={text}")
    assert result.exit_code == 2
    assert f"{text!r} is not a list of numbers such as 2,5,10." in result.stderr
    assert asked == {}


@pytest.mark.parametrize(("given", "sizes"), [("2,5", (2, 5)), (7, (7,)), ([2, 3], (2, 3))])
def test_sizes(given, sizes):
    assert Sizes().convert(given, None, None) == sizes
