"""``neuroparcel infer``: parcellations of new subjects by a model that is already trained."""

from __future__ import annotations

from typing import Any

import click

from . import options
from .config import config
from .options import INPUT, MODEL, SectionedCommand, option, path_option


@click.command(cls=SectionedCommand)
@path_option(
    "--model",
    INPUT,
    required=True,
    metavar="FOLDER",
    help="The folder model/ in the results of 'neuroparcel fit'.",
)
@options.recordings
@options.sessions(default=None, shown="as the model's")
@options.max_dead
@options.skip_bad
@options.connectome
@option(
    "--new-population",
    section=MODEL,
    is_flag=True,
    help="Infer the population from these subjects too, instead of keeping the model's.",
)
@option(
    "--refine",
    section=MODEL,
    type=int,
    default=0,
    metavar="STEPS",
    help="Steps that bring each new subject's networks nearer to the exact posterior, for models "
    "of --family adavi; a hundred or two are enough.",
)
@options.evidence
@options.output()
@options.overwrite
@options.resume
@options.figures
@options.gifti
@config
@options.seed
@options.device
@options.threads
@options.jobs
@options.scheduler
@options.dry_run
@options.quiet
def infer(**given: Any) -> None:
    """Parcellate new subjects with a trained model, in seconds.

    Nothing is trained. The region, the targets and the population's networks are the
    model's, so network numbers mean the same as in its results; the networks of the new
    subjects and sessions are inferred from their recordings.

    \b
    Examples:
      neuroparcel infer --model results/model --subjects new_list.txt \\
          --data-dir HCP1200 --output new/
      neuroparcel infer --model results/model --subjects new.tsv --refine 100 --output new/
      neuroparcel infer --model results/model --subjects other_site.tsv \\
          --new-population --output other_site/
    """
    from neuroparcel.pipeline import InferOptions, plan_inference
    from neuroparcel.pipeline import infer as run

    dry_run = given.pop("dry_run")
    wanted = InferOptions(**given)
    result = plan_inference(wanted) if dry_run else run(wanted)
    click.echo(result.summary())
