"""From a cohort to observed coordinates and anchors, each session read once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from neuroparcel.brain import connectome
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.connectome import Cohort
from neuroparcel.brain.links import LINKS, POSITIVE_LINKS
from neuroparcel.brain.profiles import to_positive_sphere, to_signed_sphere
from neuroparcel.brain.reduction import fit_reduction
from neuroparcel.errors import OptionError
from neuroparcel.graph.observation import Observation
from neuroparcel.parcellation.observations import (
    mean_centres,
    observe,
    observe_and_cluster,
)


class Counted:
    """Profiles that say how often each session was read."""

    def __init__(self, profiles: np.ndarray):
        self.profiles, self.reads = profiles, np.zeros(profiles.shape[:2], int)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.profiles.shape

    def __getitem__(self, cell: tuple[int, int]) -> np.ndarray:
        self.reads[cell] += 1
        return self.profiles[cell]


def make_cohort(*, signed: bool) -> Cohort:
    """Three clouds of 20 vertices, two dead ones, and a missing session."""
    rng = np.random.default_rng(0)
    centres = np.repeat(rng.normal(size=(3, 8)), 20, axis=0)
    correlation = np.tanh(0.5 * centres + 0.1 * rng.normal(size=(2, 2, 60, 8)))
    to_sphere = to_signed_sphere if signed else to_positive_sphere
    profiles = to_sphere(correlation.reshape(-1, 8))[0].reshape(correlation.shape)
    valid = np.ones(profiles.shape[:3], bool)
    valid[1, 1], valid[0, 0, [3, 30]] = False, False
    profiles[~valid] = 0
    return Cohort(
        ("a", "b"),
        ("1", "2"),
        profiles,
        valid,
        BrainAxis.from_vertices("u", {"CORTEX_LEFT": np.arange(60)}, {"CORTEX_LEFT": 60}),
        tuple("stuvwxyz"),
        signed,
    )


@pytest.mark.parametrize("link", LINKS)
def test_clusters_and_anchors(link):
    cohort = make_cohort(signed=link not in POSITIVE_LINKS)
    reduction = fit_reduction(cohort, link=link)
    data, clustering = observe_and_cluster(cohort, reduction, 3, seed=0)
    expected = np.where(cohort.valid, np.repeat([1, 2, 3], 20), 0)
    np.testing.assert_array_equal(clustering.labels, expected)
    coordinates = reduction.transform(cohort.profiles[cohort.valid])
    np.testing.assert_array_equal(data.values[0][cohort.valid], coordinates)
    np.testing.assert_array_equal(data.mask[0], cohort.valid)
    labels = expected[cohort.valid]
    means = np.stack([coordinates[labels == k].mean(axis=0) for k in (1, 2, 3)])
    if link == "direction":
        means /= np.linalg.norm(means, axis=1, keepdims=True)
    np.testing.assert_allclose(clustering.anchors, means, atol=1e-5)


def test_it_is_what_its_parts_are():
    cohort = make_cohort(signed=True)
    reduction = fit_reduction(cohort)
    data, clustering = observe_and_cluster(cohort, reduction, 3, seed=1)
    values = data.values[0].numpy()
    means = [values[clustering.labels == number].mean(0) for number in (1, 2, 3)]
    np.testing.assert_allclose(clustering.anchors, means, atol=1e-5)
    np.testing.assert_array_equal(observe(cohort, reduction).values, data.values)


def test_each_session_is_read_twice_in_all():
    """Once for the sample, which the reduction and k-means share, and once for the data."""
    cohort = make_cohort(signed=False)
    counted = Counted(cohort.profiles)
    cohort = replace(cohort, profiles=counted)
    observe_and_cluster(cohort, fit_reduction(cohort), 3, seed=0)
    np.testing.assert_array_equal(counted.reads, 2 * cohort.present)


def test_all_profiles_are_labelled_by_the_centres_of_a_sample(monkeypatch):
    monkeypatch.setattr(connectome, "_SAMPLE_ROWS", 40)
    cohort = make_cohort(signed=False)
    _, clustering = observe_and_cluster(cohort, fit_reduction(cohort), 3, seed=0)
    np.testing.assert_array_equal(
        clustering.labels, np.where(cohort.valid, np.repeat([1, 2, 3], 20), 0)
    )


def test_more_networks_than_distinct_profiles_are_refused():
    cohort = make_cohort(signed=False)
    reduction = fit_reduction(cohort)
    same = np.where(cohort.valid[..., None], cohort.profiles[0, 0, 0], 0)
    with pytest.raises(OptionError, match="3 networks asked for among 1 distinct profiles"):
        observe_and_cluster(replace(cohort, profiles=same), reduction, 3, seed=0)


def test_means_of_vertices_show_what_noise_hides():
    """Noise twice as far as the clouds are apart; the mean of 32 sessions is six times as clean."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.tensor([[-1.0, 0.0], [1.0, 0.0], [0.0, 1.7]])
    noise = 2 * torch.randn(1, 16, 2, 90, 2, generator=generator)
    mask = torch.ones(noise.shape[:-1], dtype=torch.bool)
    mask[0, 3] = False
    values = torch.where(mask.unsqueeze(-1), centres.repeat_interleave(30, 0) + noise, torch.nan)
    found = mean_centres(Observation(values, mask), 3, 0)
    nearest = np.linalg.norm(found[:, None] - centres.numpy(), axis=-1)
    assert sorted(nearest.argmin(1)) == [0, 1, 2]
    assert nearest.min(1).max() < 0.3
