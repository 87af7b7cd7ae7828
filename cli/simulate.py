"""``neuroparcel simulate``: recordings with a known truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import options
from .config import config
from .options import INPUT, SectionedCommand, option

_count = click.IntRange(min=1)


@click.command(cls=SectionedCommand)
@option(
    "--difficulty",
    section=INPUT,
    type=click.Choice(["easy", "realistic", "hard"]),
    show_default="recordings with borders of their own",
    help="Draw maps from the model itself, this hard.",
)
@option("--n-subjects", section=INPUT, type=_count, default=8, help="Subjects.")
@option("--n-sessions", section=INPUT, type=_count, default=2, help="Sessions of a subject.")
@option(
    "--n-runs",
    section=INPUT,
    type=_count,
    show_default="2",
    help="Runs of a session of recordings, 1 or 2.",
)
@option(
    "--n-frames",
    section=INPUT,
    type=_count,
    show_default="100",
    help="Time points of a run of recordings.",
)
@option(
    "--emission",
    section=INPUT,
    type=click.Choice(["l-normal", "von-mises-fisher"]),
    show_default="l-normal",
    help="With --difficulty: law of a vertex's profile around its network.",
)
@option(
    "--n-components",
    section=INPUT,
    type=click.IntRange(min=3),
    show_default="14",
    help="With --difficulty: coordinates of a network; files have one map more.",
)
@option(
    "--roi",
    section=INPUT,
    default="broca-left",
    metavar="REGION",
    help="Region that holds the networks, as in 'neuroparcel fit'.",
)
@option("--networks", section=INPUT, type=click.IntRange(min=2), default=2, help="Networks.")
@options.output(default="neuroparcel-simulated")
@options.overwrite
@config
@options.seed
@options.quiet
def simulate(output: Path, overwrite: bool, quiet: bool, networks: int, **given: Any) -> None:
    """Write a simulated cohort and its truth.

    CIFTI time series on the fs_LR 32k cortex in the folder layout of the Human Connectome
    Project, a list of the subjects, and a table of the true labels. Every subject's border
    between the networks lies elsewhere. A run of 100 frames takes 24 MB.

    With --difficulty, maps that are drawn from the model that is fitted, a table of them, the
    true labels, and the true networks and scales.

    \b
    Examples:
      neuroparcel simulate --n-subjects 20 --output simulated/
      neuroparcel fit --subjects simulated/hcp_list.txt --data-dir simulated/HCP \\
          --output results/
      neuroparcel simulate --difficulty realistic --roi cortex --networks 17 \\
          --emission von-mises-fisher --output drawn/
    """
    from neuroparcel.pipeline import simulate as run
    from neuroparcel.pipeline.demonstration import fit_command, simulation_settings

    settings = simulation_settings(n_networks=networks, **given)
    cohort = run(output, settings, overwrite=overwrite, quiet=quiet)
    click.echo(f"{settings.n_subjects} subjects in {cohort.folder}, truth in {cohort.truth}.")
    click.echo("Parcellate them with")
    click.echo(f"  {fit_command(cohort, settings)} --output results/")
