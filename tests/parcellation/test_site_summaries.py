"""Mean and deviation of every site, beside what the reference knows exactly."""

from itertools import combinations, product

import numpy as np
import pytest
import torch

from neuroparcel.graph import Observation, analyse
from neuroparcel.models.choices import KAPPAS, LEVELS
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.mshbm_reference import fit_reference
from neuroparcel.models.mshbm_start import estimate_moments
from neuroparcel.parcellation.networks import ClosedNetworks
from neuroparcel.parcellation.site_summaries import N_DRAWS, site_dims, site_summaries

SIZES = {"subject": 3, "session": 2, "network": 4, "component": 5}
SUBSETS = [levels for n in (1, 2, 3) for levels in combinations(LEVELS, n)]


@pytest.mark.parametrize(("levels", "kappa"), list(product(SUBSETS, KAPPAS)))
def test_dimensions_are_those_of_the_model(levels, kappa):
    model = MSHBM(torch.eye(5), 4, levels=levels, kappa=kappa)
    latents, _ = analyse(model).simulate((3, 2, 6), 2)
    for site, value in latents.items():
        expected = tuple(SIZES[name] for name in site_dims(site, model))
        assert tuple(value.shape[1:]) == expected, site


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(0)
    means = 4 * torch.eye(3, 4)
    labels = torch.randint(3, (3, 1, 40)).expand(-1, 2, -1)
    mask = torch.ones(1, 3, 2, 40, dtype=torch.bool)
    mask[0, 1, 1] = False
    data = Observation((means[labels] + torch.randn(3, 2, 40, 4))[None], mask)
    model = MSHBM(16 * torch.eye(4), 3, log_scale_range=(-2.0, 1.0))
    return ClosedNetworks(fit_reference(model, data, estimate_moments(data, means, model)))


def test_mean_and_deviation_are_the_posterior_s(networks):
    """The prior is round, so its axes are the coordinates; draws err by a share of 1/sqrt(2n)."""
    found = site_summaries(networks, networks.posterior.model)
    here = np.ones((3, 2), bool)
    here[1, 1] = False
    exact_sd = networks.posterior.variance("session").sqrt().numpy()[here]
    summary = found["session_networks"]
    np.testing.assert_allclose(summary.sd[here], exact_sd, rtol=5 / np.sqrt(2 * N_DRAWS))
    error = np.abs(summary.mean[here] - networks.mean("session_networks").numpy()[here])
    assert (error < 5 * exact_sd / np.sqrt(N_DRAWS)).all()
    assert set(found) == {
        *("population_networks", "subject_networks", "session_networks"),
        *("log_epsilon", "log_sigma", "log_kappa", "mixture_weights"),
    }


def test_a_missing_session_has_no_networks(networks):
    found = site_summaries(networks, networks.posterior.model)["session_networks"]
    missing = np.isnan(found.mean).all((-1, -2))
    assert missing.tolist() == [[False, False], [False, True], [False, False]]
    assert (np.isnan(found.sd) == np.isnan(found.mean)).all()
