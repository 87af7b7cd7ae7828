"""``neuroparcel report``: results on disk as one HTML page."""

from __future__ import annotations

from pathlib import Path

import click

from . import options
from .options import INPUT, OUTPUT, SectionedCommand, option, path_option


@click.command(cls=SectionedCommand)
@click.argument("results", metavar="RESULTS", type=click.Path(path_type=Path))
@path_option(
    "--stability",
    INPUT,
    metavar="FOLDER",
    show_default="stability in RESULTS, if it is there",
    help="Output folder of 'neuroparcel stability' of these results.",
)
@path_option(
    "--output",
    OUTPUT,
    metavar="FILE",
    show_default="report.html in RESULTS",
    help="The HTML file to write.",
)
@option(
    "--overwrite",
    section=OUTPUT,
    is_flag=True,
    help="Replace the file if it is there.",
)
@options.quiet
def report(
    results: Path, stability: Path | None, output: Path | None, overwrite: bool, quiet: bool
) -> None:
    """Write one HTML page of a results folder, to read and to send.

    RESULTS is the output folder of 'neuroparcel fit' or 'neuroparcel infer'. The page holds the
    verdict, the maps of the population and of the subjects, a surface that can be turned, with
    the probability of each network, the quality of labels and data, the command line that makes
    the results again, and the BibTeX of the methods that were used; and how stable the labels
    are, where 'neuroparcel stability' has been run. It is one file below 15 MB, and fetches
    nothing when it is opened.

    \b
    Examples:
      neuroparcel report results/
      neuroparcel report results/ --output broca.html --overwrite
    """
    from neuroparcel.pipeline import report as run

    click.echo(run(results, output, stability=stability, overwrite=overwrite, quiet=quiet))
