"""The reference: no step lowers its bound, it meets closed forms, and it finds the truth."""

import itertools
import math

import pytest
import torch
from torch.nn.functional import normalize

from neuroparcel.brain.model_cohort import ModelSettings
from neuroparcel.distributions.von_mises_fisher import concentration_of, sample_around
from neuroparcel.errors import CheckpointError, DataError, OptionError
from neuroparcel.families.mean_field import MeanField
from neuroparcel.graph import Observation, analyse
from neuroparcel.graph.trace import seeded
from neuroparcel.inference.stages import Schedule, Stage
from neuroparcel.inference.variational import fit
from neuroparcel.models.choices import EMISSIONS, KAPPAS, LEVELS
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.mshbm_reference import _Ascent, fit_reference
from neuroparcel.models.mshbm_simulation import draw_model_cohort, model_of
from neuroparcel.models.mshbm_start import Moments, estimate_moments
from neuroparcel.models.reference_emissions import emission_of
from neuroparcel.models.reference_labels import Cells, LabelEvidence, missing_information
from neuroparcel.models.reference_networks import Gaussian, Tree
from neuroparcel.models.reference_posterior import ReferencePosterior
from neuroparcel.models.reference_scales import Concentration, TruncatedInverseGamma
from neuroparcel.nets.free_factors import LinkNormal

VMF = "von-mises-fisher"
SUBSETS = [c for n in (1, 2, 3) for c in itertools.combinations(LEVELS, n)]
VARIANTS = [
    pytest.param(levels, kappa, id="-".join((*levels, kappa)))
    for levels, kappa in itertools.product(SUBSETS, KAPPAS)
    if kappa == "shared" or levels in (("subject",), LEVELS)
]
SCALES = {"l-normal": (0.3, 0.2, 0.4), VMF: (0.1, 0.07, 30.0)}  # epsilon, sigma, kappa


def simulated(model, sizes, seed=0):
    """Networks of a cohort around separate population networks, labels, and its profiles."""
    epsilon, sigma, kappa = SCALES[model.emission]
    n_networks, n_components = model.n_networks, model.prior_tril.shape[-1]
    shape = (*sizes[:2], n_networks, n_components)
    with seeded(seed):
        population = torch.linalg.qr(torch.randn(n_components, n_networks).double()).Q.T
        population = population * (1 if model.emission == VMF else 3)
        subject = population + epsilon * torch.randn(sizes[0], 1, *shape[2:])
        session = subject + sigma * torch.randn(shape)
        label = torch.randint(n_networks, sizes)
        own = session.gather(2, label[..., None].expand(*sizes, n_components))
        if model.emission == VMF:
            profiles = sample_around(own, torch.full(sizes, kappa).double())
        else:
            profiles = own + kappa * torch.randn(*sizes, n_components)
    return population, subject[:, 0], session, label, Observation.complete(profiles.unsqueeze(0))


def moments_at(model, networks):
    epsilon, sigma, kappa = (torch.tensor(s).double() for s in SCALES[model.emission])
    spread = torch.ones(model.n_networks).double()
    return Moments(
        networks, epsilon * spread, sigma * spread, kappa, model, torch.ones(()).double()
    )


def incomplete(data):
    """Without a subject, a session and some vertices, whose values are not to be read."""
    mask = data.mask.clone()
    mask[0, 1, 1] = mask[0, 2] = mask[0, 0, 0, :10] = False
    values = data.values.masked_fill(~mask.unsqueeze(-1), torch.nan)
    return Observation(values, mask)


def long_covariance(n_components):
    with seeded(3):
        factor = torch.randn(n_components, n_components).double()
    return factor @ factor.T + 0.3 * torch.eye(n_components)


