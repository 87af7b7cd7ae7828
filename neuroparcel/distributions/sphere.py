r"""The L-normal distribution on the positive orthant of the unit sphere.

A connectivity profile has positive entries and unit norm. The link

.. math:: L(y) = \sqrt{\mathrm{softmax}(B y)}, \qquad L^{-1}(p) = B^T \log p^2

maps :math:`\mathbb{R}^{D-1}` onto that orthant; the columns of the ``(D, D - 1)``
matrix :math:`B` are an orthonormal basis of the vectors with sum zero (Helmert).
A profile is L-normal when :math:`L^{-1}` of it is Gaussian.

References
----------
Rouillard and Wassermann, ADAVI, ICLR 2022, eq. E.10.
Egozcue et al., Isometric logratio transformations for compositional data
analysis, Mathematical Geology 2003.
"""

from __future__ import annotations

import math

import torch
from pyro.distributions import Independent, Normal, TransformedDistribution
from pyro.distributions.transforms import Transform
from torch import Tensor
from torch.distributions import constraints


class _PositiveOrthant(constraints.Constraint):
    """Unit vectors whose entries are all positive."""

    is_discrete = False
    event_dim = 1

    def check(self, value: Tensor) -> Tensor:
        norm = torch.linalg.vector_norm(value, dim=-1)
        return (value > 0).all(-1) & ((norm - 1).abs() < 1e-4)


positive_orthant = _PositiveOrthant()


def helmert(y: Tensor) -> Tensor:
    r"""``B y`` for the Helmert basis, in linear time.

    Column ``j`` (from 1) of ``B`` is ``(1, ..., 1, -j, 0, ..., 0)`` with ``j``
    leading ones, divided by :math:`\sqrt{j (j + 1)}`.

    Parameters
    ----------
    y : Tensor, shape (..., D - 1)

    Returns
    -------
    Tensor, shape (..., D), rows with sum zero.
    """
    j = torch.arange(1, y.shape[-1] + 1, dtype=y.dtype, device=y.device)
    weighted = y / (j * (j + 1)).sqrt()
    tail = weighted.flip(-1).cumsum(-1).flip(-1)
    zero = torch.zeros_like(y[..., :1])
    return torch.cat([tail, zero], -1) - torch.cat([zero, j * weighted], -1)


def helmert_transpose(z: Tensor) -> Tensor:
    """``B^T z`` for the basis of :func:`helmert`; shape (..., D) to (..., D - 1)."""
    j = torch.arange(1, z.shape[-1], dtype=z.dtype, device=z.device)
    return (z[..., :-1].cumsum(-1) - j * z[..., 1:]) / (j * (j + 1)).sqrt()


class SphereLink(Transform):
    """The link L as a bijection of R^(D - 1) onto the positive orthant of the sphere.

    The Jacobian is taken with respect to the surface measure of the sphere:
    ``log |det dL| = sum_i log p_i + log(D) / 2 - (D - 1) log 2``.
    """

    domain = constraints.real_vector
    codomain = positive_orthant
    bijective = True

    def forward_shape(self, shape: tuple[int, ...]) -> torch.Size:
        """Shape of the profiles of coordinates of this shape."""
        return torch.Size((*shape[:-1], shape[-1] + 1))

    def inverse_shape(self, shape: tuple[int, ...]) -> torch.Size:
        """Shape of the coordinates of profiles of this shape."""
        return torch.Size((*shape[:-1], shape[-1] - 1))

    def _call(self, x: Tensor) -> Tensor:
        return (0.5 * torch.log_softmax(helmert(x), -1)).exp()

    def _inverse(self, y: Tensor) -> Tensor:
        return helmert_transpose(2.0 * y.log())

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Log volume change at coordinates ``x`` (..., D - 1); shape (...)."""
        n = x.shape[-1]
        log_profile = 0.5 * torch.log_softmax(helmert(x), -1)
        return log_profile.sum(-1) + 0.5 * math.log(n + 1) - n * math.log(2.0)


class LNormal(TransformedDistribution):
    r"""Gaussian in link coordinates, seen on the positive orthant of the sphere.

    Parameters
    ----------
    loc : Tensor, shape (..., D - 1)
        Mean of the link coordinates.
    scale : Tensor, broadcastable to (..., D - 1)
        Standard deviation of the link coordinates.

    Notes
    -----
    ``log_prob`` takes unit vectors of shape (..., D) and is a density with
    respect to the surface measure of the sphere (ADAVI, eq. E.10).

    Examples
    --------
    >>> profile = LNormal(torch.zeros(2), torch.ones(2)).sample()
    >>> round(float(profile.norm()), 4)
    1.0
    """

    def __init__(self, loc: Tensor, scale: Tensor, validate_args: bool | None = None) -> None:
        base = Independent(Normal(loc, scale), 1)
        super().__init__(base, [SphereLink()], validate_args=validate_args)
