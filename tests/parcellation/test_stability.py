"""A stability study against what its sub-populations say one by one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np
import pytest
import torch

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.connectome import Cohort
from neuroparcel.brain.contingency import adjusted_rand
from neuroparcel.brain.designs import Design
from neuroparcel.brain.identity import Identity
from neuroparcel.brain.jackknife import AbsenceSums
from neuroparcel.brain.profiles import to_signed_sphere
from neuroparcel.brain.reduction import fit_reduction
from neuroparcel.errors import OptionError, SpaceError
from neuroparcel.inference.posterior import AmortizedPosterior
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.parcellation import stability_blocks
from neuroparcel.parcellation.labels import soft_labels
from neuroparcel.parcellation.networks import AmortizedNetworks
from neuroparcel.parcellation.observations import observe_and_cluster
from neuroparcel.parcellation.observed_cohort import ObservedCohort
from neuroparcel.parcellation.stability import plan_study, stability
from neuroparcel.parcellation.stability_blocks import Block
from neuroparcel.parcellation.stability_measures import measures
from neuroparcel.parcellation.training import network_model

N_SUBJECTS, N_VERTICES, N_NETWORKS = 7, 60, 3
AXIS = BrainAxis.from_vertices("u", {"CORTEX_LEFT": range(N_VERTICES)}, {"CORTEX_LEFT": 60})

IDENTITY = Identity.numbered(N_NETWORKS)


@dataclass(frozen=True, eq=False)
class Model:
    """Stands for a saved model."""

    networks: AmortizedNetworks
    reduction: Any
    anchors: np.ndarray
    labels: Any = None
    identity: Identity = IDENTITY

    @property
    def model(self) -> MSHBM:
        return self.networks.model


def make_cohort(n_subjects: int = N_SUBJECTS, *, alike: bool = False) -> Cohort:
    """Three networks with borders of their own in each subject, unless all are one subject."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(N_NETWORKS, 8))
    n_drawn = 1 if alike else n_subjects
    labels = (np.arange(N_VERTICES) + 3 * np.arange(n_drawn)[:, None]) // 20 % N_NETWORKS
    values = centres[labels][:, None] + 0.8 * rng.normal(size=(n_drawn, 2, N_VERTICES, 8))
    profiles = to_signed_sphere(values.reshape(-1, 8))[0].reshape(values.shape)
    profiles = np.broadcast_to(profiles, (n_subjects, *profiles.shape[1:])).copy()
    valid = np.ones(profiles.shape[:3], bool)
    valid[0, 0, [3, 30]], valid[:, :, 11] = alike, False
    profiles[~valid] = 0
    names = tuple(f"s{number}" for number in range(n_subjects))
    return Cohort(names, ("a", "b"), profiles, valid, AXIS, tuple("stuvwxyz"), True, None)


def make_model(cohort: Cohort) -> Model:
    """Of a family that is not trained, around the cohort's clusters."""
    reduction = fit_reduction(cohort, link="identity", variance=0.9)
    data, clustering = observe_and_cluster(cohort, reduction, N_NETWORKS, seed=0)
    torch.manual_seed(0)
    built = network_model(
        data, MSHBM(torch.eye(reduction.n_components), N_NETWORKS), clustering.anchors
    )
    built.family.encoder.measure([data])
    with torch.no_grad():  # flows begin as if all encodings were the same
        for parameter in built.family.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    posterior = AmortizedPosterior(built.template, built.family.eval())
    networks = AmortizedNetworks(posterior, posterior(data).encodings[-1])
    return Model(networks, reduction, clustering.anchors.numpy())


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return make_cohort()


@pytest.fixture(scope="module")
def model(cohort) -> Model:
    return make_model(cohort)


@pytest.fixture(scope="module")
def study(cohort, model):
    return plan_study(
        model, ObservedCohort(cohort, model.reduction), Design(sizes=(3,), n_samples=9)
    )


@pytest.fixture(scope="module")
def report(study):
    return study.report(study.run, n_permutations=50)


def labels_of(model: Model, cohort: Cohort, members, sessions=slice(None)):
    """Soft labels of one sub-population at three levels, by itself."""
    data = ObservedCohort(cohort, model.reduction).whole().data
    own = type(data)(data.values[:, members][:, :, sessions], data.mask[:, members][:, :, sessions])
    return soft_labels(model.networks(own, new_population=True), model.model)


def hard(soft):
    return np.where(np.isnan(soft).any(-1), 0, np.nan_to_num(soft).argmax(-1) + 1)


