"""Networks that win no vertex: their anchors dropped, or put elsewhere.

A dead network keeps the mean of its prior, and a refit from the same anchor finds it dead
again. Cutting the widest living network in two gives it a place where profiles vary most.

References
----------
Linde, Buzo and Gray, An algorithm for vector quantizer design, IEEE Transactions on
Communications 1980 (splitting).
"""

from __future__ import annotations

import torch
from torch import Tensor

from neuroparcel.errors import TrainingError
from neuroparcel.graph.observation import Observation


def without(anchors: Tensor, dead: tuple[int, ...]) -> Tensor:
    """The anchors (network, component) of the others.

    Raises
    ------
    TrainingError
        If fewer than two are left.
    """
    alive = [row for row in range(len(anchors)) if row not in dead]
    if len(alive) < 2:
        raise TrainingError(
            f"{len(dead)} of {len(anchors)} networks win no vertex, so the region is not divided.",
            "Ask for fewer --networks, or look at what makes the profiles alike.",
        )
    return anchors[alive]


def reseeded(data: Observation, anchors: Tensor, dead: tuple[int, ...]) -> Tensor:
    """Anchors of dead networks beside those of the widest, each of which is cut in two.

    Parameters
    ----------
    data : Observation, (1, subject, session, vertex, component)
    anchors : Tensor, shape (network, component)
    dead : tuple of int
        Their rows.

    Returns
    -------
    Tensor, shape (network, component)
        Living networks that are not cut keep theirs; all keep their numbers.
    """
    found = anchors.clone()
    alive = [row for row in range(len(anchors)) if row not in dead]
    for row in dead:
        counts, variances, axes = _spreads(data, found[alive])
        # By all that a network leaves unexplained, so that a few odd vertices draw no cut.
        widest = int((counts * variances).argmax())
        step = variances[widest].sqrt() * axes[widest]
        centre = found[alive[widest]].clone()
        found[alive[widest]], found[row] = centre - step, centre + step
        alive.append(row)
    return found


def _spreads(data: Observation, anchors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of the vertices nearest to each anchor: number, variance along the widest axis, and it."""
    n_components = anchors.shape[-1]
    counts = torch.zeros(len(anchors), dtype=torch.float64)
    scatter = torch.zeros(len(anchors), n_components, n_components, dtype=torch.float64)
    for subject, session in data.mask_at(1)[0].nonzero().tolist():
        values = data.values[0, subject, session][data.mask[0, subject, session]]
        nearest = torch.cdist(values, anchors).argmin(-1)
        for row in nearest.unique().tolist():
            apart = (values[nearest == row] - anchors[row]).double().cpu()
            counts[row] += len(apart)
            scatter[row] += apart.T @ apart
    variances, axes = torch.linalg.eigh(scatter / counts.clamp_min(1)[:, None, None])
    return counts.to(anchors), variances[:, -1].to(anchors), axes[..., -1].to(anchors)
