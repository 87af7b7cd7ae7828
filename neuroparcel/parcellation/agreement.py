"""How labels agree: with anatomical areas, across sessions, between subjects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import adjusted_rand_score

from neuroparcel.graph.observation import Observation
from neuroparcel.inference.posterior import AmortizedPosterior
from neuroparcel.nets.hierarchical_encoder import Encoding
from neuroparcel.parcellation.labels import soft_labels


def single_session_labels(
    posterior: AmortizedPosterior, data: Observation, population: Encoding, seed: int = 0
) -> np.ndarray:
    """Hard labels of each session made from that session alone, the population kept.

    Labels of a joint fit would agree across sessions because they share a subject.

    Returns
    -------
    ndarray of int, shape (subject, session, vertex)
        From 1; 0 where there is no data.
    """
    columns = []
    for column in range(data.mask.shape[2]):
        one = Observation(
            data.values[:, :, column : column + 1], data.mask[:, :, column : column + 1]
        )
        _, _, session = soft_labels(posterior(one, population), seed=seed)
        has_data = ~np.isnan(session[:, 0]).any(-1)
        labels = np.where(has_data, np.nan_to_num(session[:, 0]).argmax(-1) + 1, 0)
        columns.append(labels)
    return np.stack(columns, 1)


def session_agreement(labels: np.ndarray) -> dict[str, float]:
    """Adjusted Rand index across sessions, within a subject and between subjects.

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
    for i, j in np.ndindex(n_subjects, n_subjects):
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

    None with one area, or where each vertex is its own, as nodes are.
    """
    names, codes = np.unique(np.asarray(areas), return_inverse=True)
    return adjusted_rand(labels, codes + 1) if 1 < len(names) < len(areas) else None


def adjusted_rand(first: np.ndarray, second: np.ndarray) -> float | None:
    """Adjusted Rand index where both have a label (> 0); None where none does."""
    both = (first > 0) & (second > 0)
    return float(adjusted_rand_score(first[both], second[both])) if both.any() else None
