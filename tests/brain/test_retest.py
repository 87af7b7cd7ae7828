"""Test-retest of a cohort: who is compared, what is found, and what chance would find."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from neuroparcel.brain.icc import image_reliability
from neuroparcel.brain.identification import identification_of
from neuroparcel.brain.retest import Retest, _deal, retest
from neuroparcel.brain.session_agreement import (
    blocks_of,
    hard_labels,
    session_agreements,
    within_and_between,
)
from neuroparcel.brain.stability import Statistic

NAN = np.nan
NETWORKS = ("A", "B", "C")


def soft(
    n_subjects: int = 6, n_sessions: int = 2, *, own: float = 1.0, seed: int = 0
) -> np.ndarray:
    """Labels of a cohort on 30 vertices, of subjects that differ this much from one another."""
    rng = np.random.default_rng(seed)
    cohort = rng.normal(size=(30, 3))
    subjects = own * rng.normal(size=(n_subjects, 1, 30, 3))
    scores = cohort + subjects + rng.normal(size=(n_subjects, n_sessions, 30, 3))
    return (np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)).astype(np.float32)


def maybe(labels: np.ndarray, n_permutations: int = 99, seed: int = 0) -> Retest | None:
    subjects = [f"s{i}" for i in range(len(labels))]
    sessions = [f"t{j}" for j in range(labels.shape[1])]
    return retest(labels, subjects, sessions, NETWORKS, n_permutations=n_permutations, seed=seed)


def run(labels: np.ndarray, n_permutations: int = 99, seed: int = 0) -> Retest:
    found = maybe(labels, n_permutations, seed)
    assert found is not None
    return found


def named(statistics: Sequence[Statistic], name: str, network: str = "") -> Statistic:
    (found,) = [one for one in statistics if (one.name, one.network) == (name, network)]
    return found


def test_subjects_that_differ_are_told_apart():
    labels = soft(own=2.0)
    reliability, statistics, notes = run(labels, n_permutations=199)
    assert notes == ()
    assert (reliability.sessions, len(reliability.subjects)) == (("t0", "t1"), 6)
    assert reliability.distances.shape == (6, 6)
    identified = named(statistics, "identification")
    assert identified.value == 1
    assert (identified.low, identified.high) == (pytest.approx(0.6097, abs=1e-4), 1)
    assert identified.null == pytest.approx(1 / 6, abs=0.04)
    difference = named(statistics, "within_minus_between")
    assert identified.p <= 0.02  # 1 of 720 permutations, and rarely 2 of 199, is the truth
    assert difference.p <= 0.02
    assert 0 < difference.low < difference.value < difference.high
    assert all(one.group == "all" and one.size is None for one in statistics)


def test_the_statistics_are_those_of_their_parts():
    labels = soft(5, 3)
    reliability, statistics, _ = run(labels)
    found = image_reliability(labels, np.arange(5), np.arange(3))
    for name in ("icc2", "icc3"):
        whole, each = getattr(found.image, name), getattr(found.networks, name)
        one = named(statistics, name)
        assert (one.value, one.low, one.high) == (whole.value, whole.low, whole.high)
        assert (one.interval, one.n) == ("subjects", 5)
        assert [named(statistics, name, k).value for k in NETWORKS] == each.value.tolist()
        np.testing.assert_array_equal(
            getattr(reliability, name).value, getattr(found.vertices, name).value
        )
    agreements = session_agreements(hard_labels(labels), blocks_of(5), 3)
    expected = within_and_between(agreements)[0]
    names = ("ari_within_subject", "ari_between_subjects", "within_minus_between")
    found_of = [named(statistics, name) for name in names]
    assert [one.value for one in found_of] == pytest.approx(list(expected))
    assert [one.n for one in found_of] == [5, 20, 5]


def test_of_two_sessions_identification_is_that_of_the_distances():
    reliability, statistics, _ = run(soft(6, own=0.3))
    (expected,) = identification_of(reliability.distances, np.arange(6)[None])
    assert 0 < named(statistics, "identification").value == pytest.approx(expected)


def test_more_sessions_are_averaged_over_their_pairs():
    labels = soft(6, 3, own=0.5)
    rates = [
        named(run(labels[:, [one, other]])[1], "identification").value
        for one, other in itertools.combinations(range(3), 2)
    ]
    assert len(set(rates)) > 1
    assert named(run(labels)[1], "identification").value == pytest.approx(np.mean(rates))


def test_the_null_is_all_ways_to_deal_out_the_sessions():
    """Three subjects and sessions: 36 ways, of which 4,000 permutations are a sample."""
    labels = soft(3, 3, own=0.6, seed=5)
    statistics = run(labels, n_permutations=4000)[1]
    orders = list(itertools.permutations(range(3)))
    ways = [
        run(np.stack([labels[:, 0], labels[list(a), 1], labels[list(b), 2]], axis=1), 0)[1]
        for a, b in itertools.product(orders, orders)
    ]
    for name in ("within_minus_between", "identification"):
        found = named(statistics, name)
        every = np.array([named(one, name).value for one in ways])
        assert found.null == pytest.approx(every.mean(), abs=4 * every.std() / np.sqrt(4000))
        share = (every >= found.value - 1e-9).mean()
        assert found.p == pytest.approx(share, abs=4 * np.sqrt(share / 4000))


def test_sessions_of_strangers_have_uniform_p_values():
    """Kolmogorov and Smirnov's bound for 60 values is 0.21 at 1 %."""
    p_values = [
        named(run(soft(5, own=0.0, seed=seed), 19)[1], "within_minus_between").p
        for seed in range(60)
    ]
    levels = np.arange(1, 21) / 20
    shares = (np.array(p_values)[:, None] <= levels + 1e-9).mean(axis=0)
    assert np.abs(shares - levels).max() < 0.21


