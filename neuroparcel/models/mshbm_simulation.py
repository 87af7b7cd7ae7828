r"""Draw a cohort from the MS-HBM, with scales that mean cosines tell.

Networks are drawn by the model itself, given its scales; labels from the shares of the
networks, the same in all sessions of a subject; profiles around the networks of the labels.

A Gaussian step of the standard deviation s from a vector of length r in D dimensions leaves
the direction, in the mean, a cosine of (Mardia and Jupp 2000, section 9.3.3)

.. math:: \frac{\Gamma((D + 1) / 2)}{\Gamma(D / 2 + 1)} \sqrt{x} \,
          {}_1F_1(\tfrac12; \tfrac{D}{2} + 1; -x), \qquad x = r^2 / (2 s^2),

and a von Mises-Fisher draw one of :math:`A_D(\kappa)`. Both are solved for the scale.

References
----------
Mardia and Jupp, Directional Statistics, 2000.
"""

from __future__ import annotations

import math

import numpy as np
import pyro
import torch
from pyro import poutine
from scipy.optimize import brentq
from scipy.special import gammaln, hyp1f1
from torch import Tensor

from neuroparcel.brain.model_cohort import (
    AGREEMENT,
    SHARE_CONCENTRATION,
    ModelCohort,
    ModelSettings,
)
from neuroparcel.distributions.von_mises_fisher import concentration_of, sample_around
from neuroparcel.errors import OptionError
from neuroparcel.graph.trace import seeded
from neuroparcel.models.choices import VON_MISES_FISHER
from neuroparcel.models.mshbm import MSHBM

_LOG_STEPS = (-12.0, 6.0)  # of a step in units of the length, where it is looked for


def draw_model_cohort(settings: ModelSettings, n_vertices: int) -> ModelCohort:
    """Draw a cohort.

    Parameters
    ----------
    settings : ModelSettings
    n_vertices : int
        Vertices of the region.

    Returns
    -------
    ModelCohort
    """
    model = model_of(settings)
    cosines, n_components = settings.cosines, settings.n_components
    # The prior's networks have a length of 1 in the root mean square, and grow from level to
    # level by the steps that they take.
    epsilon = step_of(cosines.subject, n_components)
    length = math.sqrt(1 + n_components * epsilon**2)
    sigma = length * step_of(cosines.session, n_components)
    length = math.sqrt(length**2 + n_components * sigma**2)
    if settings.emission == VON_MISES_FISHER:
        kappa = float(concentration_of(torch.tensor(cosines.profile).double(), n_components))
    else:
        kappa = length * step_of(cosines.profile, n_components)
    with seeded(settings.seed), torch.no_grad():
        networks = _networks(model, settings, epsilon, sigma, kappa)
        concentration = torch.full((settings.n_networks,), SHARE_CONCENTRATION).double()
        shares = torch.distributions.Dirichlet(concentration).sample()
        group, labels = _labels(shares, settings.n_subjects, n_vertices)
        coordinates = _profiles(settings, networks["session"], kappa, labels)
    return ModelCohort(
        settings,
        {level: value.numpy() for level, value in networks.items()},
        epsilon,
        sigma,
        kappa,
        shares.numpy(),
        group.numpy(),
        labels.numpy(),
        coordinates.numpy(),
    )


def bayes_labels(cohort: ModelCohort) -> tuple[Tensor, Tensor]:
    """The best labels there are: their probabilities under the true parameters.

    Networks, scales and shares of the networks are known; the group's labels are not.

    Returns
    -------
    subject : Tensor of float64, shape (subject, vertex, network)
        Given all sessions of the subject.
    session : Tensor of float64, shape (subject, session, vertex, network)
        Given that session.
    """
    latents = {f"{level}_networks": torch.as_tensor(n) for level, n in cohort.networks.items()}
    latents["log_kappa"] = torch.tensor(math.log(cohort.kappa), dtype=torch.float64)
    latents["mixture_weights"] = torch.as_tensor(cohort.shares)
    values = torch.as_tensor(cohort.coordinates).double()
    evidence = model_of(cohort.settings).component_log_prob(values, latents)
    prior = latents["mixture_weights"].log()
    return torch.softmax(evidence.sum(1) + prior, -1), torch.softmax(evidence + prior, -1)


