"""Moment estimates of the MS-HBM for both emissions, and for data that hold little."""

import math

import pytest
import torch
from torch.nn.functional import normalize

from neuroparcel.distributions.von_mises_fisher import sample_around
from neuroparcel.graph import Observation
from neuroparcel.graph.trace import seeded
from neuroparcel.models.choices import EMISSIONS, KAPPAS
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.mshbm_start import Moments, estimate_moments

VMF = "von-mises-fisher"
N_NETWORKS, N_COMPONENTS = 3, 14


def sphere_cohort(concentration, n_subjects=40, n_sessions=3, covariance=None):
    """Unit vectors around networks that have moved by 0.05, and by 0.03 again."""
    model = MSHBM(
        torch.eye(N_COMPONENTS) if covariance is None else covariance,
        N_NETWORKS,
        emission=VMF,
        kappa="shared" if concentration.dim() == 0 else "network",
    )
    with seeded(0):
        anchors = torch.linalg.qr(torch.randn(N_COMPONENTS, N_NETWORKS)).Q.T
        anchors = anchors * Moments(
            anchors, *3 * [torch.ones(())], model, radius_of(anchors, model)
        ).radius.unsqueeze(-1)
        shape = (n_subjects, 1, N_NETWORKS, N_COMPONENTS)
        unit = anchors.norm(dim=-1, keepdim=True)
        subject = anchors + 0.05 * unit * torch.randn(shape)
        noise = torch.randn(n_subjects, n_sessions, N_NETWORKS, N_COMPONENTS)
        session = subject + 0.03 * unit * noise
        label = torch.arange(240) % N_NETWORKS
        kappa = concentration.expand(N_NETWORKS)[label].expand(n_subjects, n_sessions, -1)
        values = sample_around(session[:, :, label], kappa)
    return model, anchors, Observation.complete(values.unsqueeze(0))


def radius_of(directions, model):
    precision = torch.linalg.inv(model.prior_tril @ model.prior_tril.T)
    quadratic = torch.einsum("kc,cd,kd->k", directions, precision, directions)
    return (N_COMPONENTS / quadratic).sqrt()