@pytest.mark.parametrize("emission", EMISSIONS)
@pytest.mark.parametrize(("levels", "kappa"), VARIANTS)
def test_no_step_lowers_the_bound(emission, kappa, levels):
    model = MSHBM(long_covariance(4), 3, levels=levels, emission=emission, kappa=kappa)
    networks, *_, data = simulated(model, (4, 2, 40))
    data = incomplete(data)
    labels = LabelEvidence(weight=0.7)
    cells = Cells.of(model, data, labels)
    ascent = _Ascent(model, cells, Tree.of(model, cells.present), emission_of(model), None)
    factors = ascent.started(moments_at(model, networks + 0.3))
    steps = (
        ascent.with_networks,
        ascent.with_spreads,
        ascent.with_kappa,
        ascent.with_weights,
        lambda factors, _: ascent.with_radius(factors),
    )
    sums = ascent.gather(factors)
    bound = float(ascent.bound(factors, sums))
    first = bound
    for _ in range(2):
        for step in (*steps, *steps[:3]):
            factors = step(factors, sums)
            found = float(ascent.bound(factors, sums))
            assert found >= bound - 1e-8 * abs(bound), step
            bound = found
        sums = ascent.gather(factors)
        found = float(ascent.bound(factors, sums))
        assert found >= bound - 1e-8 * abs(bound)
        bound = found
    assert bound > first + 1


@pytest.mark.parametrize("emission", EMISSIONS)
@pytest.mark.parametrize(("levels", "kappa"), VARIANTS)
def test_draws_are_the_model_s_own(emission, kappa, levels):
    model = MSHBM(long_covariance(4), 3, levels=levels, emission=emission, kappa=kappa)
    networks, *_, data = simulated(model, (4, 2, 40))
    posterior = fit_reference(model, incomplete(data), moments_at(model, networks), n_iterations=2)
    drawn = posterior.sample(3, seed=1)
    template = analyse(model)
    latents, _ = template.simulate((4, 2, 40), 1)
    assert {n: v.shape[1:] for n, v in drawn.items()} == {
        n: v.shape[1:] for n, v in latents.items()
    }
    for name, value in drawn.items():
        assert bool(torch.isfinite(value).all()), name
        torch.testing.assert_close(value, posterior.sample(3, seed=1)[name])
    # The posterior's density under the model exists: draws lie inside the supports.
    one = {name: value[:1] for name, value in drawn.items()}
    for value in template.log_prob(one, incomplete_zeros(data)).values():
        assert bool(torch.isfinite(value).all())


def incomplete_zeros(data):
    missing = incomplete(data)
    return Observation(missing.values.nan_to_num(0), missing.mask)


def test_networks_of_known_labels_are_the_closed_form():
    """Means of the exact joint Gaussian; variances one over the diagonal of its precision."""
    n_subjects, n_sessions, n_vertices, n_components = 3, 2, 6, 3
    covariance = long_covariance(n_components)
    model = MSHBM(covariance, 1)
    _, _, _, _, data = simulated(model, (n_subjects, n_sessions, n_vertices))
    start = moments_at(model, torch.zeros(1, n_components).double())
    posterior = fit_reference(model, data, start, n_iterations=400, tolerance=1e-12)
    factors = posterior.factors
    inverse_epsilon, inverse_sigma = (
        float(factors.spreads[level].mean_inverse) for level in ("subject", "session")
    )
    inverse_kappa = float(factors.kappa.mean_inverse)
    n_nodes = 1 + n_subjects + n_subjects * n_sessions
    precision = torch.zeros(n_nodes, n_components, n_nodes, n_components).double()
    linear = torch.zeros(n_nodes, n_components).double()
    unit = torch.eye(n_components).double()
    precision[0, :, 0] += torch.linalg.inv(covariance)

    def link(child, parent, near):
        for a, b, sign in ((child, child, 1), (parent, parent, 1), (child, parent, -1)):
            precision[a, :, b] += sign * near * unit
            if a != b:
                precision[b, :, a] += sign * near * unit

    for s in range(n_subjects):
        link(1 + s, 0, inverse_epsilon)
        for t in range(n_sessions):
            node = 1 + n_subjects + s * n_sessions + t
            link(node, 1 + s, inverse_sigma)
            precision[node, :, node] += n_vertices * inverse_kappa * unit
            linear[node] += inverse_kappa * data.values[0, s, t].sum(0)
    size = n_nodes * n_components
    joint = precision.reshape(size, size)
    mean = torch.linalg.solve(joint, linear.flatten()).reshape(n_nodes, n_components)
    found = torch.cat(
        [posterior.mean(f"{level}_networks").reshape(-1, n_components) for level in LEVELS]
    )
    torch.testing.assert_close(found, mean, rtol=1e-4, atol=1e-5)
    for level, node in zip(LEVELS, (0, 1, 1 + n_subjects), strict=True):
        variance = posterior.variance(level).reshape(-1, n_components)[0]
        axes = posterior.tree.axes
        expected = 1 / (axes.T @ precision[node, :, node] @ axes).diagonal()
        torch.testing.assert_close(variance, expected, rtol=1e-4, atol=0)


