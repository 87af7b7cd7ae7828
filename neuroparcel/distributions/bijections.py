"""Bijections of unbounded coordinates: intervals, half lines, simplices, order, spheres.

They hold in float32 far from the origin, where a volume computed from the
rounded value would be infinite: logarithms come from the coordinates. Bounds
are taken to the device and precision of the coordinates at each call.
"""

from __future__ import annotations

import math

import torch
from pyro.distributions.constraints import ordered_vector, positive_ordered_vector
from torch import Tensor
from torch.distributions import Transform, constraints
from torch.nn.functional import logsigmoid, pad

from neuroparcel.distributions.supports import Bound


class HalfLine(Transform):
    """``bound + sign * exp(x)``, entry by entry."""

    domain = constraints.real
    bijective = True

    def __init__(self, bound: Bound, sign: int) -> None:
        super().__init__()
        self.bound, self.direction = bound, sign
        half_line = constraints.greater_than if sign > 0 else constraints.less_than
        self.codomain = half_line(bound)

    def _call(self, x: Tensor) -> Tensor:
        return _like(self.bound, x) + self.direction * x.exp()

    def _inverse(self, y: Tensor) -> Tensor:
        return (self.direction * (y - _like(self.bound, y))).log()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """The coordinates themselves."""
        return x


class Interval(Transform):
    """``lower + (upper - lower) * sigmoid(x)``, entry by entry and never on a bound.

    On its upper bound a uniform prior would have density zero.
    """

    domain = constraints.real
    bijective = True

    def __init__(self, lower: Bound, upper: Bound) -> None:
        super().__init__()
        self.lower, self.upper = lower, upper
        self.codomain = constraints.interval(lower, upper)

    def _call(self, x: Tensor) -> Tensor:
        lower, upper = _like(self.lower, x), _like(self.upper, x)
        value = lower + (upper - lower) * x.sigmoid()
        return value.clamp(torch.nextafter(lower, upper), torch.nextafter(upper, lower))

    def _inverse(self, y: Tensor) -> Tensor:
        lower, upper = _like(self.lower, y), _like(self.upper, y)
        inside = y.clamp(torch.nextafter(lower, upper), torch.nextafter(upper, lower))
        return (inside - lower).log() - (upper - inside).log()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Log of width times the slope of the sigmoid."""
        width = _like(self.upper, x) - _like(self.lower, x)
        return width.log() + logsigmoid(x) + logsigmoid(-x)


class StickBreaking(Transform):
    r"""Break a share off what is left of a stick, ``D - 1`` times.

    .. math:: y_i = \sigma(x_i - \log(D - i)) \prod_{k < i} (1 - \sigma(x_k - \log(D - k)))

    with ``i`` from 1; the origin goes to the middle of the simplex. The volume
    is that of the first ``D - 1`` entries, as for torch's Dirichlet.
    """

    domain = constraints.real_vector
    codomain = constraints.simplex
    bijective = True

    def forward_shape(self, shape: tuple[int, ...]) -> torch.Size:
        """One entry more."""
        return torch.Size((*shape[:-1], shape[-1] + 1))

    def inverse_shape(self, shape: tuple[int, ...]) -> torch.Size:
        """One entry less."""
        return torch.Size((*shape[:-1], shape[-1] - 1))

    def _call(self, x: Tensor) -> Tensor:
        return self._log_value(x).exp()

    def _inverse(self, y: Tensor) -> Tensor:
        log_y = y.clamp_min(torch.finfo(y.dtype).tiny).log()
        log_left = log_y.flip(-1).logcumsumexp(-1).flip(-1)[..., 1:]
        return log_y[..., :-1] - log_left + _log_remaining(log_left)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Slope of each sigmoid times the length it breaks from; shape (...)."""
        slope = logsigmoid(_log_remaining(x) - x)
        return (self._log_value(x)[..., :-1] + slope).sum(-1)

    @staticmethod
    def _log_value(x: Tensor) -> Tensor:
        share = x - _log_remaining(x)
        left = logsigmoid(-share).cumsum(-1)
        return pad(logsigmoid(share), [0, 1]) + pad(left, [1, 0])


class Ordered(Transform):
    """Rising entries: the first, then a positive step from each to the next.

    Parameters
    ----------
    positive : bool
        Whether the first entry is positive too.
    """

    domain = constraints.real_vector
    bijective = True

    def __init__(self, positive: bool) -> None:
        super().__init__()
        self.positive = positive
        self.codomain = positive_ordered_vector if positive else ordered_vector

    def _call(self, x: Tensor) -> Tensor:
        steps = x.exp()
        if not self.positive:
            steps = torch.cat([x[..., :1], steps[..., 1:]], -1)
        return steps.cumsum(-1)

    def _inverse(self, y: Tensor) -> Tensor:
        first = y[..., :1].log() if self.positive else y[..., :1]
        return torch.cat([first, y.diff(dim=-1).log()], -1)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Sum of the logarithms of the steps; shape (...)."""
        return (x if self.positive else x[..., 1:]).sum(-1)


class Stereographic(Transform):
    r"""The unit sphere without one pole.

    .. math:: x \mapsto \frac{(2 x, \; 1 - |x|^2)}{1 + |x|^2}

    The origin goes to the pole ``(0, ..., 0, 1)``, infinity to the opposite one.
    The volume is that of the sphere's surface.
    """

    domain = constraints.real_vector
    codomain = constraints.independent(constraints.real, 1)
    bijective = True

    forward_shape = StickBreaking.forward_shape
    inverse_shape = StickBreaking.inverse_shape

    def _call(self, x: Tensor) -> Tensor:
        square = x.square().sum(-1, keepdim=True)
        return torch.cat([2 * x, 1 - square], -1) / (1 + square)

    def _inverse(self, y: Tensor) -> Tensor:
        return y[..., :-1] / (1 + y[..., -1:]).clamp_min(torch.finfo(y.dtype).tiny)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """The map is conformal: the same stretch in each direction; shape (...)."""
        return x.shape[-1] * (math.log(2.0) - x.square().sum(-1).log1p())


def _like(bound: Bound, x: Tensor) -> Tensor:
    return torch.as_tensor(bound, dtype=x.dtype, device=x.device)


def _log_remaining(x: Tensor) -> Tensor:
    """``log(D - i)`` for the ``D - 1`` coordinates."""
    return torch.arange(x.shape[-1], 0, -1, dtype=x.dtype, device=x.device).log()
