"""Every model that is no pyramid is refused, with its sites and plates and what to do."""

from __future__ import annotations

import pyro
import pytest
import torch
from pyro import distributions as dist
from pyro import poutine

from neuroparcel.errors import NotPyramidalError
from neuroparcel.graph import analyse


def rows(n=4):
    return pyro.plate("row", n, dim=-1)


def observe(z, x=None, n=4):
    with rows(n):
        pyro.sample("x", dist.Normal(z, 1.0), obs=x)


def standard(name="z"):
    return pyro.sample(name, dist.Normal(0.0, 1.0))


def latent_in_the_innermost_plate(x=None, n=5):
    with rows(n):
        pyro.sample("x", dist.Normal(standard(), 1.0), obs=x)


def colliding_plates(x=None, n=4, m=3):
    lines, columns = pyro.plate("row", n, dim=-2), pyro.plate("column", m, dim=-1)
    with lines:
        a = standard("a")
    with columns:
        b = standard("b")
    with lines, columns:
        pyro.sample("x", dist.Normal(a + b, 1.0), obs=x)


def dimensions_inside_out(x=None, n=4, m=3):
    """Without dims Pyro gives -1 to the outer plate."""
    with pyro.plate("group", m):
        z = standard()
        with pyro.plate("row", n):
            pyro.sample("x", dist.Normal(z, 1.0), obs=x)


def plate_of_components(x=None, n=4):
    with pyro.plate("component", 3, dim=-1):
        centres = standard("centres")
    with rows(n):
        pyro.sample("x", dist.Normal(centres.sum(-1), 1.0), obs=x)


def gap_between_plates(x=None, n=3):
    z = standard()
    with pyro.plate("row", n, dim=-2):
        pyro.sample("x", dist.Normal(z, 1.0), obs=x)


def no_plate(x=None):
    pyro.sample("x", dist.Normal(standard(), 1.0), obs=x)


def sequential_plate(x=None, n=3):
    z = standard()
    for i in pyro.plate("row", n):
        pyro.sample(f"x{i}", dist.Normal(z, 1.0))


def subsampled_plate(x=None):
    z = standard()
    with pyro.plate("row", 10, subsample_size=4, dim=-1):
        pyro.sample("x", dist.Normal(z, 1.0), obs=x)


def plate_made_twice(x=None, n=4):
    with pyro.plate("group", 3, dim=-2):
        a = standard("a")
    with pyro.plate("group", 3, dim=-2), rows(n):
        pyro.sample("x", dist.Normal(a, 1.0), obs=x)


def name_used_twice(x=None, n=4):
    standard()
    observe(standard(), x, n)


def discrete_latent(x=None, n=4):
    observe(pyro.sample("k", dist.Bernoulli(0.5)), x, n)


def discrete_assignments(x=None, n=4):
    with rows(n):
        k = pyro.sample("k", dist.Categorical(torch.ones(2)))
        pyro.sample("x", dist.Normal(k.float(), 1.0), obs=x)


def two_observed(x=None, y=None, n=4):
    z = standard()
    with rows(n):
        pyro.sample("x", dist.Normal(z, 1.0), obs=torch.zeros(n))
        pyro.sample("y", dist.Normal(z, 1.0), obs=torch.zeros(n))


def fixed_observation_above(x=None, n=4):
    z = standard()
    pyro.sample("calibration", dist.Normal(z, 1.0), obs=torch.tensor(0.3))
    observe(z, x, n)


def two_data_arguments(x=None, y=None, n=4):
    z = standard()
    with rows(n):
        pyro.sample("x", dist.Normal(z, 1.0), obs=x)
        pyro.sample("y", dist.Normal(z, 1.0), obs=y)


def two_nameless_arguments(a=None, b=None, n=4):
    z = standard()
    with rows(n):
        pyro.sample("x", dist.Normal(z, 1.0), obs=a)
        pyro.sample("y", dist.Normal(z, 1.0), obs=b)


def data_on_two_levels(x=None, z=None, n=4):
    observe(pyro.sample("z", dist.Normal(0.0, 1.0), obs=z), x, n)


def unreached(data=None, n=3):
    """The argument is an object, so that no probe arrives at a site."""
    observe(standard(), None if data is None else data.table, n)


def one_argument_for_two_plates(x=None, n=4):
    with pyro.plate("group", n, dim=-2):
        observe(standard(), x, n)


def correlated(c, x, n):
    with rows(n):
        pyro.sample("x", dist.MultivariateNormal(torch.zeros(2), c), obs=x)


def lkj_outside_plates(x=None, n=4):
    correlated(pyro.sample("c", dist.LKJ(2, torch.tensor(1.0))), x, n)


def lkj_in_a_plate(x=None, m=3, n=4):
    with pyro.plate("group", m, dim=-2):
        correlated(pyro.sample("c", dist.LKJ(2, torch.tensor(1.0))), x, n)


