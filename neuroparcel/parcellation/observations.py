"""From a cohort of profiles to the tensors of an observed site, and to anchors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from sklearn.cluster import KMeans
from torch import Tensor

from neuroparcel.brain.clustering import nearest_centre, spherical_kmeans
from neuroparcel.brain.connectome import Cohort
from neuroparcel.brain.reduction import Reduction
from neuroparcel.graph.observation import Observation

_MAX_ROWS = 50_000  # that k-means sees at once; of larger cohorts it sees a sample
_POOR_SHARE = 0.05  # of a session's vertices, for one k-means cluster


def observe(
    cohort: Cohort, reduction: Reduction, device: torch.device | str = "cpu"
) -> Observation:
    """Link coordinates of a cohort, shape (1, subject, session, vertex, component)."""
    coordinates = np.zeros((*cohort.valid.shape, reduction.n_components), np.float32)
    for subject, session, profiles in cohort.cells():
        valid = cohort.valid[subject, session]
        coordinates[subject, session, valid] = reduction.transform(profiles)
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
    sample, vertex = _sample(cohort, seed)
    _, centres = spherical_kmeans(sample, n_networks, seed, position=vertex)
    labels = np.zeros(cohort.valid.shape, np.int32)
    total = np.zeros((n_networks, reduction.n_components))
    for subject, session, profiles in cohort.cells():
        clusters = nearest_centre(profiles, centres)
        labels[subject, session, cohort.valid[subject, session]] = clusters + 1
        np.add.at(total, clusters, reduction.transform(profiles))
    counts = np.bincount(labels[labels > 0] - 1, minlength=n_networks)
    anchors = total / np.maximum(counts, 1)[:, None]
    return torch.from_numpy(anchors.astype(np.float32)), labels


def _sample(cohort: Cohort, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Profiles for k-means, at most 50,000 drawn from all alike, and the vertex of each."""
    n_rows = int(cohort.valid.sum())
    chosen = np.ones(n_rows, bool)
    if n_rows > _MAX_ROWS:
        chosen[:] = False
        chosen[np.random.default_rng(seed).choice(n_rows, _MAX_ROWS, replace=False)] = True
    parts, start = [], 0
    for _, _, profiles in cohort.cells():
        parts.append(profiles[chosen[start : start + len(profiles)]])
        start += len(profiles)
    return np.concatenate(parts), np.nonzero(cohort.valid)[2][chosen]


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
