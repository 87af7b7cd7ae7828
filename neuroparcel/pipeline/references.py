"""What ``--reference`` names: an atlas, a label file, or an earlier fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neuroparcel.brain.identity import PROFILES, Identity, Reference, identify, labels_on
from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.errors import AtlasError, OptionError
from neuroparcel.io.atlases import is_atlas_name, load_atlas
from neuroparcel.io.network_profiles import read_network_profiles
from neuroparcel.io.recipe import Recipe
from neuroparcel.io.writers import open_parcellations
from neuroparcel.parcellation.labels import soft_labels
from neuroparcel.parcellation.networks import top_networks
from neuroparcel.parcellation.observed_cohort import ObservedCohort
from neuroparcel.pipeline.run_folder import read_finished_run
from neuroparcel.pipeline.trainers import Trained


def load_reference(spec: str, match: str, recipe: Recipe) -> Reference:
    """Load a reference, and see whether the networks of a recipe can be matched with it.

    Parameters
    ----------
    spec : str
        Name of an atlas, a label file, or the results folder of a fit (``./name`` where an
        atlas has that name).
    match : {"overlap", "profiles"}
        How they will be matched.
    recipe : Recipe
        Of the networks.

    Raises
    ------
    AtlasError
        If there is neither an atlas nor a file nor a folder of that name.
    OptionError
        If there are no profiles over the same targets, to match by.
    SpaceError
        If the reference has other vertices.
    OutputError, FileFormatError
        If a folder holds no finished run, or a file of it is damaged.
    """
    is_run = Path(spec).is_dir() and not is_atlas_name(spec)
    reference = _of_run(Path(spec)) if is_run else _of_atlas(spec)
    if match != PROFILES:
        labels_on(reference, recipe.region.axis)
    elif reference.profiles is None:
        raise OptionError(
            f"--match profiles: {spec} is an atlas, whose networks have no profiles.",
            "Give --match overlap, or the results folder of a fit.",
        )
    elif reference.targets != recipe.feature_names:
        raise OptionError(
            f"--match profiles: the networks of {spec} are profiles over other targets "
            f"({len(reference.targets)}, such as {reference.targets[0]}) than this fit's "
            f"({len(recipe.feature_names)}, such as {recipe.feature_names[0]}).",
            "Give --match overlap, or the same --targets.",
        )
    return reference


def identity_of(
    trained: Trained, observed: ObservedCohort, reference: Reference | None, match: str, seed: int
) -> Identity:
    """Names and colours of trained networks; by number without a reference.

    Large cohorts are matched by the subjects that a fit is judged on.
    """
    networks = trained.networks
    if reference is None:
        return Identity.numbered(networks.model.n_networks)
    part = observed.judged()
    found = networks(part.data, part.strength)
    population, _, _ = soft_labels(
        found, networks.model, trained.labels, strength=part.strength, seed=seed
    )
    numbered = Identity.numbered(networks.model.n_networks)
    soft = SoftParcellation(observed.cohort.axis, numbered.networks, population)
    top = top_networks(found, networks.model).cpu().numpy()
    return identify(soft, reference, match, observed.reduction.inverse(top))


def _of_atlas(spec: str) -> Reference:
    try:
        return Reference.of_atlas(load_atlas(spec))
    except AtlasError as error:
        tip = error.tip or ""
        if not Path(spec).exists():
            tip = f"{tip} It may also be the results folder of a fit.".strip()
        raise AtlasError(f"--reference {spec}: {error.message}", tip) from error


def _of_run(folder: Path) -> Reference:
    read_finished_run(folder)
    stored = open_parcellations(folder)
    population = stored.of_population()
    targets, profiles = read_network_profiles(folder)
    return Reference(
        str(folder),
        stored.axis,
        np.where(population.has_data, population.labels, 0),
        stored.networks,
        stored.colours,
        targets,
        profiles,
    )
