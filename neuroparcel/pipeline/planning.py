"""What a run would read and do: what ``--dry-run`` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.cleaning import Cleaning
from neuroparcel.brain.features import FeatureKind
from neuroparcel.errors import NeuroparcelError, OptionError
from neuroparcel.io.cells import check_kind
from neuroparcel.io.formats import open_matrix, split_variable
from neuroparcel.io.layout import CohortFiles, Recording, find_cohort
from neuroparcel.io.layout.bids_names import find_confounds
from neuroparcel.io.recipe import Recipe
from neuroparcel.io.regions import load_region
from neuroparcel.io.store import open_store
from neuroparcel.io.survey.examination import Grid
from neuroparcel.io.targets import load_targets
from neuroparcel.pipeline.options import (
    InputOptions,
    ProfileOptions,
)

_MEMORY_SHARE = 0.5  # of the machine's, for the profiles of a cohort
_N_NAMED = 5
_N_LOOKED_AT = 5  # recordings, to know which rows are usual


@dataclass(frozen=True, eq=False)
class Plan:
    """The recordings of a run, and what is made of them.

    Attributes
    ----------
    files : CohortFiles, optional
        None where a connectome store gives the whole cohort.
    recipe : Recipe
    n_networks : int
    output : Path
    connectome : Path, optional
        Store to take profiles from and to keep them in.
    notes : tuple of str
        What a user should know before the run.
    """

    files: CohortFiles | None
    recipe: Recipe
    n_networks: int
    output: Path
    connectome: Path | None = None
    notes: tuple[str, ...] = ()

    def summary(self) -> str:
        """A few lines for the terminal."""
        region, features = self.recipe.region, self.recipe.feature_names
        kind = "maps" if self.recipe.targets is None else f"targets {self.recipe.targets.name}"
        steps = ", ".join(self.recipe.cleaning.steps) or "none"
        return "\n".join(
            [
                self._cohort(),
                f"region {region.name}: {region.n_vertices} {region.axis.rows_are}",
                f"{kind}: {len(features)}; features: {self.recipe.features.kind}; "
                f"cleaning: {steps}",
                f"{self.n_networks} networks, into {self.output}",
                *self.notes,
                "dry run: nothing was written",
            ]
        )

    def _cohort(self) -> str:
        if self.files is None:
            assert self.connectome is not None  # the one or the other
            store = open_store(self.connectome)
            return (
                f"{len(store.subjects)} subjects x {len(store.sessions)} sessions of {store.path}"
            )
        files = self.files
        n_cells = len({(r.subject, r.session) for r in files.recordings})
        missing = len(files.subjects) * len(files.sessions) - n_cells
        return (
            f"{len(files.subjects)} subjects x {len(files.sessions)} sessions "
            f"({', '.join(files.sessions)}), {missing} missing, "
            f"{len(files.recordings)} recordings"
        )

    def input_record(self) -> dict[str, Any]:
        """Each input with its size in bytes, so that a changed one can be told."""
        if self.files is None:
            return {str(self.connectome): {"connectome": True}}
        return {
            str(path.resolve()): {
                "subject": recording.subject,
                "session": recording.session,
                "run": recording.run,
                "bytes": split_variable(path)[0].stat().st_size,
            }
            for recording in self.files.recordings
            for path in recording.paths
        }

    def sources(self) -> dict[str, list[str]]:
        """Subject -> the files that its parcellation is made from."""
        if self.files is None:
            assert self.connectome is not None  # the one or the other
            store = open_store(self.connectome)
            return {subject: [str(store.path.resolve())] for subject in store.subjects}
        found: dict[str, list[str]] = {}
        for recording in self.files.recordings:
            found.setdefault(recording.subject, []).extend(
                str(path.resolve()) for path in recording.paths
            )
        return found


def find_files(
    options: InputOptions, sessions: str, cleaning: Cleaning, *, lenient: bool = False
) -> CohortFiles:
    """The recordings that the options name, with what their cleaning needs.

    If lenient, those that are named and do not exist are among them: reading them fails.
    """
    if options.subjects is None and options.data_dir is None:
        raise OptionError("No recordings are named.", "Give --subjects or --data-dir.")
    files = find_cohort(
        options.subjects,
        options.data_dir,
        sessions,
        task=options.task,
        space=options.space,
        confounds=cleaning.confounds is not None,
        censor=cleaning.censor,
        lenient=lenient,
    )
    return files if cleaning.confounds is None else _with_confounds(files)


def _with_confounds(files: CohortFiles) -> CohortFiles:
    """Name the tables that lie beside the recordings, so that a store knows of them too."""
    recordings = [
        r if r.confounds is not None else replace(r, confounds=find_confounds(r.path))
        for r in files.recordings
    ]
    return replace(files, recordings=tuple(recordings))


def plan_recipe(
    files: CohortFiles, options: ProfileOptions, *, skip_bad: bool = False
) -> tuple[Recipe, tuple[str, ...]]:
    """Region, targets, features and cleaning, for the rows that the recordings have.

    Returns
    -------
    recipe : Recipe
    notes : tuple of str
        Maps that are not shared by all recordings.
    """
    axis = _usual_axis(files, options.features)
    region = load_region(options.roi or ("nodes" if axis.is_nodes else "broca-left"), axis)
    maps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    if options.features == "maps":
        maps, notes = _shared_maps(files, skip_bad=skip_bad)
    targets = None if options.features == "maps" else load_targets(options.targets, axis)
    recipe = Recipe(region, targets, options.how, options.cleaning, maps, options.max_dead)
    return recipe, notes


def _usual_axis(files: CohortFiles, features: FeatureKind) -> BrainAxis:
    """Rows that most of the first recordings have, so that an odd one does not set the region.

    Those that cannot be used do not count, unless none can: loading them tells of all.
    """
    found: dict[Grid, list[BrainAxis]] = {}
    first_error: NeuroparcelError | None = None
    for recording in files.recordings:
        try:
            matrix = open_matrix(recording.paths, recording.mask)
            check_kind(matrix, features)
        except NeuroparcelError as error:
            first_error = first_error or error
            continue
        found.setdefault(Grid.of(matrix.axis), []).append(matrix.axis)
        if sum(map(len, found.values())) == _N_LOOKED_AT:
            break
    if not found:
        assert first_error is not None  # a cohort has recordings
        raise first_error
    return max(found.values(), key=len)[0]


def _shared_maps(files: CohortFiles, *, skip_bad: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the maps that all recordings have, and a note on the others.

    With `skip_bad`, files without maps do not count; their loading names them.
    """
    names: dict[Path, Sequence[str]] = {}
    for recording in files.recordings:
        try:
            names[recording.path] = _map_names(recording)
        except NeuroparcelError:
            if not skip_bad:
                raise
    first = next(iter(names.values()), ())
    shared = tuple(
        name for name in dict.fromkeys(first) if all(name in own for own in names.values())
    )
    others = sorted({name for own in names.values() for name in own} - set(shared))
    if not others:
        return shared, ()
    listed = ", ".join(others[:_N_NAMED]) + (", ..." if len(others) > _N_NAMED else "")
    return shared, (
        f"{len(shared)} maps are shared by all recordings and used; {len(others)} others are "
        f"not: {listed}",
    )


def _map_names(recording: Recording) -> Sequence[str]:
    matrix = open_matrix(recording.paths, recording.mask)
    check_kind(matrix, "maps")
    return matrix.names
