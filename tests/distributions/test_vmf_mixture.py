"""The mixture of von Mises-Fisher distributions against its components."""

import pytest
import torch
from torch.nn.functional import normalize

from neuroparcel.distributions.vmf_mixture import VonMisesFisherMixture
from neuroparcel.distributions.von_mises_fisher import VonMisesFisher, mean_resultant_length


def parameters(*batch, shared=True):
    generator = torch.Generator().manual_seed(3)
    weights = torch.rand((*batch, 3), dtype=torch.float64, generator=generator)
    locs = torch.randn(*batch, 3, 4, dtype=torch.float64, generator=generator)
    shape = (*batch, 1 if shared else 3)
    concentration = 20 * torch.rand(shape, dtype=torch.float64, generator=generator)
    return weights / weights.sum(-1, keepdim=True), locs, concentration


def unit(*shape):
    generator = torch.Generator().manual_seed(7)
    return normalize(torch.randn(*shape, dtype=torch.float64, generator=generator), dim=-1)


@pytest.mark.parametrize("shared", [True, False])
def test_the_density_is_the_weighted_sum_of_its_components(shared):
    weights, locs, concentration = parameters(2, 5, shared=shared)
    value = unit(7, 2, 5, 4)
    components = VonMisesFisher(locs, concentration).log_prob(value.unsqueeze(-2))
    mixture = VonMisesFisherMixture(weights, locs, concentration)
    torch.testing.assert_close(mixture.component_log_prob(value), components)
    expected = (components.exp() * weights).sum(-1).log()
    torch.testing.assert_close(mixture.log_prob(value), expected)


def test_the_lengths_of_the_locations_do_not_matter():
    weights, locs, concentration = parameters(2)
    value = unit(9, 2, 4)
    longer = VonMisesFisherMixture(
        weights, locs * torch.tensor([[0.1], [3.0], [70.0]]), concentration
    )
    expected = VonMisesFisherMixture(weights, locs, concentration).log_prob(value)
    torch.testing.assert_close(longer.log_prob(value), expected)


def test_a_plate_that_the_locations_do_not_vary_in_broadcasts():
    weights, locs, concentration = parameters(2, 1, shared=False)
    value = unit(2, 6, 4)
    mixture = VonMisesFisherMixture(weights, locs, concentration).expand(torch.Size([2, 6]))
    each = [
        VonMisesFisherMixture(weights[:, 0], locs[:, 0], concentration[:, 0]).log_prob(value[:, i])
        for i in range(6)
    ]
    torch.testing.assert_close(mixture.log_prob(value), torch.stack(each, 1))
    assert mixture.sample((3,)).shape == (3, 2, 6, 4)


def test_draws_have_the_mixture_s_mean():
    weights, locs, concentration = parameters(shared=False)
    torch.manual_seed(0)
    sample = VonMisesFisherMixture(weights, locs, concentration).sample((40_000,))
    length = mean_resultant_length(concentration, 4)
    mean = weights @ (length.unsqueeze(-1) * normalize(locs, dim=-1))
    # Standard error of a mean of 4e4 draws in [-1, 1]: at most 0.005.
    torch.testing.assert_close(sample.mean(0), mean, atol=0.02, rtol=0)


def test_gradients_reach_locations_and_concentration():
    weights, locs, concentration = parameters(2)
    value = unit(2, 4)

    def log_prob(locs, concentration):
        return VonMisesFisherMixture(weights, locs, concentration, False).log_prob(value)

    arguments = (locs.requires_grad_(), concentration.requires_grad_())
    assert torch.autograd.gradcheck(log_prob, arguments)
