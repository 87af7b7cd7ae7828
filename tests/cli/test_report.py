"""The command ``report`` hands its arguments on and prints where the page lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from neuroparcel import pipeline


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    calls: list[tuple[Any, ...]] = []

    def report(results: Path, output: Path | None, **options: Any) -> Path:
        calls.append((results, output, options))
        return Path("page.html")

    monkeypatch.setattr(pipeline, "report", report)
    return calls


def test_by_default_it_replaces_nothing(invoke, called):
    result = invoke("report", "results")
    assert (result.exit_code, result.output) == (0, "page.html\n")
    expected = {"stability": None, "overwrite": False, "quiet": False}
    assert called == [(Path("results"), None, expected)]


def test_all_options_are_handed_on(invoke, called):
    flags = ["--stability", "s", "--output", "o.html", "--overwrite", "--quiet"]
    assert invoke("report", "r", *flags).exit_code == 0
    expected = {"stability": Path("s"), "overwrite": True, "quiet": True}
    assert called == [(Path("r"), Path("o.html"), expected)]
