"""Simulated cohorts on disk, laid out like the Human Connectome Project, truth beside them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.model_cohort import ModelSettings
from neuroparcel.brain.recovery import Truth
from neuroparcel.brain.simulation import (
    SimulatedPopulation,
    SimulationSettings,
    draw_population,
    simulate_run,
)
from neuroparcel.errors import FileFormatError, OptionError, OutputError
from neuroparcel.io.files import write_json, write_text
from neuroparcel.io.meshes import SPACE, Hemisphere, load_cortex_axis, load_mesh
from neuroparcel.io.regions import load_region
from neuroparcel.io.writers.cifti_writer import CiftiWriter
from neuroparcel.types import FloatArray

REPETITION_TIME = 0.72
"""Seconds from one frame to the next, as in the Human Connectome Project."""

_RUNS = ("LR", "RL")
_HEMISPHERES: tuple[Hemisphere, ...] = ("left", "right")

_SETTINGS = "simulation.json"
_TRUTH = "truth.tsv"
_SUBJECTS = "hcp_list.txt"
_DATA = "HCP"
_TABLE = "cohort.tsv"
_MAPS = "maps"
_NETWORKS = "networks.safetensors"


@dataclass(frozen=True)
class SimulatedCohort:
    """Where a simulated cohort lies: recordings in the HCP's layout, or maps with their table.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the cohort.
    """

    folder: Path

    @property
    def subject_list(self) -> Path:
        """List of the subjects' names, one a line."""
        return self.folder / _SUBJECTS

    @property
    def data_dir(self) -> Path:
        """Folder of the recordings, ``{subject}/MNINonLinear/Results/...``."""
        return self.folder / _DATA

    @property
    def table(self) -> Path:
        """Table of the maps: subject, session, path."""
        return self.folder / _TABLE

    @property
    def maps_dir(self) -> Path:
        """Folder of the maps, ``sub-{subject}/...``."""
        return self.folder / _MAPS

    @property
    def networks(self) -> Path:
        """True networks and scales of a cohort from the model."""
        return self.folder / _NETWORKS

    @property
    def truth(self) -> Path:
        """Table of the true labels, one row a vertex."""
        return self.folder / _TRUTH

    @property
    def settings(self) -> Path:
        """The settings of the simulation, JSON."""
        return self.folder / _SETTINGS

    def recording(self, subject: str, session: int, run: int) -> Path:
        """File of one run; session and run are numbers from 0."""
        name = f"rfMRI_REST{session + 1}_{_RUNS[run]}"
        folder = self.data_dir / subject / "MNINonLinear" / "Results" / name
        return folder / f"{name}_Atlas_MSMAll_hp2000_clean.dtseries.nii"


