"""The gallery shows what there is, and its Python runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "figures.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
SMALL = 150_000  # bytes


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_the_python_of_the_page_runs(number, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(BLOCKS[number], "docs/figures.md", "exec"), {})
    (file,) = tmp_path.iterdir()
    assert file.stat().st_size > 5_000


def test_every_image_is_there_small_and_shown():
    shown = set(re.findall(r"\(images/figures/(\w+\.png)\)", PAGE))
    kept = {file.name: file.stat().st_size for file in (DOCS / "images" / "figures").iterdir()}
    assert shown == set(kept)
    assert max(kept.values()) < SMALL


def test_every_function_that_it_names_is_there():
    from importlib import import_module

    named = set(re.findall(r"`(plotting\.\w+)\.(draw\w+)", PAGE))
    assert len(named) > 8
    for module, function in named:
        assert callable(getattr(import_module(f"neuroparcel.{module}"), function))
