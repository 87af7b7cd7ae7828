"""Models that are fine alone and wrong in a batch are found out."""

from __future__ import annotations

import pyro
import pytest
import torch
from pyro import distributions as dist

from neuroparcel.errors import NotPyramidalError
from neuroparcel.graph import analyse
from neuroparcel.graph.batching import check_batches
from neuroparcel.graph.template import ModelTemplate
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.toys import gaussian_random_effects


def weights():
    return pyro.sample("w", dist.Normal(torch.zeros(2), 1.0).to_event(1))


def observe(mean, x, n):
    with pyro.plate("row", n, dim=-1):
        pyro.sample("x", dist.Normal(mean, 1.0), obs=x)


def counted_from_the_left(x=None, n=4):
    observe(weights()[0], x, n)


def summed_over_everything(x=None, n=4):
    observe(weights().sum(), x, n)


def a_number(x=None, n=4):
    observe(float(weights()[..., 0]), x, n)


def a_constant_of_the_wrong_length(x=None, n=4):
    w = weights()
    scale = torch.ones(5 if w.dim() > 1 else 1)
    observe(w.sum(-1) * scale, x, n)


def unbroadcast_prior(x=None, n=4):
    a = pyro.sample("a", dist.Normal(0.0, 1.0))
    b = pyro.sample("b", dist.Normal(a.mean(), 1.0))
    observe(b, x, n)


def built(model) -> ModelTemplate:
    """The template as it is before the check."""
    return ModelTemplate(model, analyse(right).graph)


def right(x=None, n=4):
    observe(weights()[..., 0], x, n)


@pytest.mark.parametrize(
    "model", [gaussian_random_effects, MSHBM(torch.eye(5), 3), right], ids=["re", "mshbm", "right"]
)
def test_models_written_from_the_right_pass(model):
    check_batches(analyse(model))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            counted_from_the_left,
            r"several data sets at once \(site 'x'\): Shape mismatch.*from the right",
        ),
        (summed_over_everything, r"site 'x' has the shape \(3,\) for a batch of.*w.sum\(-1\)"),
        (a_number, r"several data sets at once: .*scalar.*tensors as tensors"),
        (a_constant_of_the_wrong_length, r"several data sets at once \(site 'x'\): Shape mismatch"),
    ],
)
def test_others_are_refused_with_the_site_or_the_reason(model, message):
    with pytest.raises(NotPyramidalError, match=f"(?i){message}"):
        check_batches(built(model))


def test_a_prior_that_mixes_the_batch_is_found():
    def two(x=None, n=4):
        a = pyro.sample("a", dist.Normal(0.0, 1.0))
        observe(pyro.sample("b", dist.Normal(a, 1.0)), x, n)

    template = ModelTemplate(unbroadcast_prior, analyse(two).graph)
    with pytest.raises(NotPyramidalError, match="density of site 'b' in one data set"):
        check_batches(template)


def test_a_density_of_the_wrong_shape_is_found():
    class Short(dist.Normal):
        """Forgets the draws."""

        def log_prob(self, value):
            return super().log_prob(value)[-1:]

    def model(x=None, n=4):
        w = weights()
        with pyro.plate("row", n, dim=-1):
            pyro.sample("x", Short(w[..., 0], 1.0), obs=x)

    with pytest.raises(NotPyramidalError, match=r"site 'x' has the shape \(1, 3\) for a batch of"):
        check_batches(built(model))
