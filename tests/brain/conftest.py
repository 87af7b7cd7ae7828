"""Nouns small enough to check by hand."""

from __future__ import annotations

import numpy as np
import pytest

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.connectome import Cohort
from neuroparcel.brain.profiles import to_positive_sphere, to_signed_sphere


@pytest.fixture
def axis() -> BrainAxis:
    """Three left and two right vertices, and two voxels of the left thalamus."""
    return BrainAxis(
        space="fsLR",
        structure=["CORTEX_LEFT"] * 3 + ["CORTEX_RIGHT"] * 2 + ["THALAMUS_LEFT"] * 2,
        vertex=[0, 2, 3, 1, 4, -1, -1],
        voxel=[[-1, -1, -1]] * 5 + [[1, 1, 1], [1, 2, 1]],
        mesh_size={"CORTEX_LEFT": 5, "CORTEX_RIGHT": 6},
        affine=np.eye(4),
        volume_shape=(3, 3, 3),
    )


def make_cohort(
    seed: int = 0,
    shape: tuple[int, int, int, int] = (3, 2, 20, 12),
    rank: int = 3,
    *,
    signed: bool = False,
) -> Cohort:
    """Profiles whose link coordinates vary in few directions; one session is missing."""
    rng = np.random.default_rng(seed)
    n_subjects, n_sessions, n_vertices, n_targets = shape
    directions = rng.normal(size=(rank, n_targets))
    factors = rng.normal(size=(*shape[:3], rank)) * np.array([3.0, 1.0, 0.3])[:rank]
    correlation = np.tanh(0.2 * factors @ directions)
    to_sphere = to_signed_sphere if signed else to_positive_sphere
    profiles = to_sphere(correlation.reshape(-1, n_targets))[0].reshape(shape)
    valid = np.ones(shape[:3], dtype=bool)
    valid[1, 1] = False
    profiles[~valid] = 0
    return Cohort(
        subjects=tuple(f"s{i}" for i in range(n_subjects)),
        sessions=tuple(f"ses-{i}" for i in range(n_sessions)),
        profiles=profiles,
        valid=valid,
        axis=BrainAxis.from_vertices(
            "fsLR", {"CORTEX_LEFT": np.arange(n_vertices)}, {"CORTEX_LEFT": n_vertices}
        ),
        targets=tuple(f"t{i}" for i in range(n_targets)),
        signed=signed,
    )


@pytest.fixture
def cohort() -> Cohort:
    return make_cohort()


@pytest.fixture
def signed_cohort() -> Cohort:
    return make_cohort(signed=True)
