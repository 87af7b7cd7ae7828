"""Sub-populations in a batch against the same sub-populations one by one."""

from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
import torch

from neuroparcel.errors import OptionError
from neuroparcel.graph import Observation
from neuroparcel.inference.posterior import AmortizedPosterior
from neuroparcel.models.choices import LEVELS
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.mshbm_reference import fit_reference
from neuroparcel.models.mshbm_start import estimate_moments
from neuroparcel.parcellation.label_model import LabelModel
from neuroparcel.parcellation.labels import soft_labels
from neuroparcel.parcellation.networks import AmortizedNetworks, ClosedNetworks, ReferenceNetworks
from neuroparcel.parcellation.subpopulation_labels import Labeller, own_prior
from neuroparcel.parcellation.subpopulations import source_of
from neuroparcel.parcellation.training import network_model

SIZES, N_NETWORKS, N_COMPONENTS = (6, 2, 20), 3, 4
INDEX = np.array([[0, 1, 2], [1, 3, 5], [0, 4, 5], [2, 2, 4]])  # the last as in a bootstrap
VARIANTS = [
    (LEVELS, "l-normal", "shared"),
    (("population",), "von-mises-fisher", "session"),
    (("subject", "session"), "l-normal", "network"),
]


def make_model(levels, emission, kappa):
    covariance = 16 * torch.eye(N_COMPONENTS)
    return MSHBM(
        covariance,
        N_NETWORKS,
        levels=levels,
        emission=emission,
        kappa=kappa,
        log_scale_range=(-2.0, 1.0),
    )


@cache
def cohort(emission):
    """One subject has a single session; a vertex is dead in everybody, another in one session."""
    torch.manual_seed(0)
    means = 4 * torch.eye(N_NETWORKS, N_COMPONENTS)
    labels = torch.randint(N_NETWORKS, (6, 1, 20)).expand(-1, 2, -1)
    mask = torch.ones(1, *SIZES, dtype=torch.bool)
    mask[0, 1, 1], mask[..., 5], mask[0, 0, 0, 7] = False, False, False
    values = (means[labels] + torch.randn(*SIZES, N_COMPONENTS)).unsqueeze(0)
    if emission == "von-mises-fisher":
        values = torch.nn.functional.normalize(values, dim=-1)
        means = torch.nn.functional.normalize(means, dim=-1)
    return Observation(values * mask.unsqueeze(-1), mask), means


@cache
def amortized(variant):
    """Networks of a family that is not trained, but reads what is encoded."""
    data, means = cohort(variant[1])
    torch.manual_seed(1)
    model = network_model(data, make_model(*variant), means)
    model.family.encoder.measure([data])
    with torch.no_grad():  # flows begin as if all encodings were the same
        for parameter in model.family.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    posterior = AmortizedPosterior(model.template, model.family.eval())
    return AmortizedNetworks(posterior, posterior(data).encodings[-1])


def some(data, members):
    return Observation(data.values[:, members], data.mask[:, members])


def label_model(smoothness=0.0):
    from scipy.sparse import csr_array

    ring = np.roll(np.eye(20, dtype=np.float32), 1, 0) + np.roll(
        np.eye(20, dtype=np.float32), -1, 0
    )
    prior = torch.rand(20, N_NETWORKS, generator=torch.Generator().manual_seed(2))
    prior /= prior.sum(-1, keepdim=True)
    neighbours = csr_array(ring / 2)
    return LabelModel(prior, 0.3, 0.8, smoothness=smoothness, neighbours=neighbours)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: f"{'-'.join(v[0])}-{v[2]}")
@pytest.mark.parametrize("kind", ["paper", "vertex", "smooth"])
def test_a_batch_is_labelled_as_each_sub_population_alone(variant, kind):
    """The labels of a batch are those of ``infer --new-population``, to float32's last digits."""
    data, means = cohort(variant[1])
    networks = amortized(variant)
    labels = {"paper": None, "vertex": label_model(), "smooth": label_model(1.0)}[kind]
    strength = None if labels is None else torch.rand(SIZES) + 0.5
    source = source_of(
        "amortized", networks, means, data, strength, n_draws=64 if labels is None else 16
    )
    found = Labeller(source, labels, "trained")(INDEX)
    for row, members in enumerate(INDEX):
        alone = networks(some(data, members), new_population=True)
        own = None if strength is None else strength[members]
        population, subject, session = soft_labels(
            alone, networks.model, labels, strength=own, n_draws=64
        )
        known = found.data[row]
        assert known.tolist() == (~np.isnan(population).any(-1)).tolist()
        np.testing.assert_allclose(found.population[row][known], population[known], atol=2e-5)
        apart = np.square(subject - population).sum(-1)[:, known]
        within = np.square(session - subject[:, None]).sum(-1)[..., known]
        within = np.ma.masked_invalid(within).mean(1).mean(0)
        apart = np.ma.masked_invalid(apart).mean(0)
        np.testing.assert_allclose(found.subject_part[row][known], apart, atol=2e-5)
        np.testing.assert_allclose(found.session_part[row][known], within, atol=2e-5)


