from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA

from neuroparcel.brain import connectome
from neuroparcel.brain.links import LINKS, POSITIVE_LINKS, link_inverse
from neuroparcel.brain.reduction import SCALINGS, Reduction, fit_reduction
from neuroparcel.errors import ConnectomeError, OptionError

from .conftest import make_cohort

SIGNED_LINKS = tuple(link for link in LINKS if link not in POSITIVE_LINKS)
PAIRS = [(link, scaling) for link in LINKS for scaling in SCALINGS]
PAIRS.remove(("direction", "component"))  # which is refused
CASES = [
    (*pair, signed)
    for pair in PAIRS
    for signed in (False, True)
    if not (signed and pair[0] in POSITIVE_LINKS)
]


@pytest.fixture(params=CASES, ids=lambda case: "-".join(map(str, case)))
def case(request) -> tuple[str, str, connectome.Cohort]:
    link, scaling, signed = request.param
    return link, scaling, make_cohort(signed=signed)


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


def test_inverse_returns_to_the_kept_subspace(case):
    link, scaling, cohort = case
    reduction = fit_reduction(cohort, link=link, scaling=scaling)
    coordinates = np.random.default_rng(0).normal(size=(2, 5, reduction.n_components))
    if link == "identity":  # whose inverse takes unit norm: only what lies on the sphere returns
        coordinates = reduction.transform(reduction.inverse(0.01 * coordinates))
        coordinates = on_the_sphere(reduction, coordinates)
    if link == "direction":
        coordinates /= np.linalg.norm(coordinates, axis=-1, keepdims=True)
    profiles = reduction.inverse(coordinates)
    assert (profiles > 0).all() or link in SIGNED_LINKS
    np.testing.assert_allclose(np.linalg.norm(profiles, axis=-1), 1, atol=1e-12)
    # transform returns float32, so six digits are what there is.
    np.testing.assert_allclose(reduction.transform(profiles), coordinates, atol=1e-5)


def on_the_sphere(reduction: Reduction, coordinates: np.ndarray) -> np.ndarray:
    """The coordinates stretched until s y C + m has unit norm."""
    steps = coordinates * reduction.scale @ reduction.components
    a = np.sum(steps**2, -1)
    b, c = steps @ reduction.mean, np.sum(reduction.mean**2) - 1
    stretch = (-b + np.sqrt(b**2 - a * c)) / a
    return coordinates * stretch[..., None]


def test_nothing_is_lost_with_all_components(case):
    link, scaling, cohort = case
    reduction = fit_reduction(cohort, link=link, scaling=scaling, variance=1.0)
    profiles = cohort.profiles[cohort.valid]
    again = reduction.inverse(reduction.transform(profiles))
    np.testing.assert_allclose(again, profiles, atol=1e-5)
    assert reduction.residual_variance == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("link", "scaling"), [pair for pair in PAIRS if pair[0] != "direction"])
@pytest.mark.parametrize("signed", [False, True])
def test_components_are_those_of_scikit_learn(link, scaling, signed):
    """Only valid profiles count; sklearn divides the variance by n - 1, which ratios forget."""
    if signed and link in POSITIVE_LINKS:
        return
    cohort = make_cohort(signed=signed)
    reduction = fit_reduction(cohort, link=link, scaling=scaling)
    coordinates = link_inverse(cohort.profiles[cohort.valid], link)
    pca = PCA(n_components=0.8, svd_solver="full").fit(coordinates)
    assert reduction.n_components == pca.n_components_
    np.testing.assert_allclose(reduction.mean, pca.mean_, atol=1e-12)
    overlap = np.abs(np.sum(reduction.components * pca.components_, axis=1))
    np.testing.assert_allclose(overlap, 1, atol=1e-6)
    np.testing.assert_allclose(reduction.explained_variance_ratio, pca.explained_variance_ratio_)
    assert reduction.residual_variance == pytest.approx(1 - pca.explained_variance_ratio_.sum())


@pytest.mark.parametrize("signed", [False, True])
def test_directions_are_right_singular_vectors(signed):
    """Uncentred, in the order of the second moment; the shares are of the variance."""
    cohort = make_cohort(signed=signed)
    profiles = cohort.profiles[cohort.valid].astype(np.float64)
    reduction = fit_reduction(cohort, link="direction", variance=0.9)
    n = reduction.n_components
    axes = np.linalg.svd(profiles, full_matrices=False)[2][:n]
    np.testing.assert_allclose(np.abs(np.sum(reduction.components * axes, 1)), 1, atol=1e-9)
    along = (profiles @ axes.T).var(axis=0) / profiles.var(axis=0).sum()
    np.testing.assert_allclose(reduction.explained_variance_ratio, along, atol=1e-9)
    assert (reduction.mean == 0).all()
    assert (reduction.scale == 1).all()
    projected = profiles @ reduction.components.T
    expected = projected / np.linalg.norm(projected, axis=1, keepdims=True)
    np.testing.assert_allclose(reduction.transform(profiles), expected, atol=1e-6)