def write_simulated_cohort(
    folder: Path,
    settings: SimulationSettings,
    *,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> SimulatedCohort:
    """Simulate a cohort on the fs_LR 32k cortex and write its recordings.

    The list of subjects is written last: where it exists, the cohort is complete.

    Parameters
    ----------
    folder : pathlib.Path
        Where to write; made if missing.
    settings : SimulationSettings
        Size and difficulty.
    overwrite : bool, default False
        Replace a simulated cohort that lies in the folder.
    progress : callable, optional
        Called after each file with the numbers of files written and to write.

    Returns
    -------
    SimulatedCohort

    Raises
    ------
    OptionError
        If more runs are asked for than the layout has names for.
    OutputError
        If the folder holds something else, or another cohort and `overwrite` is off.
    """
    if settings.n_runs > len(_RUNS):
        raise OptionError(
            f"{settings.n_runs} runs asked for, but a session of the HCP has {len(_RUNS)}.",
            "Ask for 1 or 2 runs, or for more sessions.",
        )
    cohort = SimulatedCohort(Path(folder))
    axis = load_cortex_axis()
    region = load_region(settings.roi)
    population = draw_population(settings, axis, region, _coordinates(axis))

    make_room(cohort, overwrite=overwrite)
    write_json(cohort.settings, asdict(settings))
    write_truth(cohort, population.truth)
    _write_recordings(cohort, axis, population, progress)
    write_text(cohort.subject_list, "".join(f"{name}\n" for name in settings.subjects))
    return cohort


def read_settings(folder: Path) -> SimulationSettings | ModelSettings:
    """Read what a cohort was simulated with; a cohort from the model has a difficulty.

    Raises
    ------
    FileFormatError
        If the folder does not hold a simulated cohort.
    """
    path = SimulatedCohort(Path(folder)).settings
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return (ModelSettings if "difficulty" in content else SimulationSettings)(**content)
    except FileNotFoundError as error:
        raise FileFormatError(
            f"{folder} does not hold a simulated cohort: it has no {_SETTINGS}.",
            "Make one with 'neuroparcel simulate'.",
        ) from error
    except (json.JSONDecodeError, TypeError) as error:
        raise FileFormatError(
            f"{path} does not hold the settings of a simulation ({error}).",
            "Simulate the cohort again with this version of neuroparcel.",
        ) from error


def read_truth(folder: Path) -> Truth:
    """Read the labels that a cohort was simulated with.

    Parameters
    ----------
    folder : pathlib.Path
        Folder that :func:`write_simulated_cohort` wrote.

    Returns
    -------
    Truth

    Raises
    ------
    FileFormatError
        If the folder does not hold a simulated cohort, or the table is damaged.
    """
    settings = read_settings(folder)
    path = SimulatedCohort(Path(folder)).truth
    try:
        header, *lines = path.read_text(encoding="utf-8").splitlines()
        rows = np.array([line.split("\t") for line in lines])
        structure, vertex, population, *subjects = rows.T
        labels = np.array([population, *subjects]).astype(np.int64)
        vertices = vertex.astype(np.int64)
    except FileNotFoundError as error:
        raise FileFormatError(f"{path} does not exist.", "Simulate the cohort again.") from error
    except ValueError as error:
        raise FileFormatError(f"{path} is damaged ({error}).", "Simulate it again.") from error
    sizes = load_cortex_axis().mesh_size
    blocks = {str(name): vertices[structure == name] for name in dict.fromkeys(structure)}
    axis = BrainAxis.from_vertices(SPACE, blocks, sizes)
    names = tuple(header.split("\t")[3:])
    return Truth(axis, names, settings.n_networks, labels[0], labels[1:])


def make_room(cohort: SimulatedCohort, *, overwrite: bool) -> None:
    """Clear what an earlier simulation left, of either kind, and nothing else.

    Raises
    ------
    OutputError
        If the folder holds something else, or another cohort and `overwrite` is off.
    """
    folder = cohort.folder
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file, not a folder.", "Choose another folder.")
    if folder.exists() and any(folder.iterdir()):
        if not cohort.settings.exists():
            raise OutputError(
                f"{folder} holds files that are not a simulated cohort.", "Choose another folder."
            )
        if not overwrite:
            raise OutputError(
                f"{folder} already holds a simulated cohort.",
                "Choose another folder, or replace it with --overwrite.",
            )
        for path in (cohort.subject_list, cohort.table, cohort.truth, cohort.networks):
            path.unlink(missing_ok=True)
        for data in (cohort.data_dir, cohort.maps_dir):
            if data.exists():
                shutil.rmtree(data)
    folder.mkdir(parents=True, exist_ok=True)


def _coordinates(axis: BrainAxis) -> FloatArray:
    """Places on the midthickness surface in millimetres, shape (row, 3)."""
    coordinates = np.empty((len(axis), 3), dtype=np.float32)
    for hemisphere in _HEMISPHERES:
        rows = axis.rows_in(f"CORTEX_{hemisphere.upper()}")
        coordinates[rows] = load_mesh("midthickness", hemisphere)[0][axis.vertex[rows]]
    return coordinates


def write_truth(cohort: SimulatedCohort, truth: Truth) -> None:
    """Write the true labels, one row a vertex; :func:`read_truth` reads them."""
    header = ["structure", "vertex", "population", *truth.subjects]
    columns = [truth.axis.structure, truth.axis.vertex, truth.population, *truth.subject]
    rows = [header, *zip(*(column.tolist() for column in columns), strict=True)]
    text = "".join("\t".join(str(cell) for cell in row) + "\n" for row in rows)
    write_text(cohort.truth, text)


def _write_recordings(
    cohort: SimulatedCohort,
    axis: BrainAxis,
    population: SimulatedPopulation,
    progress: Callable[[int, int], None] | None,
) -> None:
    settings, writer = population.settings, CiftiWriter(axis)
    shape = (settings.n_subjects, settings.n_sessions, settings.n_runs)
    for n_done, (subject, session, run) in enumerate(np.ndindex(shape), start=1):
        path = cohort.recording(settings.subjects[subject], session, run)
        path.parent.mkdir(parents=True, exist_ok=True)
        series = simulate_run(population, subject, session, run)
        writer.dtseries(path, series, step=REPETITION_TIME)
        if progress:
            progress(n_done, int(np.prod(shape)))