def test_the_truth_is_found():
    model = MSHBM(9 * torch.eye(6).double(), 3)
    population, subject, session, label, data = simulated(model, (20, 4, 150))
    posterior = fit_reference(model, data, estimate_moments(data, population, model))
    assert posterior.converged
    # Standard errors: of kappa, a share of 1 / sqrt(2 x 72,000); of sigma, of 360 degrees a
    # network; of epsilon, of 114.
    assert float(posterior.mean("log_kappa").exp()) == pytest.approx(0.4, rel=0.01)
    for name, truth, error in (("log_sigma", 0.2, 0.13), ("log_epsilon", 0.3, 0.25)):
        torch.testing.assert_close(
            posterior.mean(name).exp(), torch.full((3,), truth).double(), rtol=error, atol=0
        )
    # A session's network has 50 vertices, a standard error of 0.06 a coordinate.
    assert float((posterior.mean("session_networks") - session).square().mean().sqrt()) < 0.07
    assert float((posterior.mean("subject_networks") - subject).square().mean().sqrt()) < 0.13
    labels = torch.stack(
        [torch.stack([posterior.responsibilities(s, t) for t in range(4)]) for s in range(20)]
    )
    assert float((labels.argmax(-1) == label).double().mean()) > 0.99
    torch.testing.assert_close(labels.sum(-1), torch.ones(20, 4, 150).double())
    assert posterior.dead == ()


def test_the_engine_s_mean_field_agrees():
    """The same bound by gradients: normal factors of the scales, else the same family."""
    model = MSHBM(torch.eye(3) * 9, 2)
    population, *_, data = simulated(model, (4, 2, 60))
    data = Observation(data.values.float(), data.mask)
    start = estimate_moments(data, population.float(), model)
    posterior = fit_reference(model, data, start)
    template = analyse(model)
    family = MeanField(template, (4, 2, 60), 1, "normal")
    with seeded(0):
        latents, _ = template.simulate((4, 2, 60), 1, start.proposals())
    for name, value in latents.items():
        near = start.networks.expand_as(value) if name.endswith("networks") else value
        family.factors[name] = LinkNormal(template.graph.site(name).link(), near)
    stages = Schedule((Stage("fit", "reverse-kl", 120, 1e-1, ("factors",), n_draws=32),))
    engine = fit(template, family, data=data, schedule=stages, device="cpu")(data)
    names = ("session_networks", "subject_networks", "population_networks", "log_kappa")
    drawn, own = engine.sample(2000), posterior.sample(2000)
    for name in names:
        # Half a posterior deviation, for the noise of the gradients and of 2,000 draws (at most
        # 0.27 at three seeds); a deviation of a session's network is 0.07.
        sd = own[name].std(0)
        gap = (drawn[name].mean(0) - own[name].mean(0)) / sd
        assert float(gap.square().mean().sqrt()) < 0.5, name
        if name != "log_kappa":  # whose deviation is still falling, from a start 25 times as wide
            ratio = (drawn[name].std(0) / sd).log().mean().exp()
            assert float(ratio) == pytest.approx(1, abs=0.2), name


