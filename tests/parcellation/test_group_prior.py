"""The vertex-wise group prior: a distribution at each vertex, above its floor."""

import numpy as np
import torch
from scipy.sparse import csr_array

from neuroparcel.parcellation.group_prior import vertex_prior

FLOOR = 0.02
CHAIN = csr_array(
    np.array([[0, 1, 0, 0], [0.5, 0, 0.5, 0], [0, 1, 0, 0], [0, 0, 0, 0]], np.float32)
)


def sums(n_vertices=4, n_networks=3, seed=0):
    torch.manual_seed(seed)
    return 5 * torch.distributions.Dirichlet(torch.full((n_networks,), 0.2)).sample((n_vertices,))


def test_it_is_the_mean_of_the_labels_above_a_floor():
    labels = sums()
    expected = (1 - FLOOR) * labels / 5 + FLOOR / 3
    torch.testing.assert_close(vertex_prior(labels), expected)


def test_half_of_it_is_the_mean_of_the_neighbours():
    labels = sums()
    own = labels / 5
    around = torch.stack([own[1], (own[0] + own[2]) / 2, own[1], own[3]])  # the last has none
    expected = (1 - FLOOR) * (own + around) / 2 + FLOOR / 3
    torch.testing.assert_close(vertex_prior(labels, CHAIN), expected)


def test_a_vertex_without_data_has_its_neighbours_or_the_mean():
    labels = sums()
    labels[[1, 3]] = 0
    own = labels / 5
    filled = vertex_prior(labels, CHAIN)
    torch.testing.assert_close(filled[1], (1 - FLOOR) * (own[0] + own[2]) / 2 + FLOOR / 3)
    everywhere = (own[0] + own[2]) / 2
    torch.testing.assert_close(filled[3], (1 - FLOOR) * everywhere + FLOOR / 3)
    torch.testing.assert_close(vertex_prior(labels)[1], (1 - FLOOR) * everywhere + FLOOR / 3)
    # And where a neighbour has none, it does not count.
    torch.testing.assert_close(filled[0], (1 - FLOOR) * own[0] + FLOOR / 3)


def test_rows_sum_to_one_whatever_is_missing():
    for seed in range(20):
        labels = sums(30, 5, seed)
        generator = torch.Generator().manual_seed(seed)
        labels[torch.rand(30, generator=generator) < seed / 19] = 0  # in the end, all
        pairs = torch.rand(30, 30, generator=generator) < 0.05
        mesh = (pairs | pairs.T).double() * (1 - torch.eye(30))
        mesh /= mesh.sum(-1, keepdim=True).clamp_min(1)
        for neighbours in (None, csr_array(mesh.numpy())):
            prior = vertex_prior(labels, neighbours)
            torch.testing.assert_close(prior.sum(-1), torch.ones(30))
            assert float(prior.min()) >= FLOOR / 5 - 1e-6


def test_without_any_data_it_is_uniform():
    for neighbours in (None, CHAIN):
        torch.testing.assert_close(
            vertex_prior(torch.zeros(4, 2), neighbours), torch.full((4, 2), 0.5)
        )


def test_it_does_not_depend_on_how_many_subjects_there_are():
    labels = sums()
    torch.testing.assert_close(vertex_prior(7 * labels, CHAIN), vertex_prior(labels, CHAIN))


def test_renumbered_networks_are_a_renumbered_prior():
    labels, order = sums(), torch.tensor([2, 0, 1])
    labels[1] = 0
    torch.testing.assert_close(
        vertex_prior(labels[:, order], CHAIN), vertex_prior(labels, CHAIN)[:, order]
    )
