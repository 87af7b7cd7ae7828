"""Intervals of means over sub-populations hold for other cohorts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, t

from neuroparcel.brain.jackknife import OVER_SAMPLES, OVER_SUBJECTS, AbsenceSums, ratio
from neuroparcel.errors import SpaceError


def draw(seed: int, n_subjects: int, size: int, n_samples: int) -> np.ndarray:
    """Sub-populations without replacement, (sample, size)."""
    order = np.random.default_rng(seed).random((n_samples, n_subjects)).argsort(axis=1)
    return order[:, :size]


def absent(members: np.ndarray, n_subjects: int) -> np.ndarray:
    is_absent = np.ones((len(members), n_subjects), dtype=bool)
    np.put_along_axis(is_absent, members, False, axis=1)
    return is_absent


def means(traits: np.ndarray, members: np.ndarray) -> AbsenceSums:
    """Of a statistic that is additive in subjects; traits are (subject, ...)."""
    return AbsenceSums.of(traits[members].mean(axis=1), absent(members, len(traits)))


def coverage(interval, truth: float, scale: float = 1.0) -> float:
    """Share of the intervals that hold the truth, if they were so much as wide."""
    centre, half = (interval.high + interval.low) / 2, (interval.high - interval.low) / 2
    return float((np.abs(centre - truth) <= scale * half).mean())


@pytest.fixture
def values() -> np.ndarray:
    """Of 12 sub-populations at 2 x 3 places; some are missing, all of one place."""
    found = np.random.default_rng(3).uniform(size=(12, 2, 3))
    found[[0, 4], 0, 1] = np.nan
    found[:, 1, 2] = np.nan
    return found


MEMBERS = draw(1, 6, 3, 12)
ABSENT = absent(MEMBERS, 6)


def equal(first: AbsenceSums, second: AbsenceSums) -> None:
    shapes = [(first.total.shape, len(first.absent)), (second.total.shape, len(second.absent))]
    assert shapes[0] == shapes[1]
    for name, one in first.to_arrays().items():
        other = second.to_arrays()[name]
        np.testing.assert_allclose(*np.broadcast_arrays(one, other), rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("is_complete", [True, False])
@pytest.mark.parametrize("cut", [1, 4, 11])
def test_sums_of_parts_are_those_of_the_whole(values, cut, is_complete):
    if is_complete:
        values = np.nan_to_num(values)
    parts = [AbsenceSums.of(values[rows], ABSENT[rows]) for rows in np.split(np.arange(12), [cut])]
    whole = AbsenceSums.of(values, ABSENT)
    equal(parts[0] + parts[1], whole)
    assert whole.n.size == (1 if is_complete else 6)


def test_sums_are_those_of_a_loop(values):
    sums = AbsenceSums.of(values, ABSENT)
    np.testing.assert_allclose(sums.total, np.nansum(values, axis=0))
    np.testing.assert_allclose(sums.square, np.nansum(values**2, axis=0))
    np.testing.assert_array_equal(sums.n, (~np.isnan(values)).sum(axis=0))
    for subject in range(6):
        lacking = values[ABSENT[:, subject]]
        np.testing.assert_allclose(sums.absent[subject], np.nansum(lacking, axis=0))
        np.testing.assert_array_equal(sums.n_absent[subject], (~np.isnan(lacking)).sum(axis=0))
    assert np.isnan(sums.mean[1, 2])
    known = np.arange(6) != 5
    expected = np.nanvar(values.reshape(12, 6)[:, known], axis=0, ddof=1)
    np.testing.assert_allclose(sums.sample_variance.ravel()[known], expected)


def test_arrays_come_back(values):
    for sums in (AbsenceSums.of(values, ABSENT), AbsenceSums.of(values[:, 0, 0] > 0.5, ABSENT)):
        equal(AbsenceSums.from_arrays({**sums.to_arrays(), "other": np.zeros(1)}), sums)


def test_values_of_other_sub_populations_are_refused(values):
    with pytest.raises(SpaceError, match="11 values are not of the 12 sub-populations"):
        AbsenceSums.of(values[1:], ABSENT)


def test_a_plain_jackknife_is_the_interval_of_a_mean():
    """Means without a subject each: the mean's own t interval, but for the chance of drawing."""
    traits = np.random.default_rng(4).normal(size=(10, 7))
    members = np.stack([np.delete(np.arange(10), i) for i in range(10)])
    sums = means(traits, members)
    found = sums.interval()
    variance = traits.var(axis=0, ddof=1) / 10 + sums.sample_variance / 10
    half = t.ppf(0.975, 9) * np.sqrt(variance)
    np.testing.assert_allclose(found.low, traits.mean(axis=0) - half)
    np.testing.assert_allclose(found.high, traits.mean(axis=0) + half)
    assert found.over == OVER_SUBJECTS


