"""How options are declared and listed, and the ones that commands share."""

from __future__ import annotations

import re
from collections.abc import Callable
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
    """Declare an option that is a path; whether it exists is for the library to say."""
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

max_dead = option(
    "--max-dead",
    section=INPUT,
    type=float,
    default=0.1,
    help="Largest share of vertices without signal in a recording. Up to it they are masked "
    "and reported; above it the recording is refused.",
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

resume = option(
    "--resume",
    section=OUTPUT,
    is_flag=True,
    help="Go on with the interrupted run in the output folder.",
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

threads = option(
    "--threads",
    section=OTHER,
    type=int,
    default=1,
    help="CPU threads. More than one pays only for large regions, on an idle machine.",
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


def _section(parameter: click.Parameter) -> str:
    return parameter.section if isinstance(parameter, Option) else OTHER