def known_kappa(emission, bounds):
    """A kappa that is certain, and the concentration or 1 / kappa^2 that it is."""
    if emission == VMF:
        return Concentration(torch.tensor(30.0).double().log(), torch.tensor(1e-9), bounds), 30.0
    many = torch.tensor(1e9).double()
    return TruncatedInverseGamma(many, many * 0.4**2, bounds), 0.4**-2


@pytest.mark.parametrize("emission", EMISSIONS)
def test_what_labels_hide_is_the_difference_to_the_observed_information(emission):
    """Complete less missing is minus the Hessian of log sum_k p_k^w, in the mean over axes."""
    n_components, weight = 4, 0.7
    model = MSHBM(long_covariance(n_components), 3, emission=emission)
    *_, session, _, data = simulated(model, (1, 1, 25))
    middle = 0.5 * (session[0, 0] + session[0, 0].roll(1, 0))[torch.arange(25) % 3]
    values = middle + 0.1 * data.values
    values = normalize(values, dim=-1) if emission == VMF else values
    data = Observation(values, data.mask)
    log_prior = torch.randn(25, 3, generator=torch.Generator().manual_seed(2)).double()
    cells = Cells.of(model, data, LabelEvidence(weight, log_prior))
    tree = Tree.of(model, cells.present)
    kappa, closeness = known_kappa(emission, model.log_kappa_range)
    vectors = session[0, 0] @ tree.axes
    networks = Gaussian(vectors[None, None], torch.zeros(1, 1, 3, n_components).double())
    weights = torch.ones(3).double()
    found = missing_information(cells, tree, emission_of(model), networks, kappa, weights)[0, 0]

    def density(networks):
        if emission == VMF:
            return closeness * data.values[0, 0, 0] @ normalize(networks, dim=-1).T
        apart = data.values[0, 0, 0].unsqueeze(1) - networks
        return -0.5 * closeness * apart.square().sum(-1)

    def height(networks):
        return torch.logsumexp(weight * density(networks) + log_prior, -1).sum()

    own = session[0, 0]
    observed = -torch.autograd.functional.hessian(height, own).diagonal(dim1=1, dim2=3)
    labels = torch.softmax(weight * density(own) + log_prior, -1)
    each = torch.autograd.functional.hessian(
        lambda networks: -(weight * labels * density(networks)).sum(), own
    )
    complete = each.diagonal(dim1=1, dim2=3)
    expected = (complete - observed).mean(-1)
    assert float(expected.abs().max()) > 1
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("emission", EMISSIONS)
def test_sessions_are_covered_although_labels_are_uncertain(emission):
    """Nine labels in ten are right; a mean field that takes them for known covers too little."""
    settings = ModelSettings("realistic", emission, 8, 2, 7, 14, seed=1)
    cohort = draw_model_cohort(settings, 1_000)
    model, truth = model_of(settings), torch.tensor(cohort.networks["session"])
    data = Observation.complete(torch.tensor(cohort.coordinates).double().unsqueeze(0))
    start = estimate_moments(data, torch.tensor(cohort.networks["population"]), model)
    posterior = fit_reference(model, data, start)
    factor = posterior.factors.networks["session"]
    drawn = posterior.sample(400)["session_networks"]
    with seeded(0):
        noise = torch.randn(400, *factor.mean.shape).double()
    plain = (factor.mean + factor.variance.sqrt() * noise) @ posterior.tree.axes.T
    if emission == VMF:
        drawn, plain, truth = (normalize(value, dim=-1) for value in (drawn, plain, truth))
    covered = []
    for draws in (drawn, plain):
        share = (draws < truth).double().mean(0)
        covered.append(float(((share > 0.05) & (share < 0.95)).double().mean()))
    # 112 networks of 14 coordinates, if independent: a standard error of 0.008.
    assert 0.86 < covered[0] < 0.94
    assert covered[1] < covered[0] - 0.03


