"""How alike nodes are, where each of them is a target too."""

from __future__ import annotations

import numpy as np

from neuroparcel.brain.connectome import Cohort
from neuroparcel.brain.features import Features, from_sphere
from neuroparcel.types import FloatArray

_LARGEST_R = 1 - 1e-6  # of two nodes that are the same; its z would be infinite


def node_similarity(cohort: Cohort, features: Features) -> FloatArray | None:
    """Mean Fisher z of the correlation of each pair of nodes over all sessions.

    Parameters
    ----------
    cohort : Cohort
        Profiles of nodes, among whose targets are the nodes themselves.
    features : Features
        How the profiles were made.

    Returns
    -------
    (node, node) array of float32, or None
        NaN on the diagonal, and where a node is dead in all sessions. None if the rows are no
        nodes, a node is no target, or the features are no correlations.
    """
    names = cohort.axis.names
    position = {name: number for number, name in enumerate(cohort.targets)}
    is_known = cohort.axis.is_nodes and all(name in position for name in names)
    if not is_known or not features.keeps_correlations:
        return None
    columns = np.array([position[name] for name in names])
    total = np.zeros((len(names), len(names)))
    count = np.zeros_like(total)
    for subject, session, profiles in cohort.cells():
        alive = np.flatnonzero(cohort.valid[subject, session])
        among = profiles[:, columns[alive]]
        r = from_sphere(among, np.diagonal(among), features)
        pairs = np.ix_(alive, alive)
        total[pairs] += np.arctanh(np.clip(r, -_LARGEST_R, _LARGEST_R))
        count[pairs] += 1
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    np.fill_diagonal(mean, np.nan)
    return mean.astype(np.float32)