def test_stable_is_the_share_of_sub_populations_with_the_label_of_all(report, model, cohort):
    full = hard(labels_of(model, cohort, list(range(N_SUBJECTS)))[0])
    one = report.of("all", 3)
    maps = np.stack([hard(labels_of(model, cohort, members)[0]) for members in one.members])
    known = full > 0
    np.testing.assert_allclose(one.stable.value[known], (maps == full).mean(0)[known], atol=1e-6)
    assert np.isnan(one.stable.value[~known]).all()
    assert (~known).nonzero()[0].tolist() == [11]
    np.testing.assert_array_equal(report.full["all"].labels[known], full[known])
    expected = [adjusted_rand(one, full) for one in maps]
    np.testing.assert_allclose(one.ari_full, expected, atol=1e-6)


def test_parts_sum_to_the_deviation_of_sessions_from_the_full_cohort(report, model, cohort):
    full = labels_of(model, cohort, list(range(N_SUBJECTS)))[0]
    one = report.of("all", 3)
    deviation = []
    for members in one.members:
        session = labels_of(model, cohort, members)[2]
        squares = np.ma.masked_invalid(np.square(session - full).sum(-1))
        deviation.append(squares.mean(1).mean(0).filled(np.nan))
    total = sum(one.parts.values())
    np.testing.assert_allclose(total, np.mean(deviation, 0), atol=1e-5)
    assert all((part[~np.isnan(part)] >= 0).all() for part in one.parts.values())


def test_shares_sum_to_one(report):
    shares = [row.value for row in report.statistics if row.name.startswith("share_")]
    assert sum(shares) == pytest.approx(1, abs=1e-6)


def test_pairs_are_compared_with_each_other(report, study, model):
    one = report.of("all", 3)
    (cell,) = study.cells
    blocks = [study.run(place) for place in study.places]
    maps = np.concatenate([block.labels for block in blocks])
    drawn = [set(members) for members in cell.members.tolist()]
    pairs = [(i, j) for i, j in cell.pairs if drawn[i] != drawn[j]]
    assert 0 < len(pairs) < len(cell.pairs)  # a sub-population that is drawn again agrees anyway
    expected = np.mean([adjusted_rand(maps[i], maps[j]) for i, j in pairs])
    (row,) = (row for row in report.statistics if row.name == "ari_between")
    assert row.value == pytest.approx(expected, abs=1e-6)
    assert row.n == len(pairs)
    apart = [(i, j) for i, j in pairs if not drawn[i] & drawn[j]]
    (row,) = (row for row in report.statistics if row.name == "ari_disjoint")
    assert row.n == len(apart)
    assert one.similarity[2, 5] == pytest.approx(adjusted_rand(maps[2], maps[5]), abs=1e-6)


def test_blocks_can_be_made_apart_and_kept_as_arrays(study, report, monkeypatch):
    monkeypatch.setattr(stability_blocks, "_LEAST", 2)
    kept = {place: study.run(place).to_arrays() for place in reversed(study.places)}
    assert len(kept) > 1
    again = study.report(lambda place: Block.from_arrays(kept[place]), n_permutations=50)
    assert [row.name for row in again.statistics] == [row.name for row in report.statistics]
    for one, other in zip(again.statistics, report.statistics, strict=True):
        assert one.value == pytest.approx(other.value, abs=1e-6, nan_ok=True)
        assert one.low == pytest.approx(other.low, abs=1e-5, nan_ok=True)


@pytest.mark.parametrize("n_samples", [1, 2, 63, 64, 65, 300, 10_000])
@pytest.mark.parametrize("batched", [True, False])
def test_blocks_cover_each_cell_once(study, n_samples, batched):
    members = np.tile(np.arange(3), (n_samples, 1))
    cell = replace(study.cells[0], members=members)
    places = stability_blocks.places_of([cell, cell], batched=batched)
    for number in (0, 1):
        own = [place for place in places if place.cell == number]
        covered = [row for place in own for row in range(place.start, place.stop)]
        assert covered == list(range(n_samples))
        assert len(own) <= 32
        assert all(place.start % 2 == 0 for place in own)


