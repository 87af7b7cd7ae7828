"""From a cohort of profiles to the tensors of an observed site, and to anchors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from sklearn.cluster import KMeans
from torch import Tensor

from neuroparcel.brain.clustering import spherical_kmeans
from neuroparcel.brain.connectome import Cohort
from neuroparcel.brain.reduction import Reduction
from neuroparcel.graph.observation import Observation

_POOR_SHARE = 0.05  # of a session's vertices, for one k-means cluster


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


def anchor_warnings(
    clusters: np.ndarray, subjects: Sequence[str], sessions: Sequence[str]
) -> tuple[str, ...]:
    """Warn of sessions in which a k-means cluster holds nearly nothing.

    Then the anchors may tell subjects apart, and not networks.

    Parameters
    ----------
    clusters : ndarray of int, shape (subject, session, vertex)
        From 1; 0 where there is no data.
    """
    present = (clusters > 0).sum(-1)
    numbers = range(1, int(clusters.max()) + 1)
    counts = np.stack([(clusters == k).sum(-1) for k in numbers], -1)
    poor = ((counts < _POOR_SHARE * present[..., None]) & (present[..., None] > 0)).any(-1)
    if not poor.any():
        return ()
    row, column = np.argwhere(poor)[0]
    return (
        f"k-means, which the networks are anchored at, gives a network less than "
        f"{_POOR_SHARE:.0%} of the vertices in {poor.sum()} of {(present > 0).sum()} sessions "
        f"(first: {subjects[row]}, {sessions[column]}): the anchors may tell subjects apart "
        "rather than networks; look at the maps, or take more subjects",
    )


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


def reduced_kmeans(data: Observation, n_clusters: int, seed: int) -> np.ndarray:
    """K-means of the pooled link coordinates: a rival that sees what the model sees.

    Returns
    -------
    ndarray of int, shape (subject, session, vertex)
        From 1; 0 where there is no data.
    """
    mask = data.mask[0].cpu().numpy()
    values = data.values[0].cpu().numpy()[mask]
    labels = np.zeros(mask.shape, np.int32)
    labels[mask] = KMeans(n_clusters, n_init=10, random_state=seed).fit_predict(values) + 1
    return labels
