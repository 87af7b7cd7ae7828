"""Mixtures around component locations, whose densities come from one matrix product."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor
from torch.distributions import constraints


@dataclass(frozen=True)
class NaturalForm:
    r"""Densities of components as functions linear in ``y``, its square and one.

    .. math:: \log p_k(y) = b_k^T y + a_k \|y\|^2 + c_k

    A mean of densities over draws of their parameters is that of the mean coefficients: however
    many draws there are, each ``y`` is looked at once.

    Attributes
    ----------
    coefficients : Tensor, shape (..., K, D + 2)
        b, then a, then c.
    """

    coefficients: Tensor

    @classmethod
    def of(cls, linear: Tensor, square: Tensor, constant: Tensor) -> NaturalForm:
        """From b (..., K, D), and a and c that can be broadcast to (..., K)."""
        parts = [linear]
        parts += [part.unsqueeze(-1).expand(*linear.shape[:-1], 1) for part in (square, constant)]
        return cls(torch.cat(parts, -1))

    @staticmethod
    def features(value: Tensor) -> Tensor:
        """What densities are linear in, of ``value`` (..., D); (..., D + 2)."""
        square = value.square().sum(-1, keepdim=True)
        return torch.cat([value, square, torch.ones_like(square)], -1)

    def mean(self) -> NaturalForm:
        """Mean over the first dimension."""
        return NaturalForm(self.coefficients.mean(0))

    def __call__(self, value: Tensor) -> Tensor:
        """Log density of each component at ``value`` (..., D); (..., K)."""
        return products(self.features(value), self.coefficients)


class LocationMixture(TorchDistribution):
    r"""Mixture of ``K`` components of one kind: :math:`\sum_k \pi_k p(y; m_k, s_k)`.

    Memory holds ``(..., K)`` densities and never ``(..., K, D)`` differences: with
    281 vertices, 2 networks and 140 components that is 140 times less.

    Parameters
    ----------
    weights : Tensor, shape (..., K)
        Mixture weights, on the simplex.
    locs : Tensor, shape (..., K, D)
        Component locations.
    spread : Tensor, broadcastable to (..., K)
        How far from its location each component reaches, in the leaf's measure.
    """

    has_rsample = False

    def __init__(
        self, weights: Tensor, locs: Tensor, spread: Tensor, validate_args: bool | None = None
    ) -> None:
        self.weights, self.locs, self._spread = weights, locs, spread
        batch_shape = torch.broadcast_shapes(weights.shape[:-1], locs.shape[:-2], spread.shape[:-1])
        super().__init__(batch_shape, locs.shape[-1:], validate_args=validate_args)

    def expand(self, batch_shape: torch.Size, _instance: object = None) -> Self:
        """The same mixture for a larger batch; parameters keep their own shape."""
        new = type(self).__new__(type(self))
        new.weights, new.locs, new._spread = self.weights, self.locs, self._spread
        TorchDistribution.__init__(
            new, torch.Size(batch_shape), self.event_shape, validate_args=False
        )
        return new

    @abstractmethod
    def component_log_prob(self, value: Tensor) -> Tensor:
        """Log density of each component at ``value`` (..., D), without weights; (..., K)."""

    @abstractmethod
    def natural(self) -> NaturalForm:
        """The components' densities as coefficients of what they are linear in."""

    @abstractmethod
    def _draw(self, loc: Tensor, spread: Tensor) -> Tensor:
        """One draw around each of ``loc`` (..., D) with ``spread`` (...); (..., D)."""

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density at ``value`` (..., D); shape (...)."""
        log_prob = torch.logsumexp(self.component_log_prob(value) + self.weights.log(), -1)
        shape = torch.broadcast_shapes(log_prob.shape, self.batch_shape)
        return log_prob.expand(shape)

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws of shape (*sample_shape, *batch_shape, D)."""
        shape = torch.Size(sample_shape) + self.batch_shape
        n_components, n_features = self.locs.shape[-2:]
        weights = self.weights.expand(*shape, n_components)
        index = torch.distributions.Categorical(probs=weights).sample().unsqueeze(-1)
        locs = self.locs.expand(*shape, n_components, n_features)
        loc = locs.gather(-2, index.unsqueeze(-1).expand(*shape, 1, n_features)).squeeze(-2)
        spread = self._spread.expand(*shape, n_components).gather(-1, index).squeeze(-1)
        return self._draw(loc, spread)