def test_one_subject_many_times_is_perfectly_stable():
    """Who is drawn does not matter where all subjects are the same."""
    cohort = make_cohort(5, alike=True)
    found = stability(
        make_model(cohort), cohort, Design(sizes=(2, 4), n_samples=6), n_permutations=20
    )
    for size in (2, 4):
        one = found.of("all", size)
        known = ~np.isnan(one.stable.value)
        # Not nothing: a member's place in its sub-population has noise of its own.
        assert one.parts["subject"][known].mean() < 0.01
    rows = {(row.name, row.size): row.value for row in found.statistics if not row.network}
    assert rows["ari_between", 2] == rows["ari_between", 4] == 1
    assert rows["profile_between", 4] == pytest.approx(1, abs=1e-5)


def test_test_retest_parcellates_from_one_session_and_from_another(model, cohort):
    observed = ObservedCohort(cohort, model.reduction)
    design = Design("test-retest", sizes=(3,), n_samples=4)
    study = plan_study(model, observed, design, retest=(1, 0))
    blocks = [study.run(place) for place in study.places]
    maps = np.concatenate([block.labels for block in blocks])
    assert study.cells[0].session.tolist() == [1, 0] * 4
    for row in (2, 3):
        members, session = study.cells[0].members[row], int(study.cells[0].session[row])
        own = labels_of(model, cohort, members, slice(session, session + 1))[0]
        np.testing.assert_array_equal(maps[row], hard(own))
    assert not np.array_equal(maps[2], maps[3])
    found = study.report(study.run, n_permutations=5)
    names = {row.name for row in found.statistics}
    assert {"share_subject", "share_population"} <= names
    assert names.isdisjoint({"share_session", "part_session"})
    assert np.isnan(found.of("all", 3).parts["session"]).all()
    assert sum(row.value for row in found.statistics if row.name.startswith("share_")) == 1


def test_groups_have_full_groups_of_their_own(model, cohort):
    groups = {"F": np.array([0, 2, 4, 6]), "M": np.array([1, 3, 5])}
    found = stability(
        model, cohort, Design(sizes=(2,), n_samples=5), groups=groups, n_permutations=20
    )
    assert list(found.full) == ["F", "M"]
    full = hard(labels_of(model, cohort, groups["M"])[0])
    known = full > 0
    np.testing.assert_array_equal(found.full["M"].labels[known], full[known])
    (row,) = (row for row in found.statistics if row.name == "ari_groups")
    assert row.group == "F vs M"
    assert row.n == 5
    maps = [
        [hard(labels_of(model, cohort, members)[0]) for members in found.of(name, 2).members]
        for name in groups
    ]
    expected = np.mean([adjusted_rand(one, other) for one, other in zip(*maps, strict=True)])
    assert row.value == pytest.approx(expected, abs=1e-6)


def test_a_split_half_has_an_interval_over_samples_where_everyone_is_drawn(model, cohort):
    some = cohort.select(cohort.subjects[:6])
    found = stability(model, some, Design("split-half", (3,), 5), n_permutations=20)
    rows = {row.name: row for row in found.statistics if not row.network}
    assert rows["ari_between"].interval == "samples"
    assert rows["ari_full"].interval == "subjects"
    assert "ari_disjoint" not in rows


def test_repeats_are_told(model, cohort):
    few = cohort.select(cohort.subjects[:3])
    found = stability(model, few, Design(sizes=(2,), n_samples=20), n_permutations=20)
    assert any(note.startswith("3 of the 20 sub-populations of 2") for note in found.notes)


def test_reliability_needs_two_sessions(model, cohort):
    alone = cohort.select(cohort.subjects, ["a"])
    found = stability(model, alone, Design(sizes=(3,), n_samples=3))
    assert found.reliability is None
    assert {row.name for row in found.statistics}.isdisjoint({"icc2", "identification"})


def test_spins_of_a_region_are_refused(study):
    with pytest.raises(SpaceError, match="spin test"):
        study.report(study.run, n_permutations=5, spins=10)


def test_what_is_not_amortized_is_refused_before_the_work(model, cohort):
    observed = ObservedCohort(cohort, model.reduction)
    with pytest.raises(OptionError, match="--method is 'magic'"):
        plan_study(model, observed, Design(sizes=(3,)), method="magic")


def row_of(report, name, network=""):
    (row,) = (row for row in report.statistics if (row.name, row.network) == (name, network))
    return row


def test_profiles_of_pairs_are_correlated_less_what_all_share(report, study, model):
    (cell,) = study.cells
    blocks = [study.run(place) for place in study.places]
    networks = np.concatenate([block.networks for block in blocks])
    common = study.full_group(cell).maps.profiles.mean(0)
    profiles = model.reduction.inverse(networks) - common
    drawn = [set(members) for members in cell.members.tolist()]
    pairs = [(i, j) for i, j in cell.pairs if drawn[i] != drawn[j]]
    expected = [np.corrcoef(profiles[i, 1], profiles[j, 1])[0, 1] for i, j in pairs]
    name = report.networks[1]
    assert row_of(report, "profile_between", name).value == pytest.approx(np.mean(expected))