def choice_by_a_value(x=None, n=4):
    z = standard()
    observe(z * (1.0 if z > 0.0 else 3.0), x, n)


def sampler_for_one(x=None, n=4):
    observe(pyro.sample("z", dist.TruncatedPolyaGamma(torch.tensor(1.0))), x, n)


def nameless(data=None, n=3):
    observe(standard(), data, n)


def no_latent(x=None, n=3):
    observe(0.0, x, n)


def required_arguments(x, covariate, n=3):
    observe(standard() * covariate, x, n)


def control_flow(x=None, n=3):
    z = standard()
    if float(z) > 0.0:
        standard("extra")
    observe(z, x, n)


def random_shape(x=None, n=3):
    z = standard()
    size = 2 if float(z) > 0.0 else 3
    w = pyro.sample("w", dist.Normal(torch.zeros(size), 1.0).to_event(1))
    observe(w.sum(-1), x, n)


def random_order(x=None, n=3):
    z = standard()
    names = ("a", "b") if float(z) > 0.0 else ("b", "a")
    observe(sum(standard(name) for name in names), x, n)


def latent_after_the_data(x=None, n=3):
    z = standard()
    with rows(n):
        values = pyro.sample("x", dist.Normal(z, 1.0), obs=x)
    pyro.sample("summary", dist.Normal(values.mean(-1), 1.0))


def latent_after_given_data(x=None, n=3):
    z = standard()
    with rows(n):
        values = pyro.sample("x", dist.Normal(z, 1.0), obs=torch.zeros(n))
    pyro.sample("summary", dist.Normal(values.mean(-1), 1.0))


def improper_prior(x=None, n=3):
    real = dist.constraints.real
    observe(pyro.sample("z", dist.ImproperUniform(real, (), ())), x, n)


class Symmetric(dist.TorchDistribution):
    """A support that no link leads onto."""

    support = dist.constraints.symmetric
    arg_constraints = {}  # noqa: RUF012

    def __init__(self):
        super().__init__(event_shape=(2, 2), validate_args=False)

    def sample(self, sample_shape=()):
        return torch.zeros(2, 2)

    def log_prob(self, value):
        return -value.square().sum((-1, -2))


def support_without_a_link(x=None, n=3):
    observe(pyro.sample("z", Symmetric())[..., 0, 0], x, n)


def support_between_runs(x=None, n=3):
    top = pyro.sample("top", dist.Gamma(2.0, 1.0))
    observe(pyro.sample("z", dist.Uniform(0.0, top)), x, n)


def support_within_a_plate(x=None, n=3):
    with pyro.plate("group", 2, dim=-2):
        z = pyro.sample("z", dist.Uniform(torch.tensor([[0.0], [1.0]]), 2.0))
        observe(z, x, n)


def one_possible_value(x=None, n=3):
    observe(pyro.sample("w", dist.Dirichlet(torch.ones(1))).sum(-1), x, n)


def point_mass(x=None, n=3):
    observe(pyro.sample("z", dist.Delta(torch.tensor(1.0))) + standard("a"), x, n)


def factor(x=None, n=3):
    z = standard()
    pyro.factor("penalty", -z.square())
    observe(z, x, n)


def parameter(x=None, n=3):
    observe(standard() * pyro.param("gain", torch.tensor(2.0)), x, n)


class LearntGain(pyro.nn.PyroModule):
    def __init__(self):
        super().__init__()
        self.gain = pyro.nn.PyroParam(torch.tensor(1.0))

    def forward(self, x=None, n=3):
        observe(standard() * self.gain, x, n)


def scaled(x=None, n=3):
    z = standard()
    with poutine.scale(scale=0.5):
        observe(z, x, n)


def masked(x=None, n=3):
    z = standard()
    with poutine.mask(mask=torch.tensor([True, False, True])):
        observe(z, x, n)


