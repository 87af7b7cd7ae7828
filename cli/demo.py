"""``neuroparcel demo``: the main job on a simulated cohort."""

from __future__ import annotations

from typing import Any

import click

from . import options
from .options import TRAINING, SectionedCommand, option


@click.command(cls=SectionedCommand)
@option(
    "--steps",
    section=TRAINING,
    type=int,
    show_default="as 'neuroparcel fit'",
    help="Training steps, over all stages.",
)
@options.output(default="neuroparcel-demo")
@options.overwrite
@options.figures
@options.seed
@options.quiet
def demo(**given: Any) -> None:
    """Parcellate a simulated cohort, and compare with the truth.

    Writes recordings of 8 subjects in 2 sessions each, laid out as the Human Connectome
    Project does (about 0.8 GB), runs 'neuroparcel fit' on them, and prints where the
    parcellations and pictures lie and how well the truth was recovered. Takes a few minutes
    on two processor cores.

    \b
    Example:
      neuroparcel demo --output demo/ --seed 1
    """
    from neuroparcel.pipeline import DemoOptions
    from neuroparcel.pipeline import demo as run

    click.echo(run(DemoOptions(**given)).summary())
