"""Clustering of each data set by itself, and numbering simulated components after it."""

import pytest
import torch

from neuroparcel.errors import OptionError
from neuroparcel.graph import Observation, analyse
from neuroparcel.graph.trace import seeded
from neuroparcel.models.toys import gaussian_mixture
from neuroparcel.nets.clustering import ClusteredMoments, cluster
from neuroparcel.nets.hierarchical_encoder import EncoderConfig, HierarchicalEncoder
from neuroparcel.nets.matching import matching, renumber


@pytest.fixture(scope="module")
def simulated():
    template = analyse(gaussian_mixture)
    with seeded(0):
        return template, *template.simulate((3, 50), 100)


def test_clusters_are_as_likely_as_the_truth(simulated):
    """The joint density at the clusters, against that at the latents that made the data."""
    template, latents, data = simulated
    found = cluster(data.values, data.mask, 3)
    at_clusters = {
        "population_means": found.centres,
        "group_means": found.means,
        "weights": found.shares,
    }

    def joint(values):
        by_site = template.log_prob({k: v.unsqueeze(0) for k, v in values.items()}, data)
        return sum(by_site.values())[0]

    behind = joint(latents) - joint(at_clusters)
    # A maximum is above a draw of the posterior; a wrong assignment costs tens of nats.
    assert float((behind < 0).float().mean()) >= 0.97


def test_the_order_of_points_and_groups_does_not_matter(simulated):
    _, _, data = simulated
    values = data.values[:, :, :, :]
    points, groups = torch.randperm(50), torch.tensor([2, 0, 1])
    first = cluster(values, data.mask, 3)
    again = cluster(values[:, groups][:, :, points], data.mask, 3)
    torch.testing.assert_close(again.means, first.means[:, groups], atol=1e-4, rtol=1e-4)


def test_masks_equal_dropping(simulated):
    _, _, data = simulated
    mask = data.mask.clone()
    mask[:, :, 40:] = False
    mask[:, 2] = False
    summary = ClusteredMoments(3, 2)
    masked = summary(data.values, mask)
    dropped = summary(data.values[:, :2, :40], data.mask[:, :2, :40])
    torch.testing.assert_close(masked[:, :2], dropped, atol=1e-3, rtol=1e-3)
    assert bool(torch.isfinite(masked).all())


def test_an_absent_group_has_the_centres_of_the_others(simulated):
    _, _, data = simulated
    mask = data.mask.clone()
    mask[:, 2] = False
    found = cluster(data.values, mask, 3)
    torch.testing.assert_close(found.means[:, 2], found.centres, atol=1e-2, rtol=1e-2)


@pytest.mark.parametrize("n_points", [1, 2])
def test_fewer_points_than_clusters_stay_finite(n_points):
    values = torch.randn(4, 1, n_points, 2)
    summary = ClusteredMoments(3, 2)(values, torch.ones(4, 1, n_points, dtype=torch.bool))
    assert bool(torch.isfinite(summary).all())


def test_components_are_numbered_after_the_clusters(simulated):
    _, latents, data = simulated
    order = torch.stack([torch.randperm(3) for _ in range(100)])
    shuffled = renumber(latents["group_means"], order, (3, 2))
    found = matching(shuffled, latents["group_means"], data.mask_at(1))
    torch.testing.assert_close(renumber(shuffled, found, (3, 2)), latents["group_means"])
    weights = renumber(renumber(latents["weights"], order, (3,)), found, (3,))
    torch.testing.assert_close(weights, latents["weights"])


def test_the_encoder_gives_the_means_of_the_components(simulated):
    _, _, data = simulated
    encoder = HierarchicalEncoder(2, 2, EncoderConfig(n_components=3))
    found = cluster(data.values, data.mask, 3)
    torch.testing.assert_close(encoder.block_means(data, 1), found.means)
    torch.testing.assert_close(encoder.block_means(data, 2), found.means.mean(1))
    part = Observation(data.values[3:4], data.mask[3:4])
    torch.testing.assert_close(encoder.block_means(part, 1), found.means[3:4])


def test_anchors_and_free_components_exclude_each_other():
    with pytest.raises(OptionError, match="Give one of the two"):
        HierarchicalEncoder(2, 2, EncoderConfig(n_components=3), torch.zeros(3, 2))
