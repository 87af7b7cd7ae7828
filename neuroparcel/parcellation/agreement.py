"""How labels agree: with anatomical areas, across sessions, between subjects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from neuroparcel.brain.contingency import adjusted_rand
from neuroparcel.brain.session_agreement import hard_labels
from neuroparcel.graph.observation import Observation
from neuroparcel.parcellation.label_model import LabelModel
from neuroparcel.parcellation.labels import soft_labels
from neuroparcel.parcellation.networks import TrainedNetworks

__all__ = [
    "adjusted_rand",
    "area_agreement",
    "hard_labels",
    "session_agreement",
    "single_session_labels",
]

_MOST_AREAS = 5  # a network, that an agreement can mean something
_N_PARTNERS = 16  # other subjects that each is compared with: cost grows with subjects, not pairs


def single_session_labels(
    networks: TrainedNetworks,
    data: Observation,
    labels: LabelModel | None = None,
    strength: Tensor | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Soft labels of each session made from that session alone, the population kept.

    Labels of a joint fit would agree across sessions because they share a subject.

    Parameters
    ----------
    networks : TrainedNetworks
    data : Observation, (1, subject, session, vertex, component)
    labels : LabelModel, optional
    strength : Tensor, shape (subject, session, vertex), optional

    Returns
    -------
    ndarray, shape (subject, session, vertex, network)
        NaN where there is no data.
    """
    columns = []
    for column in range(data.mask.shape[2]):
        one = Observation(
            data.values[:, :, column : column + 1], data.mask[:, :, column : column + 1]
        )
        own = None if strength is None else strength[:, column : column + 1]
        _, _, session = soft_labels(
            networks(one, own), networks.model, labels, strength=own, seed=seed
        )
        columns.append(session[:, 0])
    return np.stack(columns, 1)


def session_agreement(labels: np.ndarray) -> dict[str, float]:
    """Adjusted Rand index across sessions, within a subject and between subjects.

    Each subject is compared with the next 16, so up to 17 all are with all.

    Parameters
    ----------
    labels : ndarray of int, shape (subject, session, vertex)
        From 1; 0 where there is no data.

    Returns
    -------
    dict
        ``within_subject`` and ``between_subjects``; without a pair to compare, no entry.
    """
    within: list[float] = []
    between: list[float] = []
    n_subjects, n_sessions = labels.shape[:2]
    for i, step in np.ndindex(n_subjects, min(n_subjects, _N_PARTNERS + 1)):
        j = (i + step) % n_subjects
        for s, t in np.ndindex(n_sessions, n_sessions):
            if s >= t:
                continue
            index = adjusted_rand(labels[i, s], labels[j, t])
            if index is not None:
                (within if i == j else between).append(index)
    means = {"within_subject": within, "between_subjects": between}
    return {name: float(np.mean(values)) for name, values in means.items() if values}


def area_agreement(labels: np.ndarray, areas: Sequence[str]) -> float | None:
    """Adjusted Rand index of a map (vertex,) with anatomical areas.

    None with one area, or so many that the networks cannot be meant to be them: more than five
    times as many, or each vertex its own, as nodes are.
    """
    names, codes = np.unique(np.asarray(areas), return_inverse=True)
    n_networks = len(np.unique(labels[labels > 0]))
    is_alike = 1 < len(names) <= _MOST_AREAS * n_networks and len(names) < len(areas)
    return adjusted_rand(labels, codes + 1) if is_alike else None
