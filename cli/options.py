"""Options that commands share, and files that give options."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

INPUT = "Input"
MODEL = "Model"
TRAINING = "Training"
OUTPUT = "Output"
OTHER = "Other"

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smh]?)")


class Option(click.Option):
    """An option that is listed in a section of its own in the help text."""

    def __init__(self, *args: Any, section: str = OTHER, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.section = section


class SectionedCommand(click.Command):
    """A command whose help lists its options by section."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, a heading above each section."""
        for section, options in groupby(self.get_params(ctx), key=_section):
            records = [record for o in options if (record := o.get_help_record(ctx))]
            if records:
                with formatter.section(section):
                    formatter.write_dl(records)


class Duration(click.ParamType):
    """Seconds, or a number with s, m or h behind it."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Turn ``"90"``, ``"90s"``, ``"15m"`` or ``"1.5h"`` into seconds."""
        match = _DURATION.fullmatch(str(value).strip().lower())
        if match is None:
            self.fail(f"{value!r} is not a duration such as 90s, 15m or 2h.", param, ctx)
        return float(match[1]) * _SECONDS[match[2] or "s"]


def option(*names: str, section: str, **attributes: Any) -> Callable[[Command], Command]:
    """Declare an option in a section, its default shown in the help text."""
    attributes.setdefault("show_default", True)
    return click.option(*names, cls=Option, section=section, **attributes)


def path_option(name: str, section: str, **attributes: Any) -> Callable[[Command], Command]:
    """Declare an option that is a path, which the library checks."""
    attributes.setdefault("metavar", "PATH")
    return option(name, section=section, type=click.Path(path_type=Path), **attributes)


subjects = path_option(
    "--subjects",
    INPUT,
    required=True,
    metavar="FILE",
    help="Subjects, one ID a line (then give --data-dir); or a table with columns subject, "
    "session, path and perhaps run.",
)

data_dir = path_option(
    "--data-dir",
    INPUT,
    metavar="FOLDER",
    help="Folder of the recordings, laid out as the Human Connectome Project does: "
    "{ID}/MNINonLinear/Results/rfMRI_REST1_LR/...",
)

evidence = option(
    "--evidence",
    section=MODEL,
    type=click.Choice(["mean", "product"]),
    default="mean",
    help="How the sessions of a subject make its labels: the mean of their probabilities, or "
    "the product of their evidence.",
)

overwrite = option(
    "--overwrite",
    section=OUTPUT,
    is_flag=True,
    help="Replace what an earlier run left in the output folder.",
)

figures = option(
    "--figures/--no-figures",
    section=OUTPUT,
    default=True,
    help="Draw the parcellations and the training curve as PNG files.",
)

dry_run = option(
    "--dry-run",
    section=OTHER,
    is_flag=True,
    help="Print what would be done, and write nothing.",
)

seed = option(
    "--seed",
    section=OTHER,
    type=click.IntRange(min=0),
    default=0,
    help="Seed of all random numbers; the same seed gives the same labels on one machine.",
)

device = option(
    "--device",
    section=OTHER,
    default="auto",
    metavar="NAME",
    help="Where to compute: cpu, cuda, cuda:1, ...; auto takes a GPU if there is one.",
)

quiet = option("--quiet", section=OTHER, is_flag=True, help="Show no progress bars.")


def output(default: str | None = None) -> Callable[[Command], Command]:
    """Declare the folder that results go to."""
    return path_option(
        "--output",
        OUTPUT,
        required=default is None,
        default=default,
        metavar="FOLDER",
        help="Folder for the results; made if missing.",
    )


def config(command: Command) -> Command:
    """Declare a file that gives options; what the command line gives wins."""
    return option(
        "--config",
        section=OTHER,
        type=click.Path(path_type=Path),
        metavar="FILE",
        is_eager=True,
        expose_value=False,
        callback=_use_config,
        help="TOML or JSON file of options, such as networks = 3. The command line wins.",
    )(command)


def _use_config(ctx: click.Context, _: click.Parameter, path: Path | None) -> None:
    """Let a file give the defaults of the options that follow."""
    if path is None:
        return
    known = {p.name for p in ctx.command.params if isinstance(p, Option) and p.expose_value}
    values = {str(key).replace("-", "_"): value for key, value in _read_config(path).items()}
    unknown = [key for key in values if key not in known]
    if unknown:
        raise click.UsageError(
            f"{path} gives the unknown option {unknown[0]!r}. The options of "
            f"'{ctx.command_path}' are {', '.join(sorted(filter(None, known)))}.",
            ctx,
        )
    given = {key: value for key, value in values.items() if value is not None}
    ctx.default_map = {**(ctx.default_map or {}), **given}


def _read_config(path: Path) -> Mapping[str, Any]:
    readers: dict[str, Callable[[str], Any]] = {".toml": tomllib.loads, ".json": json.loads}
    if path.suffix not in readers:
        raise click.UsageError(f"{path} is neither a .toml nor a .json file.")
    try:
        content = readers[path.suffix](path.read_text(encoding="utf-8"))
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise click.UsageError(f"{path} is not valid {path.suffix[1:].upper()}: {error}") from error
    if not isinstance(content, dict):
        raise click.UsageError(f"{path} should hold option names and their values.")
    return content


def _section(parameter: click.Parameter) -> str:
    return parameter.section if isinstance(parameter, Option) else OTHER