def test_variances_are_those_of_the_draws():
    model = MSHBM(long_covariance(4), 3)
    networks, *_, data = simulated(model, (3, 2, 40))
    posterior = fit_reference(model, data, moments_at(model, networks))
    drawn = posterior.sample(4_000)["session_networks"] @ posterior.tree.axes
    ratio = drawn.var(0) / posterior.variance("session")
    # 4,000 draws: a standard error of 2.2 % of a variance, and 72 of them.
    torch.testing.assert_close(ratio, torch.ones_like(ratio), rtol=0, atol=0.1)
    alone = fit_reference(
        MSHBM(long_covariance(4), 3, levels="population"), data, moments_at(model, networks)
    )
    drawn = alone.sample(4_000)["population_networks"] @ alone.tree.axes
    ratio = drawn.var(0) / alone.variance("population")
    torch.testing.assert_close(ratio, torch.ones_like(ratio), rtol=0, atol=0.1)


@pytest.mark.parametrize("emission", EMISSIONS)
def test_where_all_is_kept_one_pass_tells_the_labels(emission):
    model = MSHBM(torch.eye(4).double(), 3, levels="population", emission=emission)
    networks, *_, data = simulated(model, (4, 2, 60))
    trained = fit_reference(model, data, moments_at(model, networks))
    new = Observation(data.values[:, :1], data.mask[:, :1])
    found = fit_reference(model, new, trained, keep_population=trained)
    assert len(found.elbo) == 1
    assert found.converged
    torch.testing.assert_close(found.responsibilities(0, 1), trained.responsibilities(0, 1))


@pytest.mark.parametrize("emission", EMISSIONS)
def test_a_training_subject_seen_as_new_has_the_same_networks(emission):
    model = MSHBM(torch.eye(5).double(), 3, emission=emission)
    networks, *_, data = simulated(model, (6, 2, 90))
    trained = fit_reference(model, data, moments_at(model, networks))
    one = Observation(data.values[:, 1:2], data.mask[:, 1:2])
    loaded = ReferencePosterior.from_tensors(model, trained.to_tensors())
    again = fit_reference(model, one, loaded, keep_population=loaded)
    for site in ("population_networks", "log_epsilon", "log_sigma", "log_kappa", "mixture_weights"):
        torch.testing.assert_close(again.mean(site), trained.mean(site), rtol=0, atol=0)
    for site in ("subject_networks", "session_networks"):
        torch.testing.assert_close(again.mean(site)[0], trained.mean(site)[1], rtol=0, atol=0.01)


def test_directions_and_concentration_are_found():
    model = MSHBM(torch.eye(3).double(), 3, emission=VMF)
    population, subject, session, _, data = simulated(model, (20, 3, 200))
    posterior = fit_reference(model, data, estimate_moments(data, population, model))
    # 12,000 vectors of two degrees: a standard error of 0.9 %.
    assert float(posterior.mean("log_kappa").exp()) == pytest.approx(30, rel=0.03)
    for site, truth in (("session_networks", session), ("subject_networks", subject)):
        cosine = (normalize(posterior.mean(site), dim=-1) * normalize(truth, dim=-1)).sum(-1)
        assert float(cosine.mean()) > 0.998
    # Lengths are those of the prior, of which spreads are shares.
    length = posterior.mean("population_networks").norm(dim=-1)
    torch.testing.assert_close(length, torch.ones(3).double(), rtol=0.15, atol=0)
    shares = posterior.mean("log_epsilon").exp() / length
    torch.testing.assert_close(shares, torch.full((3,), 0.1).double(), rtol=0.35, atol=0)


