"""Help answers fast, and nothing is left without a word: neither command nor option."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from neuroparcel_cli.main import neuroparcel

ROOT = Path(__file__).parents[2]
COMMANDS = neuroparcel.commands
OPTIONS = [
    (command.name, option)
    for command in COMMANDS.values()
    for option in command.params
    if isinstance(option, click.Option)
]
HEAVY = ("matplotlib", "nibabel", "nilearn", "numpy", "pandas", "pyro", "scipy", "torch", "zuko")


def test_the_commands_that_people_expect():
    assert sorted(COMMANDS) == ["demo", "doctor", "fit", "infer", "plot", "simulate"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example(invoke, name):
    result = invoke(name, "--help")
    assert result.exit_code == 0
    assert "Example" in result.output
    assert f"neuroparcel {name}" in COMMANDS[name].help
    assert len(COMMANDS[name].get_short_help_str(limit=68)) < 66, "cut off in the list"


@pytest.mark.parametrize(("command", "option"), OPTIONS, ids=str)
def test_every_option_is_explained(command, option):
    assert option.help, f"{command} {option.opts}"
    assert option.help.endswith("."), option.help


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name):
    guide = (ROOT / "docs" / "user_guide.md").read_text(encoding="utf-8")
    assert f"`neuroparcel {name}`" in guide
    assert f"neuroparcel {name}" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("command", "option"), OPTIONS, ids=str)
def test_every_option_is_documented(command, option):
    """An option stands in the section of its command, or in that of `fit` if shared with it."""
    guide = (ROOT / "docs" / "user_guide.md").read_text(encoding="utf-8")
    sections = dict(part.split("\n", 1) for part in guide.split("\n## ")[1:])
    own = next(text for title, text in sections.items() if f"`neuroparcel {command}`" in title)
    of_fit = next(text for title, text in sections.items() if "`neuroparcel fit`" in title)
    assert f"`{option.opts[0]}`" in own + of_fit


def test_options_stand_under_headings(invoke):
    output = invoke("fit", "--help").output
    headings = [line for line in output.splitlines() if line.endswith(":") and line[0] != " "]
    assert headings == ["Input:", "Model:", "Training:", "Output:", "Other:"]


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
