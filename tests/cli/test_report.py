"""The command ``report`` hands its arguments on and prints where the page lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from neuroparcel import pipeline


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    calls: list[tuple[Any, ...]] = []

    def report(results: Path, output: Path | None, **options: bool) -> Path:
        calls.append((results, output, options))
        return Path("page.html")

    monkeypatch.setattr(pipeline, "report", report)
    return calls


def test_by_default_it_replaces_nothing(invoke, called):
    result = invoke("report", "results")
    assert (result.exit_code, result.output) == (0, "page.html\n")
    assert called == [(Path("results"), None, {"overwrite": False, "quiet": False})]


def test_all_options_are_handed_on(invoke, called):
    assert invoke("report", "r", "--output", "o.html", "--overwrite", "--quiet").exit_code == 0
    assert called == [(Path("r"), Path("o.html"), {"overwrite": True, "quiet": True})]