def test_pairs_that_share_sub_populations_are_not_independent(report, study):
    """Nine sub-populations are in 36 pairs, of which no more than four share none."""
    (cell,) = study.cells
    maps = np.concatenate([study.run(place).labels for place in study.places])
    drawn = [set(members) for members in cell.members.tolist()]
    pairs = np.array([(i, j) for i, j in cell.pairs if drawn[i] != drawn[j]])
    index = np.array([adjusted_rand(maps[i], maps[j]) for i, j in pairs])
    sums = AbsenceSums.of(index, cell.lacks[pairs[:, 0]] & cell.lacks[pairs[:, 1]])
    row, wanted = row_of(report, "ari_between"), sums.interval(n_independent=4)
    assert (row.low, row.high) == pytest.approx((max(wanted.low, -1), min(wanted.high, 1)))
    assert wanted.high - wanted.low > sums.interval().high - sums.interval().low


def test_the_two_of_a_test_retest_are_the_same_people(model, cohort):
    observed = ObservedCohort(cohort, model.reduction)
    study = plan_study(
        model, observed, Design("test-retest", sizes=(3,), n_samples=20), retest=(0, 1)
    )
    found = study.report(study.run, n_permutations=5)
    blocks = [study.run(place) for place in study.places]
    sums = reduce(AbsenceSums.__add__, [block.of_numbers for block in blocks])
    place = measures(N_NETWORKS).index(("ari_full", None))
    row, wanted = row_of(found, "ari_full"), sums.at(place).interval(n_independent=20)
    assert row.n == 40
    assert (row.low, row.high) == pytest.approx((wanted.low, min(wanted.high, 1)))
    assert wanted.high > sums.at(place).interval().high


def test_who_lacks_a_session_is_in_no_test_retest(model, cohort):
    valid, profiles = cohort.valid.copy(), cohort.profiles.copy()
    valid[2, 1], profiles[2, 1] = False, 0
    some = replace(cohort, valid=valid, profiles=profiles)
    observed = ObservedCohort(some, model.reduction)
    design = Design("test-retest", sizes=(3,), n_samples=4)
    with pytest.raises(OptionError, match="needs both sessions of a subject; s2 lacks one"):
        plan_study(model, observed, design, retest=(0, 1))
    others = {"all": np.array([0, 1, 3, 4])}
    assert plan_study(model, observed, design, retest=(0, 1), groups=others).n_samples == 8


def test_chance_counts_who_is_drawn_twice_once(model, cohort):
    found = stability(model, cohort, Design("bootstrap", (3,), 12), n_permutations=5)
    n_different = [len(set(members)) for members in found.of("all", 3).members.tolist()]
    assert min(n_different) < 3
    told = [1 / n for n in n_different if n > 1]
    (row,) = (r for r in found.statistics if r.name == "identification" and r.size == 3)
    assert row.null == pytest.approx(np.mean(told))


def test_intervals_of_two_groups_are_over_the_subjects_of_both(model, cohort):
    groups = {"F": np.array([0, 2, 4, 6]), "M": np.array([1, 3, 5])}
    observed = ObservedCohort(cohort, model.reduction)
    study = plan_study(model, observed, Design(sizes=(2,), n_samples=12), groups=groups)
    found = study.report(study.run, n_permutations=5)
    maps = [
        np.concatenate([study.run(place).labels for place in study.places if place.cell == number])
        for number in (0, 1)
    ]
    index = np.array([adjusted_rand(one, other) for one, other in zip(*maps, strict=True)])
    lacks = np.concatenate([cell.lacks for cell in study.cells], axis=1)
    wanted = AbsenceSums.of(index, lacks).interval()
    row = row_of(found, "ari_groups")
    assert (row.low, row.high) == pytest.approx((max(wanted.low, -1), min(wanted.high, 1)))


def test_a_jackknife_says_nothing_of_other_cohorts(model, cohort):
    """The group without a subject is the only sub-population that lacks it."""
    found = stability(model, cohort, Design("jackknife"), n_permutations=5)
    assert row_of(found, "ari_full").interval == "samples"
    assert row_of(found, "share_subject").interval == "samples"
