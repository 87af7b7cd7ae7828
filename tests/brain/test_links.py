"""Laws of the links: bijections onto the sphere, or its positive part."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import helmert

from neuroparcel.brain.links import (
    LINKS,
    POSITIVE_LINKS,
    find_link,
    link_forward,
    link_inverse,
    unit_rows,
)
from neuroparcel.errors import ConnectomeError, OptionError

SIZES = [2, 3, 17, 1488]


@pytest.fixture(params=POSITIVE_LINKS)
def link(request) -> str:
    return request.param


@pytest.mark.parametrize("n_targets", SIZES)
def test_inverse_of_forward(link, n_targets):
    coordinates = 2 * np.random.default_rng(0).normal(size=(4, 5, n_targets - 1))
    sphere = link_forward(coordinates, link)
    assert sphere.shape == (4, 5, n_targets)
    assert (sphere > 0).all()
    np.testing.assert_allclose(np.linalg.norm(sphere, axis=-1), 1, atol=1e-12)
    np.testing.assert_allclose(link_inverse(sphere, link), coordinates, atol=1e-9)


@pytest.mark.parametrize("n_targets", SIZES)
def test_forward_of_inverse_whatever_the_norm(link, n_targets):
    profiles = np.random.default_rng(1).uniform(0.01, 1, size=(3, n_targets))
    unit = profiles / np.linalg.norm(profiles, axis=-1, keepdims=True)
    np.testing.assert_allclose(link_forward(link_inverse(profiles, link), link), unit, atol=1e-12)


@pytest.mark.parametrize("n_targets", SIZES[:3])
def test_ilr_is_the_helmert_basis(n_targets):
    basis = helmert(n_targets).T
    j = np.arange(1, n_targets)
    np.testing.assert_allclose(np.diag(basis[1:]), -j / np.sqrt(j * (j + 1)))
    profiles = np.random.default_rng(2).uniform(0.01, 1, size=(6, n_targets))
    np.testing.assert_allclose(link_inverse(profiles), np.log(profiles**2) @ basis, atol=1e-12)


def test_ilr_keeps_distances_and_favours_no_target():
    """Distances in link coordinates are those of centred log-ratios, in any order of targets."""
    rng = np.random.default_rng(3)
    profiles = rng.uniform(0.01, 1, size=(2, 9))
    logs = np.log(profiles**2)
    centred = logs - logs.mean(axis=-1, keepdims=True)
    expected = np.linalg.norm(centred[0] - centred[1])
    for order in (np.arange(9), rng.permutation(9)):
        y = link_inverse(profiles[:, order])
        np.testing.assert_allclose(np.linalg.norm(y[0] - y[1]), expected)


def test_softmax_centered_singles_out_the_last_target():
    profiles = np.array([[0.5, 0.5, 0.25]])
    np.testing.assert_allclose(
        link_inverse(profiles, "softmax-centered"), [[2 * np.log(2), 2 * np.log(2)]]
    )


def test_zeros_are_refused(link):
    with pytest.raises(ConnectomeError, match="positive entries"):
        link_inverse(np.array([1.0, 0.0]), link)


def test_unknown_link_is_refused():
    with pytest.raises(OptionError, match="Unknown link 'alr'"):
        link_forward(np.zeros(2), "alr")


@pytest.mark.parametrize("n_targets", SIZES)
@pytest.mark.parametrize("name", LINKS)
def test_the_linear_part(name, n_targets):
    """The lift is a right inverse of it, and the transpose is the transpose."""
    link = find_link(name)
    rng = np.random.default_rng(4)
    y, x = rng.normal(size=(3, n_targets - link.n_lost)), rng.normal(size=(3, n_targets))
    np.testing.assert_allclose(link.linear(link.lifted(y)), y, atol=1e-9)
    assert np.sum(link.linear(x) * y) == pytest.approx(np.sum(x * link.transposed(y)))


@pytest.mark.parametrize("name", ["identity", "direction"])
def test_signed_profiles_are_their_own_coordinates(name):
    profiles = unit_rows(np.random.default_rng(5).normal(size=(4, 7)))
    assert (profiles < 0).any()
    np.testing.assert_array_equal(link_inverse(profiles, name), profiles)
    np.testing.assert_allclose(link_forward(3 * profiles, name), profiles, atol=1e-15)
    for off in (2 * profiles, np.nan * profiles):
        with pytest.raises(ConnectomeError, match=f"'{name}' needs profiles of unit norm"):
            link_inverse(off, name)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LINKS)
def test_entries_keep_their_precision(name, dtype):
    profiles = unit_rows(np.random.default_rng(6).uniform(0.1, 1, size=(4, 7)).astype(dtype))
    entries = find_link(name).entries(profiles)
    assert entries.dtype == dtype
    exact = find_link(name).entries(profiles.astype(np.float64))
    np.testing.assert_allclose(entries, exact, atol=1e-6)


def test_a_row_of_zeros_has_no_direction():
    np.testing.assert_array_equal(
        unit_rows(np.array([[0.0, 0.0], [3.0, 4.0]])), [[0, 0], [0.6, 0.8]]
    )
