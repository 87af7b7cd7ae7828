"""Help answers fast, and nothing is left without a word: neither command nor option."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from neuroparcel_cli.main import neuroparcel

ROOT = Path(__file__).parents[2]


def all_commands(group: click.Group, prefix: str = "") -> dict[str, click.Command]:
    """Commands by what is typed; those of a group after the group."""
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        found[f"{prefix}{name}"] = command
        if isinstance(command, click.Group):
            found |= all_commands(command, f"{prefix}{name} ")
    return found


COMMANDS = all_commands(neuroparcel)
OPTIONS = [
    (name, option)
    for name, command in COMMANDS.items()
    for option in command.params
    if isinstance(option, click.Option)
]
HEADINGS = {
    "fit": ["Input:", "Profiles:", "Model:", "Training:", "Output:", "Other:"],
    "infer": ["Input:", "Model:", "Output:", "Other:"],
    "select": ["Input:", "Profiles:", "Model:", "Training:", "Output:", "Other:"],
    "stability": ["Input:", "Model:", "Output:", "Other:"],
    "connectome build": ["Input:", "Profiles:", "Output:", "Other:"],
}
HEAVY = ("matplotlib", "nibabel", "nilearn", "numpy", "pandas", "pyro", "scipy", "torch", "zuko")


def test_the_commands_that_people_expect():
    assert sorted(COMMANDS) == [
        "atlas",
        "atlas add",
        "atlas export",
        "atlas list",
        "atlas remove",
        "atlas show",
        "compare",
        "connectome",
        "connectome build",
        "connectome export",
        "connectome inspect",
        "connectome verify",
        "demo",
        "doctor",
        "fit",
        "infer",
        "plot",
        "report",
        "select",
        "simulate",
        "stability",
    ]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example(invoke, name):
    result = invoke(*name.split(), "--help")
    assert result.exit_code == 0
    assert "Example" in result.output
    assert f"neuroparcel {name}" in COMMANDS[name].help
    assert len(COMMANDS[name].get_short_help_str(limit=68)) < 66, "cut off in the list"


@pytest.mark.parametrize(("command", "option"), OPTIONS, ids=str)
def test_every_option_is_explained(command, option):
    assert option.help, f"{command} {option.opts}"
    assert option.help.endswith("."), option.help


def sections() -> dict[str, str]:
    """Text of the user guide below each heading of the second and third level."""
    guide = (ROOT / "docs" / "user_guide.md").read_text(encoding="utf-8")
    parts = re.split(r"\n###? ", guide)[1:]
    return dict(part.split("\n", 1) for part in parts)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name):
    assert f"`neuroparcel {name}`" in sections()
    if " " not in name:
        assert f"neuroparcel {name}" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("command", "option"), OPTIONS, ids=str)
def test_every_option_is_documented(command, option):
    """An option stands in the section of its command, or in that of `fit` if shared with it."""
    texts = sections()
    assert f"`{option.opts[0]}`" in texts[f"`neuroparcel {command}`"] + texts["`neuroparcel fit`"]


@pytest.mark.parametrize("name", HEADINGS)
def test_options_stand_under_headings(invoke, name):
    output = invoke(*name.split(), "--help").output
    headings = [line for line in output.splitlines() if line.endswith(":") and line[0] != " "]
    assert headings == HEADINGS[name]


def test_help_loads_nothing_heavy_and_answers_within_a_second():
    script = (
        "import sys\n"
        "from neuroparcel_cli.main import neuroparcel\n"
        "neuroparcel(['--help'], standalone_mode=False)\n"
        f"print('loaded', [name for name in {HEAVY} if name in sys.modules])\n"
    )
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.splitlines()[-1] == "loaded []"
    assert time.perf_counter() - started < 1


def test_version(invoke):
    from neuroparcel import __version__

    assert invoke("--version").output.strip() == f"neuroparcel, version {__version__}"