def test_a_population_of_directions_is_a_mixture_of_von_mises_fisher():
    model = MSHBM(torch.eye(4).double(), 3, levels="population", emission=VMF)
    networks, *_, data = simulated(model, (1, 1, 3000))
    start = moments_at(model, normalize(networks + 0.3, dim=-1))
    labels = LabelEvidence(log_prior=torch.zeros(3000, 3).double())
    posterior = fit_reference(model, data, start, labels=labels, tolerance=1e-12)
    directions, kappa, values = start.networks, torch.tensor(30.0).double(), data.values[0, 0, 0]
    for _ in range(100):
        labels = torch.softmax(kappa * values @ directions.T, -1)
        total = labels.T @ values
        directions = normalize(total, dim=-1)
        kappa = concentration_of((total * directions).sum() / 3000, 4)
    # The spread of a network of 1,000 vectors takes 1.5 / (30 x 950) of its cosines,
    # and so 1.5 / 950 of kappa.
    found = normalize(posterior.mean("population_networks"), dim=-1)
    torch.testing.assert_close(found, directions, rtol=0, atol=1e-4)
    assert float(posterior.mean("log_kappa").exp()) == pytest.approx(float(kappa), rel=3e-3)
    torch.testing.assert_close(
        posterior.responsibilities(0, 0),
        torch.softmax(kappa * values @ directions.T, -1),
        rtol=0,
        atol=2e-3,
    )


def test_evidence_is_the_expected_log_density():
    model = MSHBM(torch.eye(4).double(), 3)
    networks, *_, data = simulated(model, (3, 2, 30))
    posterior = fit_reference(model, data, moments_at(model, networks))
    drawn = posterior.sample(4000)
    expected = model.component_log_prob(data.values[0], drawn)[:, 1, 1]
    error = 5 * expected.std(0) / math.sqrt(4000)
    assert bool(((expected.mean(0) - posterior.evidence(1, 1)).abs() < error).all())
    session = drawn["session_networks"]
    mean, sd = posterior.mean("session_networks"), session.std(0)
    assert bool(((session.mean(0) - mean).abs() < 5 * sd / math.sqrt(4000)).all())


def test_the_expected_cosine_of_the_sphere():
    """Its approximation against draws, where the spread is a share of the length."""
    model = MSHBM(torch.eye(14).double(), 3, emission=VMF)
    networks, *_, data = simulated(model, (3, 2, 30))
    posterior = fit_reference(model, data, moments_at(model, networks))
    directions = normalize(posterior.sample(4000)["session_networks"][:, 1, 1], dim=-1)
    kappa = posterior.mean("log_kappa").exp()
    cosines = data.values[0, 1, 1] @ directions.mean(0).T
    found = posterior.evidence(1, 1)
    found = (found - found.mean()) / kappa
    torch.testing.assert_close(found, cosines - cosines.mean(), rtol=0, atol=0.01)


def test_labels_of_half_the_evidence_are_less_sure():
    model = MSHBM(torch.eye(4).double(), 2)
    networks, *_, data = simulated(model, (2, 2, 40))
    start = moments_at(model, networks)
    prior = torch.tensor([0.9, 0.1]).log().double().expand(40, 2)
    strength = torch.ones(2, 2, 40).double()
    strength[:, :, :20] = 0
    labels = LabelEvidence(0.5, prior, strength)
    posterior = fit_reference(model, data, start, labels=labels)
    found = posterior.responsibilities(0, 1)
    torch.testing.assert_close(found[:20], prior[:20].exp())
    expected = torch.softmax(0.5 * posterior.evidence(0, 1) + prior, -1)
    torch.testing.assert_close(found[20:], expected[20:])
    # What has no weight is not read: the same networks without it.
    mask = data.mask.clone()
    mask[..., :20] = False
    without = fit_reference(
        model, Observation(data.values, mask), start, labels=LabelEvidence(0.5, prior)
    )
    torch.testing.assert_close(
        posterior.mean("session_networks"), without.mean("session_networks"), rtol=0, atol=1e-3
    )


