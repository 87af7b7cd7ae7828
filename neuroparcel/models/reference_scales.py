r"""What the reference knows of a scale: laws of squared scales, and of concentrations.

The log of a scale is uniform in a range, so given networks its square :math:`v` has

.. math:: q(v) \propto v^{-a - 1} e^{-b / v}, \qquad \log v \in [2 \ell, 2 h],

an inverse gamma that is cut off. Its moments are integrals over :math:`u = -\log v` of
:math:`e^{a u - b e^u}`, log-concave, taken by quadrature where it is not negligible: one
mechanism for the normaliser, :math:`E[1 / v]` and :math:`E[\log v]`, of which the last
has no closed form, and none of them fails where incomplete gamma functions underflow.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property

import numpy as np
import torch
from torch import Tensor

from neuroparcel.distributions.von_mises_fisher import log_normaliser

_N_NODES = 256
_DROP = 45.0  # in log density from the mode, beyond which there is less than rounding
_LARGEST_SD = 1e3  # of a log concentration: its truncated normal is uniform


class Scale(ABC):
    """What is known of the logarithm of a scale, of the shape (...)."""

    @property
    @abstractmethod
    def mean_log(self) -> Tensor:
        """Mean of the log scale, shape (...)."""

    @abstractmethod
    def sample_log(self, n_draws: int) -> Tensor:
        """Log scales, shape (draw, ...), from torch's random state."""

    @abstractmethod
    def divergence(self) -> Tensor:
        """Kullback-Leibler divergence from the uniform prior of the log, shape (...)."""

    @abstractmethod
    def to_tensors(self) -> dict[str, Tensor]:
        """What ``from_tensors`` makes the same scale of."""


@dataclass(frozen=True, eq=False)
class TruncatedInverseGamma(Scale):
    """An inverse gamma of a squared scale, whose log scale has bounds.

    Parameters
    ----------
    shape, rate : Tensor of float64, shape (...)
        Not negative; both 0 are the prior, uniform in the logarithm.
    bounds : tuple of float
        Of the log scale.

    Examples
    --------
    >>> scale = TruncatedInverseGamma(torch.tensor(3.0), torch.tensor(2.0), (-10.0, 8.0))
    >>> round(float(scale.mean_inverse), 6)
    1.5
    """

    shape: Tensor
    rate: Tensor
    bounds: tuple[float, float]

    @cached_property
    def mean_inverse(self) -> Tensor:
        """E[1 / v], shape (...)."""
        nodes = self._nodes
        return (nodes.weight * nodes.log_inverse.exp()).sum(-1)

    @cached_property
    def mean_log_square(self) -> Tensor:
        """E[log v], shape (...)."""
        nodes = self._nodes
        return -(nodes.weight * nodes.log_inverse).sum(-1)

    @property
    def mean_log(self) -> Tensor:
        """Mean of the log scale, shape (...)."""
        return 0.5 * self.mean_log_square

    @property
    def log_normaliser(self) -> Tensor:
        """Log of the integral of exp(a u - b e^u) over u = -log v, shape (...)."""
        return self._nodes.log_normaliser

    def divergence(self) -> Tensor:
        """Kullback-Leibler divergence from the uniform prior of the log, shape (...)."""
        low, high = self.bounds
        exponent = -self.shape.double() * self.mean_log_square - self.rate * self.mean_inverse
        return exponent - self.log_normaliser + math.log(2 * (high - low))

    def sample_log(self, n_draws: int) -> Tensor:
        """Log scales, shape (draw, ...), from torch's random state."""
        nodes = self._nodes
        ends = nodes.weight.cumsum(-1)  # each node stands for a cell of its weight
        at = torch.rand(*nodes.weight.shape[:-1], n_draws, dtype=torch.float64) * ends[..., -1:]
        cell = torch.searchsorted(ends, at).clamp_max(_N_NODES - 1)
        inside = (at - ends.gather(-1, cell)) / nodes.weight.gather(-1, cell).clamp_min(
            1e-300
        ) + 0.5
        drawn = nodes.log_inverse.gather(-1, cell) + inside * nodes.width.gather(-1, cell)
        low, high = self.bounds
        return (-0.5 * drawn).clamp(low, high).movedim(-1, 0)

    def to_tensors(self) -> dict[str, Tensor]:
        """What ``from_tensors`` makes the same scale of."""
        return {"shape": self.shape, "rate": self.rate}

    @classmethod
    def from_tensors(
        cls, tensors: Mapping[str, Tensor], bounds: tuple[float, float]
    ) -> TruncatedInverseGamma:
        """The scale of these :meth:`to_tensors`."""
        return cls(tensors["shape"], tensors["rate"], bounds)

    @cached_property
    def _nodes(self) -> _Nodes:
        return _quadrature(self.shape.double(), self.rate.double(), self.bounds)