@pytest.mark.parametrize(("n_subjects", "size", "n_samples"), [(30, 5, 40), (8, 6, 20)])
def test_what_few_sub_populations_add_is_taken_off(n_subjects, size, n_samples):
    """Over repeated draws, the variance over cohorts is that of the mean of all subjects.

    Left in, chance would add 77 % and 27 % to it; taken off as if sub-populations that lack a
    subject varied as all do, it would lack 15 % in the second case.
    """
    traits = np.random.default_rng(5).normal(size=(n_subjects, 200))
    found = []
    for seed in range(100):
        sums = means(traits, draw(seed, n_subjects, size, n_samples))
        interval = sums.interval()
        half = (interval.high - interval.low) / 2 / t.ppf(0.975, n_subjects - 1)
        if interval.over == OVER_SUBJECTS:
            found.append(half**2 - sums.sample_variance / n_samples)
    assert len(found) > 80
    ratios = np.mean(found, axis=0) / (traits.var(axis=0, ddof=1) / n_subjects)
    assert ratios.mean() == pytest.approx(1, abs=0.02)  # its standard error is 0.4 %


def test_intervals_hold_for_other_cohorts():
    """Of a thousand cohorts of 20, 95 % hold the truth; half as wide or twice, far from it."""
    rng, found = np.random.default_rng(6), []
    for seed in range(4):
        sums = means(rng.normal(size=(20, 300)), draw(seed, 20, 5, 300))
        found.append([coverage(sums.interval(), 0, scale) for scale in (0.5, 1, 2)])
    narrow, right, wide = np.mean(found, axis=0)
    assert right == pytest.approx(0.95, abs=0.02)
    assert narrow < 0.75
    assert wide > 0.99
    assert coverage(sums.interval(level=0.5), 0) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("probability", [0.5, 0.8, 0.95])
def test_intervals_of_proportions_hold_for_other_cohorts(probability):
    """Of a thresholded mean; the plain interval holds in 62 % of cohorts at 0.95."""
    members = draw(7, 20, 5, 300)
    traits = np.random.default_rng(8).normal(size=(20, 800))
    limit = -norm.ppf(probability) / np.sqrt(5)
    sums = AbsenceSums.of(traits[members].mean(axis=1) > limit, absent(members, 20))
    found = sums.proportion()
    assert coverage(found, (found.low + found.high) / 2) == 1
    assert 0.9 < ((found.low <= probability) & (probability <= found.high)).mean() < 0.995
    assert found.low.min() >= 0
    assert found.high.max() <= 1


def test_what_never_changes_is_not_certain():
    """Wilson's interval of as many agreeing subjects; the more of them, the narrower."""
    ones = {
        n: AbsenceSums.of(np.ones((90, 2)), absent(draw(9, n, 3, 90), n)).proportion()
        for n in (20, 40)
    }
    for n, found in ones.items():
        z = t.ppf(0.975, n - 1)
        np.testing.assert_allclose(found.low, 1 / (1 + z**2 / n))
        np.testing.assert_array_equal(found.high, 1)
    zeros = AbsenceSums.of(np.zeros((90, 2)), absent(draw(9, 20, 3, 90), 20)).proportion()
    np.testing.assert_allclose(zeros.high, 1 - ones[20].low)


