"""``neuroparcel connectome``: look at recordings, and keep their profiles in a store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import options
from .config import config
from .options import OUTPUT, SectionedCommand, option, path_option

PARTLY_DONE = 3
"""Exit code where something could not be read, and the rest was done."""


@click.group()
def connectome() -> None:
    """Look at recordings, and keep connectivity profiles in a store.

    A store holds the profiles of a cohort as memory-mapped files, one for each session, so that
    many fits read them without making them again, and no cohort is too large for memory.

    \b
    Examples:
      neuroparcel connectome inspect --data-dir HCP1200
      neuroparcel connectome build --data-dir HCP1200 --roi cortex --targets mmp \\
          --jobs 8 --output store/
      neuroparcel fit --connectome store/ --roi ifg-left --networks 4 --output results/
    """


def _store_argument(required: bool = True) -> Any:
    kind = click.Path(path_type=Path)
    return click.argument("store", metavar="STORE", type=kind, required=required)


@connectome.command(cls=SectionedCommand)
@_store_argument(required=False)
@options.recordings
@options.sessions()
@path_option(
    "--output",
    OUTPUT,
    metavar="FILE",
    help="Write the findings there too, one line a recording (.tsv).",
)
@options.jobs
@options.quiet
@click.pass_context
def inspect(ctx: click.Context, store: Path | None, output: Path | None, **given: Any) -> None:
    """Show what is there before anything long runs: recordings, or a store.

    Only headers are read. Shown are subjects by sessions, missing ones, frames, TR, space, and
    each file that cannot be read; the exit code is 3 if there is one.

    \b
    Examples:
      neuroparcel connectome inspect --subjects cohort.tsv
      neuroparcel connectome inspect --data-dir derivatives/fmriprep --task rest
      neuroparcel connectome inspect store/
    """
    from neuroparcel.pipeline import InspectOptions
    from neuroparcel.pipeline import inspect as run

    report = run(InspectOptions(store=store, output=output, **given))
    click.echo(report.summary())
    ctx.exit(0 if report.ok else PARTLY_DONE)


@connectome.command(cls=SectionedCommand)
@options.recordings
@options.sessions()
@options.max_dead
@options.profiles
@path_option(
    "--output",
    OUTPUT,
    required=True,
    metavar="FOLDER",
    help="Folder of the store; completed and brought up to date if it is there.",
)
@option(
    "--dtype",
    section=OUTPUT,
    type=click.Choice(["float32", "float16"]),
    default="float32",
    help="Numbers of the store; float16 takes half the space.",
)
@option(
    "--only-listed",
    section=OUTPUT,
    is_flag=True,
    help="Take sessions that are not listed, or whose files are not found, out of the store.",
)
@config
@options.jobs
@options.scheduler
@options.quiet
@click.pass_context
def build(ctx: click.Context, **given: Any) -> None:
    """Make the profiles of a cohort, and keep them.

    What the store holds already is not made again, unless a file or an option has changed. A
    recording that cannot be read is listed at the end, the others are kept, and the exit code
    is 3. An interrupted build goes on when the command is given again.

    \b
    Examples:
      neuroparcel connectome build --subjects hcp_list.txt --data-dir HCP1200 \\
          --roi cortex --targets mmp --dtype float16 --jobs 8 --output store/
      neuroparcel connectome build --subjects cohort.tsv --roi ifg-left \\
          --scheduler dask:tcp://10.0.0.1:8786 --jobs 64 --output store/
    """
    from neuroparcel.pipeline import BuildOptions
    from neuroparcel.pipeline import build as run

    report = run(BuildOptions(**given))
    for warning in report.warnings:
        click.echo(f"warning: {warning}")
    click.echo(report.summary())
    ctx.exit(0 if report.ok else PARTLY_DONE)


@connectome.command(cls=SectionedCommand)
@_store_argument()
@click.pass_context
def verify(ctx: click.Context, store: Path) -> None:
    """Check every block of a store, and whether its inputs are still the same.

    The exit code is 3 if a block is damaged, or an input has changed or is gone.

    \b
    Example:
      neuroparcel connectome verify store/
    """
    from neuroparcel.pipeline import verify as run

    report = run(store)
    click.echo(report.summary())
    ctx.exit(0 if report.ok else PARTLY_DONE)


@connectome.command(cls=SectionedCommand)
@_store_argument()
@path_option(
    "--output", OUTPUT, required=True, metavar="PATH", help="What to write; it must not exist."
)
@option(
    "--format",
    section=OUTPUT,
    type=click.Choice(["zarr", "npz"]),
    default="zarr",
    help="zarr (pip install 'neuroparcel[zarr]'): one chunked array; npz: one numpy file.",
)
def export(store: Path, output: Path, format: Any) -> None:
    """Write the whole store as one array, for other software.

    The array is subject x session x vertex x feature, NaN where a session is missing, and
    carries the names of its axes.

    \b
    Example:
      neuroparcel connectome export store/ --output connectomes.zarr
    """
    from neuroparcel.pipeline import export as run

    click.echo(f"written: {run(store, output, format)}")
