"""A cohort of small CIFTI files on toy meshes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neuroparcel.brain.atlas import Atlas, Label, Region, Targets
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.io.writers.cifti_writer import write_dtseries

MESH = 40
BLUE = (0.0, 0.0, 1.0, 1.0)

WriteRecording = Callable[..., Path]


@pytest.fixture(scope="session")
def toy_axis() -> BrainAxis:
    """36 left and 38 right vertices of toy meshes, the first ones being the medial wall."""
    return BrainAxis.from_vertices(
        "unknown",
        {"CORTEX_LEFT": np.arange(4, MESH), "CORTEX_RIGHT": np.arange(2, MESH)},
        {"CORTEX_LEFT": MESH, "CORTEX_RIGHT": MESH},
    )


@pytest.fixture(scope="session")
def toy_region(toy_axis: BrainAxis) -> Region:
    """Ten left vertices of two areas."""
    keys = np.zeros(len(toy_axis), dtype=int)
    keys[5:10], keys[10:15] = 1, 2
    atlas = Atlas("toy", toy_axis, keys, (Label(1, "front", BLUE), Label(2, "back", BLUE)))
    return atlas.region(["front", "back"], name="toy")


@pytest.fixture(scope="session")
def toy_targets(toy_axis: BrainAxis) -> Targets:
    """Five targets of four right vertices each."""
    axis = toy_axis.restrict(toy_axis.rows_in("CORTEX_RIGHT")[:20])
    names = tuple("abcde")
    return Targets("toy", axis, np.repeat(np.arange(5), 4), names)


@pytest.fixture
def write_recording(tmp_path: Path, toy_axis: BrainAxis) -> WriteRecording:
    """Write a recording of random numbers; ``change`` may edit them first."""

    def write(
        name: str,
        *,
        seed: int = 0,
        n_frames: int = 24,
        axis: BrainAxis = toy_axis,
        change: Callable[[np.ndarray], None] | None = None,
    ) -> Path:
        series = np.random.default_rng(seed).normal(size=(len(axis), n_frames))
        if change:
            change(series)
        return write_dtseries(tmp_path / f"{name}.dtseries.nii", axis, series, step=0.72)

    return write
