r"""Soft labels from the posterior of an MS-HBM.

Given a session's networks :math:`m_l`, the scale :math:`\kappa` and the weights
:math:`\pi`, a vertex with link coordinates :math:`y` belongs to network ``l`` with

.. math:: p(l \mid y) \propto \pi_l \exp(-\|y - m_l\|^2 / (2 \kappa^2)),

and a label is the posterior mean of that. (ADAVI's eq. E.13 leaves out the
factor :math:`1 / (2 \kappa^2)`; eq. E.14 is the rest.)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import CohortParcellation
from neuroparcel.distributions.mixture import isotropic_log_prob
from neuroparcel.errors import OptionError
from neuroparcel.inference.posterior import Posterior

EVIDENCE = ("mean", "product")
_N_DRAWS = 64


def soft_labels(
    posterior: Posterior, *, evidence: str = "mean", n_draws: int = _N_DRAWS, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Label probabilities at the three levels.

    Parameters
    ----------
    posterior : Posterior
        Of an :class:`~neuroparcel.models.mshbm.MSHBM`.
    evidence : {"mean", "product"}
        How a subject's sessions become its label: the mean of the sessions'
        labels, or the product of their evidence (one label a vertex, as in Kong
        et al. 2019).
    n_draws : int
        Posterior draws to average over.
    seed : int

    Returns
    -------
    population : ndarray, shape (vertex, network)
        Mean over subjects.
    subject : ndarray, shape (subject, vertex, network)
    session : ndarray, shape (subject, session, vertex, network)
        NaN where there is no data, at every level.
    """
    if evidence not in EVIDENCE:
        raise OptionError(
            f"unknown evidence '{evidence}'.", f"Choose one of {', '.join(EVIDENCE)}."
        )
    values, mask = posterior.data.values[0], posterior.data.mask[0]
    n_networks = posterior.template.graph.site("mixture_weights").event_shape[0]
    session = values.new_zeros(*mask.shape, n_networks)
    product = values.new_zeros(mask.shape[0], mask.shape[2], n_networks)
    for draw in _draws(posterior, n_draws, seed):
        log_evidence = isotropic_log_prob(
            values, draw["session_networks"].unsqueeze(-3), draw["log_kappa"].exp()
        )
        log_weights = draw["mixture_weights"].log()
        session += torch.softmax(log_evidence + log_weights, -1) / n_draws
        joint = (log_evidence * mask.unsqueeze(-1)).sum(1) + log_weights
        product += torch.softmax(joint, -1) / n_draws
    session[~mask] = torch.nan
    subject = torch.where(mask.any(1).unsqueeze(-1), product, torch.nan)
    if evidence == "mean":
        subject = session.nanmean(1)
    population = subject.nanmean(0)
    return tuple(level.cpu().numpy() for level in (population, subject, session))  # type: ignore[return-value]


def parcellate(
    posterior: Posterior,
    axis: BrainAxis,
    subjects: Sequence[str],
    sessions: Sequence[str],
    *,
    evidence: str = "mean",
    seed: int = 0,
) -> CohortParcellation:
    """Soft labels of a posterior, with their axis and names: the noun that is written."""
    population, subject, session = soft_labels(posterior, evidence=evidence, seed=seed)
    return CohortParcellation(
        axis=axis,
        networks=tuple(f"Network{i + 1}" for i in range(population.shape[-1])),
        subjects=tuple(subjects),
        sessions=tuple(sessions),
        population=population,
        subject=subject,
        session=session,
    )


def _draws(posterior: Posterior, n_draws: int, seed: int) -> list[dict[str, Tensor]]:
    names = ("session_networks", "log_kappa", "mixture_weights")
    sample = posterior.sample(n_draws, seed)
    return [{name: sample[name][i] for name in names} for i in range(n_draws)]