def test_networks_of_the_prior_of_directions_have_about_unit_length(signed_cohort):
    reduction = fit_reduction(signed_cohort, link="direction", variance=0.99)
    reduced = reduction.transform(signed_cohort.profiles[signed_cohort.valid])
    expected = LedoitWolf(assume_centered=True).fit(reduced.astype(np.float64)).covariance_
    np.testing.assert_allclose(reduction.prior_covariance, expected, atol=1e-6)
    assert np.trace(reduction.prior_covariance) == pytest.approx(1, abs=1e-6)


def test_positive_directions_keep_more_than_their_mean(cohort):
    """The mean is nearly all of the second moment, and none of the variance."""
    reduction = fit_reduction(cohort, link="direction", variance=0.8)
    assert reduction.n_components >= 3
    profiles = cohort.profiles[cohort.valid].astype(np.float64)
    assert np.mean(np.square(profiles @ reduction.components[0])) > 0.8
    assert reduction.residual_variance <= 0.2


def test_a_profile_outside_the_components_says_nothing(signed_cohort):
    fitted = fit_reduction(signed_cohort, link="direction", variance=0.5)
    axes = replace(fitted, components=np.eye(12)[: fitted.n_components])
    profiles = np.eye(12)[[0, 11]]
    np.testing.assert_array_equal(
        axes.transform(profiles), [profiles[0, : axes.n_components], 0 * axes.scale]
    )


@pytest.mark.parametrize("link", LINKS)
def test_float32_profiles_are_reduced_as_exactly_as_it_takes(link):
    """The arithmetic is that of the profiles; float64 is the judge."""
    cohort = make_cohort(5, (2, 2, 100, 360), signed=link in SIGNED_LINKS)
    profiles = cohort.profiles[cohort.valid]
    reduction = fit_reduction(cohort, link=link, variance=0.99)
    exact = reduction.transform(profiles.astype(np.float64))
    np.testing.assert_allclose(reduction.transform(profiles), exact, atol=1e-5)


def test_the_link_goes_with_the_profiles(cohort, signed_cohort):
    assert fit_reduction(cohort).link == "ilr"
    assert fit_reduction(signed_cohort).link == "identity"
    for link in POSITIVE_LINKS:
        with pytest.raises(OptionError, match=f"link {link} takes logarithms") as caught:
            fit_reduction(signed_cohort, link=link)
        assert "--positive shift" in caught.value.tip


def test_each_session_is_read_once(cohort):
    counted = Counted(cohort.profiles)
    fit_reduction(replace(cohort, profiles=counted))
    np.testing.assert_array_equal(counted.reads, cohort.present)


@pytest.mark.parametrize("link", LINKS)
def test_a_sample_is_nearly_as_good_as_all(monkeypatch, link):
    """1,500 of 6,000 rows: a variance is off by at most a few of sqrt(2 / 1,500) = 4 %."""
    cohort = make_cohort(7, (4, 2, 800, 12), signed=link in SIGNED_LINKS)
    whole = fit_reduction(cohort, link=link, variance=0.99)
    monkeypatch.setattr(connectome, "_SAMPLE_ROWS", 1500)
    part = fit_reduction(replace(cohort), link=link, variance=0.99)
    assert part.n_components == whole.n_components
    np.testing.assert_allclose(part.scale, whole.scale, rtol=0.1)
    overlap = np.abs(np.sum(part.components[:2] * whole.components[:2], axis=1))
    np.testing.assert_allclose(overlap, 1, atol=1e-2)


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


@pytest.mark.parametrize("link", LINKS)
def test_arrays_round_trip(link):
    cohort = make_cohort(signed=link in SIGNED_LINKS)
    reduction = fit_reduction(cohort, link=link)
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
        ({"link": "direction", "max_components": 2}, "Directions need at least 3 components"),
        ({"link": "direction", "scaling": "component"}, "link direction has no scales"),
    ],
)
def test_bad_options_are_refused(cohort, options, message):
    with pytest.raises(OptionError, match=message):
        fit_reduction(cohort, **options)


@pytest.mark.parametrize("link", LINKS)
def test_profiles_that_do_not_vary_are_refused(link):
    cohort = make_cohort(signed=link in SIGNED_LINKS)
    flat = np.where(cohort.valid[..., None], cohort.profiles[0, 0, 0], 0)
    with pytest.raises(ConnectomeError, match="do not vary"):
        fit_reduction(replace(cohort, profiles=flat), link=link)


def test_profiles_on_disk_that_are_not_normalised_are_refused(signed_cohort):
    """Those in memory are refused when the cohort is made."""
    off = replace(signed_cohort, profiles=Counted(2 * signed_cohort.profiles))
    with pytest.raises(ConnectomeError, match="'identity' needs profiles of unit norm"):
        fit_reduction(off)


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
