"""A few of a set's elements, evenly drawn: what attention reads of very large sets."""

from __future__ import annotations

import torch
from torch import Tensor


def evenly_drawn(elements: Tensor, mask: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """At most ``n`` observed elements of each set, at equal steps through them.

    A set of no more than ``n`` observed elements keeps all of them. The choice does not
    depend on what is masked, nor on chance.

    Parameters
    ----------
    elements : Tensor, shape (..., k, feature)
    mask : Tensor of bool, shape (..., k)
    n : int

    Returns
    -------
    Tensor, shape (..., n, feature), and Tensor of bool, shape (..., n)
        As they came if ``k`` is at most ``n``.
    """
    if mask.shape[-1] <= n:
        return elements, mask
    count = mask.sum(-1, keepdim=True)
    place = torch.arange(n, device=mask.device)
    # The rank, from 1, of the chosen among the observed.
    rank = torch.where(count > n, (place * count).div(n, rounding_mode="floor"), place) + 1
    index = torch.searchsorted(mask.cumsum(-1), rank).clamp_max(mask.shape[-1] - 1)
    chosen = index.unsqueeze(-1).expand(*index.shape, elements.shape[-1])
    return elements.gather(-2, chosen), place < count
