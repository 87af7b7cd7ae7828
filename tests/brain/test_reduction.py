from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA

from neuroparcel.brain.links import LINKS, link_inverse
from neuroparcel.brain.reduction import SCALINGS, Reduction, fit_reduction
from neuroparcel.errors import ConnectomeError, OptionError

CASES = list(product(LINKS, SCALINGS))


@pytest.fixture(params=CASES, ids=lambda case: "-".join(case))
def case(request) -> tuple[str, str]:
    return request.param


def test_inverse_returns_to_the_kept_subspace(cohort, case):
    link, scaling = case
    reduction = fit_reduction(cohort, link=link, scaling=scaling)
    coordinates = np.random.default_rng(0).normal(size=(2, 5, reduction.n_components))
    profiles = reduction.inverse(coordinates)
    assert (profiles > 0).all()
    np.testing.assert_allclose(np.linalg.norm(profiles, axis=-1), 1, atol=1e-12)
    # transform returns float32, so six digits are what there is.
    np.testing.assert_allclose(reduction.transform(profiles), coordinates, atol=1e-5)


def test_nothing_is_lost_with_all_components(cohort, case):
    link, scaling = case
    reduction = fit_reduction(cohort, link=link, scaling=scaling, variance=1.0)
    profiles = cohort.profiles[cohort.valid]
    again = reduction.inverse(reduction.transform(profiles))
    np.testing.assert_allclose(again, profiles, atol=1e-5)
    assert reduction.residual_variance == pytest.approx(0, abs=1e-6)


def test_components_are_those_of_scikit_learn(cohort, case):
    """Only valid profiles count; sklearn divides the variance by n - 1, which ratios forget."""
    link, scaling = case
    reduction = fit_reduction(cohort, link=link, scaling=scaling)
    coordinates = link_inverse(cohort.profiles[cohort.valid], link)
    pca = PCA(n_components=0.8, svd_solver="full").fit(coordinates)
    assert reduction.n_components == pca.n_components_
    np.testing.assert_allclose(reduction.mean, pca.mean_)
    overlap = np.abs(np.sum(reduction.components * pca.components_, axis=1))
    np.testing.assert_allclose(overlap, 1, atol=1e-6)
    np.testing.assert_allclose(reduction.explained_variance_ratio, pca.explained_variance_ratio_)
    assert reduction.residual_variance == pytest.approx(1 - pca.explained_variance_ratio_.sum())


def test_scaling(cohort):
    for scaling in SCALINGS:
        reduction = fit_reduction(cohort, scaling=scaling, variance=0.999)
        variance = reduction.transform(cohort.profiles[cohort.valid]).var(axis=0)
        assert variance.mean() == pytest.approx(1, rel=1e-4)
        if scaling == "component":
            np.testing.assert_allclose(variance, 1, rtol=1e-4)
        else:
            assert variance[0] > 2 * variance[-1]
            assert len(np.unique(reduction.scale)) == 1


def test_prior_covariance_is_ledoit_wolf(cohort):
    reduction = fit_reduction(cohort)
    reduced = reduction.transform(cohort.profiles[cohort.valid])
    expected = LedoitWolf().fit(reduced.astype(np.float64)).covariance_
    np.testing.assert_allclose(reduction.prior_covariance, expected, atol=1e-5)


@pytest.mark.parametrize("variance", [0.5, 0.9, 0.99])
def test_the_fewest_components_that_carry_the_share(cohort, variance):
    reduction = fit_reduction(cohort, variance=variance)
    carried = np.cumsum(reduction.explained_variance_ratio)
    assert carried[-1] >= variance
    assert len(carried) == 1 or carried[-2] < variance


def test_max_components(cohort):
    assert fit_reduction(cohort, variance=0.999, max_components=2).n_components == 2


def test_arrays_round_trip(cohort):
    reduction = fit_reduction(cohort)
    arrays = reduction.to_arrays()
    again = Reduction.from_arrays(reduction.link, arrays)
    profiles = cohort.profiles[cohort.valid]
    np.testing.assert_array_equal(again.transform(profiles), reduction.transform(profiles))
    del arrays["mean"]
    with pytest.raises(ConnectomeError, match="lacks mean"):
        Reduction.from_arrays(reduction.link, arrays)


def test_the_same_cohort_gives_the_same_reduction(cohort):
    first, second = fit_reduction(cohort), fit_reduction(cohort)
    np.testing.assert_array_equal(first.components, second.components)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variance": 0.0}, "kept variance is 0.0"),
        ({"variance": 1.5}, "kept variance is 1.5"),
        ({"scaling": "both"}, "Unknown scaling 'both'"),
        ({"link": "none"}, "Unknown link 'none'"),
        ({"max_components": 0}, "At most 0 components"),
    ],
)
def test_bad_options_are_refused(cohort, options, message):
    with pytest.raises(OptionError, match=message):
        fit_reduction(cohort, **options)


def test_profiles_that_do_not_vary_are_refused(cohort):
    flat = np.where(cohort.valid[..., None], cohort.profiles[0, 0, 0], 0)
    with pytest.raises(ConnectomeError, match="do not vary"):
        fit_reduction(replace(cohort, profiles=flat))


def test_other_targets_are_refused(cohort):
    reduction = fit_reduction(cohort)
    with pytest.raises(ConnectomeError, match="13 targets do not fit a reduction of 12"):
        reduction.transform(np.ones(13))


def test_a_reduction_checks_its_shapes(cohort):
    reduction = fit_reduction(cohort)
    with pytest.raises(ConnectomeError, match=r"scale has shape \(5,\)"):
        replace(reduction, scale=np.ones(5))
    with pytest.raises(ConnectomeError, match="positive scale"):
        replace(reduction, scale=0 * reduction.scale)
