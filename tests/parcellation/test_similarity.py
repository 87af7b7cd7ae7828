"""The similarity of nodes is their mean Fisher z, read back from profiles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.connectome import Cohort
from neuroparcel.brain.features import Features, to_sphere
from neuroparcel.parcellation.similarity import node_similarity

NAMES = tuple("abcdef")
AXIS = BrainAxis.from_nodes(NAMES)
FISHER_Z = Features("fisher-z")


def matrices(n: int = 3) -> np.ndarray:
    """Correlations of six nodes in some sessions, (session, node, node)."""
    series = np.random.default_rng(0).normal(size=(n, 6, 40)) + np.linspace(-1, 1, 40)
    return np.stack([np.corrcoef(one) for one in series])


def cohort(correlation: np.ndarray, features: Features, axis: BrainAxis = AXIS) -> Cohort:
    """One subject a matrix (session, node, target); NaN rows are dead."""
    made = [to_sphere(one, features) for one in correlation]
    return Cohort(
        tuple(f"s{n}" for n in range(len(made))),
        ("1",),
        np.stack([profiles for profiles, _ in made])[:, None],
        np.stack([alive for _, alive in made])[:, None],
        axis,
        NAMES,
    )


def mean_z(correlation: np.ndarray) -> np.ndarray:
    z = np.arctanh(np.clip(correlation, -0.999, 0.999))
    mean = np.nanmean(z, axis=0)
    np.fill_diagonal(mean, np.nan)
    return mean


@pytest.mark.parametrize("features", [Features(), FISHER_Z], ids=["correlation", "fisher-z"])
def test_it_is_the_mean_fisher_z_of_each_pair(features):
    r = matrices()
    similarity = node_similarity(cohort(r, features), features)
    assert similarity.dtype == np.float32
    np.testing.assert_allclose(similarity, mean_z(r), atol=1e-4)


def test_it_is_symmetric():
    similarity = node_similarity(cohort(matrices(), FISHER_Z), FISHER_Z)
    np.testing.assert_allclose(similarity, similarity.T, atol=1e-5)


def test_clip_keeps_the_positive_part():
    features = Features("correlation", "clip")
    r = matrices()
    similarity = node_similarity(cohort(r, features), features)
    np.testing.assert_allclose(similarity, mean_z(np.maximum(r, 0.001)), atol=1e-4)


def test_sessions_without_a_node_leave_it_to_the_others():
    r = matrices()
    r[0, 2], r[0, :, 2] = np.nan, np.nan
    similarity = node_similarity(cohort(r, Features()), Features())
    np.testing.assert_allclose(similarity, mean_z(r), atol=1e-4)
    r[:, 4] = np.nan
    r[:, :, 4] = np.nan
    similarity = node_similarity(cohort(r, Features()), Features())
    assert np.isnan(similarity[4]).all()
    assert np.isnan(similarity[:, 4]).all()
    assert np.isfinite(similarity[0, 1:4]).all()


def test_a_region_of_some_nodes_is_a_part_of_all():
    r = matrices()
    rows = [4, 0, 3]
    part = node_similarity(cohort(r[:, rows], Features(), AXIS.restrict(rows)), Features())
    np.testing.assert_allclose(part, mean_z(r)[np.ix_(rows, rows)], atol=1e-4)


def test_where_there_is_none():
    r = matrices()
    vertices = BrainAxis.from_vertices("u", {"CORTEX_LEFT": np.arange(6)}, {"CORTEX_LEFT": 6})
    given = cohort(r, Features())
    assert node_similarity(replace(given, axis=vertices), Features()) is None
    assert node_similarity(replace(given, targets=tuple("uvwxyz")), Features()) is None
    assert node_similarity(given, Features("binary")) is None
    assert node_similarity(given, Features("maps")) is None