def test_what_has_no_data_is_drawn_from_the_model():
    model = MSHBM(torch.eye(4).double(), 2)
    networks, *_, data = simulated(model, (5, 2, 60))
    posterior = fit_reference(model, incomplete(data), moments_at(model, networks))
    drawn = posterior.sample(4000)
    step = drawn["subject_networks"][:, 2] - drawn["population_networks"]
    scaled = step / drawn["log_epsilon"].exp().unsqueeze(-1)
    assert float(scaled.std()) == pytest.approx(1, abs=0.02)
    mean = posterior.mean("subject_networks")
    torch.testing.assert_close(mean[2], posterior.mean("population_networks"))
    assert bool((posterior.evidence(1, 1) == 0).all())
    weights = posterior.responsibilities(1, 1)
    assert float(weights.std(0).max()) < 1e-12
    assert bool((posterior.evidence(0, 0)[:10] == 0).all())


@pytest.mark.parametrize("emission", EMISSIONS)
@pytest.mark.parametrize("kappa", KAPPAS)
@pytest.mark.parametrize("sizes", [(1, 1), (3, 2)], ids=str)
@pytest.mark.parametrize("kind", ["noiseless", "equal"])
def test_little_or_perfect_data_give_finite_answers(emission, kappa, sizes, kind):
    model = MSHBM(torch.eye(4), 3, emission=emission, kappa=kappa)
    label = torch.arange(30) % (2 if kind == "noiseless" else 1)
    values = torch.eye(4)[label].expand(1, *sizes, 30, 4).clone()
    if emission == VMF:
        values[0, 0, 0, :3] = 0  # a profile of zeros has no direction
    data = Observation.complete(values)
    start = estimate_moments(data, torch.eye(3, 4), model)
    posterior = fit_reference(model, data, start, n_iterations=5)
    for name, value in posterior.sample(20).items():
        assert bool(torch.isfinite(value).all()), name
    assert bool(torch.isfinite(posterior.elbo).all())
    assert bool(torch.isfinite(posterior.responsibilities(0, 0)).all())
    if emission == VMF:
        assert bool((posterior.evidence(0, 0)[:3] == 0).all())


@pytest.mark.parametrize("emission", EMISSIONS)
def test_noiseless_profiles_bring_kappa_to_its_bound(emission):
    model = MSHBM(torch.eye(4).double(), 2, emission=emission, log_scale_range=(-4.0, 4.0))
    values = torch.eye(4).double()[torch.arange(400) % 2].expand(1, 4, 2, 400, 4)
    data = Observation.complete(values)
    start = estimate_moments(data, torch.eye(2, 4).double(), model)
    posterior = fit_reference(model, data, start, n_iterations=20)
    bound = -4.0 if emission == "l-normal" else 4.0 + math.log(4)
    assert float(posterior.mean("log_kappa")) == pytest.approx(bound, abs=0.05)


@pytest.mark.parametrize("emission", EMISSIONS)
def test_a_network_that_nothing_belongs_to_is_dead(emission):
    model = MSHBM(torch.eye(6).double(), 3, emission=emission)
    networks, *_, data = simulated(model, (4, 2, 60))
    away = networks.clone()
    away[2] = -10 * networks[:2].sum(0)  # on the far side of all profiles
    start = moments_at(model, away)
    prior = torch.tensor([0.5, 0.5, 1e-9]).log().double().expand(60, 3)
    posterior = fit_reference(
        model, data, start, labels=LabelEvidence(log_prior=prior), n_iterations=20
    )
    assert posterior.dead == (3,)
    population = posterior.mean("population_networks")[2]
    torch.testing.assert_close(
        posterior.mean("session_networks")[..., 2, :], population.expand(4, 2, 6), rtol=0, atol=1e-3
    )
    for value in posterior.sample(5).values():
        assert bool(torch.isfinite(value).all())


