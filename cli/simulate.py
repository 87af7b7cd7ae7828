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
@option("--n-subjects", section=INPUT, type=_count, default=8, help="Subjects.")
@option("--n-sessions", section=INPUT, type=_count, default=2, help="Sessions of a subject.")
@option("--n-runs", section=INPUT, type=_count, default=2, help="Runs of a session, 1 or 2.")
@option("--n-frames", section=INPUT, type=_count, default=100, help="Time points of a run.")
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
    """Write recordings of a simulated cohort and its truth.

    CIFTI time series on the fs_LR 32k cortex in the folder layout of the Human Connectome
    Project, a list of the subjects, and a table of the true labels. Every subject's border
    between the networks lies elsewhere. A run of 100 frames takes 24 MB.

    \b
    Examples:
      neuroparcel simulate --n-subjects 20 --output simulated/
      neuroparcel fit --subjects simulated/hcp_list.txt --data-dir simulated/HCP \\
          --output results/
    """
    from neuroparcel.brain.simulation import SimulationSettings
    from neuroparcel.pipeline import simulate as run

    settings = SimulationSettings(n_networks=networks, **given)
    cohort = run(output, settings, overwrite=overwrite, quiet=quiet)
    click.echo(f"{settings.n_subjects} subjects in {cohort.data_dir}, truth in {cohort.truth}.")
    click.echo("Parcellate them with")
    click.echo(
        f"  neuroparcel fit --subjects {cohort.subject_list} --data-dir {cohort.data_dir} "
        f"--roi {settings.roi} --networks {settings.n_networks} --output results/"
    )
