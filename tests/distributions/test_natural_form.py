"""Densities as linear functions, against the densities themselves."""

import pytest
import torch
from torch.nn.functional import normalize

from neuroparcel.distributions.mixture import GaussianMixture
from neuroparcel.distributions.vmf_mixture import VonMisesFisherMixture

KINDS = {"gaussian": GaussianMixture, "von-mises-fisher": VonMisesFisherMixture}


def mixture(kind, spread_shape, seed=0):
    """Twelve draws of two sessions' mixtures of three components in five dimensions."""
    torch.manual_seed(seed)
    weights = torch.full((1, 3), 1 / 3)
    locs = 2 * torch.randn(12, 2, 1, 3, 5, dtype=torch.float64)
    spread = 0.5 + torch.rand(*spread_shape, dtype=torch.float64)
    return KINDS[kind](weights, locs, spread, validate_args=False)


def values():
    generator = torch.Generator().manual_seed(1)
    return normalize(torch.randn(2, 7, 5, dtype=torch.float64, generator=generator), dim=-1)


@pytest.mark.parametrize("spread", [(1,), (12, 1, 1, 3), (12, 2, 1, 1)], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_natural_form_is_the_density(kind, spread):
    found = mixture(kind, spread)
    torch.testing.assert_close(found.natural()(values()), found.component_log_prob(values()))


@pytest.mark.parametrize("kind", KINDS)
def test_mean_coefficients_give_the_mean_density(kind):
    found = mixture(kind, (12, 2, 1, 1))
    mean = found.component_log_prob(values()).mean(0)
    torch.testing.assert_close(found.natural().mean()(values()), mean)


def test_sessions_may_vary_where_locations_do_not():
    """A scale of each session around networks that all sessions share."""
    torch.manual_seed(0)
    locs, scale = torch.randn(1, 1, 3, 5), torch.rand(2, 1, 1) + 0.5
    found = GaussianMixture(torch.full((3,), 1 / 3), locs, scale, validate_args=False)
    y = torch.randn(2, 7, 5)
    torch.testing.assert_close(found.natural()(y), found.component_log_prob(y))