def test_the_members_are_read():
    """Other members have other networks, so that the laws here are not of what ignores them."""
    data, means = cohort("l-normal")
    source = source_of("amortized", amortized(VARIANTS[0]), means, data)
    latents = source(torch.from_numpy(INDEX[:3])).latents["session_networks"]
    assert float((latents[:, 0] - latents[:, 1]).abs().amax()) > 0.05
    swapped = source(torch.from_numpy(INDEX[:1, ::-1].copy())).latents["session_networks"]
    assert float((latents[:, 0] - swapped[:, 0]).abs().amax()) > 0.05


def test_chunks_do_not_change_a_number(monkeypatch):
    from neuroparcel.parcellation import subpopulation_labels

    data, means = cohort("l-normal")
    labeller = Labeller(source_of("amortized", amortized(VARIANTS[0]), means, data))
    whole = labeller(INDEX)
    monkeypatch.setattr(subpopulation_labels, "_CHUNK_VALUES", 1)
    parts = list(labeller.chunks(INDEX))
    assert [len(part.population) for part in parts] == [1, 1, 1, 1]
    for name in ("population", "data", "subject_part", "session_part", "networks"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_allclose(joined, getattr(whole, name), atol=1e-6)


def test_topmost_networks_are_the_mean_of_the_draws():
    data, means = cohort("l-normal")
    networks = amortized(VARIANTS[0])
    source = source_of("amortized", networks, means, data, n_draws=16)
    alone = networks(some(data, INDEX[1]), new_population=True).sample(16)["population_networks"]
    torch.testing.assert_close(source(torch.from_numpy(INDEX)).topmost()[1], alone.mean(0))


def test_own_priors_do_not_move_any_more():
    """Labels under a sub-population's own prior have that prior as their group's mean."""
    from neuroparcel.parcellation.group_prior import vertex_prior

    data, means = cohort("l-normal")
    labels = label_model()
    evidence = source_of("amortized", amortized(VARIANTS[0]), means, data)(
        torch.from_numpy(INDEX)
    ).evidence()
    mask = data.mask[0][INDEX]
    prior = own_prior(labels, evidence, mask)
    assert prior.shape == (4, 20, N_NETWORKS)
    for row in range(4):
        one = replace(labels, prior=prior[row])(evidence[row])
        counted = mask[row].unsqueeze(-1)
        subjects = (one * counted).sum(1) / counted.sum(1).clamp_min(1)
        again = vertex_prior(subjects.sum(0), labels.neighbours)
        torch.testing.assert_close(again, prior[row], atol=0.01, rtol=0)


def test_own_prior_knows_only_its_members():
    """Labels of a sub-population under its own prior do not depend on the trained prior."""
    data, means = cohort("l-normal")
    source = source_of("amortized", amortized(VARIANTS[0]), means, data)
    labels = label_model()
    other = replace(labels, prior=labels.prior.flip(-1).contiguous())
    one, two = (Labeller(source, model, "own")(INDEX).population for model in (labels, other))
    np.testing.assert_array_equal(one, two)
    trained = Labeller(source, labels, "trained")(INDEX).population
    assert np.abs(trained - one).max() > 0.01


def test_refits_are_fits_from_the_anchors():
    data, means = cohort("l-normal")
    model = make_model(*VARIANTS[0])
    source = source_of("refit:reference", amortized(VARIANTS[0]), means, data, n_draws=64)
    found = Labeller(source)(INDEX[1:2])
    own = some(data, INDEX[1])
    fitted = ClosedNetworks(fit_reference(model, own, estimate_moments(own, means, model)))
    population, _, _ = soft_labels(fitted, model)
    known = found.data[0]
    np.testing.assert_allclose(found.population[0][known], population[known], atol=2e-5)
    assert source.n_together == 1


def test_refits_by_gradients_find_what_coordinate_ascent_finds(monkeypatch):
    from neuroparcel.parcellation import subpopulations

    few = partial(subpopulations.fit_mean_field, n_steps=60)
    monkeypatch.setattr(subpopulations, "fit_mean_field", few)
    data, means = cohort("l-normal")
    labels = [
        Labeller(source_of(method, amortized(VARIANTS[0]), means, data, n_draws=64))(INDEX[:1])
        for method in ("refit:mean-field", "refit:reference")
    ]
    known = labels[0].data[0]
    apart = np.abs(labels[0].population[0] - labels[1].population[0])[known]
    assert apart.mean() < 0.02


def test_what_is_not_amortized_is_refused():
    data, means = cohort("l-normal")
    model = make_model(*VARIANTS[0])
    reference = ReferenceNetworks.with_labels(
        fit_reference(model, data, estimate_moments(data, means, model)), None
    )
    with pytest.raises(OptionError, match="a model of --family reference is not amortized"):
        source_of("amortized", reference, means, data)


def test_unknown_methods_and_priors_are_refused():
    data, means = cohort("l-normal")
    networks = amortized(VARIANTS[0])
    with pytest.raises(OptionError, match="--method is 'refit:adavi'"):
        source_of("refit:adavi", networks, means, data)
    with pytest.raises(OptionError, match="--prior is 'flat'"):
        Labeller(source_of("amortized", networks, means, data), None, "flat")
