"""Predictive density of vertices that the posterior did not see, against k-means."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from neuroparcel.distributions.mixture import GaussianMixture, LocationMixture
from neuroparcel.distributions.vmf_mixture import VonMisesFisherMixture
from neuroparcel.distributions.von_mises_fisher import concentration_of
from neuroparcel.graph.observation import Observation
from neuroparcel.graph.trace import seeded
from neuroparcel.models.choices import L_NORMAL
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.parcellation.label_model import LabelModel
from neuroparcel.parcellation.networks import CohortNetworks, TrainedNetworks
from neuroparcel.parcellation.observed_cohort import together

_SHARE = 0.2
_N_DRAWS = 32
_LEAST_SCALE = 1e-6  # of coordinates of about unit size: rounding; clusters may be points


@dataclass(frozen=True)
class HeldOutDensity:
    """Mean log density of held-out vertices, in nats a vertex; higher is better.

    Attributes
    ----------
    model : float
        Under the posterior given the other vertices.
    kmeans : float
        Under one mixture, of the model's emission, around the pooled k-means clusters.
    session_kmeans : float
        Under a mixture for each session by itself, around k-means clusters of its own
        that start at the pooled ones: no sharing between subjects or sessions, and no
        correspondence of networks beyond that start.
    """

    model: float
    kmeans: float
    session_kmeans: float

    @property
    def gain(self) -> float:
        """Nats a vertex by which the model predicts better than pooled k-means."""
        return self.model - self.kmeans


def heldout_density(
    networks: TrainedNetworks,
    data: Observation,
    clusters: np.ndarray,
    strength: Tensor | None = None,
    labels: LabelModel | None = None,
    seed: int = 0,
) -> HeldOutDensity:
    """Hold out a fifth of each session's vertices and predict them from the others.

    The held-out vertices are hidden from the inference of subject and session
    networks; training has seen them, and so has the population that is kept.

    Parameters
    ----------
    networks : TrainedNetworks
    data : Observation, (1, subject, session, vertex, component)
    clusters : ndarray of int, shape (subject, session, vertex)
        K-means labels from 1; 0 where there is no data.
    strength : Tensor, shape (subject, session, vertex), optional
    labels : LabelModel, optional
        Whose vertex-wise prior takes the place of the mixture weights; training has seen the
        held-out vertices for it, too.
    seed : int
    """
    with seeded(seed):
        hidden = (torch.rand(data.mask.shape) < _SHARE).to(data.mask.device) & data.mask
    seen = Observation(data.values, data.mask & ~hidden)
    densities = []
    for rows in together(data):
        known = Observation(seen.values[:, rows], seen.mask[:, rows])
        own = None if strength is None else strength[rows]
        found = networks(known, own)
        densities.append(_predictive(found, networks.model, hidden[0, rows], labels, seed))
    values = data.values[0][hidden[0]]
    label = torch.as_tensor(clusters, device=values.device).long()[None] - 1
    n_clusters = networks.model.n_networks
    is_gaussian = networks.model.emission == L_NORMAL
    fit_mixture = _gaussian_mixture if is_gaussian else _directional_mixture
    pooled = fit_mixture(data.values[seen.mask], label[seen.mask], n_clusters)
    return HeldOutDensity(
        model=float(torch.cat(densities).mean()),
        kmeans=float(pooled.log_prob(values).mean()),
        session_kmeans=_session_kmeans(seen, hidden, pooled.locs, fit_mixture),
    )


def _predictive(
    networks: CohortNetworks, model: MSHBM, hidden: Tensor, labels: LabelModel | None, seed: int
) -> Tensor:
    """Log density of the hidden profiles (subject, session, vertex), averaged over draws."""
    draws = networks.sample(_N_DRAWS, seed)
    latents = ({site: value[i] for site, value in draws.items()} for i in range(_N_DRAWS))
    log_prior = None if labels is None else labels.prior.log()
    values = networks.data.values[0]
    densities = [_log_prob(model, one, values, log_prior)[hidden] for one in latents]
    return torch.logsumexp(torch.stack(densities), 0) - math.log(_N_DRAWS)


def _log_prob(
    model: MSHBM, latents: dict[str, Tensor], values: Tensor, log_prior: Tensor | None
) -> Tensor:
    """Log density of profiles (subject, session, vertex), with a prior of their own or none."""
    if log_prior is None:
        return model.mixture(latents).log_prob(values)
    return torch.logsumexp(model.component_log_prob(values, latents) + log_prior, -1)


_FitMixture: TypeAlias = Callable[[Tensor, Tensor, int], LocationMixture]


def _session_kmeans(
    seen: Observation, hidden: Tensor, centres: Tensor, fit_mixture: _FitMixture
) -> float:
    from sklearn.cluster import KMeans

    start = centres.cpu().numpy()
    densities = []
    for subject, session in seen.mask_at(1)[0].nonzero().tolist():
        values = seen.values[0, subject, session].cpu()
        known, unknown = seen.mask[0, subject, session], hidden[0, subject, session]
        if int(known.sum()) < len(start):
            continue
        fit = KMeans(len(start), init=start, n_init=1).fit(values[known.cpu()].numpy())
        label = torch.from_numpy(fit.labels_).long()
        mixture = fit_mixture(values[known.cpu()], label, len(start))
        densities.append(mixture.log_prob(values[unknown.cpu()]))
    return float(torch.cat(densities).mean()) if densities else math.nan


def _gaussian_mixture(values: Tensor, label: Tensor, n_clusters: int) -> LocationMixture:
    """Mixture of clusters: their means and shares, one scale."""
    centres, weights = _centres_and_weights(values, label, n_clusters)
    scale = (values - centres[label]).square().mean().sqrt().clamp_min(_LEAST_SCALE)
    return GaussianMixture(weights, centres, scale, validate_args=False)


def _directional_mixture(values: Tensor, label: Tensor, n_clusters: int) -> LocationMixture:
    """Mixture of clusters: their mean directions and shares, one concentration."""
    centres, weights = _centres_and_weights(values, label, n_clusters)
    directions = torch.nn.functional.normalize(centres, dim=-1)
    length = (values * directions[label]).sum(-1).mean().clamp(0, 1)
    concentration = concentration_of(length, values.shape[-1])
    return VonMisesFisherMixture(weights, directions, concentration, validate_args=False)


def _centres_and_weights(values: Tensor, label: Tensor, n_clusters: int) -> tuple[Tensor, Tensor]:
    count = torch.bincount(label, minlength=n_clusters).to(values)
    sums = torch.stack([values[label == k].sum(0) for k in range(n_clusters)])
    centres = sums / count.clamp_min(1).unsqueeze(-1)
    return centres, (count + 1) / (count + 1).sum()