@pytest.mark.parametrize("emission", EMISSIONS)
def test_tensors_hold_all_but_the_data(emission):
    model = MSHBM(long_covariance(4), 3, emission=emission, kappa="session")
    networks, *_, data = simulated(model, (3, 2, 30))
    posterior = fit_reference(model, data, moments_at(model, networks), n_iterations=4)
    tensors = posterior.to_tensors()
    again = ReferencePosterior.from_tensors(model, tensors, data)
    for name, value in posterior.sample(3).items():
        torch.testing.assert_close(again.sample(3)[name], value)
    torch.testing.assert_close(again.evidence(1, 0), posterior.evidence(1, 0))
    assert again.dead == posterior.dead
    with pytest.raises(
        DataError, match=r"was loaded without its data\. Give from_tensors the data"
    ):
        ReferencePosterior.from_tensors(model, tensors).evidence(0, 0)
    fewer = MSHBM(long_covariance(4), 2, emission=emission, kappa="session")
    with pytest.raises(
        CheckpointError, match=r"networks of the shape \(3, 4\), the model \(2, 4\)"
    ):
        ReferencePosterior.from_tensors(fewer, tensors)
    del tensors["subject_networks.mean"]
    with pytest.raises(CheckpointError, match=r"lacks 'subject_networks\.mean'\. Give the model"):
        ReferencePosterior.from_tensors(model, tensors)


def test_what_cannot_be_fitted():
    model = MSHBM(torch.eye(4).double(), 3)
    networks, *_, data = simulated(model, (2, 2, 10))
    start = moments_at(model, networks)
    with pytest.raises(DataError, match=r"values of the shape \(2, 2, 10, 4\). Give one cohort"):
        fit_reference(model, Observation(data.values[0], data.mask[0]), start)
    with pytest.raises(DataError, match="profiles have 3 components, the model 4"):
        fit_reference(model, Observation(data.values[..., :3], data.mask), start)
    with pytest.raises(DataError, match="no profile at all"):
        fit_reference(model, Observation(data.values, torch.zeros_like(data.mask)), start)
    with pytest.raises(OptionError, match="0 iterations were asked for"):
        fit_reference(model, data, start, n_iterations=0)
    with pytest.raises(OptionError, match=r"the start has networks of the shape \(2, 4\)"):
        fit_reference(model, data, moments_at(MSHBM(torch.eye(4), 2), networks[:2]))
    other = MSHBM(torch.eye(4).double(), 3, levels=("population", "subject"))
    fitted = fit_reference(other, data, moments_at(other, networks), n_iterations=1)
    with pytest.raises(OptionError, match="the population to keep is of a model with levels"):
        fit_reference(model, data, start, keep_population=fitted)
    with pytest.raises(
        OptionError, match=r"no latent site 'labels'\. Choose one of population_net"
    ):
        fitted.mean("labels")
    with pytest.raises(OptionError, match="0 draws were asked for"):
        fitted.sample(0)


def test_what_labels_cannot_be_drawn_from():
    model = MSHBM(torch.eye(4).double(), 3)
    networks, *_, data = simulated(model, (2, 2, 10))
    start = moments_at(model, networks)
    for wrong in ({"weight": -1.0}, {"strength": torch.full((2, 2, 10), torch.nan)}):
        with pytest.raises(OptionError, match="a weight that is negative or not finite"):
            LabelEvidence(**wrong)
    for name, message in (
        ("log_prior", r"log_prior has the shape \(3, 3\). The cohort takes \(10, 3\)"),
        ("strength", r"strength has the shape \(3, 3\). The cohort takes \(2, 2, 10\)"),
    ):
        with pytest.raises(OptionError, match=message):
            fit_reference(model, data, start, labels=LabelEvidence(**{name: torch.ones(3, 3)}))
