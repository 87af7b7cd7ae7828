r"""Soft labels from the networks of a cohort.

In the paper's model, given a session's networks :math:`m_l`, the scale :math:`\kappa` and the
weights :math:`\pi`, a vertex with link coordinates :math:`y` belongs to network ``l`` with

.. math:: p(l \mid y) \propto \pi_l \exp(-\|y - m_l\|^2 / (2 \kappa^2)),

and a label is the posterior mean of that. (ADAVI's eq. E.13 leaves out the
factor :math:`1 / (2 \kappa^2)`; eq. E.14 is the rest.) With a label model
(:mod:`.label_model`) the expected evidence is weighted, and the prior is the vertex's own.
Without data there is no evidence, and the label is the prior.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.identity import Identity
from neuroparcel.brain.parcellation import CohortParcellation
from neuroparcel.errors import OptionError
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.parcellation.label_model import LabelModel
from neuroparcel.parcellation.networks import CohortNetworks

EVIDENCE = ("mean", "product")
_N_DRAWS = 64


def soft_labels(
    networks: CohortNetworks,
    model: MSHBM,
    labels: LabelModel | None = None,
    *,
    strength: Tensor | None = None,
    evidence: str = "mean",
    n_draws: int = _N_DRAWS,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Label probabilities at the three levels, where there are data: what can be judged.

    Parameters
    ----------
    networks : CohortNetworks
    model : MSHBM
        That they are the networks of.
    labels : LabelModel, optional
        By default the paper's: global mixture weights, evidence at its face value.
    strength : Tensor, shape (subject, session, vertex), optional
        Signal strength, for a label model.
    evidence : {"mean", "product"}
        How a subject's sessions become its label: the mean of the sessions'
        labels, or the product of their evidence (one label a vertex, as in Kong
        et al. 2019).
    n_draws : int
        Posterior draws to average over, without a label model.
    seed : int

    Returns
    -------
    population : ndarray, shape (vertex, network)
        Mean over subjects.
    subject : ndarray, shape (subject, vertex, network)
    session : ndarray, shape (subject, session, vertex, network)
        NaN where there is no data, at every level.
    """
    levels = _levels(networks, model, labels, strength, evidence, n_draws, seed)
    mask = networks.data.mask[0].cpu().numpy()
    for level, data in zip(levels, (mask.any((0, 1)), mask.any(1), mask), strict=True):
        level[~data] = np.nan
    return levels


def parcellate(
    networks: CohortNetworks,
    model: MSHBM,
    axis: BrainAxis,
    subjects: Sequence[str],
    sessions: Sequence[str],
    labels: LabelModel | None = None,
    *,
    identity: Identity | None = None,
    strength: Tensor | None = None,
    evidence: str = "mean",
    seed: int = 0,
) -> CohortParcellation:
    """Soft labels of a cohort, with their axis and names: the noun that is written.

    A vertex without data has the prior in each session that there is (that of the vertex, or
    the mean mixture weights), and the noun says so. A subject's label is made of the sessions
    with data at the vertex, if there are any, and so is the population's.
    """
    population, subject, session = _levels(
        networks, model, labels, strength, evidence, _N_DRAWS, seed
    )
    named = identity or Identity.numbered(model.n_networks)
    return CohortParcellation(
        axis=axis,
        networks=named.networks,
        colours=named.colours,
        subjects=tuple(subjects),
        sessions=tuple(sessions),
        population=population,
        subject=subject,
        session=session,
        data=networks.data.mask[0].cpu().numpy(),
    )


def _levels(
    networks: CohortNetworks,
    model: MSHBM,
    labels: LabelModel | None,
    strength: Tensor | None,
    evidence: str,
    n_draws: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels of population, subjects and sessions; the prior's where there is no data."""
    if evidence not in EVIDENCE:
        raise OptionError(
            f"unknown evidence '{evidence}'.", f"Choose one of {', '.join(EVIDENCE)}."
        )
    if labels is None:
        session, product = _of_draws(networks, model, n_draws, seed)
    else:
        session, product = _of_model(networks, labels, strength)
    mask = networks.data.mask[0]
    present = mask.any(-1)
    session[~present] = torch.nan
    subject = torch.where(present.any(-1)[:, None, None], product, torch.nan)
    if evidence == "mean":
        subject = _mean_where(session.transpose(0, 1), mask.transpose(0, 1))
    population = _mean_where(subject, mask.any(1))
    return tuple(level.cpu().numpy() for level in (population, subject, session))  # type: ignore[return-value]


def _mean_where(labels: Tensor, data: Tensor) -> Tensor:
    """Mean over the first dimension, of labels with data; where there are none, of all labels.

    Parameters
    ----------
    labels : Tensor, shape (part, ..., vertex, network)
        NaN where nothing is known.
    data : Tensor of bool, shape (part, ..., vertex)
    """
    counted = torch.where(data.any(0), data, True)
    return labels.masked_fill(~counted.unsqueeze(-1), torch.nan).nanmean(0)


def _of_draws(
    networks: CohortNetworks, model: MSHBM, n_draws: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Posterior mean labels of sessions, and of subjects by the product of their evidence."""
    values, mask = networks.data.values[0], networks.data.mask[0]
    session = values.new_zeros(*mask.shape, model.n_networks)
    product = values.new_zeros(mask.shape[0], mask.shape[2], model.n_networks)
    draws = networks.sample(n_draws, seed)
    for draw in range(n_draws):
        latents = {site: value[draw] for site, value in draws.items()}
        log_evidence = model.component_log_prob(values, latents) * mask.unsqueeze(-1)
        log_weights = latents["mixture_weights"].log()
        session += torch.softmax(log_evidence + log_weights, -1) / n_draws
        joint = log_evidence.sum(1) + log_weights
        product += torch.softmax(joint, -1) / n_draws
    return session, product


def _of_model(
    networks: CohortNetworks, labels: LabelModel, strength: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Labels of sessions, and of subjects by the sum of their weighted evidence."""
    density = networks.evidence()
    session = torch.zeros_like(density)
    joint = density.new_zeros(density.shape[0], *density.shape[2:])
    for subject, day in networks.data.mask[0].any(-1).nonzero().tolist():
        weight = None if strength is None else strength[subject, day]
        session[subject, day] = labels(density[subject, day], weight)
        joint[subject] += density[subject, day] * (1 if weight is None else weight.unsqueeze(-1))
    return session, torch.stack([labels(one) for one in joint])
