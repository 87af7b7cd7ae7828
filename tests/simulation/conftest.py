"""A stretch of cortex small enough to simulate in a moment: the region and the targets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from neuroparcel.brain.atlas import Region, Targets
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.connectome import Cohort
from neuroparcel.brain.profiles import combine_runs, correlate, to_positive_sphere
from neuroparcel.brain.simulation import (
    SimulatedPopulation,
    SimulationSettings,
    draw_population,
    simulate_run,
)
from neuroparcel.io.meshes import load_cortex_axis, load_mesh
from neuroparcel.io.regions import load_region
from neuroparcel.io.targets import load_targets


@dataclass(frozen=True)
class Cortex:
    """Rows that are simulated, and where they lie."""

    axis: BrainAxis
    coordinates: np.ndarray
    region: Region
    targets: Targets

    def population(self, settings: SimulationSettings) -> SimulatedPopulation:
        return draw_population(settings, self.axis, self.region, self.coordinates)

    def cohort(self, population: SimulatedPopulation) -> Cohort:
        """Profiles of simulated recordings, without the detour through files."""
        settings = population.settings
        rows = self.axis.rows_of(self.targets.axis)
        sessions = []
        for subject, session in np.ndindex(settings.n_subjects, settings.n_sessions):
            runs = []
            for run in range(settings.n_runs):
                series = simulate_run(population, subject, session, run)
                targets = self.targets.average(series[rows])
                runs.append((correlate(series[population.region_rows], targets), series.shape[1]))
            sessions.append(to_positive_sphere(combine_runs(runs), "shift"))
        shape = (settings.n_subjects, settings.n_sessions, self.region.n_vertices)
        return Cohort(
            settings.subjects,
            tuple(f"REST{number + 1}" for number in range(settings.n_sessions)),
            np.stack([profiles for profiles, _ in sessions]).reshape(*shape, -1),
            np.stack([valid for _, valid in sessions]).reshape(shape),
            self.region.axis,
            self.targets.names,
        )


@pytest.fixture(scope="session")
def cortex() -> Cortex:
    whole, region, targets = load_cortex_axis(), load_region("broca-left"), load_targets("seeds")
    rows = np.union1d(whole.rows_of(region.axis), whole.rows_of(targets.axis))
    axis = whole.restrict(rows)
    coordinates = np.empty((len(axis), 3), dtype=np.float32)
    for hemisphere in ("left", "right"):
        here = axis.rows_in(f"CORTEX_{hemisphere.upper()}")
        coordinates[here] = load_mesh("midthickness", hemisphere)[0][axis.vertex[here]]
    return Cortex(axis, coordinates, region, targets)


@pytest.fixture(scope="session")
def make_population(cortex: Cortex) -> Callable[..., SimulatedPopulation]:
    return lambda **settings: cortex.population(SimulationSettings(**settings))
