"""``neuroparcel fit``: a parcellation of a cohort."""

from __future__ import annotations

from typing import Any

import click

from . import options
from .config import config
from .options import MODEL, TRAINING, Duration, SectionedCommand, option


@click.command(cls=SectionedCommand)
@options.recordings
@options.sessions()
@options.max_dead
@options.skip_bad
@options.connectome
@options.profiles
@option(
    "--networks",
    section=MODEL,
    type=int,
    default=2,
    help="Number of networks, at least 2.",
)
@option(
    "--link",
    section=MODEL,
    type=click.Choice(["ilr", "softmax-centered", "identity", "direction"]),
    show_default="ilr, or identity for signed profiles",
    help="From the sphere to coordinates: isometric log-ratio, the paper's log-ratio against the "
    "last target, profiles as they are, or their directions.",
)
@option(
    "--variance",
    section=MODEL,
    type=click.FloatRange(0, 1, min_open=True),
    default=0.8,
    help="Share of the variance that the principal components keep.",
)
@option(
    "--scaling",
    section=MODEL,
    type=click.Choice(["single", "component"]),
    default="single",
    help="Scale the components by one number, or each by its own standard deviation.",
)
@options.evidence
@option(
    "--levels",
    section=MODEL,
    default="population,subject,session",
    metavar="NAMES",
    help="Levels that have networks of their own, with commas: one or more of these three.",
)
@option(
    "--emission",
    section=MODEL,
    type=click.Choice(["l-normal", "von-mises-fisher"]),
    default="l-normal",
    help="Law of a profile around its network: Gaussian in link coordinates, or by direction "
    "on the sphere.",
)
@option(
    "--kappa",
    section=MODEL,
    type=click.Choice(["shared", "network", "session"]),
    default="shared",
    help="One spread of profiles around their networks for all, or one for each network or "
    "session.",
)
@option(
    "--label-prior",
    section=MODEL,
    type=click.Choice(["global", "vertex"]),
    default="global",
    help="Prior of a vertex's label: one for all vertices, as in the paper, or the group's at "
    "that vertex; the weight of evidence is then learnt on repeated sessions.",
)
@option(
    "--smoothness",
    section=MODEL,
    default="0",
    metavar="NUMBER",
    help="Pull of mesh neighbours on a label, with --label-prior vertex; auto chooses it on "
    "repeated sessions.",
)
@option(
    "--calibrate",
    section=MODEL,
    is_flag=True,
    help="Recalibrate the finished labels on repeated sessions, with --label-prior vertex: a "
    "temperature and a uniform share.",
)
@option(
    "--dead",
    section=MODEL,
    type=click.Choice(["keep", "drop", "reseed"]),
    default="keep",
    help="Networks that die in training: keep and report them; or train once more without them, "
    "or with their start put where profiles vary most.",
)
@option(
    "--reference",
    section=MODEL,
    metavar="NAME|PATH",
    help="Name and colour networks after an atlas (yeo17, yeo7, cole-anticevic, ...), a label "
    "file, or the results folder of an earlier fit, so that they keep both from run to run.",
)
@option(
    "--match",
    section=MODEL,
    type=click.Choice(["overlap", "profiles"]),
    default="overlap",
    help="How networks find their partner in the reference, one to one: by the overlap of maps, "
    "or, with an earlier fit, by the correlation of profiles over the same targets.",
)
@option(
    "--family",
    section=TRAINING,
    type=click.Choice(["adavi", "mean-field", "reference"]),
    default="adavi",
    help="How networks are learnt: trained, amortized posteriors; mean field, fitted to each "
    "cohort by gradients; or the same by closed-form coordinate ascent, which is much faster. "
    "Mean field is more certain than it should be.",
)
@option(
    "--steps",
    section=TRAINING,
    type=int,
    show_default="chosen for the cohort",
    help="Training steps, over all stages.",
)
@option(
    "--time-budget",
    section=TRAINING,
    type=Duration(),
    metavar="TIME",
    help="Train for about this long instead, such as 90s, 15m or 2h.",
)
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
def fit(**given: Any) -> None:
    """Parcellate a region: population, subjects and sessions.

    The recordings are CIFTI, GIFTI or NIfTI files, or tables of time series. Each vertex of the
    region is described by its correlations with targets all over the cortex; a hierarchical model
    explains these profiles by networks that vary from subject to subject and from session
    to session. It ends with a verdict: whether the training converged, whether a network
    died out, and how well the networks explain profiles beside k-means.

    \b
    Written to the output folder:
      *_dseg.dlabel.nii         the most probable network of each vertex
      *_probseg.dscalar.nii     the probability of each network
      *_boldmap.dscalar.nii     entropy, margin, and agreement with the population
      *.label.gii, *.func.gii   labels and probabilities of each hemisphere
      *_vertices.tsv            all labels as a table
      model/                    what 'neuroparcel infer' needs
      figures/                  pictures, and the training curve
      run.json                  options, versions, inputs, verdict and warnings

    \b
    Examples:
      neuroparcel fit --subjects hcp_list.txt --data-dir HCP1200 --output results/
      neuroparcel fit --subjects cohort.tsv --roi L_44,L_45 --networks 2 --output results/
      neuroparcel fit --data-dir derivatives/fmriprep --task rest --confounds simple \\
          --roi cortex --targets mmp --networks 17 --connectome store/ --output results/
      neuroparcel fit --config broca.toml --seed 1 --output results-seed1/
    """
    from neuroparcel.pipeline import FitOptions, plan
    from neuroparcel.pipeline import fit as run

    dry_run = given.pop("dry_run")
    wanted = FitOptions(**given)
    result = plan(wanted) if dry_run else run(wanted)
    click.echo(result.summary())
