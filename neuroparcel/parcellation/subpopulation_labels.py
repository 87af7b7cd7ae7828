"""Soft labels of sub-populations, and how far their subjects and sessions are from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from neuroparcel.distributions.mixture import NaturalForm
from neuroparcel.errors import OptionError
from neuroparcel.graph.observation import Observation
from neuroparcel.parcellation.group_prior import vertex_prior
from neuroparcel.parcellation.label_model import LabelModel
from neuroparcel.parcellation.subpopulations import NetworksOfMany, Source
from neuroparcel.types import BoolArray, FloatArray, IntArray

PRIORS = ("own", "trained")
_CHUNK_VALUES = 2**22  # floats of the sub-populations that are labelled together: 16 MB
_N_PRIOR_STEPS = 20  # of a sub-population's prior and its labels, in turns
_HIDDEN = 128  # activations for each draw of a network, about


@dataclass(frozen=True, eq=False)
class SubPopulationLabels:
    """Labels of some sub-populations.

    Attributes
    ----------
    population : (sub-population, vertex, network) array of float32
        Mean over members of their sessions' mean soft labels.
    data : (sub-population, vertex) array of bool
        Where any member has data.
    subject_part : (sub-population, vertex) array of float32
        Mean over members of the squared distance of their labels from the population's, summed
        over networks.
    session_part : (sub-population, vertex) array of float32
        Mean over members and their sessions of the squared distance from the member's labels;
        NaN where labels are of a single session, and the subject part has both.
    networks : (sub-population, network, component) array of float32
        Posterior means of the topmost networks.
    """

    population: FloatArray
    data: BoolArray
    subject_part: FloatArray
    session_part: FloatArray
    networks: FloatArray


@dataclass(frozen=True, eq=False)
class Labeller:
    """What labels the sub-populations of a cohort.

    Parameters
    ----------
    source : Source
        Of their networks.
    labels : LabelModel, optional
        By default the paper's.
    prior : {"own", "trained"}
        Where the labels have a prior at each vertex: learnt anew from each sub-population, as a
        fit to it would, or that of the label model, which knows the whole training cohort.

    Raises
    ------
    OptionError
        If there is no such prior.
    """

    source: Source
    labels: LabelModel | None = None
    prior: str = "own"

    def __post_init__(self) -> None:
        if self.prior not in PRIORS:
            raise OptionError(f"--prior is '{self.prior}'.", f"Choose one of {', '.join(PRIORS)}.")

    def chunks(self, index: IntArray) -> Iterator[SubPopulationLabels]:
        """Labels of sub-populations, as many at a time as memory is meant to hold.

        Parameters
        ----------
        index : (sub-population, size) array of int
            Numbers of the members.
        """
        n_together = self.source.n_together or self._n_together(index.shape[1])
        for start in range(0, len(index), n_together):
            yield self(index[start : start + n_together])

    @torch.no_grad()
    def __call__(self, index: IntArray) -> SubPopulationLabels:
        """Labels of sub-populations, all at once."""
        members = torch.from_numpy(np.asarray(index, dtype=np.int64))
        members = members.to(self.source.data.values.device)
        networks = self.source(members)
        data = networks.data
        strength = None if self.source.strength is None else self.source.strength[members]
        sessions = self._of_sessions(networks, data, strength)
        return _summary(sessions, data.mask, networks.topmost())

    def _of_sessions(
        self, networks: NetworksOfMany, data: Observation, strength: Tensor | None
    ) -> Tensor:
        """Soft labels (sub-population, member, session, vertex, network)."""
        if self.labels is None:
            return _of_draws(networks, data, self.source)
        evidence, labels = networks.evidence(), self.labels
        if self.prior == "own":
            prior = own_prior(labels, evidence, data.mask, strength)
            labels = replace(labels, prior=prior[:, None, None])
        return labels(evidence, strength)

    def _n_together(self, size: int) -> int:
        n_sessions, n_vertices, n_components = self.source.data.values.shape[2:]
        n_networks = self.source.model.n_networks
        of_profiles = n_vertices * (n_components + 4 * n_networks)
        of_draws = self.source.n_draws * n_networks * (n_components + _HIDDEN)
        return max(1, _CHUNK_VALUES // (size * n_sessions * (of_profiles + of_draws)))


def _of_draws(networks: NetworksOfMany, data: Observation, source: Source) -> Tensor:
    """The paper's labels: their mean over draws of networks, scales and weights.

    One matrix product a draw gives evidence and weights together, vertex by vertex in memory.
    """
    latents, mask = networks.latents, data.mask.unsqueeze(-1)
    density = source.model.mixture(latents).natural().coefficients[..., 0, :, :]
    log_weights = latents["mixture_weights"].log()[:, :, None, None, :, None]
    rows = torch.cat([density, log_weights.expand(*density.shape[:-1], 1)], -1)
    # What has no data has the weights alone.
    features = [NaturalForm.features(data.values) * mask, torch.ones_like(data.values[..., :1])]
    columns = torch.cat(features, -1).transpose(-1, -2).contiguous()
    total = columns.new_zeros(*columns.shape[:-2], rows.shape[-2], columns.shape[-1])
    for draw in rows:
        total += torch.softmax(draw @ columns, -2)
    return total.div_(len(rows)).transpose(-1, -2)


def own_prior(
    labels: LabelModel, evidence: Tensor, mask: Tensor, strength: Tensor | None = None
) -> Tensor:
    """The group prior of each sub-population.

    As a fit learns it, with the weights that are known: labels under the prior, and the prior as
    the mean of the labels, in turns. They start without a prior.

    Parameters
    ----------
    labels : LabelModel
        Whose prior is not used.
    evidence : Tensor, shape (sub-population, member, session, vertex, network)
    mask : Tensor of bool, shape (sub-population, member, session, vertex)
    strength : Tensor, of the mask's shape, optional

    Returns
    -------
    Tensor, shape (sub-population, vertex, network)
    """
    weighted = labels.evidence_weight * evidence
    if strength is not None:
        weighted = weighted * strength.to(evidence).unsqueeze(-1)
    share = _session_shares(mask).unsqueeze(-1)
    # What has no data gets labels too, which do not count.
    prior = torch.full_like(evidence[:, 0, 0], 1 / evidence.shape[-1])
    for _ in range(_N_PRIOR_STEPS):
        log_prior = labels.prior_weight * prior.log()
        found = torch.softmax(weighted + log_prior[:, None, None], -1)
        prior = vertex_prior(found.mul_(share).sum((1, 2)), labels.neighbours)
    return prior


def _session_shares(mask: Tensor) -> Tensor:
    """Weight of each session in its subject's mean, zero without data; of the mask's shape."""
    return mask / mask.sum(2, keepdim=True).clamp_min(1)


def _summary(sessions: Tensor, mask: Tensor, networks: Tensor) -> SubPopulationLabels:
    """Means over sessions and members, and the squared distances from them."""
    present = mask.any(-1, keepdim=True)
    subject, of_sessions = _mean_where(sessions, mask, present, 2)
    there = mask.any(2)
    population, of_subjects = _mean_where(subject, there, present.any(2), 1)
    apart = (subject - population.unsqueeze(1)).square().sum(-1)
    within = (sessions - subject.unsqueeze(2)).square().sum(-1)
    if sessions.shape[2] == 1:  # which is then the subject, as far as anyone can tell
        within = torch.full_like(within, torch.nan)
    return SubPopulationLabels(
        population=_numpy(population),
        data=there.any(1).cpu().numpy(),
        subject_part=_numpy((of_subjects * apart).sum(1)),
        session_part=_numpy((of_subjects * (of_sessions * within).sum(2)).sum(1)),
        networks=_numpy(networks),
    )


def _mean_where(labels: Tensor, data: Tensor, present: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Mean labels over a dimension, and the weights of that mean.

    Of those with data at the vertex; where there are none, of all that are present.

    Parameters
    ----------
    labels : Tensor, shape (sub-population, ..., vertex, network)
    data : Tensor of bool, shape (sub-population, ..., vertex)
    present : Tensor of bool, shape (sub-population, ..., 1)
    """
    counted = torch.where(data.any(dim, keepdim=True), data, present)
    weights = counted / counted.sum(dim, keepdim=True).clamp_min(1)
    return (labels * weights.unsqueeze(-1)).sum(dim), weights


def _numpy(tensor: Tensor) -> FloatArray:
    return np.asarray(tensor.to(torch.float32).cpu().numpy())
