"""Predictive density of vertices that the posterior did not see, against k-means."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
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
    """

    model: float
    kmeans: float

    @property
    def gain(self) -> float:
        """Nats a vertex by which the model predicts better."""
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

    The held-out vertices are hidden from the inference of networks; the weights
    of the family may have seen them in training, as k-means has in clustering.

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
    densities = torch.stack(
        [_mixture(sample, draw).log_prob(data.values[0])[hidden[0]] for draw in range(_N_DRAWS)]
    )
    model = (torch.logsumexp(densities, 0) - math.log(_N_DRAWS)).mean()
    return HeldOutDensity(float(model), float(_kmeans_density(data, hidden, clusters)))


def _mixture(sample: dict[str, Tensor], draw: int) -> GaussianMixture:
    return GaussianMixture(
        sample["mixture_weights"][draw],
        sample["session_networks"][draw].unsqueeze(-3),
        sample["log_kappa"][draw].exp(),
        validate_args=False,
    )


def _kmeans_density(data: Observation, hidden: Tensor, clusters: np.ndarray) -> Tensor:
    seen = (data.mask & ~hidden)[0]
    label = torch.as_tensor(clusters, device=seen.device)[seen].long() - 1
    values = data.values[0][seen]
    one_hot = torch.nn.functional.one_hot(label, int(clusters.max())).to(values)
    count = one_hot.sum(0)
    centres = (one_hot.T @ values) / count.clamp_min(1).unsqueeze(-1)
    scale = (values - centres[label]).square().mean().sqrt()
    weights = (count + 1) / (count + 1).sum()
    mixture = GaussianMixture(weights, centres, scale, validate_args=False)
    return mixture.log_prob(data.values[0][hidden[0]]).mean()
