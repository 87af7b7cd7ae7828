"""The vertex-wise group prior of labels, by empirical Bayes.

References
----------
Kong et al., Cerebral Cortex 2019: theta, the group's probability of each network at a vertex.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuroparcel.parcellation.label_model import mean_around

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_FLOOR = 0.02  # share of the uniform distribution: no network is impossible anywhere
_AROUND = 0.5  # share of the mean of the neighbours, which steadies few subjects


def vertex_prior(labels: Tensor, neighbours: csr_array | None = None) -> Tensor:
    """Mean labels of a group at each vertex, with a Dirichlet floor.

    Half of it is the mean of the mesh neighbours, where there are any. A vertex without data
    in the whole group has its neighbours' mean alone, or the mean of all vertices.
    Without any data it is uniform.

    Parameters
    ----------
    labels : Tensor, shape (..., vertex, network)
        Of one group or of several: sum over subjects of the mean soft labels of each; zeros
        where none has data.
    neighbours : csr_array, shape (vertex, vertex), optional
        Rows of sum 1, or 0 for a vertex without neighbours.

    Returns
    -------
    Tensor, shape (..., vertex, network)
        Rows of sum 1.
    """
    # With a trace of the uniform distribution, which is left where there is no data at all.
    everywhere = labels.sum(-2, keepdim=True) + 1e-12
    everywhere = everywhere / everywhere.sum(-1, keepdim=True)
    has_data = labels.sum(-1, keepdim=True) > 1e-6
    own = torch.where(has_data, labels / labels.sum(-1, keepdim=True).clamp_min(1e-12), everywhere)
    if neighbours is not None:
        around = mean_around(torch.where(has_data, own, 0), neighbours)
        total = around.sum(-1, keepdim=True)
        known = total > 0
        around = torch.where(known, around / total.clamp_min(1e-12), own)
        own = torch.where(has_data, (1 - _AROUND) * own + _AROUND * around, around)
    return (1 - _FLOOR) * own + _FLOOR / own.shape[-1]
