"""``neuroparcel plot``: figures of results on disk."""

from __future__ import annotations

from pathlib import Path

import click

from .options import SectionedCommand


@click.command(cls=SectionedCommand)
@click.argument("results", metavar="RESULTS", type=click.Path(path_type=Path))
def plot(results: Path) -> None:
    """Draw the figures of a results folder again.

    RESULTS is the output folder of 'neuroparcel fit' or 'neuroparcel infer'. Its figures are
    drawn from the files in it: the population and every subject on the inflated surface, and
    the training curve. Earlier figures are replaced.

    \b
    Example:
      neuroparcel plot results/
    """
    from neuroparcel.pipeline import plot as run

    for path in run(results):
        click.echo(path)
