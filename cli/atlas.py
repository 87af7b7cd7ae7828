"""``neuroparcel atlas``: the atlases, regions and target sets that go by a name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .options import INPUT, OUTPUT, SectionedCommand, option


@click.group()
def atlas() -> None:
    """List atlases and regions by name, look into them, add your own.

    What is listed here can be given by its name: atlases and regions to --roi, atlases and
    target sets to --targets, atlases to --reference.

    \b
    Examples:
      neuroparcel atlas list
      neuroparcel atlas show broca-left
      neuroparcel atlas export yeo17 --output yeo17.dlabel.nii
      neuroparcel atlas add mine areas.dlabel.nii
      neuroparcel fit --subjects cohort.tsv --roi mine:BA44,BA45 --output results/
    """


_NAME = click.argument("name", metavar="NAME")


def _overwrite(help: str) -> Any:
    return option("--overwrite", section=OUTPUT, is_flag=True, help=help)


@atlas.command("list", cls=SectionedCommand)
def list_() -> None:
    """List atlases, regions and target sets, built-in ones and yours.

    \b
    Example:
      neuroparcel atlas list
    """
    from neuroparcel.pipeline import list_atlases

    click.echo(list_atlases().summary())


@atlas.command(cls=SectionedCommand)
@_NAME
def show(name: str) -> None:
    """Show where one comes from, its terms of use, and its labels.

    \b
    Examples:
      neuroparcel atlas show yeo17
      neuroparcel atlas show broca-left
    """
    from neuroparcel.pipeline import show_atlas

    click.echo(show_atlas(name).summary())


@atlas.command(cls=SectionedCommand)
@_NAME
@option(
    "--output",
    section=OUTPUT,
    required=True,
    metavar="FILE",
    help="What to write: .dlabel.nii; a pair, NAME.{L,R}.label.gii or {lh,rh}.NAME.annot; "
    ".nii.gz for voxels; or .tsv, the table of labels alone.",
)
@_overwrite("Replace files that are there.")
def export(name: str, output: str, overwrite: bool) -> None:
    """Write an atlas, a region or a target set as a label file.

    \b
    Examples:
      neuroparcel atlas export mmp --output mmp.dlabel.nii
      neuroparcel atlas export ifg-left --output ifg.L.label.gii
      neuroparcel atlas export yeo17 --output '{lh,rh}.yeo17.annot'
    """
    from neuroparcel.pipeline import export_atlas

    for path in export_atlas(name, output, overwrite=overwrite):
        click.echo(f"written: {path}")


@atlas.command(cls=SectionedCommand)
@_NAME
@click.argument("file", metavar="FILE")
@option("--citation", section=INPUT, default="", metavar="TEXT", help="What to cite.")
@option("--licence", section=INPUT, default="", metavar="TEXT", help="The terms of use.")
@_overwrite("Replace your atlas of this name.")
def add(name: str, file: str, **given: Any) -> None:
    """Add an atlas of your own, which then goes by its name everywhere.

    FILE is a .dlabel.nii, .label.gii or .annot file, or a NIfTI volume of labels; both
    hemispheres are written as one name: 'areas.{L,R}.label.gii', '{lh,rh}.areas.annot'. It is
    copied to the folder that 'neuroparcel atlas list' names at its end.

    \b
    Examples:
      neuroparcel atlas add mine areas.dlabel.nii --citation 'A. Author (2024)'
      neuroparcel atlas add aparc '{lh,rh}.aparc.annot'
      neuroparcel fit --subjects cohort.tsv --roi mine:BA44,BA45 --output results/
    """
    from neuroparcel.pipeline import add_atlas

    added = add_atlas(name, file, **given)
    click.echo(f"added: {added.name}, {added.n_labels} labels ({added.space}), in {added.folder}")


@atlas.command(cls=SectionedCommand)
@_NAME
def remove(name: str) -> None:
    """Remove an atlas that you have added.

    The file that it was copied from stays.

    \b
    Example:
      neuroparcel atlas remove mine
    """
    from neuroparcel.pipeline import remove_atlas

    folder: Path = remove_atlas(name)
    click.echo(f"removed: {folder}")
