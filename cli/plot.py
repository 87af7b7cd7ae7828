"""``neuroparcel plot``: figures of results on disk."""

from __future__ import annotations

from pathlib import Path

import click

from . import options
from .options import OUTPUT, SectionedCommand, option


class Names(click.ParamType):
    """One or more names, separated by commas."""

    name = "names"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Turn ``"a,b"``, or several names, into a tuple."""
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return tuple(value) if isinstance(value, (list, tuple)) else ()


@click.command(cls=SectionedCommand)
@click.argument("results", metavar="RESULTS", type=click.Path(path_type=Path))
@option(
    "--only",
    section=OUTPUT,
    type=Names(),
    metavar="NAMES",
    help="Figures to draw, separated by commas: population, overview, uncertainty, networks, "
    "connections, training, reliability, model, sub-...",
)
@option(
    "--subjects",
    section=OUTPUT,
    type=Names(),
    metavar="NAMES",
    help="Subjects to draw, in the overview and by themselves, separated by commas.",
)
@option(
    "--format",
    "formats",
    section=OUTPUT,
    type=Names(),
    default="png",
    metavar="FORMATS",
    help="png, svg, pdf, or several, separated by commas. Text stays text.",
)
@option(
    "--dpi",
    section=OUTPUT,
    type=int,
    default=300,
    help="Dots an inch, at a width of 180 mm.",
)
@options.quiet
def plot(
    results: Path,
    only: tuple[str, ...] | None,
    subjects: tuple[str, ...] | None,
    formats: tuple[str, ...],
    dpi: int,
    quiet: bool,
) -> None:
    """Draw the figures of a results folder again, for print.

    RESULTS is the output folder of 'neuroparcel fit' or 'neuroparcel infer'. Its figures are
    drawn from the files in it: the population and every subject on the inflated surface, the
    networks' profiles and their strongest connections, the training, and of a trained model its
    graph. Earlier figures of the same name are replaced.

    \b
    Examples:
      neuroparcel plot results/
      neuroparcel plot results/ --only population,connections --format svg,pdf
      neuroparcel plot results/ --only overview --subjects 100307,101915 --dpi 600
    """
    from neuroparcel.pipeline import plot as run

    found = run(
        results, only=only or (), formats=formats, dpi=dpi, subjects=subjects or (), quiet=quiet
    )
    for path in found:
        click.echo(path)