REFUSED = [
    (latent_in_the_innermost_plate, r"'z' stands in the innermost plate 'row'.*Marginalise"),
    (colliding_plates, r"plates collide at site 'b'.*\(column\).*\(row, column\).*larger plate"),
    (dimensions_inside_out, r"collide at site 'z'.*\(group\).*\(row, group\).*innermost plate dim"),
    (plate_of_components, r"at site 'centres'.*plate 'component'.*dimension of the event"),
    (gap_between_plates, r"leave gaps between dimensions: row \(dim -2\).*innermost plate dim=-1"),
    (no_plate, r"'x' stands in no plate.*pyro.plate"),
    (sequential_plate, r"'x0' stands in the sequential plate 'row'.*context manager"),
    (subsampled_plate, r"'x' stands in the plate 'row', which draws 4 of its 10.*Leave subsample"),
    (plate_made_twice, r"name 'group' is used twice.*make a plate once"),
    (name_used_twice, r"name 'z' is used twice.*own name"),
    (discrete_latent, r"'k' is discrete \(Bernoulli\).*Marginalise"),
    (discrete_assignments, r"'k' is discrete \(Categorical\).*Marginalise"),
    (two_observed, r"observes 2 sites: x, y.*one observed site"),
    (fixed_observation_above, r"observes 2 sites: calibration, x.*one observed site"),
    (two_data_arguments, r"observes 2 sites: x, y.*one observed site.*one at a time\.$"),
    (two_nameless_arguments, r"observes 2 sites: x, y.*one observed site"),
    (data_on_two_levels, r"observes 2 sites: z, x.*If the others are latents.*name the data"),
    (unreached, r"cannot tell which of the sites z, x is observed.*Name it"),
    (one_argument_for_two_plates, r"argument 'n' sets the sizes of 2 plates: group, row.*of its"),
    (lkj_outside_plates, r"of site 'c' cannot be repeated over plates.*LKJ.*use LKJCholesky"),
    (lkj_in_a_plate, r"of site 'c' cannot be repeated over plates.*LKJ.*use LKJCholesky"),
    (choice_by_a_value, r"Boolean value of Tensor.*torch\.where\(condition, a, b\)\.$"),
    (
        sampler_for_one,
        r"at once \(site 'z'\): can only concatenate list \(not \"torch.Size\".*list\.$",
    ),
    (no_latent, r"no latent site beside 'x'.*priors"),
    (required_arguments, r"cannot be called without x, covariate.*default None"),
    (control_flow, r"differ in extra.*fixed structure"),
    (random_shape, r"differ in plates, shape or distribution of 'w'.*fixed structure"),
    (random_order, r"differ in the order of their sites.*fixed structure"),
    (latent_after_the_data, r"'summary' depends on the observed site 'x'.*come last"),
    (latent_after_given_data, r"'summary' depends on the observed site 'x'.*come last"),
    (improper_prior, r"'z' has an improper prior.*proper prior"),
    (support_without_a_link, r"'z' has the support Symmetric.*simplex, ordered"),
    (
        support_between_runs,
        r"support of site 'z' \(Uniform\) differs between runs.*shift and scale",
    ),
    (support_within_a_plate, r"support of site 'z' .* differs within its plates.*shift and scale"),
    (one_possible_value, r"'w' has one possible value.*constant"),
    (point_mass, r"'z' is a point mass.*pyro.deterministic"),
    (factor, r"factor 'penalty'.*density of a site"),
    (parameter, r"parameter 'gain' \(pyro.param\).*prior"),
    (LearntGain(), r"parameter 'gain' \(pyro.param\).*prior"),
    (scaled, r"density of site 'x' is scaled.*Take the scale out"),
    (masked, r"site 'x' is masked.*mask of the Observation"),
]


@pytest.mark.parametrize(
    ("model", "message"),
    REFUSED,
    ids=[getattr(model, "__name__", type(model).__name__) for model, _ in REFUSED],
)
def test_what_is_no_pyramid_is_refused_with_its_sites_and_a_way_out(model, message):
    with pytest.raises(NotPyramidalError, match=message):
        analyse(model)


def test_a_second_observed_site_is_refused_where_the_first_is_named():
    with pytest.raises(NotPyramidalError, match=r"observes 2 sites: x, calibration"):
        analyse(fixed_observation_above, observed="x")


def test_an_unknown_observed_site_is_refused():
    with pytest.raises(NotPyramidalError, match=r"no site 'y'.*z, x"):
        analyse(nameless, observed="y")


def test_two_data_arguments_are_refused_where_one_is_named():
    with pytest.raises(NotPyramidalError, match=r"observes 2 sites: x, y"):
        analyse(two_data_arguments, observed="x")


def test_an_error_of_no_known_kind_has_no_tip():
    with pytest.raises(NotPyramidalError) as caught:
        analyse(sampler_for_one)
    assert caught.value.tip == ""


def test_another_missing_implementation_stays_as_it_is():
    def model(x=None, n=3):
        raise NotImplementedError("later")

    with pytest.raises(NotImplementedError, match="later") as caught:
        analyse(model)
    assert not isinstance(caught.value, NotPyramidalError)


def test_a_refusal_leaves_pyro_as_it_was():
    with pytest.raises(NotPyramidalError):
        analyse(factor)
    assert not pyro.poutine.runtime._PYRO_STACK
    assert analyse(nameless, observed="x").graph.observed.name == "x"


def test_an_error_of_the_model_itself_is_not_hidden():
    def model(x=None, n=3):
        observe(torch.zeros(2) @ torch.zeros(3) + standard(), x, n)

    with pytest.raises(RuntimeError, match="inconsistent tensor size"):
        analyse(model)
