"""What is installed, with which versions, and what continuous integration runs."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
REQUIREMENTS = [
    *PROJECT["project"]["dependencies"],
    *(line for extra in PROJECT["project"]["optional-dependencies"].values() for line in extra),
]


def constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def release(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split("."))


def test_every_package_is_installed():
    listed = set(PROJECT["tool"]["setuptools"]["packages"])
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in (ROOT / "neuroparcel").rglob("__init__.py")
    }
    assert listed == found | {"neuroparcel_atlases", "neuroparcel_cli"}


def test_every_data_file_is_installed():
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["neuroparcel_atlases"]
    data = [p for p in (ROOT / "atlases").rglob("*") if p.is_file() and p.suffix != ".pyc"]
    for path in data:
        if path.suffix != ".py":
            assert any(path.relative_to(ROOT / "atlases").match(one) for one in patterns), path


@pytest.mark.parametrize("requirement", [r for r in REQUIREMENTS if "neuroparcel[" not in r])
def test_constraints_pin_each_requirement_within_its_range(requirement):
    name, least, above = re.fullmatch(r"([\w-]+)>=([\d.]+)(?:,<([\d.]+))?", requirement).groups()
    assert release(constraints()[name]) >= release(least)
    assert above is None or release(constraints()[name]) < release(above)


def test_continuous_integration_runs_make_test():
    script = ROOT / ".ci" / "run"
    lines = script.read_text(encoding="utf-8").splitlines()
    assert os.access(script, os.X_OK)
    assert [line for line in lines if "make" in line] == ["make test"]