class GaussianMixture(LocationMixture):
    r"""Mixture of ``K`` isotropic Gaussians.

    .. math:: p(y) = \sum_k \pi_k N(y; m_k, \kappa_k^2 I)

    Equal to ``MixtureSameFamily`` of independent normals.

    Parameters
    ----------
    weights : Tensor, shape (..., K)
        Mixture weights, on the simplex.
    locs : Tensor, shape (..., K, D)
        Component means.
    scale : Tensor, broadcastable to (..., K)
        Standard deviation of every coordinate, > 0: one a component, or (..., 1).
    """

    arg_constraints: ClassVar = {
        "weights": constraints.simplex,
        "locs": constraints.independent(constraints.real, 2),
        "scale": constraints.positive,
    }
    support = constraints.real_vector

    def __init__(
        self, weights: Tensor, locs: Tensor, scale: Tensor, validate_args: bool | None = None
    ) -> None:
        super().__init__(weights, locs, scale, validate_args)

    @property
    def scale(self) -> Tensor:
        """Standard deviations, broadcastable to (..., K)."""
        return self._spread

    def component_log_prob(self, value: Tensor) -> Tensor:
        """Log density of each component at ``value`` (..., D), without weights; (..., K)."""
        return isotropic_log_prob(value, self.locs, self.scale)

    def natural(self) -> NaturalForm:
        """Around the origin: coordinates whose mean is far from it lose digits."""
        n_features = self.locs.shape[-1]
        locs, n_features = self.locs, self.locs.shape[-1]
        shape = torch.broadcast_shapes(locs.shape[:-1], self.scale.shape)
        locs = locs.expand(*shape, n_features)
        precision = self.scale.square().reciprocal()
        log_normaliser = n_features * (self.scale.log() + 0.5 * math.log(2 * math.pi))
        return NaturalForm.of(
            precision.unsqueeze(-1) * locs,
            -0.5 * precision,
            -0.5 * precision * locs.square().sum(-1) - log_normaliser,
        )

    def _draw(self, loc: Tensor, spread: Tensor) -> Tensor:
        return loc + spread.unsqueeze(-1) * torch.randn_like(loc)


def isotropic_log_prob(value: Tensor, locs: Tensor, scale: Tensor) -> Tensor:
    r"""Log N(value; loc_k, scale_k^2 I) for every ``k``, by one matrix product.

    Parameters
    ----------
    value : Tensor, shape (..., D)
    locs : Tensor, shape (..., K, D)
    scale : Tensor, broadcastable to (..., K)

    Returns
    -------
    Tensor, shape (..., K)
    """
    n_features = value.shape[-1]
    # Squares are taken around the middle of the means: far from the origin
    # |y|^2 - 2 y.m + |m|^2 would cancel in float32.
    middle = locs.mean(-2)
    centred, means = value - middle, locs - middle.unsqueeze(-2)
    cross = products(centred, means)
    distance = centred.square().sum(-1, keepdim=True) - 2 * cross + means.square().sum(-1)
    log_scale = scale.log()
    return (
        -0.5 * distance.clamp_min(0) * (-2 * log_scale).exp()
        - n_features * log_scale
        - 0.5 * n_features * math.log(2 * math.pi)
    )


def products(value: Tensor, locs: Tensor) -> Tensor:
    """Inner products of ``value`` (..., D) with each of ``locs`` (..., K, D); (..., K)."""
    # A plate that the locations do not vary in is left to the product as rows of one matrix.
    if locs.dim() >= 3 and locs.shape[-3] == 1:
        return torch.matmul(value, locs.squeeze(-3).transpose(-1, -2))
    return (locs @ value.unsqueeze(-1)).squeeze(-1)
