"""A cohort a few subjects at a time is the cohort."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.connectome import Cohort
from neuroparcel.brain.profiles import to_signed_sphere
from neuroparcel.brain.reduction import fit_reduction
from neuroparcel.inference.posterior import AmortizedPosterior
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.mshbm_reference import fit_reference
from neuroparcel.models.mshbm_start import estimate_moments
from neuroparcel.parcellation import observed_cohort
from neuroparcel.parcellation.heldout import heldout_density
from neuroparcel.parcellation.label_model import LabelModel
from neuroparcel.parcellation.labels import parcellate
from neuroparcel.parcellation.networks import AmortizedNetworks, ReferenceNetworks
from neuroparcel.parcellation.observations import nearest_anchor, observe, observe_and_cluster
from neuroparcel.parcellation.observed_cohort import ObservedCohort
from neuroparcel.parcellation.training import network_model, start

N_SUBJECTS, N_VERTICES, N_NETWORKS = 5, 60, 3


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    """Three networks with borders of their own in each subject; a session is missing."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(N_NETWORKS, 8))
    labels = (np.arange(N_VERTICES) + 3 * np.arange(N_SUBJECTS)[:, None]) // 20 % N_NETWORKS
    values = centres[labels][:, None] + 0.8 * rng.normal(size=(N_SUBJECTS, 2, N_VERTICES, 8))
    profiles = to_signed_sphere(values.reshape(-1, 8))[0].reshape(values.shape)
    valid = np.ones(profiles.shape[:3], bool)
    valid[1, 1], valid[0, 0, [3, 30]] = False, False
    profiles[~valid] = 0
    axis = BrainAxis.from_vertices("u", {"CORTEX_LEFT": range(N_VERTICES)}, {"CORTEX_LEFT": 60})
    strength = np.where(valid, 0.5 + rng.uniform(size=valid.shape), 0).astype(np.float32)
    names = tuple(f"s{number}" for number in range(N_SUBJECTS))
    return Cohort(names, ("1", "2"), profiles, valid, axis, tuple("stuvwxyz"), True, strength)


@pytest.fixture
def one_by_one(monkeypatch) -> None:
    monkeypatch.setattr(observed_cohort, "_PART_PROFILES", 2 * N_VERTICES)


@pytest.fixture(scope="module")
def reduction(cohort):
    return fit_reduction(cohort, link="identity", variance=0.9)


@pytest.fixture(scope="module")
def reference(cohort, reduction):
    """A reference of the cohort, and labels with a prior of each vertex's own."""
    data, clustering = observe_and_cluster(cohort, reduction, N_NETWORKS, seed=0)
    model = MSHBM(torch.eye(reduction.n_components), N_NETWORKS)
    prior = torch.rand(N_VERTICES, N_NETWORKS, generator=torch.Generator().manual_seed(0)) + 0.2
    labels = LabelModel(prior / prior.sum(-1, keepdim=True), evidence_weight=0.4)
    moments = estimate_moments(data, clustering.anchors, model)
    return ReferenceNetworks.with_labels(fit_reference(model, data, moments), labels), labels


@pytest.mark.parametrize("in_memory", [True, False])
def test_parts_are_the_cohort(cohort, reduction, one_by_one, in_memory):
    whole = observe(cohort, reduction)
    observed = ObservedCohort(cohort, reduction, data=whole if in_memory else None)
    parts = list(observed.parts())
    assert [part.subjects for part in parts] == [(name,) for name in cohort.subjects]
    for part in parts:
        torch.testing.assert_close(part.data.values, whole.values[:, part.place])
        assert torch.equal(part.data.mask, whole.mask[:, part.place])
        np.testing.assert_array_equal(part.strength, cohort.strength[part.place])


def test_small_cohorts_are_one_part(cohort, reduction):
    (part,) = ObservedCohort(cohort, reduction).parts()
    assert part.subjects == cohort.subjects == ObservedCohort(cohort, reduction).judged().subjects


def test_large_cohorts_are_judged_on_evenly_spaced_subjects(cohort, reduction, monkeypatch):
    two = 2 * (2 * N_VERTICES * reduction.n_components)
    monkeypatch.setattr(observed_cohort, "_JUDGED_VALUES", two)
    part = ObservedCohort(cohort, reduction).judged()
    assert part.subjects == ("s0", "s3")
    np.testing.assert_array_equal(part.strength, cohort.strength[[0, 3]])


def test_labels_do_not_depend_on_who_is_in_memory(cohort, reduction, reference, one_by_one):
    """Under a kept population; iterations end where a pass gains a millionth of a nat a vertex."""
    networks, labels = reference
    observed = ObservedCohort(cohort, reduction)
    found = [
        parcellate(
            networks(part.data, part.strength),
            networks.model,
            cohort.axis,
            part.subjects,
            cohort.sessions,
            labels,
            strength=part.strength,
        )
        for part in (*observed.parts(), observed.whole())
    ]
    *single, together = found
    for number, one in enumerate(single):
        np.testing.assert_allclose(one.subject[0], together.subject[number], atol=2e-3)
        np.testing.assert_allclose(one.session[0], together.session[number], atol=2e-3)
    spread = np.abs(together.subject[0] - together.subject[2]).mean()
    assert spread > 0.1  # subjects differ, so equality is no accident


def test_an_amortized_family_encodes_subjects_one_by_one(cohort, reduction, one_by_one):
    data, clustering = observe_and_cluster(cohort, reduction, N_NETWORKS, seed=0)
    model = MSHBM(torch.eye(reduction.n_components), N_NETWORKS)
    trained = network_model(data, model, clustering.anchors)
    start(trained)
    amortized = AmortizedPosterior(trained.template, trained.family.eval())
    networks = AmortizedNetworks(amortized, amortized(data).encodings[-1])
    together = networks(data).posterior.conditioned.point()["session_networks"][0, 0]
    for part in ObservedCohort(cohort, reduction).parts():
        here = part.data.mask[0].any(-1)
        one = networks(part.data).posterior.conditioned.point()["session_networks"][0, 0]
        expected = together[part.place]
        torch.testing.assert_close(one[here], expected[here], rtol=1e-4, atol=1e-4)


def test_a_repopulated_model_keeps_the_new_cohort_s_population(cohort, reduction, reference):
    """Kept, it gives the networks that the new cohort has when all are inferred together."""
    networks, _ = reference
    data = observe(cohort.select(["s1", "s2", "s3"]), reduction)
    jointly = networks(data, new_population=True)
    kept = networks.repopulated(data)
    expected = jointly.mean("population_networks")
    torch.testing.assert_close(kept(data).mean("population_networks"), expected)
    assert not torch.allclose(networks(data).mean("population_networks"), expected, atol=1e-3)
    torch.testing.assert_close(
        kept(data).mean("subject_networks"), jointly.mean("subject_networks"), rtol=0, atol=0.02
    )


def test_held_out_density_does_not_depend_on_who_is_in_memory(
    cohort, reduction, reference, monkeypatch
):
    networks, labels = reference
    part = ObservedCohort(cohort, reduction).whole()
    clusters = nearest_anchor(part.data, np.eye(N_NETWORKS, reduction.n_components))
    arguments = (networks, part.data, clusters, part.strength, labels)
    together = heldout_density(*arguments)
    monkeypatch.setattr(observed_cohort, "_PART_PROFILES", 2 * N_VERTICES)
    single = heldout_density(*arguments)
    assert single.kmeans == together.kmeans
    assert single.model == pytest.approx(together.model, abs=0.02)  # other draws
