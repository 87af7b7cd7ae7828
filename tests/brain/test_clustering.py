from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from neuroparcel.brain import clustering
from neuroparcel.brain.clustering import nearest_centre, spherical_kmeans
from neuroparcel.errors import ConnectomeError, OptionError


def clouds(seed: int, n_clusters: int, spread: float = 0.15) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors around random directions, and which direction each belongs to."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(n_clusters, 8))
    truth = rng.permutation(np.repeat(np.arange(n_clusters), 40))
    rows = centres[truth] / np.linalg.norm(centres[truth], axis=1, keepdims=True)
    rows = rows + spread * rng.normal(size=rows.shape)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), truth


@pytest.mark.parametrize("n_clusters", [1, 2, 5])
def test_well_separated_clouds_are_found(n_clusters):
    rows, truth = clouds(n_clusters, n_clusters)
    labels, centres = spherical_kmeans(rows, n_clusters, seed=0)
    assert adjusted_rand_score(truth, labels) > 0.95
    assert centres.shape == (n_clusters, 8)


def test_the_same_seed_gives_the_same_clusters():
    rows, _ = clouds(0, 6, spread=0.5)
    first, second = (spherical_kmeans(rows, 4, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


def test_a_result_is_a_fixed_point():
    rows, _ = clouds(1, 6, spread=0.5)
    labels, centres = spherical_kmeans(rows, 4, seed=0)
    np.testing.assert_array_equal(nearest_centre(rows, centres), labels)
    for cluster, centre in enumerate(centres):
        mean = rows[labels == cluster].mean(axis=0)
        np.testing.assert_allclose(centre, mean / np.linalg.norm(mean), atol=1e-9)


def test_more_starts_are_never_worse():
    rows, _ = clouds(2, 6, spread=0.6)
    cosine = [
        (rows @ spherical_kmeans(rows, 6, seed=1, n_init=n)[1].T).max(axis=1).mean()
        for n in (1, 10)
    ]
    assert cosine[1] >= cosine[0]


def test_clusters_are_numbered_by_position():
    rows, _ = clouds(3, 4)
    labels, _ = spherical_kmeans(rows, 4, seed=0)
    means = [np.flatnonzero(labels == cluster).mean() for cluster in range(4)]
    assert means == sorted(means)
    position = -np.arange(len(rows))
    reversed_labels, _ = spherical_kmeans(rows, 4, seed=0, position=position)
    np.testing.assert_array_equal(reversed_labels, 3 - labels)


def test_numbers_do_not_depend_on_the_seed():
    rows, _ = clouds(4, 3)
    all_labels = [spherical_kmeans(rows, 3, seed=seed)[0] for seed in range(4)]
    for labels in all_labels[1:]:
        np.testing.assert_array_equal(labels, all_labels[0])


def test_no_cluster_stays_empty_among_repeated_rows():
    rows = np.eye(5)[[0, 0, 0, 0, 1, 2, 3]]
    labels, _ = spherical_kmeans(rows, 4, seed=0)
    assert len(np.unique(labels)) == 4


def test_more_networks_than_vertices_are_refused():
    with pytest.raises(OptionError, match="4 networks asked for among 3 vertices"):
        spherical_kmeans(np.eye(3), 4, seed=0)
    with pytest.raises(OptionError, match="0 networks asked for"):
        spherical_kmeans(np.eye(3), 0, seed=0)


def test_rows_off_the_sphere_are_refused():
    with pytest.raises(ConnectomeError, match="unit norm"):
        spherical_kmeans(2 * np.eye(3), 2, seed=0)


def test_starts_are_tried_on_some_of_many_rows(monkeypatch):
    """The result is as good as that of a search on all rows."""
    rows, _ = clouds(5, 12, spread=0.4)
    whole = spherical_kmeans(rows, 6, seed=0)[1]
    monkeypatch.setattr(clustering, "_MANY_ROWS", 400)
    monkeypatch.setattr(clustering, "_SEARCH_ROWS", 120)
    monkeypatch.setattr(clustering, "_SEARCH_ROWS_A_CLUSTER", 20)
    tried = []
    lloyd = clustering._lloyd
    monkeypatch.setattr(
        clustering, "_lloyd", lambda rows, *args: tried.append(len(rows)) or lloyd(rows, *args)
    )
    part = spherical_kmeans(rows, 6, seed=0)[1]
    assert tried == [120] * 10 + [480]
    fit = [(rows @ centres.T).max(axis=1).mean() for centres in (whole, part)]
    assert fit[1] > fit[0] - 0.01


def test_fewer_distinct_rows_than_networks_are_refused():
    rows = np.eye(5)[[0, 0, 0, 1, 1, 2]]
    with pytest.raises(OptionError, match="4 networks asked for among 3 distinct profiles"):
        spherical_kmeans(rows, 4, seed=0)
