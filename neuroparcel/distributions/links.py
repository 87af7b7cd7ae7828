"""Links: bijections from an unbounded vector onto the support of a site.

A variational factor lives in :math:`R^n`; its link carries it to the event
space of its site (``Link`` of ADAVI, eq. A.1), reshaping included.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import torch
from pyro.distributions import constraints
from pyro.distributions.transforms import CholeskyTransform, CorrMatrixCholeskyTransform
from torch import Tensor
from torch.distributions import ComposeTransform, ExpTransform, SoftplusTransform, Transform
from torch.distributions.transforms import identity_transform

from neuroparcel.distributions.bijections import (
    HalfLine,
    Interval,
    Ordered,
    Stereographic,
    StickBreaking,
)
from neuroparcel.distributions.matrices import (
    CorrelationCholesky,
    LowerCholesky,
    UnitLowerCholesky,
)
from neuroparcel.distributions.sphere import SphereLink, positive_orthant
from neuroparcel.distributions.supports import Bound, element_support
from neuroparcel.errors import NotPyramidalError


class NamedBijection(NamedTuple):
    """A bijection onto a support, and what a table of descriptors calls it."""

    name: str
    transform: Transform


class Link:
    """Bijection from flat unbounded coordinates onto the events of one site.

    Parameters
    ----------
    support : torch.distributions.constraints.Constraint
        Support of one event: real, positive, interval, simplex, positive definite,
        lower Cholesky, ordered, sphere, ...; bounds are numbers or have the event shape.
    event_shape : tuple of int
        Shape of one event, of any order; ``()`` for a scalar.
    site : str, default="site"
        Name for the error message.

    Attributes
    ----------
    name : str
        What it does, such as ``exp`` or ``interval (-10, 8)``.
    size : int
        Number of unbounded coordinates, ``n``.

    Raises
    ------
    NotPyramidalError
        If the support is discrete, or no bijection with a known volume is
        implemented, or only one value lies in it.

    Notes
    -----
    The log determinant belongs to the measure of Pyro's densities: all entries; all but
    the last of a simplex; the lower triangle of a symmetric or triangular matrix, without
    the diagonal where that follows from the rest; the surface of a sphere.

    Examples
    --------
    >>> link = Link(constraints.simplex, (3,))
    >>> value, log_det = link(torch.zeros(5, 2))
    >>> value.shape, log_det.shape
    (torch.Size([5, 3]), torch.Size([5]))
    """

    def __init__(
        self, support: constraints.Constraint, event_shape: tuple[int, ...], site: str = "site"
    ) -> None:
        bijection = find_bijection(support)
        if bijection is None:
            raise NotPyramidalError(*_no_bijection(support, site))
        self.name, self._transform = bijection
        self.event_shape = tuple(event_shape)
        shape = self._transform.inverse_shape(torch.Size(event_shape))
        self._unbounded_shape = tuple(shape)
        self.size = math.prod(shape)
        if self.size == 0:
            raise NotPyramidalError(
                f"site '{site}' has one possible value: events of shape {self.event_shape} "
                f"on the support {element_support(support)}.",
                "Write it as a constant of the model, or as pyro.deterministic.",
            )

    def __call__(self, unbounded: Tensor) -> tuple[Tensor, Tensor]:
        """Value (..., *event_shape) and log determinant (...) at ``unbounded`` (..., size)."""
        lead = unbounded.shape[:-1]
        shaped = unbounded.reshape((*lead, *self._unbounded_shape))
        value = self._transform(shaped)
        log_det = self._transform.log_abs_det_jacobian(shaped, value)
        n_entries = math.prod(log_det.shape[len(lead) :])
        return value, log_det.reshape((*lead, n_entries)).sum(-1)

    def inverse(self, value: Tensor) -> Tensor:
        """Unbounded coordinates (..., size) of ``value`` (..., *event_shape)."""
        unbounded = self._transform.inv(value)
        lead = value.shape[: value.dim() - len(self.event_shape)]
        return unbounded.reshape((*lead, self.size))


def find_bijection(support: constraints.Constraint) -> NamedBijection | None:
    """The bijection onto a support, the same for all its independent elements.

    Parameters
    ----------
    support : torch.distributions.constraints.Constraint

    Returns
    -------
    NamedBijection or None
        None for a discrete or unknown support.

    Examples
    --------
    >>> find_bijection(constraints.interval(-10.0, 8.0)).name
    'interval (-10, 8)'
    """
    element = element_support(support)
    make = _BIJECTIONS.get(type(element))
    return None if make is None else make(element)


def _no_bijection(support: constraints.Constraint, site: str) -> tuple[str, str]:
    message = (
        f"site '{site}' has the support {support}, onto which no bijection with a known "
        "volume is implemented."
    )
    if _is_discrete(support):
        return message, (
            "Discrete latents must be marginalised (for example into a mixture "
            "distribution of the observed site)."
        )
    return message, (
        "Draw the site from a distribution on real, positive, interval, simplex, ordered, "
        "Cholesky, positive definite, correlation or sphere support, and transform the draw."
    )


def _is_discrete(support: constraints.Constraint) -> bool:
    try:
        return bool(support.is_discrete)
    except NotImplementedError:
        return False


_Maker: TypeAlias = Callable[[Any], NamedBijection]


def _always(name: str, transform: Transform) -> _Maker:
    return lambda support: NamedBijection(name, transform)


def _above(support: Any) -> NamedBijection:
    bound = support.lower_bound
    if not isinstance(bound, Tensor) and bound == 0:
        return NamedBijection("exp", ExpTransform())
    return NamedBijection(f"{_show(bound)} + exp", HalfLine(bound, +1))


def _below(support: Any) -> NamedBijection:
    bound = support.upper_bound
    return NamedBijection(f"{_show(bound)} - exp", HalfLine(bound, -1))


def _between(support: Any) -> NamedBijection:
    lower, upper = support.lower_bound, support.upper_bound
    name = f"interval ({_show(lower)}, {_show(upper)})"
    return NamedBijection(name, Interval(lower, upper))


def _show(bound: Bound) -> str:
    if not isinstance(bound, Tensor):
        return f"{bound:.4g}"
    low, high = float(bound.min()), float(bound.max())
    return f"{low:.4g}" if low == high else f"{low:.4g}..{high:.4g}"


_GRAM = CholeskyTransform().inv
_EXP_CHOLESKY = LowerCholesky(ExpTransform())
_DEFINITE = _always("positive definite", ComposeTransform([_EXP_CHOLESKY, _GRAM]))
_CORRELATION = ComposeTransform([CorrelationCholesky(), CorrMatrixCholeskyTransform().inv])

# By the type of the support. Torch's global registry, which is left alone, has no bijection
# onto matrices with a diagonal, and takes the volume of a simplex from rounded values.
_BIJECTIONS: dict[type, _Maker] = {
    type(constraints.real): _always("identity", identity_transform),
    constraints.greater_than: _above,
    constraints.greater_than_eq: _above,
    constraints.less_than: _below,
    constraints.interval: _between,
    constraints.half_open_interval: _between,
    type(constraints.softplus_positive): _always("softplus", SoftplusTransform()),
    type(constraints.simplex): _always("stick-breaking", StickBreaking()),
    type(constraints.ordered_vector): _always("ordered", Ordered(positive=False)),
    type(constraints.positive_ordered_vector): _always("positive ordered", Ordered(positive=True)),
    type(constraints.lower_cholesky): _always("lower Cholesky", _EXP_CHOLESKY),
    type(constraints.softplus_lower_cholesky): _always(
        "softplus Cholesky", LowerCholesky(SoftplusTransform())
    ),
    type(constraints.unit_lower_cholesky): _always("unit Cholesky", UnitLowerCholesky()),
    type(constraints.corr_cholesky): _always("correlation Cholesky", CorrelationCholesky()),
    type(constraints.corr_matrix): _always("correlation", _CORRELATION),
    type(constraints.positive_definite): _DEFINITE,
    type(constraints.positive_semidefinite): _DEFINITE,
    type(constraints.sphere): _always("stereographic", Stereographic()),
    type(positive_orthant): _always("positive orthant", SphereLink()),
}
