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
PROFILES = "Profiles"
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
        declared = [p for p in self.get_params(ctx) if isinstance(p, click.Option)]
        for section, options in groupby(declared, key=_section):
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


class Band(click.ParamType):
    """Two frequencies in Hz, such as 0.01,0.08."""

    name = "band"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float]:
        """Turn ``"0.01,0.08"``, or a list of two numbers, into a pair."""
        parts = value.split(",") if isinstance(value, str) else list(value)
        try:
            low, high = (float(part) for part in parts)
        except (TypeError, ValueError):
            self.fail(f"{value!r} is not a band such as 0.01,0.08 (Hz).", param, ctx)
        return low, high


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
    metavar="FILE",
    help="Subjects, one ID a line (then give --data-dir); a table with columns subject, "
    "session, path and perhaps run, censor, confounds, mask; or a folder of CBIG lists. "
    "Without it, every subject of --data-dir.",
)

data_dir = path_option(
    "--data-dir",
    INPUT,
    metavar="FOLDER",
    help="Folder of the recordings: as the Human Connectome Project lays them out "
    "({ID}/MNINonLinear/Results/rfMRI_REST1_LR/...), or BIDS derivatives of fMRIPrep or XCP-D.",
)


def sessions(default: str | None = "day", shown: str | bool = True) -> Callable[[Command], Command]:
    """Declare what counts as a session."""
    return option(
        "--sessions",
        section=INPUT,
        default=default,
        show_default=shown,
        metavar="day|run|NAMES",
        help="What counts as a session: day (REST1, REST2; LR and RL are its runs), run (each "
        "run), or the names of the sessions to keep, separated by commas.",
    )


task = option(
    "--task",
    section=INPUT,
    metavar="NAME",
    help="Task to take from BIDS derivatives, where there are several.",
)

space = option(
    "--space",
    section=INPUT,
    metavar="NAME",
    help="Space to take from BIDS derivatives, where there are several, such as fsLR or "
    "fsaverage5.",
)

max_dead = option(
    "--max-dead",
    section=INPUT,
    type=float,
    default=0.1,
    help="Largest share of vertices without signal in a recording. Up to it they are masked "
    "and reported; above it the recording is refused.",
)

skip_bad = option(
    "--skip-bad",
    section=INPUT,
    is_flag=True,
    help="Leave out sessions that cannot be read, and say which, instead of stopping.",
)

connectome = path_option(
    "--connectome",
    INPUT,
    metavar="FOLDER",
    help="Connectome store (see 'neuroparcel connectome build'): profiles are taken from it, and "
    "what it lacks is read and kept there. Alone it gives the whole cohort.",
)

roi = option(
    "--roi",
    section=PROFILES,
    metavar="REGION",
    show_default="broca-left, or all nodes",
    help="Region: a name of 'neuroparcel atlas list' (cortex, broca-left, motor, ...), labels of "
    "the MMP atlas separated by commas (L_44,L_45), an atlas or a label file, all of it or "
    "ATLAS:label1,label2; nodes for tables of nodes.",
)

targets = option(
    "--targets",
    section=PROFILES,
    metavar="ATLAS",
    show_default="seeds, or all nodes",
    help="Places a vertex is correlated with: seeds (1,488 spread evenly over the cortex), "
    "mmp, cole-anticevic, yeo17, a label file, or a table of vertices or coordinates.",
)

_features = option(
    "--features",
    section=PROFILES,
    type=click.Choice(["correlation", "fisher-z", "binary", "maps"]),
    default="correlation",
    help="What describes a vertex: its correlations with the targets, their Fisher z, whether "
    "they are among the largest 10 %, or the maps of the files as they are.",
)

_positive = option(
    "--positive",
    section=PROFILES,
    type=click.Choice(["shift", "clip", "signed"]),
    show_default="shift, or signed for maps",
    help="How correlations r become positive: shift takes (1 + r) / 2, clip sets negative "
    "ones to a small number; signed keeps the signs, each vertex centred over its features.",
)

_cleaning = (
    option(
        "--z-score",
        section=PROFILES,
        is_flag=True,
        help="Scale each time series to variance 1 first.",
    ),
    option("--detrend", section=PROFILES, is_flag=True, help="Remove a straight line."),
    option(
        "--band-pass",
        section=PROFILES,
        type=Band(),
        metavar="LOW,HIGH",
        help="Keep these frequencies, in Hz, such as 0.01,0.08; 0 or inf leaves an end open.",
    ),
    option(
        "--confounds",
        section=PROFILES,
        metavar="NAMES",
        help="Regress out nuisance signals: a strategy of nilearn for fMRIPrep's tables (simple, "
        "scrubbing, compcor, ica_aroma), columns separated by commas, or all.",
    ),
    option(
        "--censor",
        section=PROFILES,
        is_flag=True,
        help="Drop the frames that the censor files mark.",
    ),
    option(
        "--global-signal",
        section=PROFILES,
        is_flag=True,
        help="Regress out the mean over all vertices or voxels.",
    ),
)

jobs = option(
    "--jobs",
    section=OTHER,
    type=int,
    default=1,
    help="Processes that read recordings at the same time.",
)

scheduler = option(
    "--scheduler",
    section=OTHER,
    default="local",
    metavar="WHERE",
    help="Who runs them: local, a Dask cluster (dask:tcp://HOST:PORT), or slurm.",
)


def profiles(command: Command) -> Command:
    """Declare how recordings become profiles: region, targets, features and cleaning."""
    declared = (roi, targets, _features, _positive, *_cleaning)
    for declare in reversed(declared):
        command = declare(command)
    return command


def recordings(command: Command) -> Command:
    """Declare which recordings to read, but for the sessions."""
    for declare in reversed((subjects, data_dir, task, space)):
        command = declare(command)
    return command


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

gifti = option(
    "--gifti/--no-gifti",
    section=OUTPUT,
    default=True,
    help="Write labels and probabilities of each hemisphere as GIFTI files too.",
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
