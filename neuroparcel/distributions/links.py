"""Links: bijections from an unbounded vector onto the support of a site.

A variational factor lives in :math:`R^n`; its link carries it to the event
space of its site (``Link`` of ADAVI, eq. A.1), reshaping included.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import IndependentTransform, Transform, biject_to, constraints

from neuroparcel.errors import NotPyramidalError


class Link:
    """Bijection from flat unbounded coordinates onto the events of one site.

    Parameters
    ----------
    support : torch.distributions.constraints.Constraint
        Support of the site's distribution: real, positive, interval, simplex, ...
    event_shape : tuple of int
        Shape of one event, of any order; ``()`` for a scalar.
    site : str, default="site"
        Name for the error message.

    Attributes
    ----------
    size : int
        Number of unbounded coordinates, ``n``.

    Raises
    ------
    NotPyramidalError
        If the support is discrete, or no bijection with a known volume is implemented.

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
        try:
            self._transform = biject_to(support)
            shape = torch.Size(event_shape)
            self._unbounded_shape = tuple(self._transform.inverse_shape(shape))
            self.event_shape = tuple(event_shape)
            self.size = math.prod(self._unbounded_shape)
            _check_volume(self._transform)
        except NotImplementedError as error:
            raise NotPyramidalError(
                f"site '{site}' has the support {support}, onto which no bijection with a known "
                "volume is implemented.",
                "Discrete latents must be marginalised (for example into a mixture "
                "distribution of the observed site).",
            ) from error

    def __call__(self, unbounded: Tensor) -> tuple[Tensor, Tensor]:
        """Value (..., *event_shape) and log determinant (...) at ``unbounded`` (..., size)."""
        shaped = unbounded.reshape((*unbounded.shape[:-1], *self._unbounded_shape))
        value = self._transform(shaped)
        log_det = self._transform.log_abs_det_jacobian(shaped, value)
        batch_dims = unbounded.dim() - 1
        return value, log_det.reshape((*unbounded.shape[:batch_dims], -1)).sum(-1)

    def inverse(self, value: Tensor) -> Tensor:
        """Unbounded coordinates (..., size) of ``value`` (..., *event_shape)."""
        unbounded = self._transform.inv(value)
        lead = value.shape[: value.dim() - len(self.event_shape)]
        return unbounded.reshape((*lead, self.size))


def _check_volume(transform: Transform) -> None:
    while isinstance(transform, IndependentTransform):
        transform = transform.base_transform
    if type(transform).log_abs_det_jacobian is Transform.log_abs_det_jacobian:
        raise NotImplementedError(type(transform).__name__)
