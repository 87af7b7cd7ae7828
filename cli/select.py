"""``neuroparcel select``: how many networks."""

from __future__ import annotations

from typing import Any

import click

from .fit import fit
from .options import MODEL, OTHER, OUTPUT, TRAINING, Option, SectionedCommand

_NOT_OF_A_SELECTION = {"evidence", "time_budget", "resume", "gifti", "dead", "reference", "match"}

_FOLDS = Option(
    ["--folds"],
    section=MODEL,
    type=int,
    default=5,
    show_default=True,
    help="Parts that subjects are held out in; each subject alone if they are fewer.",
)
_OWN = {
    "networks": Option(
        ["--networks"],
        section=MODEL,
        default="2:12",
        metavar="RANGE",
        show_default=True,
        help="Numbers of networks to compare: first:last, first:last:step, or several with commas.",
    ),
    "family": Option(
        ["--family"],
        section=TRAINING,
        type=click.Choice(["reference", "adavi", "mean-field"]),
        default="reference",
        show_default=True,
        help="How networks are learnt: closed-form coordinate ascent, in seconds a fit; trained, "
        "amortized posteriors, or mean field by gradients, in minutes.",
    ),
    "figures": Option(
        ["--figures/--no-figures"],
        section=OUTPUT,
        default=True,
        show_default=True,
        help="Draw the curves as a PNG file.",
    ),
    "jobs": Option(
        ["--jobs"],
        section=OTHER,
        type=int,
        default=1,
        show_default=True,
        help="Processes that read recordings, and then learn, at the same time.",
    ),
}


def _parameters() -> list[click.Parameter]:
    """The options of a fit, some of them changed."""
    found: list[click.Parameter] = []
    for parameter in fit.params:
        if parameter.name not in _NOT_OF_A_SELECTION:
            found.append(_OWN.get(str(parameter.name), parameter))
        if parameter.name == "networks":
            found.append(_FOLDS)
    return found


@click.command(cls=SectionedCommand, params=_parameters())
def select(**given: Any) -> None:
    """Compare numbers of networks on held-out subjects.

    For each number, networks are learnt from a part of the subjects. Each of the others is
    labelled from one session alone; its other sessions tell how well these labels predict
    profiles, how far labels agree, and how alike the profiles inside a network are. The fewest
    networks within one standard error of the best prediction are recommended, and it is said
    how flat the curve is.

    \b
    Written to the output folder:
      networks.tsv              each measure against the number, with intervals
      scores.tsv                the same for each held-out subject
      figures/selection.png     the curves
      run.json                  options, versions, inputs, recommendation and warnings

    \b
    Examples:
      neuroparcel select --subjects cohort.tsv --networks 2:30 --output how-many/
      neuroparcel select --connectome store/ --roi ifg-left --networks 2:12 --jobs 4 \\
          --label-prior vertex --output how-many/
    """
    from neuroparcel.pipeline import SelectOptions, plan_select
    from neuroparcel.pipeline import select as run

    dry_run = given.pop("dry_run")
    wanted = SelectOptions(**given)
    result = plan_select(wanted) if dry_run else run(wanted)
    click.echo(result.summary())
