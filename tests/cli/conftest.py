"""The command line in this process, with a pipeline that only records what it is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from click.testing import CliRunner, Result
from neuroparcel_cli.main import neuroparcel

from neuroparcel import pipeline


@dataclass
class Report:
    """What a command of the pipeline returns: a summary, and whether all went well."""

    name: str
    ok: bool = True
    warnings: tuple[str, ...] = ()

    def summary(self) -> str:
        return f"the summary of {self.name}"


@pytest.fixture
def invoke() -> Callable[..., Result]:
    """Run the command line; the result holds exit code, stdout and stderr."""
    return lambda *arguments: CliRunner().invoke(neuroparcel, [str(a) for a in arguments])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the pipeline was last asked, by the name of the command."""
    asked: dict[str, Any] = {}

    def record(name: str) -> Callable[[Any], Report]:
        def run(options: Any) -> Report:
            asked[name] = options
            return Report(name)

        return run

    runs = ("fit", "infer", "select", "demo", "inspect", "build", "verify")
    for name in (*runs, "plan", "plan_inference", "plan_select"):
        monkeypatch.setattr(pipeline, name, record(name))
    return asked
