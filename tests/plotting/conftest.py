"""Parcellations of real regions, with labels that need no fit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from neuroparcel.brain.atlas import Region
from neuroparcel.brain.parcellation import CohortParcellation, SoftParcellation
from neuroparcel.io.regions import load_region
from neuroparcel.plotting import connections, difference, panel, surface, value_maps

_PIXELS = {
    surface: {"_LARGE": 200, "_SMALL": 120, "_INSET": 120},
    panel: {"VIEW_PIXELS": 160, "_SMALL_PIXELS": 90},
    connections: {"_PIXELS": 120},
    difference: {"_LARGE": 150, "_SMALL": 60},
    value_maps: {"_LARGE": 150, "_SMALL": 60},
}


@pytest.fixture(autouse=True)
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer pixels of each view than are printed: what is drawn where does not depend on them."""
    for module, names in _PIXELS.items():
        for name, number in names.items():
            monkeypatch.setattr(module, name, number)


@pytest.fixture(scope="session")
def region() -> Region:
    return load_region("broca-left")


@pytest.fixture(scope="session")
def parcellation(region: Region) -> SoftParcellation:
    """Area 44 is network 1 for certain, area 45 is network 2 by 3 to 1."""
    in_44 = (region.label_of_vertex == "L_44")[:, None]
    probabilities = np.where(in_44, [1.0, 0.0], [0.25, 0.75]).astype(np.float32)
    return SoftParcellation(region.axis, ("Network 1", "Network 2"), probabilities)


@pytest.fixture(scope="session")
def make_cohort(parcellation: SoftParcellation) -> Callable[[int], CohortParcellation]:
    """A cohort of so many subjects, all like the population."""

    def make(n_subjects: int) -> CohortParcellation:
        probabilities = parcellation.probabilities
        return CohortParcellation(
            parcellation.axis,
            parcellation.networks,
            tuple(f"s{number}" for number in range(n_subjects)),
            ("REST1",),
            probabilities,
            np.repeat(probabilities[None], n_subjects, axis=0),
            np.repeat(probabilities[None, None], n_subjects, axis=0),
        )

    return make


@pytest.fixture(scope="session")
def pixels_of() -> Callable[[Figure], np.ndarray]:
    """Draw a figure: (row, column, 3) in 0 to 255."""

    def draw(figure: Figure) -> np.ndarray:
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3]

    return draw
