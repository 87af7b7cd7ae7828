"""Sub-populations beside their full group, and what would be found in other cohorts."""

from __future__ import annotations

import numpy as np
import pytest

from neuroparcel.brain.contingency import adjusted_rand
from neuroparcel.brain.designs import Design, draw_sub_populations
from neuroparcel.brain.matching import profile_correlations
from neuroparcel.parcellation.stability_blocks import FullGroup, blocks_of
from neuroparcel.parcellation.stability_measures import DEVIATION, Maps, joined, measure, measures
from neuroparcel.parcellation.subpopulation_labels import SubPopulationLabels

N_SUBJECTS, N_VERTICES, N_NETWORKS = 10, 30, 2


class Identity:
    """Stands for a reduction: components are the profiles."""

    def inverse(self, networks):
        return np.asarray(networks, dtype=float)


def labels_of(shares: np.ndarray, members: np.ndarray) -> SubPopulationLabels:
    """Of subjects with these probabilities of the first network, (subject, vertex)."""
    own = np.stack([shares, 1 - shares], -1)[members]
    population = own.mean(1)
    apart = np.square(own - population[:, None]).sum(-1).mean(1)
    return SubPopulationLabels(
        population=population.astype(np.float32),
        data=np.ones(population.shape[:2], bool),
        subject_part=apart,
        session_part=np.zeros_like(apart),
        networks=population.mean(1)[:, :, None] + np.eye(N_NETWORKS),
    )


def full_group(shares: np.ndarray, left_out=()) -> FullGroup:
    """Of everyone, and of everyone but some."""
    everyone, reduction = np.arange(len(shares))[None], Identity()
    maps = Maps.of(labels_of(shares, everyone), reduction).at(0)
    others = [np.setdiff1d(everyone, part)[None] for part in left_out] or [everyone]
    without = joined([Maps.of(labels_of(shares, rows), reduction) for rows in others])
    return FullGroup(None, maps, without)


def column(name: str) -> int:
    return measures(N_NETWORKS).index((name, None))


@pytest.fixture
def shares() -> np.ndarray:
    return np.random.default_rng(0).beta(2, 1.2, size=(N_SUBJECTS, N_VERTICES))


def test_measures_are_what_their_names_say(shares):
    members = np.array([[0, 1, 2], [3, 5, 9]])
    found = labels_of(shares, members)
    full = full_group(shares)
    within = np.stack([found.subject_part, found.session_part], 1)
    numbers = measure(Maps.of(found, Identity()), within, full.maps).numbers
    for row, chosen in enumerate(members):
        mean, everyone = shares[chosen].mean(0), shares.mean(0)
        hard, all_hard = (np.where(one >= 0.5, 1, 2) for one in (mean, everyone))
        assert numbers[row, column("stable")] == (hard == all_hard).mean()
        expected = (2 * np.square(mean - everyone)).mean()
        assert numbers[row, column("part_population")] == pytest.approx(expected, rel=1e-4)
        expected = (2 * np.square(shares[chosen] - everyone)).mean()
        assert numbers[row, column(DEVIATION)] == pytest.approx(expected, rel=1e-4)
        index = adjusted_rand(hard, all_hard)
        assert numbers[row, column("ari_full")] == pytest.approx(index)
        correlations = profile_correlations(found.networks[row], full.maps.profiles)
        expected = np.diagonal(correlations).mean()
        assert numbers[row, column("profile_full")] == pytest.approx(expected)


def test_sub_populations_without_a_subject_are_compared_with_the_group_without_it(shares):
    (drawn,) = draw_sub_populations(Design(sizes=(3,), n_samples=40), N_SUBJECTS)
    full = full_group(shares, drawn.left_out)
    (block,) = blocks_of([labels_of(shares, drawn.members)], full, Identity(), drawn.lacks)
    place = column("part_population")
    for subject in (0, 7):
        rest = np.delete(shares, subject, axis=0).mean(0)
        without = [m for m in drawn.members if subject not in m]
        expected = sum((2 * np.square(shares[m].mean(0) - rest)).mean() for m in without)
        assert block.of_numbers.absent[subject, place] == pytest.approx(expected, rel=1e-4)
        assert block.of_numbers.n_absent[subject, place] == len(without)
        hard = [np.where(shares[m].mean(0) >= 0.5, 1, 2) for m in without]
        same = np.sum([one == np.where(rest >= 0.5, 1, 2) for one in hard], axis=0)
        np.testing.assert_array_equal(block.stable.absent[subject], same)


def test_intervals_hold_for_other_cohorts():
    """Of the population part too, which every subject of the full group moves.

    Against a full group that keeps the subjects who are left out, 1 in 10 intervals would hold:
    half of a cohort is as far from all of it as the other half.
    """
    n_cohorts, rng = 80, np.random.default_rng(1)
    (drawn,) = draw_sub_populations(Design(sizes=(5,), n_samples=60), N_SUBJECTS)
    values, intervals = [], []
    for _ in range(n_cohorts):
        spread = 0.5 * rng.gamma(2, 0.5, size=(N_SUBJECTS, 1)).clip(0, 1.9)
        shares = 0.5 + spread * (rng.beta(2, 1.2, size=(N_SUBJECTS, N_VERTICES)) - 0.5)
        full = full_group(shares, drawn.left_out)
        (block,) = blocks_of([labels_of(shares, drawn.members)], full, Identity(), drawn.lacks)
        sums = block.of_numbers.at(column("part_population"))
        interval = sums.interval()
        assert interval.over == "subjects"
        values.append(float(sums.mean))
        intervals.append((float(interval.low), float(interval.high)))
    low, high = np.transpose(intervals)
    truth = np.mean(values)
    assert 0.82 <= ((low <= truth) & (truth <= high)).mean() <= 0.99
