"""What is compared: the results of a fit, or an atlas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neuroparcel.brain.comparison import (
    NetworkMap,
    Pairs,
    match_by_names,
    match_by_overlap,
    match_by_scores,
)
from neuroparcel.brain.matching import profile_correlations
from neuroparcel.errors import AtlasError, FileFormatError, OptionError
from neuroparcel.io.atlases import is_atlas_name, load_atlas
from neuroparcel.io.label_files import is_label_file
from neuroparcel.io.network_profiles import read_network_profiles
from neuroparcel.io.writers import StoredParcellations, open_parcellations
from neuroparcel.pipeline.run_folder import read_finished_run
from neuroparcel.types import FloatArray


@dataclass(frozen=True, eq=False)
class Source:
    """One of the two that are compared.

    Attributes
    ----------
    map : NetworkMap
        The atlas, or the population of a fit.
    about : mapping
        What ``comparison.json`` says of it.
    stored : StoredParcellations, optional
        The subjects of a fit.
    """

    map: NetworkMap
    about: Mapping[str, Any]
    stored: StoredParcellations | None = None

    @property
    def name(self) -> str:
        """As it was given: a folder, a file, or an atlas."""
        return self.map.name

    @property
    def region(self) -> str | None:
        """Name of the region that was fitted; None of an atlas."""
        region: str | None = self.about.get("region")
        return region

    @property
    def subjects(self) -> tuple[str, ...]:
        """Names of the subjects of a fit."""
        return () if self.stored is None else self.stored.subjects

    @property
    def not_dead(self) -> frozenset[str]:
        """Networks that need not have a vertex in a region: an atlas's, and those that win some."""
        if self.stored is None:
            return frozenset(self.map.networks)
        return frozenset(
            self.map.networks[label - 1] for label in np.unique(self.map.labels) if label
        )

    def of_subject(self, subject: str) -> NetworkMap:
        """The map of one subject of a fit."""
        assert self.stored is not None  # there are no subjects otherwise
        with _whole(Path(self.name)):
            return NetworkMap.of_parcellation(self.name, self.stored.of_subject(subject))

    def summary(self) -> str:
        """A few words for the terminal."""
        networks = f"{self.map.n_networks} networks"
        if self.stored is None:
            return f"{self.name}: {networks}"
        return f"{self.name}: {networks}, population of {len(self.subjects)} subjects"


def open_source(name: str) -> Source:
    """Open a folder of results, or an atlas by its name or file.

    What is called as an atlas is that atlas: a folder of the same name is ``./name``.

    Raises
    ------
    OutputError
        If the folder holds no finished run.
    FileFormatError
        If a file is missing or damaged.
    AtlasError
        If there is no such atlas, or two of its labels have the same name.
    """
    is_run = Path(name).is_dir() and not is_atlas_name(name)
    return _of_run(Path(name)) if is_run else _of_atlas(name)


def match_sources(
    first: Source, second: Source, aligned: tuple[NetworkMap, NetworkMap], by: str
) -> Pairs:
    """Pair the networks of two sources one to one.

    Parameters
    ----------
    first, second : Source
    aligned : pair of NetworkMap
        Their maps where both have a label.
    by : {"overlap", "profiles", "names"}

    Raises
    ------
    OptionError
        If there is nothing to match by.
    """
    if by == "overlap":
        return match_by_overlap(*aligned)
    if by == "profiles":
        return match_by_scores(_profile_scores(first, second))
    pairs = match_by_names(first.map.networks, second.map.networks)
    if not pairs:
        raise OptionError(
            f"--match names: {first.name} and {second.name} have no network of the same name.",
            "Give --match overlap.",
        )
    return pairs


def _of_run(folder: Path) -> Source:
    run = read_finished_run(folder)
    stored = open_parcellations(folder)
    with _whole(folder):
        population = stored.of_population()
    about = {
        "kind": "results",
        "path": str(folder.resolve()),
        "command": run.get("command"),
        "region": run.get("region", {}).get("name"),
        "networks": stored.networks,
        "subjects": stored.subjects,
        "versions": run.get("versions"),
    }
    return Source(NetworkMap.of_parcellation(str(folder), population), about, stored)


def _of_atlas(name: str) -> Source:
    try:
        atlas = load_atlas(name)
    except AtlasError as error:
        if is_label_file(name):
            raise
        tip = f"{error.tip} It may also be the results folder of a fit.".strip()
        raise AtlasError(error.message, tip) from error
    shown = NetworkMap.of_atlas(atlas)
    about = {
        "kind": "atlas",
        "name": atlas.name,
        "path": str(Path(name).resolve()) if is_label_file(name) else None,
        "citation": atlas.citation,
        "licence": atlas.licence,
        "networks": shown.networks,
    }
    return Source(shown, about)


def _profile_scores(first: Source, second: Source) -> FloatArray:
    """Correlations of the networks' profiles; OptionError if there are none to correlate."""
    for source in (first, second):
        if source.stored is None:
            raise OptionError(
                f"--match profiles: {source.name} is an atlas, whose networks have no profiles.",
                "Give --match overlap.",
            )
    (ours, own), (theirs, other) = (
        read_network_profiles(Path(one.name)) for one in (first, second)
    )
    if ours != theirs:
        raise OptionError(
            f"--match profiles: the networks of {first.name} and {second.name} are profiles over "
            f"different targets ({len(ours)} and {len(theirs)}).",
            "Give --match overlap.",
        )
    return profile_correlations(own, other)


@contextmanager
def _whole(folder: Path) -> Iterator[None]:
    """Say of a file of a finished run that is missing or damaged how to mend it."""
    try:
        yield
    except FileFormatError as error:
        raise FileFormatError(
            error.message,
            f"The results in {folder} are not whole; run neuroparcel fit or infer again.",
        ) from error
