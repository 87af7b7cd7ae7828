"""Reports of stability as an analysis gives them, of random numbers."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.colours import network_colours
from neuroparcel.brain.designs import ALL_SESSIONS, Design
from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.brain.stability import (
    PARTS,
    RetestReliability,
    SizeStability,
    StabilityReport,
    Statistic,
    VertexEstimate,
)
from neuroparcel.io.meshes import load_cortex_axis

PATCH = load_cortex_axis().restrict([5, 40000, 7, 11])
NODES = BrainAxis.from_nodes(["Put", "Cau", "Tha", "Amy"])
VOXELS = BrainAxis(
    "MNI152NLin6Asym",
    np.full(4, "OTHER"),
    np.full(4, -1),
    np.array([[0, 0, 0], [1, 2, 3], [4, 4, 4], [2, 0, 1]]),
    {},
    np.eye(4),
    (5, 5, 5),
)
NETWORKS = ("Language & co", "Motor")
COLOURS = network_colours(2)
SUBJECTS = ("sub-01", "sub-02", "sub-03", "sub-04")
SESSIONS = ("1", "2")
GROUPS = ("F", "18-20")


def make_report(axis: BrainAxis, *, retest: bool = True) -> StabilityReport:
    """Two groups with two sizes each; row 1 has no data, and some numbers are not known."""
    rng = np.random.default_rng(0)
    full = {group: _soft(axis, rng, with_data=group == "F") for group in GROUPS}
    sizes = tuple(_size(axis, rng, group, size) for group in GROUPS for size in (2, 3))
    return StabilityReport(
        axis=axis,
        networks=NETWORKS,
        colours=COLOURS,
        subjects=SUBJECTS,
        sessions=SESSIONS,
        design=Design("bootstrap", (2, 3), 5, seed=7),
        method="amortized",
        prior="own",
        full=full,
        sizes=sizes,
        reliability=_retest(axis, rng) if retest else None,
        statistics=(
            Statistic("F", 2, "ari_full", "", 1 / 3, 0.1, 0.7, "subjects", 0.2, 0.9, 5),
            Statistic("F", 2, "dice_full", "Motor", float("nan")),
            Statistic("all", None, "icc2", "", 0.5, 0.4, 0.6, "subjects", n=4, null=0.01, p=0.001),
        ),
        notes=("sub-04 has one session",),
    )


def same(one: Any, other: Any) -> None:
    """Equal to the last bit, with the same types of arrays."""
    assert type(one) is type(other)
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    elif isinstance(one, BrainAxis) or not (is_dataclass(one) or isinstance(one, dict | tuple)):
        assert one == other or (one != one and other != other)  # the second: NaN
    elif isinstance(one, dict):
        assert list(one) == list(other)
        same(tuple(one.values()), tuple(other.values()))
    elif isinstance(one, tuple):
        assert len(one) == len(other)
        for left, right in zip(one, other, strict=True):
            same(left, right)
    else:
        for field in fields(one):
            same(getattr(one, field.name), getattr(other, field.name))


def _soft(axis: BrainAxis, rng: np.random.Generator, *, with_data: bool) -> SoftParcellation:
    p = rng.dirichlet([1, 1], len(axis)).astype(np.float32)
    data = np.arange(len(axis)) != 1
    return SoftParcellation(axis, NETWORKS, p, data if with_data else None, COLOURS)


def _size(axis: BrainAxis, rng: np.random.Generator, group: str, size: int) -> SizeStability:
    dice = rng.random((5, 2)).astype(np.float32)
    dice[0, 1] = np.nan
    return SizeStability(
        group=group,
        size=size,
        n_samples=5,
        stable=_estimate(axis, rng),
        parts={name: rng.random(len(axis)).astype(np.float32) for name in PARTS},
        members=rng.integers(0, 4, (5, size)),
        session=np.array([ALL_SESSIONS, ALL_SESSIONS, 0, 1, ALL_SESSIONS]),
        ari_full=rng.random(5).astype(np.float32),
        dice_full=dice,
        profile_full=rng.random((5, 2)).astype(np.float32),
        similarity=np.array([[1, 0.25], [0.25, 1]], np.float32),
        shown=np.array([0, 4]),
    )


def _retest(axis: BrainAxis, rng: np.random.Generator) -> RetestReliability:
    distances = rng.random((3, 3)).astype(np.float32)
    return RetestReliability(
        SESSIONS, SUBJECTS[:3], _estimate(axis, rng), _estimate(axis, rng), distances
    )


def _estimate(axis: BrainAxis, rng: np.random.Generator) -> VertexEstimate:
    values = rng.random((3, len(axis))).astype(np.float32)
    values[:, 1] = np.nan
    return VertexEstimate(*values)
