"""The support of one ground variable, read from a distribution that holds many.

Inside a plate Pyro expands a distribution, and the bounds of its support with
it: ``Uniform(0, 1)`` in a plate of 3 has bounds of shape ``(3,)``. A link is
shared by all ground variables of a site at any plate size, so the bounds must
be the same all over the batch; they are kept as one event of them.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import torch
from pyro.distributions import (
    ExpandedDistribution,
    MaskedDistribution,
    MixtureSameFamily,
    SineBivariateVonMises,
    SineSkewed,
    TorchDistribution,
    VonMises,
)
from torch import Tensor
from torch.distributions import Distribution, Independent, constraints

Bound: TypeAlias = float | Tensor

# Pyro declares these on the real line, where their periodic density has no integral.
_CIRCULAR = (VonMises, SineBivariateVonMises, SineSkewed)
_BETWEEN = (constraints.interval, constraints.half_open_interval)
_ABOVE = (constraints.greater_than, constraints.greater_than_eq)


class VaryingSupportError(ValueError):
    """The bounds of a support differ between the ground variables of a site."""


def innermost(distribution: Distribution) -> Distribution:
    """The distribution below the wrappers that only reshape, expand or mask it."""
    while isinstance(distribution, Independent | ExpandedDistribution | MaskedDistribution):
        distribution = distribution.base_dist
    return distribution


def ground_support(distribution: TorchDistribution) -> constraints.Constraint:
    """Support of one event of ``distribution``.

    Parameters
    ----------
    distribution : TorchDistribution
        Of any batch shape.

    Returns
    -------
    constraints.Constraint
        Bounds are numbers, or tensors of the event shape; angles lie between
        minus and plus pi, a mixture lives where its components do, and
        ``constraints.dependent`` stands for a distribution that does not say.

    Raises
    ------
    VaryingSupportError
        If bounds differ along the batch.

    Examples
    --------
    >>> ground_support(torch.distributions.Uniform(torch.zeros(3), 1.0))
    Interval(lower_bound=0.0, upper_bound=1.0)
    """
    base = innermost(distribution)
    n_event_dims = len(distribution.event_shape)
    if isinstance(base, _CIRCULAR):
        return _spread(constraints.interval(-math.pi, math.pi), n_event_dims)
    try:
        if isinstance(base, MixtureSameFamily):
            base = base.component_distribution
            return _spread(_common(base.support, 0), n_event_dims - len(base.event_shape))
        return _common(distribution.support, 0)
    except NotImplementedError:
        return constraints.dependent


def element_support(support: constraints.Constraint) -> constraints.Constraint:
    """The support below any number of independent event dimensions."""
    while isinstance(support, constraints.independent):
        support = support.base_constraint
    return support


def _spread(support: constraints.Constraint, n_dims: int) -> constraints.Constraint:
    return constraints.independent(support, n_dims) if n_dims else support


def _common(support: constraints.Constraint, n_kept: int) -> constraints.Constraint:
    """``support`` with bounds that have no more than the last ``n_kept`` dimensions."""
    if isinstance(support, constraints.independent):
        n_dims = support.reinterpreted_batch_ndims
        return constraints.independent(_common(support.base_constraint, n_kept + n_dims), n_dims)
    kind: Any = type(support)
    bounded: Any = support
    if kind in _BETWEEN:
        lower = _common_bound(bounded.lower_bound, n_kept)
        return kind(lower, _common_bound(bounded.upper_bound, n_kept))
    if kind in _ABOVE:
        return kind(_common_bound(bounded.lower_bound, n_kept))
    if kind is constraints.less_than:
        return kind(_common_bound(bounded.upper_bound, n_kept))
    return support


def _common_bound(bound: Bound, n_kept: int) -> Bound:
    tensor = torch.as_tensor(bound).detach()
    lead = tensor.dim() - min(n_kept, tensor.dim())
    events = tensor.reshape(-1, *tensor.shape[lead:])
    if not bool((events == events[0]).all()):
        raise VaryingSupportError
    event = events[0]
    first = event.flatten()[0]
    return float(first) if bool((event == first).all()) else event.cpu()
