"""Moments and quantiles of a set: what the mean does not say of a heavy tail or a skew."""

from __future__ import annotations

import torch
from torch import Tensor

from neuroparcel.nets.summaries import Moments, SetSummary


class MomentsAndQuantiles(SetSummary):
    """Mean, spread and size of a set, and evenly spaced quantiles of each feature.

    The location of a Laplace or a Student is told by the middle of the ranks, not by
    the mean; two modes or a skew show in the quantiles too.

    Parameters
    ----------
    n_features : int
        Width of one element.
    n_quantiles : int
        Levels ``1 / (q + 1), ..., q / (q + 1)``; an odd number has the median.
    chunk_size : int
        Elements that the moments are read by at once. Sorting holds all of a set.
    """

    def __init__(self, n_features: int, n_quantiles: int, chunk_size: int) -> None:
        super().__init__()
        self.moments = Moments(n_features, (n_features,), chunk_size)
        self.n_quantiles = n_quantiles
        self.block_sizes = self.moments.block_sizes
        self.n_outputs = self.moments.n_outputs + n_features * n_quantiles

    def forward(self, elements: Tensor, mask: Tensor) -> Tensor:
        """(..., n, n_features) with mask (..., n) to (..., n_outputs); NaN where undefined.

        Output: the moments, then the quantiles, level by level.
        """
        found = quantiles(elements, mask, self.n_quantiles)
        return torch.cat([self.moments(elements, mask), found.flatten(-2)], -1)


def quantiles(elements: Tensor, mask: Tensor, n_levels: int) -> Tensor:
    """Quantiles (..., level, feature) of the observed elements, interpolated between ranks.

    Level ``i`` of ``n_levels`` is the probability ``(i + 1) / (n_levels + 1)``; NaN where
    nothing is observed. Agrees with :func:`torch.nanquantile`.

    Parameters
    ----------
    elements : Tensor, shape (..., n, feature)
    mask : Tensor of bool, shape (..., n)
    n_levels : int
    """
    present = mask.unsqueeze(-1)
    ordered = torch.where(present, elements, torch.inf).sort(-2).values
    count = mask.sum(-1, keepdim=True).clamp_min(1)
    level = torch.arange(1, n_levels + 1, device=mask.device) / (n_levels + 1)
    rank = (count - 1) * level.to(elements)  # (..., level)
    below = rank.floor().long()
    above = torch.minimum(below + 1, count - 1)
    weight = (rank - below).unsqueeze(-1)
    found = (1 - weight) * _at(ordered, below) + weight * _at(ordered, above)
    return torch.where(mask.any(-1)[..., None, None], found, torch.nan)


def _at(ordered: Tensor, rank: Tensor) -> Tensor:
    """(..., n, feature) at ranks (..., level) to (..., level, feature)."""
    index = rank.unsqueeze(-1).expand(*rank.shape, ordered.shape[-1])
    return ordered.gather(-2, index)
