"""Predictive density of vertices that the posterior did not see, against k-means."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.cluster import KMeans
from torch import Tensor

from neuroparcel.distributions.mixture import GaussianMixture
from neuroparcel.graph.observation import Observation
from neuroparcel.graph.trace import seeded
from neuroparcel.inference.posterior import AmortizedPosterior
from neuroparcel.nets.hierarchical_encoder import Encoding

_SHARE = 0.2
_N_DRAWS = 32


@dataclass(frozen=True)
class HeldOutDensity:
    """Mean log density of held-out vertices, in nats a vertex; higher is better.

    Attributes
    ----------
    model : float
        Under the posterior given the other vertices.
    kmeans : float
        Under one Gaussian mixture around the pooled k-means clusters.
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
    posterior: AmortizedPosterior,
    data: Observation,
    clusters: np.ndarray,
    *,
    population: Encoding | None = None,
    seed: int = 0,
) -> HeldOutDensity:
    """Hold out a fifth of each session's vertices and predict them from the others.

    The held-out vertices are hidden from the inference of subject and session
    networks; training has seen them, and so has a kept ``population``.

    Parameters
    ----------
    posterior : AmortizedPosterior
    data : Observation, (1, subject, session, vertex, component)
    clusters : ndarray of int, shape (subject, session, vertex)
        K-means labels from 1; 0 where there is no data.
    population : Encoding, optional
        Kept population, as in :meth:`AmortizedPosterior.__call__`.
    seed : int
    """
    with seeded(seed):
        hidden = (torch.rand(data.mask.shape) < _SHARE).to(data.mask.device) & data.mask
    seen = Observation(data.values, data.mask & ~hidden)
    sample = posterior(seen, population).sample(_N_DRAWS, seed)
    values = data.values[0][hidden[0]]
    densities = torch.stack(
        [_mixture(sample, i).log_prob(data.values[0])[hidden[0]] for i in range(_N_DRAWS)]
    )
    model = (torch.logsumexp(densities, 0) - math.log(_N_DRAWS)).mean()
    label = torch.as_tensor(clusters, device=values.device).long()[None] - 1
    pooled = _fit_mixture(data.values[seen.mask], label[seen.mask], int(clusters.max()))
    return HeldOutDensity(
        model=float(model),
        kmeans=float(pooled.log_prob(values).mean()),
        session_kmeans=_session_kmeans(seen, hidden, pooled.locs),
    )


def _session_kmeans(seen: Observation, hidden: Tensor, centres: Tensor) -> float:
    start = centres.cpu().numpy()
    densities = []
    for subject, session in seen.mask_at(1)[0].nonzero().tolist():
        values = seen.values[0, subject, session].cpu()
        known, unknown = seen.mask[0, subject, session], hidden[0, subject, session]
        if int(known.sum()) < len(start):
            continue
        fit = KMeans(len(start), init=start, n_init=1).fit(values[known.cpu()].numpy())
        label = torch.from_numpy(fit.labels_).long()
        mixture = _fit_mixture(values[known.cpu()], label, len(start))
        densities.append(mixture.log_prob(values[unknown.cpu()]))
    return float(torch.cat(densities).mean()) if densities else math.nan


def _fit_mixture(values: Tensor, label: Tensor, n_clusters: int) -> GaussianMixture:
    """Gaussian mixture of clusters: their means and shares, one scale."""
    one_hot = torch.nn.functional.one_hot(label, n_clusters).to(values)
    count = one_hot.sum(0)
    centres = (one_hot.T @ values) / count.clamp_min(1).unsqueeze(-1)
    scale = (values - centres[label]).square().mean().sqrt()
    weights = (count + 1) / (count + 1).sum()
    return GaussianMixture(weights, centres, scale, validate_args=False)


def _mixture(sample: dict[str, Tensor], draw: int) -> GaussianMixture:
    return GaussianMixture(
        sample["mixture_weights"][draw],
        sample["session_networks"][draw].unsqueeze(-3),
        sample["log_kappa"][draw].exp(),
        validate_args=False,
    )
