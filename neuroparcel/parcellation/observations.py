"""From a cohort of profiles to the tensors of an observed site, and to anchors."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from neuroparcel.brain.clustering import spherical_kmeans
from neuroparcel.brain.connectome import Cohort
from neuroparcel.brain.reduction import Reduction
from neuroparcel.graph.observation import Observation


def observe(
    cohort: Cohort, reduction: Reduction, device: torch.device | str = "cpu"
) -> Observation:
    """Link coordinates of a cohort, shape (1, subject, session, vertex, component)."""
    coordinates = np.zeros((*cohort.valid.shape, reduction.n_components), np.float32)
    coordinates[cohort.valid] = reduction.transform(cohort.profiles[cohort.valid])
    values = torch.from_numpy(coordinates).unsqueeze(0)
    return Observation(values, torch.from_numpy(cohort.valid.copy()).unsqueeze(0)).to(device)


def kmeans_anchors(
    cohort: Cohort, reduction: Reduction, n_networks: int, seed: int
) -> tuple[Tensor, np.ndarray]:
    """Spherical k-means of the pooled profiles, and its clusters' mean coordinates.

    Returns
    -------
    anchors : Tensor, shape (network, component)
    labels : ndarray of int, shape (subject, session, vertex)
        1 to ``n_networks``; 0 where there is no data.
    """
    profiles = cohort.profiles[cohort.valid]
    vertex = np.broadcast_to(np.arange(cohort.n_vertices), cohort.valid.shape)[cohort.valid]
    clusters, _ = spherical_kmeans(profiles, n_networks, seed, position=vertex)
    coordinates = reduction.transform(profiles)
    anchors = np.stack([coordinates[clusters == k].mean(0) for k in range(n_networks)])
    labels = np.zeros(cohort.valid.shape, np.int32)
    labels[cohort.valid] = clusters + 1
    return torch.from_numpy(anchors.astype(np.float32)), labels


def nearest_anchor(data: Observation, anchors: np.ndarray) -> np.ndarray:
    """Number of the nearest anchor of each vertex, from 1; 0 where there is no data.

    Returns
    -------
    ndarray of int, shape (subject, session, vertex)
    """
    centres = torch.as_tensor(anchors, dtype=data.values.dtype, device=data.values.device)
    nearest = torch.cdist(data.values[0].flatten(0, 1), centres).argmin(-1) + 1
    labels = torch.where(data.mask[0], nearest.reshape(data.mask[0].shape), 0)
    return np.asarray(labels.cpu().numpy())
