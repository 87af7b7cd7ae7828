"""Every tutorial runs from beginning to end, in a small setting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

TUTORIALS = Path(__file__).parents[2] / "tutorials"
SMALL: dict[str, dict[str, Any]] = {
    "01_parcellate_broca": {"n_subjects": 4, "n_frames": 40, "steps": 12, "seed": 0},
}


def with_parameters(notebook: nbformat.NotebookNode, values: dict[str, Any]) -> None:
    """Let the cell tagged ``parameters`` set other values."""
    (cell,) = (c for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
    unknown = [name for name in values if f"{name} =" not in cell.source]
    assert not unknown, f"the tutorial has no parameters {unknown}"
    cell.source = "\n".join(f"{name} = {value!r}" for name, value in values.items())


def test_every_tutorial_is_run():
    assert {path.stem for path in TUTORIALS.glob("*.ipynb")} == set(SMALL)


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_tutorial_runs(name, tmp_path):
    notebook = nbformat.read(TUTORIALS / f"{name}.ipynb", as_version=4)
    with_parameters(notebook, {**SMALL[name], "folder": str(tmp_path / "output")})
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": tmp_path}})
    client.execute()
    pictures = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == 5
