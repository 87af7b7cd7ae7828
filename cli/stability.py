"""``neuroparcel stability``: how stable labels are over sub-populations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import options
from .config import config
from .options import INPUT, MODEL, OTHER, OUTPUT, SectionedCommand, option, path_option
from .plot import Names


class Sizes(click.ParamType):
    """One or more numbers, separated by commas."""

    name = "sizes"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Turn ``"2,5,10"``, a number, or several, into a tuple."""
        parts = value.split(",") if isinstance(value, str) else value
        try:
            return tuple(int(part) for part in ([parts] if isinstance(parts, int) else parts))
        except (TypeError, ValueError):
            self.fail(f"{value!r} is not a list of numbers such as 2,5,10.", param, ctx)


@click.command(cls=SectionedCommand)
@click.argument("results", metavar="RESULTS", type=click.Path(path_type=Path))
@path_option(
    "--table",
    INPUT,
    metavar="FILE",
    help="Participants, a line each (participants.tsv of BIDS, or .csv), with the columns of --by "
    "and --stratify.",
)
@option(
    "--by",
    section=INPUT,
    metavar="COLUMN",
    help="Column of --table whose values are groups of subjects, each analysed by itself, and "
    "compared with one another.",
)
@option(
    "--stratify",
    section=INPUT,
    metavar="COLUMN",
    help="Column of --table whose values every sub-population has in the same proportion as "
    "all subjects.",
)
@path_option(
    "--subjects",
    INPUT,
    metavar="FILE",
    show_default="as RESULTS recorded",
    help="List of subjects, or table of recordings, if the cohort of RESULTS has moved; then give "
    "--data-dir or --connectome too, as in 'neuroparcel fit'.",
)
@path_option(
    "--data-dir",
    INPUT,
    metavar="FOLDER",
    show_default="as RESULTS recorded",
    help="Folder of the recordings, if they have moved.",
)
@path_option(
    "--connectome",
    INPUT,
    metavar="FOLDER",
    show_default="as RESULTS recorded",
    help="Connectome store that has the profiles of the cohort.",
)
@option(
    "--design",
    section=MODEL,
    default="without-replacement",
    metavar="NAME",
    help="How sub-populations are drawn: without-replacement, bootstrap, jackknife (all but "
    "one), split-half (two without a shared subject), or test-retest (the same subjects, once "
    "from each of two sessions).",
)
@option(
    "--size",
    "sizes",
    section=MODEL,
    type=Sizes(),
    show_default="5",
    metavar="NUMBERS",
    help="Subjects of a sub-population, or several sizes separated by commas; not of a jackknife.",
)
@option(
    "--samples",
    section=MODEL,
    type=int,
    show_default="300",
    metavar="NUMBER",
    help="Sub-populations of each size and group; pairs of them, of split-half, and of test-retest "
    "those that are parcellated twice. Not of a jackknife.",
)
@option(
    "--retest",
    section=MODEL,
    type=Names(),
    metavar="A,B",
    show_default="the first two",
    help="Sessions of --design test-retest.",
)
@option(
    "--method",
    section=MODEL,
    default="amortized",
    metavar="NAME",
    help="How sub-populations are parcellated: amortized, all by the one trained posterior; or "
    "each fitted anew, for comparison: refit:mean-field, refit:reference.",
)
@option(
    "--prior",
    section=MODEL,
    show_default="own",
    metavar="own|trained",
    help="Of models with --label-prior vertex: own learns the prior of the labels anew in each "
    "sub-population, trained keeps the model's.",
)
@option(
    "--permutations",
    section=MODEL,
    type=int,
    default=1000,
    metavar="NUMBER",
    help="Permutations of whose a session is, for the null of test-retest measures.",
)
@option(
    "--spins",
    section=MODEL,
    type=int,
    default=0,
    metavar="NUMBER",
    help="Rotations of a spin test of whole hemispheres, such as 1000; 0 for none. Needs "
    "BrainSpace (pip install 'neuroparcel[spin]').",
)
@path_option(
    "--output",
    OUTPUT,
    metavar="FOLDER",
    show_default="stability in RESULTS",
    help="Folder for maps, tables and figures; made if missing.",
)
@options.overwrite
@options.resume
@option(
    "--figures/--no-figures",
    section=OUTPUT,
    default=True,
    help="Draw maps, curves and matrices.",
)
@option(
    "--format",
    "formats",
    section=OUTPUT,
    type=Names(),
    default="png",
    metavar="FORMATS",
    help="Of the figures: png, svg, pdf, or several, separated by commas. Text stays text.",
)
@option(
    "--dpi",
    section=OUTPUT,
    type=int,
    default=300,
    help="Dots an inch of the figures, at a width of 180 mm.",
)
@config
@options.seed
@options.device
@options.threads
@option(
    "--jobs",
    section=OTHER,
    type=int,
    default=1,
    help="Processes that read recordings, and then parcellate, at the same time.",
)
@options.scheduler
@option(
    "--task-id",
    section=OTHER,
    type=int,
    metavar="NUMBER",
    help="Do one part of the work, as task of a job array: its number from 0, such as "
    "$SLURM_ARRAY_TASK_ID. The same command with --resume instead puts all parts together.",
)
@option(
    "--n-tasks",
    section=OTHER,
    type=int,
    metavar="NUMBER",
    help="Number of tasks of the job array.",
)
@options.dry_run
@options.quiet
def stability(**given: Any) -> None:
    """Parcellate sub-populations again, and see how stable labels are.

    RESULTS is the output folder of 'neuroparcel fit' or 'neuroparcel infer'. Hundreds of
    sub-populations of its cohort are parcellated with its one trained posterior, without training
    again, and their maps are compared with that of all subjects and with each other, at every
    vertex and as a whole. Where subjects have several sessions, it says how reliable single
    sessions are, and whether they tell who they are of.

    \b
    Written to the output folder:
      *_stat-stability_*        probability that a label is stable, with its interval
      *_stat-variance_*         what population, subject and session add to the differences
      *_stat-icc_*              reliability of single sessions
      statistics.tsv            every number with interval and null; samples.tsv: who was drawn
      figures/                  maps, the curve against size, the matrix of agreement
      stability.json            options, versions, inputs; all that Python reads back

    \b
    Examples:
      neuroparcel stability results/
      neuroparcel stability results/ --size 2,5,10,20 --samples 200 --by sex \\
          --table participants.tsv --output by-sex/
      neuroparcel stability results/ --samples 10000 --task-id $SLURM_ARRAY_TASK_ID --n-tasks 50
    """
    from neuroparcel.pipeline import StabilityOptions, plan_stability
    from neuroparcel.pipeline import stability as run

    dry_run = given.pop("dry_run")
    wanted = StabilityOptions(**given)
    result = plan_stability(wanted) if dry_run else run(wanted)
    click.echo(result.summary())