@pytest.mark.parametrize(
    "concentration", [torch.tensor(150.0), torch.tensor([60.0, 150.0, 400.0])], ids=str
)
@pytest.mark.parametrize(
    "covariance",
    [None, torch.diag(torch.linspace(0.2, 3.0, N_COMPONENTS))],
    ids=["round", "long"],
)
def test_moments_on_the_sphere_are_near_the_truth(concentration, covariance):
    model, networks, data = sphere_cohort(concentration, covariance=covariance)
    moments = estimate_moments(data, 7 * networks, model)
    torch.testing.assert_close(moments.networks, networks, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(moments.kappa, concentration, rtol=0.1, atol=0)
    radius = networks.norm(dim=-1)
    # Of 40 subjects and 14 components: a spread of variances of 6 %, and what is left of
    # the noise of means and of the curvature of the sphere.
    torch.testing.assert_close(moments.epsilon, 0.05 * radius, rtol=0.2, atol=0)
    torch.testing.assert_close(moments.sigma, 0.03 * radius, rtol=0.2, atol=0)
    typical = math.exp(float(concentration.log().mean()))
    assert moments.temperature == pytest.approx(typical**-0.5, rel=0.1)


@pytest.mark.parametrize("kappa", ["network", "session"])
def test_moments_of_link_coordinates_by_network_and_by_session(kappa):
    anchors = 3 * torch.eye(2, 4)
    with seeded(0):
        label = torch.arange(200) % 2
        scale = torch.tensor([0.3, 0.6])[label].unsqueeze(-1)
        values = anchors[label] + scale * torch.randn(10, 2, 200, 4)
    model = MSHBM(torch.eye(4), 2, kappa=kappa)
    moments = estimate_moments(Observation.complete(values.unsqueeze(0)), anchors, model)
    expected = (
        torch.tensor([0.3, 0.6]) if kappa == "network" else torch.tensor(0.45).sqrt() * 0.7071
    )
    torch.testing.assert_close(moments.kappa, expected, rtol=0.05, atol=0)


def test_a_level_left_out_leaves_its_variance_to_the_other():
    _, networks, data = sphere_cohort(torch.tensor(150.0))
    spreads = {}
    for levels in (("population", "subject", "session"), ("population", "subject"), ("session",)):
        model = MSHBM(torch.eye(N_COMPONENTS), N_NETWORKS, levels=levels, emission=VMF)
        spreads[levels] = estimate_moments(data, networks, model)
    full, no_session, only_session = spreads.values()
    total = (full.epsilon.square() + full.sigma.square()).sqrt()
    torch.testing.assert_close(only_session.sigma, total)
    pooled = (full.epsilon.square() + full.sigma.square() / 3).sqrt()
    torch.testing.assert_close(no_session.epsilon, pooled)


def equal(n_subjects, n_sessions):
    profile = normalize(torch.arange(1.0, 5.0), dim=-1)
    return profile.expand(1, n_subjects, n_sessions, 30, 4)


def noiseless(n_subjects, n_sessions):
    label = torch.arange(30) % 2
    return torch.eye(2, 4)[label].expand(1, n_subjects, n_sessions, 30, 4)


def scattered(n_subjects, n_sessions):
    with seeded(0):
        return normalize(torch.randn(1, n_subjects, n_sessions, 30, 4), dim=-1)


@pytest.mark.parametrize("emission", EMISSIONS)
@pytest.mark.parametrize("kappa", KAPPAS)
@pytest.mark.parametrize("profiles", [equal, noiseless, scattered])
@pytest.mark.parametrize("sizes", [(1, 1), (1, 3), (3, 1), (3, 2)], ids=str)
def test_little_data_give_finite_proposals_inside_the_prior(emission, kappa, profiles, sizes):
    model = MSHBM(torch.eye(4), 2, emission=emission, kappa=kappa)
    data = Observation.complete(profiles(*sizes))
    moments = estimate_moments(data, torch.eye(2, 4), model)
    for scale in (moments.epsilon, moments.sigma, moments.kappa, moments.radius):
        assert bool((scale > 0).all())
        assert bool(torch.isfinite(scale).all())
    low, high = model.log_kappa_range
    log_kappa = moments.kappa.log()
    assert low - 1e-5 <= float(log_kappa.min()) <= float(log_kappa.max()) <= high + 1e-5
    for name, proposal in moments.proposals().items():
        drawn = proposal.sample((20,))
        assert bool(torch.isfinite(drawn).all())
        bounds = {"log_kappa": (low, high)}.get(name, model.log_scale_range)
        if name.startswith("log_"):
            assert bounds[0] < float(drawn.min()) <= float(drawn.max()) < bounds[1]


def test_noiseless_directions_stop_at_the_largest_concentration():
    model = MSHBM(torch.eye(4), 2, emission=VMF, log_scale_range=(-5.0, 4.0))
    moments = estimate_moments(Observation.complete(noiseless(3, 2)), torch.eye(2, 4), model)
    assert float(moments.kappa) == pytest.approx(4 * math.exp(4.0), rel=1e-5)


def test_missing_sessions_are_not_read():
    model = MSHBM(torch.eye(4), 2, emission=VMF)
    values = scattered(3, 2).clone()
    mask = torch.ones(1, 3, 2, 30, dtype=torch.bool)
    mask[0, 1, 1] = mask[0, 2] = False
    found = []
    for filler in (0.0, 9.0):
        values[~mask] = filler
        found.append(estimate_moments(Observation(values, mask), torch.eye(2, 4), model))
    for name in ("epsilon", "sigma", "kappa"):
        torch.testing.assert_close(getattr(found[0], name), getattr(found[1], name))
