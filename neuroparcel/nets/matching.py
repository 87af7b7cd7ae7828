"""Which simulated component is which cluster: numbers of exchangeable components."""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor


def matching(locations: Tensor, clusters: Tensor, mask: Tensor) -> Tensor:
    """The component nearest to each cluster, one to one, over all plates of a data set.

    Parameters
    ----------
    locations, clusters : Tensor, shape (batch, *plates, component, feature)
    mask : Tensor of bool, shape (batch, *plates)

    Returns
    -------
    Tensor of int, shape (batch, component)
        ``locations[b, ..., order[b], :]`` match ``clusters[b]``.
    """
    squares = torch.cdist(clusters, locations).square()
    present = mask[..., None, None]
    cost = torch.where(present, squares, torch.zeros_like(squares))
    cost = cost.flatten(1, -3).sum(1) if cost.dim() > 3 else cost
    order = [linear_sum_assignment(c)[1] for c in cost.double().cpu().numpy()]
    return torch.as_tensor(np.stack(order), device=locations.device)


def renumber(value: Tensor, order: Tensor, event_shape: tuple[int, ...]) -> Tensor:
    """Components, the first dimension of an event, taken in the order (batch, component)."""
    dim = value.dim() - len(event_shape)
    shape = [len(order), *(1,) * (dim - 1), order.shape[-1], *(1,) * (len(event_shape) - 1)]
    return value.gather(dim, order.reshape(shape).expand_as(value))
