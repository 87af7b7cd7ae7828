"""``neuroparcel atlas``: what is asked of the pipeline, and what is printed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from neuroparcel import pipeline

from .conftest import Report


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the pipeline was last asked, by the name of the function."""
    given: dict[str, Any] = {}
    added = SimpleNamespace(name="mine", n_labels=3, space="fsLR", folder=Path("/there/mine"))
    answers = {
        "list_atlases": Report("list"),
        "show_atlas": Report("show"),
        "export_atlas": (Path("a.L.label.gii"), Path("a.R.label.gii")),
        "add_atlas": added,
        "remove_atlas": Path("/there/mine"),
    }

    def record(name: str, answer: Any) -> None:
        def run(*words: Any, **options: Any) -> Any:
            given[name] = (words, options)
            return answer

        monkeypatch.setattr(pipeline, name, run)

    for name, answer in answers.items():
        record(name, answer)
    return given


def test_list_and_show_print_a_summary(invoke, given):
    assert invoke("atlas", "list").stdout == "the summary of list\n"
    assert invoke("atlas", "show", "mmp").stdout == "the summary of show\n"
    assert given["show_atlas"] == (("mmp",), {})


def test_export_names_every_file(invoke, given):
    result = invoke("atlas", "export", "mmp", "--output", "a.{L,R}.label.gii", "--overwrite")
    assert result.stdout == "written: a.L.label.gii\nwritten: a.R.label.gii\n"
    assert given["export_atlas"] == (("mmp", "a.{L,R}.label.gii"), {"overwrite": True})
    assert invoke("atlas", "export", "mmp").exit_code == 2


def test_add_passes_its_options_on(invoke, given):
    words = ("--citation", "A. Author (2024)", "--licence", "CC0")
    result = invoke("atlas", "add", "mine", "my.dlabel.nii", *words)
    assert result.stdout == "added: mine, 3 labels (fsLR), in /there/mine\n"
    expected = {"citation": "A. Author (2024)", "licence": "CC0", "overwrite": False}
    assert given["add_atlas"] == (("mine", "my.dlabel.nii"), expected)


def test_remove_says_what_is_gone(invoke, given):
    assert invoke("atlas", "remove", "mine").stdout == "removed: /there/mine\n"
    assert given["remove_atlas"] == (("mine",), {})
