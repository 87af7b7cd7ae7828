"""The mixture of Gaussians against torch's own."""

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from neuroparcel.distributions.mixture import GaussianMixture


def parameters(*batch, shared=True):
    generator = torch.Generator().manual_seed(3)
    weights = torch.rand((*batch, 3), dtype=torch.float64, generator=generator)
    locs = torch.randn(*batch, 3, 4, dtype=torch.float64, generator=generator)
    shape = (*batch, 1 if shared else 3)
    scale = 0.2 + torch.rand(shape, dtype=torch.float64, generator=generator)
    return weights / weights.sum(-1, keepdim=True), locs, scale


def reference(weights, locs, scale):
    components = Independent(Normal(locs, scale[..., None]), 1)
    return MixtureSameFamily(Categorical(weights), components)


@pytest.mark.parametrize("shared", [True, False])
def test_log_prob_is_that_of_mixture_same_family(shared):
    weights, locs, scale = parameters(2, 5, shared=shared)
    value = torch.randn(7, 2, 5, 4, dtype=torch.float64)
    expected = reference(weights, locs, scale).log_prob(value)
    torch.testing.assert_close(GaussianMixture(weights, locs, scale).log_prob(value), expected)


@pytest.mark.parametrize("shared", [True, False])
def test_a_plate_that_the_means_do_not_vary_in_broadcasts(shared):
    weights, locs, scale = parameters(2, 1, shared=shared)
    value = torch.randn(2, 6, 4, dtype=torch.float64)
    mixture = GaussianMixture(weights, locs, scale).expand(torch.Size([2, 6]))
    expected = reference(weights, locs, scale).expand((2, 6)).log_prob(value)
    torch.testing.assert_close(mixture.log_prob(value), expected)
    assert mixture.sample((3,)).shape == (3, 2, 6, 4)


def test_one_number_is_the_scale_of_all():
    weights, locs, _ = parameters(2)
    value = torch.randn(9, 2, 4, dtype=torch.float64)
    alone = GaussianMixture(weights, locs, torch.tensor(0.7).double())
    each = GaussianMixture(weights, locs, torch.full((2, 3), 0.7).double())
    assert alone.batch_shape == each.batch_shape == (2,)
    torch.testing.assert_close(alone.log_prob(value), each.log_prob(value))


def test_far_from_the_origin_float32_keeps_its_digits():
    weights, locs, scale = parameters(1)
    value = torch.randn(9, 1, 4, dtype=torch.float64)
    exact = GaussianMixture(weights, locs, scale).log_prob(value)
    moved = GaussianMixture(weights.float(), (locs + 1000).float(), scale.float())
    # float32 resolves 6e-5 at 1000, so distances of order 1 keep three digits.
    torch.testing.assert_close(
        moved.log_prob((value + 1000).float()).double(), exact, rtol=1e-2, atol=1e-2
    )


@pytest.mark.parametrize("shared", [True, False])
def test_samples_have_the_mixture_s_mean_and_variance(shared):
    weights, locs, scale = parameters(shared=shared)
    torch.manual_seed(0)
    sample = GaussianMixture(weights, locs, scale).sample((100_000,))
    mean = weights @ locs
    # Standard error of a mean of 1e5 draws of variance below 5: 0.007.
    torch.testing.assert_close(sample.mean(0), mean, atol=0.03, rtol=0)
    spread = weights @ ((locs - mean).square() + scale.square().unsqueeze(-1))
    torch.testing.assert_close(sample.var(0), spread, atol=0.1, rtol=0)