def test_five_times_the_disjoint_sub_populations_count_at_most():
    found = AbsenceSums.of(np.ones(90), absent(draw(9, 40, 20, 90), 40)).proportion()
    np.testing.assert_allclose(found.low, 1 / (1 + t.ppf(0.975, 39) ** 2 / 10))


def test_subjects_that_are_in_every_sub_population_leave_chance_only():
    found = np.random.default_rng(10).normal(size=(50, 3))
    sums = AbsenceSums.of(found, np.zeros((50, 4), dtype=bool))
    interval = sums.interval()
    half = t.ppf(0.975, 49) * found.std(axis=0, ddof=1) / np.sqrt(50)
    assert interval.over == sums.proportion().over == OVER_SAMPLES
    np.testing.assert_allclose(interval.high - interval.low, 2 * half)


def test_pairs_that_share_sub_populations_are_fewer():
    found = np.random.default_rng(10).normal(size=50)
    sums = AbsenceSums.of(found, np.zeros((50, 4), dtype=bool))
    interval = sums.interval(n_independent=10)
    half = t.ppf(0.975, 9) * found.std(ddof=1) / np.sqrt(10)
    np.testing.assert_allclose(interval.high - interval.low, 2 * half)


def test_subjects_that_are_never_members_change_nothing():
    traits = np.random.default_rng(11).normal(size=(8, 3))
    members = draw(11, 8, 3, 60)
    own = means(traits, members)
    more = AbsenceSums.of(traits[members].mean(axis=1), absent(members, 11))
    for found in ("interval", "proportion"):
        one, other = getattr(own, found)(), getattr(more, found)()
        np.testing.assert_allclose([one.low, one.high], [other.low, other.high])


def test_places_with_too_few_values_have_no_interval(values):
    interval = AbsenceSums.of(values, ABSENT).interval()
    assert interval.over == OVER_SUBJECTS
    np.testing.assert_array_equal(np.isnan(interval.low), [[False] * 3, [False, False, True]])
    values[:, 0, 0] = np.where(ABSENT[:, 0], np.nan, values[:, 0, 0])
    for found in ("interval", "proportion"):
        interval = getattr(AbsenceSums.of(values, ABSENT), found)()
        assert np.isnan([interval.low[0, 0], interval.high[0, 0]]).all()
        assert not np.isnan([interval.low[0, 2], interval.high[0, 2]]).any()


def test_one_value_has_no_interval():
    interval = AbsenceSums.of(np.ones((1, 2)), ABSENT[:1]).interval()
    assert np.isnan(interval.low).all()
    assert interval.over == OVER_SAMPLES


def test_ratios_hold_for_other_cohorts():
    """Of a part and a whole; the interval is narrower than if the two were independent."""
    rng = np.random.default_rng(12)
    whole = rng.gamma(4, size=(20, 800))
    part, members = whole * rng.uniform(size=whole.shape), draw(13, 20, 5, 300)
    above, below = means(part, members), means(whole, members)
    value, interval = ratio(above, below)
    np.testing.assert_allclose(value, above.mean / below.mean)
    assert coverage(interval, 0.5) == pytest.approx(0.94, abs=0.03)
    assert coverage(interval, 0.5, 0.5) < 0.75
    assert interval.over == OVER_SUBJECTS


def test_ratios_of_a_known_share_are_certain():
    traits, members = np.random.default_rng(14).gamma(4, size=(9, 5)), draw(14, 9, 4, 50)
    sums, third = means(traits, members), means(traits / 3, members)
    value, interval = ratio(third, sums)
    np.testing.assert_allclose([value, interval.low, interval.high], 1 / 3, atol=1e-7)
    value, interval = ratio(sums, means(0 * traits, members))
    assert np.isnan([value, interval.low, interval.high]).all()