@dataclass(frozen=True, eq=False)
class Concentration(Scale):
    """A concentration at its most likely value, with the spread that curvature gives its log.

    Parameters
    ----------
    log_mode : Tensor of float64, shape (...)
    sd : Tensor of float64, shape (...)
        Of a normal law of the log, cut off at the bounds.
    bounds : tuple of float
        Of the log concentration.
    """

    log_mode: Tensor
    sd: Tensor
    bounds: tuple[float, float]
    _normalisers: dict[int, Tensor] = field(default_factory=dict, init=False, repr=False)

    @property
    def value(self) -> Tensor:
        """The concentration, shape (...)."""
        return self.log_mode.exp()

    def log_normaliser(self, n_components: int) -> Tensor:
        """Of a von Mises-Fisher law with this concentration, shape (...); found once."""
        if n_components not in self._normalisers:
            self._normalisers[n_components] = log_normaliser(self.value, n_components)
        return self._normalisers[n_components]

    @property
    def mean_log(self) -> Tensor:
        """Its logarithm, shape (...)."""
        return self.log_mode

    def sample_log(self, n_draws: int) -> Tensor:
        """Log concentrations, shape (draw, ...), from torch's random state."""
        sd = self.sd.clamp_max(_LARGEST_SD)
        low, high = (torch.special.ndtr((bound - self.log_mode) / sd) for bound in self.bounds)
        share = torch.rand(n_draws, *self.log_mode.shape, dtype=torch.float64)
        normal = torch.special.ndtri((low + share * (high - low)).clamp(1e-15, 1 - 1e-15))
        return (self.log_mode + sd * normal).clamp(*self.bounds)

    def divergence(self) -> Tensor:
        """Zero: a point has no entropy, and its prior density is a constant."""
        return torch.zeros_like(self.log_mode)

    def to_tensors(self) -> dict[str, Tensor]:
        """What ``from_tensors`` makes the same concentration of."""
        return {"log_mode": self.log_mode, "sd": self.sd}

    @classmethod
    def from_tensors(
        cls, tensors: Mapping[str, Tensor], bounds: tuple[float, float]
    ) -> Concentration:
        """The concentration of these :meth:`to_tensors`."""
        return cls(tensors["log_mode"], tensors["sd"], bounds)


@dataclass(frozen=True, eq=False)
class _Nodes:
    """A quadrature; shapes (..., node), the normaliser (...)."""

    log_inverse: Tensor  # u
    weight: Tensor  # probabilities
    width: Tensor  # of the cell in u that a node stands for
    log_normaliser: Tensor


def _quadrature(shape: Tensor, rate: Tensor, bounds: tuple[float, float]) -> _Nodes:
    low, high = -2 * bounds[1], -2 * bounds[0]
    tiny = torch.finfo(torch.float64).tiny
    mode = (shape.clamp_min(tiny).log() - rate.clamp_min(tiny).log()).clamp(low, high)
    mode = torch.where((shape == 0) & (rate == 0), 0.5 * (low + high), mode)
    slope = rate * mode.exp()  # equal to the shape, unless the mode is at a bound
    below = torch.minimum(_reach_below(shape, slope), mode - low).unsqueeze(-1)
    above = torch.minimum(_reach_above(shape, slope), high - mode).unsqueeze(-1)
    # Each side of the mode has its own nodes: they differ in width where it is at a bound.
    points, weights = (torch.as_tensor(array, device=mode.device) for array in _gauss_legendre())
    away = torch.cat([below * (points - 1), above * points], -1)
    width = torch.cat([below * weights, above * weights], -1)
    exponent = shape.unsqueeze(-1) * away - slope.unsqueeze(-1) * away.expm1()
    density = width * exponent.exp()
    total = density.sum(-1)
    log_normaliser = shape * mode - slope + total.log()
    return _Nodes(mode.unsqueeze(-1) + away, density / total.unsqueeze(-1), width, log_normaliser)


def _reach_above(shape: Tensor, slope: Tensor) -> Tensor:
    """How far above the mode the log density has fallen by ``_DROP``, or farther.

    The fall ``B (e^d - 1) - a d`` with ``B >= a`` is at least ``(B - a) d + B d^2 / 2``,
    and at least ``0.8 B e^d`` from ``d = 3`` on.
    """
    excess = (slope - shape).clamp_min(0)
    quadratic = _root(0.5 * slope, excess)
    tiny = torch.finfo(torch.float64).tiny
    exponential = (_DROP / 0.8 / slope.clamp_min(tiny)).log().clamp_min(3.0)
    return torch.minimum(quadratic, exponential)


def _reach_below(shape: Tensor, slope: Tensor) -> Tensor:
    """How far below the mode the log density has fallen by ``_DROP``, or farther.

    The fall ``a t - B (1 - e^-t)`` with ``B <= a`` is at least ``(a - B) t + B t^2 / 3`` up
    to ``t = 1``, and convex.
    """
    excess = (shape - slope).clamp_min(0)
    near = _root(slope / 3, excess)
    tiny = torch.finfo(torch.float64).tiny
    return torch.where(near <= 1, near, _DROP / (excess + slope / 3).clamp_min(tiny))


def _root(square: Tensor, linear: Tensor) -> Tensor:
    """The positive root of ``square x^2 + linear x = _DROP``; huge where both are 0."""
    tiny = torch.finfo(torch.float64).tiny
    root = (linear.square() + 4 * _DROP * square).sqrt()
    return 2 * _DROP / (linear + root).clamp_min(tiny)


@cache
def _gauss_legendre() -> tuple[np.ndarray, np.ndarray]:
    """Points and weights on the unit interval, for each side of the mode."""
    points, weights = np.polynomial.legendre.leggauss(_N_NODES // 2)
    return 0.5 * (points + 1), 0.5 * weights
