from __future__ import annotations

import numpy as np
import pytest

from neuroparcel.brain.features import (
    Features,
    binarise,
    combine,
    from_sphere,
    to_sphere,
    to_strength,
    without_top,
)
from neuroparcel.brain.links import link_inverse
from neuroparcel.errors import OptionError

KINDS = ("correlation", "fisher-z", "binary", "maps")


def correlations(seed: int = 0, shape: tuple[int, int] = (30, 12)) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.9, 0.9, shape).astype(np.float32)


def values_of(kind: str) -> np.ndarray:
    return binarise(correlations(), 0.5) if kind == "binary" else correlations()


@pytest.mark.parametrize("positive", ["shift", "clip"])
@pytest.mark.parametrize("kind", KINDS)
def test_profiles_lie_on_the_positive_sphere(kind, positive):
    profiles, alive = to_sphere(values_of(kind), Features(kind, positive))
    assert alive.all()
    assert profiles.dtype == np.float32
    assert (profiles > 0).all()
    np.testing.assert_allclose(np.linalg.norm(profiles, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_signed_profiles_are_centred_unit_vectors(kind):
    """So that their product is the correlation of two rows."""
    values = values_of(kind)
    profiles, alive = to_sphere(values, Features(kind, "signed"))
    assert alive.all()
    assert profiles.dtype == np.float32
    expected = np.arctanh(values) if kind == "fisher-z" else values
    np.testing.assert_allclose(profiles @ profiles.T, np.corrcoef(expected), atol=1e-5)
    np.testing.assert_allclose(profiles.sum(axis=1), 0, atol=1e-5)


def test_a_signed_row_of_one_number_is_dead():
    values = correlations()
    values[4], values[6] = 0.5, 0
    _, alive = to_sphere(values, Features("correlation", "signed"))
    np.testing.assert_array_equal(np.flatnonzero(~alive), [4, 6])
    assert to_sphere(values, Features("correlation"))[1].all()


@pytest.mark.parametrize("kind", KINDS)
def test_profiles_times_their_strength_are_the_centred_values(kind):
    """Up to one number for the whole session."""
    values, features = values_of(kind), Features(kind, "signed")
    profiles, alive = to_sphere(values, features)
    strength = to_strength(values, alive, features)
    assert strength.mean() == pytest.approx(1, abs=1e-6)  # none is above 3
    scale = np.arctanh(values) if kind == "fisher-z" else values
    centred = scale - scale.mean(axis=1, keepdims=True)
    expected = centred / np.linalg.norm(centred, axis=1).mean()
    np.testing.assert_allclose(profiles * strength[:, None], expected, atol=1e-5)


def test_positive_profiles_have_no_strength():
    with pytest.raises(OptionError, match="Only signed profiles have a signal strength"):
        to_strength(correlations(), np.ones(30, bool), Features())


def test_maps_are_signed_unless_asked_otherwise():
    for kind in KINDS:
        assert Features(kind).signed == (kind == "maps")
        assert Features(kind, "signed").signed
    assert Features("maps", "shift").positive == "shift"
    assert Features("fisher-z").positive == "shift"


@pytest.mark.parametrize("kind", ["correlation", "fisher-z"])
def test_centred_profiles_do_not_give_correlations_back(kind):
    features = Features(kind, "signed")
    assert Features(kind).keeps_correlations
    assert not features.keeps_correlations
    with pytest.raises(OptionError, match="do not keep the level of correlations"):
        from_sphere(np.ones((3, 3)), np.ones(3), features)


@pytest.mark.parametrize("positive", ["shift", "clip", "signed"])
@pytest.mark.parametrize("kind", KINDS)
def test_dead_rows_are_zeros_and_dead_targets_count_as_zero(kind, positive):
    values = values_of(kind)
    values[3] = np.nan
    values[:, 5] = np.nan
    profiles, alive = to_sphere(values, Features(kind, positive))
    np.testing.assert_array_equal(np.flatnonzero(~alive), [3])
    assert (profiles[3] == 0).all()
    filled = np.delete(values, 3, axis=0)
    filled[:, 5] = 0
    expected, _ = to_sphere(filled, Features(kind, positive))
    np.testing.assert_allclose(np.delete(profiles, 3, axis=0), expected, atol=1e-6)


@pytest.mark.parametrize("kind", ["correlation", "fisher-z", "maps"])
def test_shift_keeps_the_order_of_all_values(kind):
    values = correlations(1)
    profiles, _ = to_sphere(values, Features(kind, "shift"))
    np.testing.assert_array_equal(profiles.argsort(axis=1), values.argsort(axis=1))


def test_the_link_of_fisher_z_profiles_is_linear_in_z():
    r = correlations(2)
    profiles, _ = to_sphere(r, Features("fisher-z"))
    z = np.arctanh(r.astype(np.float64))
    # The link takes logarithms of squares: 2 z, up to a constant in each row.
    coordinates = link_inverse(profiles, "softmax-centered")
    np.testing.assert_allclose(coordinates, 2 * (z[:, :-1] - z[:, -1:]), atol=1e-4)


def test_a_vertex_that_is_its_own_target_has_a_finite_z():
    profiles, _ = to_sphere(np.eye(6, dtype=np.float32), Features("fisher-z"))
    ratio = profiles[0, 0] / profiles[0, 1]
    assert ratio == pytest.approx(np.exp(np.arctanh(0.99)), rel=1e-3)


def known_back(r: np.ndarray, features: Features) -> np.ndarray:
    """Through the sphere and back; the own target of vertex i is target i."""
    profiles, _ = to_sphere(r, features)
    return from_sphere(profiles, np.diagonal(profiles), features)


@pytest.mark.parametrize("kind", ["correlation", "fisher-z"])
def test_correlations_come_back_from_the_sphere(kind):
    r = correlations(8, (12, 12))
    np.fill_diagonal(r, 1)
    others = ~np.eye(12, dtype=bool)
    shifted = known_back(r, Features(kind))
    np.testing.assert_allclose(shifted[others], r[others], atol=1e-5)
    clipped = known_back(r, Features(kind, "clip"))
    np.testing.assert_allclose(clipped[others], np.maximum(r, 0.001)[others], atol=1e-5)


@pytest.mark.parametrize("kind", ["binary", "maps"])
def test_what_is_no_correlation_does_not_come_back(kind):
    with pytest.raises(OptionError, match=f"of the kind '{kind}' are no correlations"):
        from_sphere(np.ones((3, 3)), np.ones(3), Features(kind))


def test_maps_without_a_living_row_are_dead():
    profiles, alive = to_sphere(np.full((3, 4), np.nan, np.float32), Features("maps"))
    assert not alive.any()
    assert (profiles == 0).all()


@pytest.mark.parametrize("positive", ["shift", "clip", "signed"])
def test_maps_do_not_depend_on_their_unit(positive):
    maps = 5 * correlations(3)
    small, _ = to_sphere(maps, Features("maps", positive))
    large, _ = to_sphere(1000 * maps, Features("maps", positive))
    np.testing.assert_allclose(small, large, rtol=1e-4, atol=1e-6)


def test_binary_features_are_the_top_tenth_of_the_whole_run():
    r = np.arange(200, dtype=np.float32).reshape(10, 20) / 200
    np.testing.assert_array_equal(binarise(r), (r >= r[9, 0]).astype(np.float32))
    r[2] = np.nan  # 180 are left, of which 18 are kept
    kept = binarise(r)
    assert np.isnan(kept[2]).all()
    assert np.nansum(kept) == 18
    assert np.isnan(binarise(np.full((3, 4), np.nan))).all()


def test_runs_are_combined_as_the_measure_asks():
    first, second = correlations(4), correlations(5)
    z = (100 * np.arctanh(first) + 300 * np.arctanh(second)) / 400
    runs = [(first, 100), (second, 300)]
    np.testing.assert_allclose(combine(runs, "correlation"), np.tanh(z), atol=1e-5)
    np.testing.assert_allclose(combine(runs, "maps"), (first + second) / 2, atol=1e-6)


def test_a_run_without_a_value_leaves_it_to_the_others():
    first, second = correlations(6), correlations(7)
    first[0], second[0, 0] = np.nan, np.nan
    mean = combine([(first, 1), (second, 1)], "maps")
    assert np.isnan(mean[0, 0])
    np.testing.assert_array_equal(mean[0, 1:], second[0, 1:])


def test_fisher_z_is_taken_from_stored_correlations():
    assert Features("fisher-z").measure == "correlation"
    assert Features("binary").measure == "binary"


@pytest.mark.parametrize(
    ("arguments", "message"), [(("zed",), "Unknown features"), (("maps", "abs"), "negative values")]
)
def test_unknown_features_are_refused(arguments, message):
    with pytest.raises(OptionError, match=message):
        Features(*arguments)


def test_rows_without_a_share_are_told_from_dead_ones():
    nan = np.nan
    shares = np.array([[0, 0, 0], [0, 0.5, 0], [nan, nan, nan], [0, nan, 0], [nan, 1, 0]])
    np.testing.assert_array_equal(without_top(shares), [True, False, False, True, False])
