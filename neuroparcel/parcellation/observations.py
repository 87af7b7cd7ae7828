"""From a cohort of profiles to the tensors of an observed site, and to anchors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from neuroparcel.brain.clustering import nearest_centre, spherical_kmeans
from neuroparcel.brain.connectome import Cohort
from neuroparcel.brain.links import unit_rows
from neuroparcel.brain.reduction import Reduction
from neuroparcel.graph.observation import Observation

_MOST_ROWS = 50_000  # that k-means of the coordinates is fitted to
_POOR_SHARE = 0.1  # of a session's vertices times networks, for one k-means cluster


@dataclass(frozen=True, eq=False)
class Clustering:
    """K-means of the profiles of a cohort, which networks start from.

    Parameters
    ----------
    anchors : Tensor, shape (network, component)
        Mean link coordinates of each cluster; of unit norm where coordinates are.
    labels : ndarray of int, shape (subject, session, vertex)
        1 to the number of networks; 0 where there is no data.
    """

    anchors: Tensor
    labels: np.ndarray


def observe(
    cohort: Cohort, reduction: Reduction, device: torch.device | str = "cpu"
) -> Observation:
    """Link coordinates of a cohort, shape (1, subject, session, vertex, component)."""
    coordinates = np.zeros((*cohort.valid.shape, reduction.n_components), np.float32)
    for subject, session, profiles in cohort.cells():
        valid = cohort.valid[subject, session]
        coordinates[subject, session, valid] = reduction.transform(profiles)
    return _observation(cohort, coordinates, device)


def observe_and_cluster(
    cohort: Cohort,
    reduction: Reduction,
    n_networks: int,
    seed: int,
    device: torch.device | str = "cpu",
) -> tuple[Observation, Clustering]:
    """:func:`observe`, and spherical k-means of the profiles, in one pass over the sessions.

    The centres are those of the cohort's sample; all profiles are given to the nearest.

    Returns
    -------
    data : Observation, shape (1, subject, session, vertex, component)
    clustering : Clustering
    """
    sample = cohort.sample
    _, centres = spherical_kmeans(sample.profiles, n_networks, seed, position=sample.vertex)
    centres = centres.astype(np.float32)
    coordinates = np.zeros((*cohort.valid.shape, reduction.n_components), np.float32)
    labels = np.zeros(cohort.valid.shape, np.int32)
    for subject, session, profiles in cohort.cells():
        valid = cohort.valid[subject, session]
        coordinates[subject, session, valid] = reduction.transform(profiles)
        labels[subject, session, valid] = nearest_centre(profiles, centres) + 1
    anchors = _means(coordinates, labels, n_networks)
    if reduction.link == "direction":
        anchors = unit_rows(anchors)
    clustering = Clustering(torch.from_numpy(anchors.astype(np.float32)), labels)
    return _observation(cohort, coordinates, device), clustering


def _observation(
    cohort: Cohort, coordinates: np.ndarray, device: torch.device | str
) -> Observation:
    values = torch.from_numpy(coordinates).unsqueeze(0)
    return Observation(values, torch.from_numpy(cohort.valid.copy()).unsqueeze(0)).to(device)


def _means(coordinates: np.ndarray, labels: np.ndarray, n_networks: int) -> np.ndarray:
    """Mean coordinates of each cluster in float64, one session at a time."""
    total = np.zeros((n_networks, coordinates.shape[-1]))
    for cell in np.ndindex(labels.shape[:2]):
        chosen = labels[cell] > 0
        members = np.eye(n_networks)[labels[cell][chosen] - 1]
        total += members.T @ coordinates[cell][chosen]
    counts = np.bincount(labels[labels > 0] - 1, minlength=n_networks)
    return total / np.maximum(counts, 1)[:, None]


def observed_strength(cohort: Cohort, device: torch.device | str = "cpu") -> Tensor | None:
    """Signal strength of a cohort, (subject, session, vertex); None if it has none."""
    return None if cohort.strength is None else torch.from_numpy(cohort.strength).to(device)


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
    least = _POOR_SHARE / len(numbers)
    poor = ((counts < least * present[..., None]) & (present[..., None] > 0)).any(-1)
    if not poor.any():
        return ()
    row, column = np.argwhere(poor)[0]
    return (
        f"k-means, which the networks are anchored at, gives a network less than "
        f"{least:.2g} of the vertices in {poor.sum()} of {(present > 0).sum()} sessions "
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


def mean_centres(data: Observation, n_clusters: int, seed: int) -> np.ndarray:
    """Centres of k-means of the cohort's mean coordinates at each vertex.

    What subjects share at a vertex stands out of the noise of single sessions there, as in the
    group maps of Yeo et al. (2011).

    Returns
    -------
    ndarray, shape (cluster, component)
    """
    from sklearn.cluster import KMeans

    mask = data.mask[0].unsqueeze(-1)
    counts = mask.sum((0, 1))
    means = torch.where(mask, data.values[0], 0).sum((0, 1)) / counts.clamp_min(1)
    values = means[counts[:, 0] > 0].cpu().numpy()
    fit = KMeans(n_clusters, n_init=10, random_state=seed).fit(values)
    return np.asarray(fit.cluster_centers_)


def reduced_centres(data: Observation, n_clusters: int, seed: int) -> np.ndarray:
    """Centres of k-means of the pooled link coordinates: a rival that sees what the model sees.

    Of more than 50,000 profiles so many are taken, evenly spaced.

    Returns
    -------
    ndarray, shape (cluster, component)
        :func:`nearest_anchor` gives each profile to one of them.
    """
    from sklearn.cluster import KMeans

    cells = data.mask[0].nonzero()
    n_kept = min(len(cells), _MOST_ROWS)
    kept = cells[torch.arange(n_kept, device=cells.device) * len(cells) // n_kept]
    values = data.values[0][tuple(kept.T)].cpu().numpy()
    fit = KMeans(n_clusters, n_init=10, random_state=seed).fit(values)
    return np.asarray(fit.cluster_centers_)
