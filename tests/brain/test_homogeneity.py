"""Homogeneity by hand, and what random parcels are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse import csgraph

from neuroparcel.brain.homogeneity import (
    correlation_rows,
    homogeneity,
    random_homogeneity,
    random_parcels,
)
from neuroparcel.errors import OptionError


def path_graph(n_vertices: int, cut: int | None = None) -> sparse.csr_array:
    """Vertices in a row, with an edge taken out after `cut`."""
    first = np.array([i for i in range(n_vertices - 1) if i != cut])
    ones = np.ones(len(first))
    edges = sparse.csr_array((ones, (first, first + 1)), shape=(n_vertices, n_vertices))
    return sparse.csr_array(edges + edges.T)


def test_the_mean_correlation_of_pairs_weighted_by_size():
    """Parcel 1: three rows with correlations 1, -1, -1; parcel 2: two with 0; 3 has no pair."""
    rows = np.array([[1.0, 0], [1, 0], [-1, 0], [1, 0], [0, 1], [0, 1], [1, 0]])
    labels = np.array([1, 1, 1, 2, 2, 3, 0])
    assert homogeneity(rows, labels) == pytest.approx((3 * (-1 / 3) + 2 * 0) / 5)


def test_it_is_the_mean_of_numpys_correlations():
    profiles = np.random.default_rng(0).normal(size=(30, 8)) + 5
    labels = np.repeat([1, 2], [10, 20])
    means = []
    for label in (1, 2):
        correlations = np.corrcoef(profiles[labels == label])
        means.append(correlations[np.triu_indices_from(correlations, 1)].mean())
    found = homogeneity(correlation_rows(profiles), labels)
    assert found == pytest.approx((10 * means[0] + 20 * means[1]) / 30)


def test_a_constant_profile_correlates_with_nothing():
    rows = correlation_rows(np.array([[2.0, 2, 2], [1, 2, 3]]))
    assert not rows[0].any()
    assert homogeneity(rows, np.array([1, 1])) == 0


def test_without_a_pair_there_is_no_homogeneity():
    assert np.isnan(homogeneity(np.eye(3), np.array([1, 2, 0])))
    assert np.isnan(homogeneity(np.eye(3), np.zeros(3, int)))


def test_random_parcels_of_a_mesh_are_in_one_piece_and_all_there():
    graph = path_graph(40)
    for seed in range(5):
        labels = random_parcels(6, 40, graph, np.random.default_rng(seed))
        assert sorted(set(labels.tolist())) == list(range(1, 7))
        for parcel in range(1, 7):
            rows = np.flatnonzero(labels == parcel)
            inside = graph[rows][:, rows]
            assert csgraph.connected_components(inside, directed=False)[0] == 1


def test_a_piece_that_no_parcel_grew_in_joins_one():
    labels = random_parcels(2, 40, path_graph(40, cut=37), np.random.default_rng(0))
    assert labels.min() == 1
    assert len(set(labels[38:].tolist())) == 1


def test_without_a_mesh_parcels_are_of_equal_size_anywhere():
    labels = random_parcels(3, 11, None, np.random.default_rng(0))
    assert sorted(np.bincount(labels)[1:].tolist()) == [3, 4, 4]
    assert (np.diff(labels) != 0).sum() > 2


def test_random_parcels_of_smooth_data_are_homogeneous_and_more_so_when_many():
    """Which is why homogeneity alone does not tell how many networks there are."""
    angle = np.linspace(0, np.pi, 60)
    rows = np.column_stack([np.cos(angle), np.sin(angle)])
    rng = np.random.default_rng(0)
    few, many = (
        random_homogeneity(
            rows,
            np.arange(60),
            [random_parcels(number, 60, path_graph(60), rng) for _ in range(5)],
        )
        for number in (2, 10)
    )
    whole = homogeneity(rows, np.ones(60, int))
    assert whole < few < many


def test_more_parcels_than_vertices_are_refused():
    with pytest.raises(OptionError, match="5 parcels asked for among 4 vertices"):
        random_parcels(5, 4, None, np.random.default_rng(0))