def model_of(settings: ModelSettings) -> MSHBM:
    """The model that a cohort is drawn from: its prior of the population is round."""
    n_components = settings.n_components
    return MSHBM(
        torch.eye(n_components, dtype=torch.float64) / n_components,
        settings.n_networks,
        emission=settings.emission,
    )


def mean_cosine_of(step: float, n_components: int) -> float:
    """Mean cosine with a unit vector after a Gaussian step of this standard deviation."""
    x = 0.5 / step**2
    half = 0.5 * n_components
    factor = math.exp(gammaln(half + 0.5) - gammaln(half + 1)) * math.sqrt(x)
    return float(factor * hyp1f1(0.5, half + 1, -x))


def step_of(cosine: float, n_components: int) -> float:
    """Standard deviation of a step from a unit vector that leaves this mean cosine.

    Raises
    ------
    OptionError
        If the cosine is not between 0 and 1.
    """
    if not 0 < cosine < 1:
        raise OptionError(f"a mean cosine of {cosine} has no step.", "Give one between 0 and 1.")
    found = brentq(
        lambda log_step: mean_cosine_of(math.exp(log_step), n_components) - cosine, *_LOG_STEPS
    )
    return math.exp(found)


def _networks(
    model: MSHBM, settings: ModelSettings, epsilon: float, sigma: float, kappa: float
) -> dict[str, Tensor]:
    """Networks of all levels, drawn by the model given its scales; float64."""
    ones = torch.ones(settings.n_networks, dtype=torch.float64)
    scales = {
        "log_epsilon": math.log(epsilon) * ones,
        "log_sigma": math.log(sigma) * ones,
        "log_kappa": torch.tensor(math.log(kappa)).double(),
    }
    conditioned = pyro.condition(model, data=scales)
    traced = poutine.trace(conditioned).get_trace(None, settings.n_subjects, settings.n_sessions, 1)
    found = {level: traced.nodes[f"{level}_networks"]["value"] for level in model.levels}
    # The model's plates have their own dimensions: subject -3, session -2, vertex -1.
    plates = {"population": (), "subject": (settings.n_subjects,)}
    plates["session"] = (settings.n_subjects, settings.n_sessions)
    return {
        level: value.reshape(*plates[level], *value.shape[-2:]) for level, value in found.items()
    }


def _labels(shares: Tensor, n_subjects: int, n_vertices: int) -> tuple[Tensor, Tensor]:
    """Labels of the group (vertex,), and of subjects, which keep them or draw anew."""
    law = torch.distributions.Categorical(probs=shares)
    group, own = law.sample((n_vertices,)), law.sample((n_subjects, n_vertices))
    keeps = torch.rand(n_subjects, n_vertices) < AGREEMENT
    return group, torch.where(keeps, group, own)


def _profiles(settings: ModelSettings, networks: Tensor, kappa: float, labels: Tensor) -> Tensor:
    """Coordinates (subject, session, vertex, component) around the networks of the labels."""
    n_subjects, n_sessions, _, n_components = networks.shape
    shape = (n_subjects, n_sessions, labels.shape[-1], n_components)
    drawn = torch.empty(shape)
    for subject, session in np.ndindex(n_subjects, n_sessions):
        loc = networks[subject, session][labels[subject]]
        if settings.emission == VON_MISES_FISHER:
            one = sample_around(loc, torch.full(loc.shape[:1], kappa, dtype=torch.float64))
        else:
            one = loc + kappa * torch.randn_like(loc)
        drawn[subject, session] = one.float()
    return drawn
