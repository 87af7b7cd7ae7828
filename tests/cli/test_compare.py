"""The options of ``neuroparcel compare`` reach the pipeline, with the defaults of the library."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from neuroparcel_cli.compare import compare

from neuroparcel import pipeline
from neuroparcel.pipeline import CompareOptions

from .conftest import Report


@pytest.fixture
def asked(monkeypatch) -> list[Any]:
    """What the pipeline was asked."""
    asked: list[Any] = []

    def record(options: CompareOptions) -> Report:
        asked.append(options)
        return Report("compare")

    monkeypatch.setattr(pipeline, "compare", record)
    return asked


def test_the_command_line_offers_what_the_library_does():
    offered = {parameter.name for parameter in compare.params}
    assert offered == {field.name for field in fields(CompareOptions)}


def test_defaults_are_those_of_the_library(invoke, asked):
    result = invoke("compare", "results", "yeo17")
    assert result.stdout == "the summary of compare\n"
    assert asked == [CompareOptions(first="results", second="yeo17")]


def test_options_are_passed_on(invoke, asked):
    figure = ("--format", "svg,pdf", "--dpi", 600)
    words = ("--match", "names", "--spins", 1000, "--seed", 3, "--no-subjects", "--no-figures")
    result = invoke(
        "compare", "a", "b.dlabel.nii", *words, "--output", "out", "--overwrite", *figure
    )
    assert result.exit_code == 0
    assert asked == [
        CompareOptions(
            first="a",
            second="b.dlabel.nii",
            output=Path("out"),
            match="names",
            spins=1000,
            seed=3,
            subjects=False,
            figures=False,
            formats=("svg", "pdf"),
            dpi=600,
            overwrite=True,
        )
    ]


@pytest.mark.parametrize("words", [("a",), ("a", "b", "c")], ids=["one", "three"])
def test_two_are_compared(invoke, asked, words):
    assert invoke("compare", *words).exit_code == 2
    assert asked == []
