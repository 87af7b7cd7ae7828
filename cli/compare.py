"""``neuroparcel compare``: how far two maps of networks agree."""

from __future__ import annotations

from typing import Any

import click

from . import options
from .options import INPUT, MODEL, OTHER, OUTPUT, SectionedCommand, option, path_option
from .plot import Names


@click.command(cls=SectionedCommand)
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@option(
    "--subjects/--no-subjects",
    section=INPUT,
    default=True,
    help="Compare the subjects that two fits have in common too.",
)
@option(
    "--match",
    section=MODEL,
    type=click.Choice(["overlap", "profiles", "names"]),
    default="overlap",
    help="How networks are paired one to one: by the overlap of the maps (Dice), by the "
    "correlation of the profiles of two fits, or by name.",
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
    show_default="nothing is written",
    help="Folder for tables, maps of the difference and a figure.",
)
@option(
    "--figures/--no-figures",
    section=OUTPUT,
    default=True,
    help="Draw the two maps and their difference.",
)
@option(
    "--format",
    "formats",
    section=OUTPUT,
    type=Names(),
    default="png",
    metavar="FORMATS",
    help="Of the figure: png, svg, pdf, or several, separated by commas. Text stays text.",
)
@option(
    "--dpi",
    section=OUTPUT,
    type=int,
    default=300,
    help="Dots an inch of the figure, at a width of 180 mm.",
)
@option(
    "--overwrite",
    section=OUTPUT,
    is_flag=True,
    help="Replace what an earlier comparison left in the output folder.",
)
@option(
    "--seed",
    section=OTHER,
    type=click.IntRange(min=0),
    default=0,
    help="Seed of the rotations.",
)
@options.quiet
def compare(**given: Any) -> None:
    """Compare two fits, a fit and an atlas, or two atlases.

    A and B are each a results folder of 'neuroparcel fit' or 'infer', the name of an atlas
    (yeo17, cole-anticevic, ...), or a label file. Networks are matched one to one; printed are
    the Dice coefficient of each pair, and measures of the whole maps, on the vertices where both
    have a label.

    \b
    Written to the output folder, if there is one:
      comparison.tsv            a row for each pair of networks, and for those without a match
      subjects.tsv              the agreement of each subject that both fits have
      *_boldmap.dscalar.nii     the difference at each vertex, from 0 to 1
      *_dseg.dlabel.nii         both maps in matched colours, and where they differ
      figures/difference.*      the same as a picture
      comparison.json           all numbers, options, versions and sources

    \b
    Examples:
      neuroparcel compare results/ yeo17
      neuroparcel compare results-seed0/ results-seed1/ --output seeds/
      neuroparcel compare results/ atlas.dlabel.nii --spins 1000 --output against-atlas/
      neuroparcel compare yeo7 yeo17 --output atlases/ --format svg,pdf
    """
    from neuroparcel.pipeline import CompareOptions
    from neuroparcel.pipeline import compare as run

    click.echo(run(CompareOptions(**given)).summary())