def test_sessions_stay_in_their_block_and_can_go_to_any_subject_of_it():
    blocks = np.array([1, 0, 2, 0, 1, 0])
    order = _deal(blocks, 3, 300, 0).order
    assert (blocks[order] == blocks).all()
    assert (np.sort(order, axis=-1) == np.arange(6)).all()
    assert (order[:, 0] == np.arange(6)).all()
    n_ways = [len(np.unique(order[:, s], axis=0)) for s in range(3)]
    assert n_ways == [1, 12, 12]


def test_among_many_subjects_sessions_are_dealt_out_within_blocks():
    """Two blocks of ten, each subject with nine others; identification is among all twenty."""
    labels = soft(20, own=2.0)
    statistics = run(labels)[1]
    difference = named(statistics, "within_minus_between")
    assert abs(difference.null) < 0.25 * difference.value
    assert difference.p == 0.01
    assert named(statistics, "ari_between_subjects").n == 20 * 9
    assert named(statistics, "identification").null == pytest.approx(1 / 20, abs=0.02)


def test_hundreds_of_subjects():
    """Ways to deal out the sessions of 180 are more than a float can count."""
    _, statistics, notes = run(soft(180, own=2.0), n_permutations=19)
    assert notes == ()
    assert named(statistics, "identification").p == 0.05


def test_neither_order_nor_seed_matter_but_to_the_null():
    labels = soft(6, own=0.5)
    first, again = run(labels), run(labels[[4, 2, 0, 5, 1, 3]])
    for one, other in zip(first[1], again[1], strict=True):
        assert one.value == pytest.approx(other.value, rel=1e-5)
        assert one.low == pytest.approx(other.low, rel=1e-4)
    same, other = run(labels), run(labels, seed=1)
    assert named(same[1], "identification").null == named(first[1], "identification").null
    assert named(other[1], "identification").null != named(first[1], "identification").null


def test_those_who_lack_a_session_are_left_out():
    labels = soft(6, 3)
    labels[1, 2] = labels[4, 0] = NAN
    reliability, statistics, notes = run(labels)
    assert reliability.subjects == ("s0", "s2", "s3", "s5")
    assert notes == ("Test-retest is of the 4 of 6 subjects that have the sessions t0, t1, t2.",)
    expected = run(labels[[0, 2, 3, 5]])[1]
    assert [one.value for one in statistics] == pytest.approx([one.value for one in expected])


def test_a_session_that_few_have_is_left_out():
    labels = soft(6, 3)
    labels[2:, 1] = NAN
    reliability, _, notes = run(labels)
    assert (reliability.sessions, len(reliability.subjects)) == (("t0", "t2"), 6)
    assert notes == ("Test-retest compares the sessions t0, t2; too few subjects have t1 as well.",)


def test_few_subjects_cannot_have_small_p_values():
    _, statistics, notes = run(soft(3))
    assert notes == (
        "The sessions of 3 subjects can be dealt out in 6 ways: no p-value by permutation can be "
        "much below 0.17.",
    )
    _, statistics, notes = run(soft(2))
    assert notes[1:] == ("Two subjects are too few for confidence intervals of their reliability.",)
    for name in ("icc2", "ari_within_subject"):
        one = named(statistics, name)
        assert np.isnan([one.low, one.high]).all()
        assert (one.interval, np.isfinite(one.value)) == ("", True)


def test_nothing_to_compare():
    assert maybe(soft(1)) is None
    assert maybe(soft(4, 1)) is None
    labels = soft(3)
    labels[0, 0] = labels[1, 1] = NAN
    assert maybe(labels) is None


def test_labels_that_are_the_same_everywhere_have_no_p_value():
    """One network has it all: no index, no correlation, and everybody is equally close."""
    labels = np.zeros((4, 2, 9, 3), np.float32)
    labels[..., 1] = 1
    _, statistics, _ = run(labels)
    difference, identified = (
        named(statistics, name) for name in ("within_minus_between", "identification")
    )
    assert np.isnan([difference.value, difference.low, difference.null, difference.p]).all()
    assert (identified.value, identified.p) == (0.25, 1)
    assert np.isnan(named(statistics, "icc2").value)
