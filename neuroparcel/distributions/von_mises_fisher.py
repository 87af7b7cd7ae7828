r"""The von Mises-Fisher distribution on the unit sphere, in any dimension.

.. math::
    p(y) = C_D(\kappa) \, e^{\kappa \mu^T y}, \qquad
    C_D(\kappa) = \frac{\kappa^{\nu}}{(2 \pi)^{D / 2} I_{\nu}(\kappa)}, \qquad
    \nu = D / 2 - 1

The mean of a draw is :math:`A_D(\kappa) \mu` with the mean resultant length
:math:`A_D = I_{\nu + 1} / I_\nu = - d \log C_D / d \kappa`.

References
----------
Mardia and Jupp, Directional Statistics, 2000, section 9.3.2.
Wood, Simulation of the von Mises Fisher distribution, Communications in Statistics -
Simulation and Computation 1994.
Amos, Computation of modified Bessel functions and their ratios, Mathematics of
Computation 1974, eq. 9 and 11 (bounds of the ratio).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from pyro.distributions import TorchDistribution
from pyro.distributions import constraints as pyro_constraints
from torch import Tensor
from torch.distributions import constraints
from torch.nn.functional import normalize

from neuroparcel.distributions.bessel import log_scaled_bessel

MAX_CONCENTRATION = 1e8  # of a mean resultant length that double precision tells from 1
_N_NEWTON_STEPS = 6  # four reach the last digit, in two dimensions too


def log_normaliser(concentration: Tensor, n_features: int) -> Tensor:
    """``log C_D``, with respect to the surface measure of the sphere.

    Right to 1e-9 (relative, where it is larger than 1) at any dimension and
    concentration; computed in double precision, differentiable twice.

    Parameters
    ----------
    concentration : Tensor, shape (...)
        Not negative; 0 is the uniform distribution.
    n_features : int
        Dimension D of the vectors, at least 2.

    Examples
    --------
    >>> sphere = log_normaliser(torch.tensor(0.0), 3).exp()
    >>> round(float(1 / sphere / torch.pi), 4)
    4.0
    """
    return _LogNormaliser.apply(concentration.double(), n_features).to(concentration.dtype)


def mean_resultant_length(concentration: Tensor, n_features: int) -> Tensor:
    """``A_D``: the length of the mean of unit vectors of this concentration, in [0, 1).

    Parameters
    ----------
    concentration : Tensor, shape (...)
    n_features : int
    """
    return _MeanResultant.apply(concentration.double(), n_features).to(concentration.dtype)


@torch.no_grad()
def concentration_of(length: Tensor, n_features: int, largest: float = MAX_CONCENTRATION) -> Tensor:
    r"""The concentration with this mean resultant length; no gradient.

    It lies between :math:`(D - 1) R / (1 - R^2)` and :math:`D R / (1 - R^2)`
    (Amos 1974). Newton's steps start at the lower end, from where they rise without
    overshooting, as :math:`A_D` is concave.

    Parameters
    ----------
    length : Tensor, shape (...)
        R in [0, 1]; what rounding has put outside is taken for the end.
    n_features : int
    largest : float
        Concentration that is returned for any larger one, of unit vectors that are
        all the same too.
    """
    target = length.double().clamp(0, 1)
    # (1 - R)(1 + R), and not 1 - R^2: near 1 the difference would lose its digits.
    unit = target / ((1 - target) * (1 + target)).clamp_min(torch.finfo(torch.float64).tiny)
    low, high = ((bound * unit).clamp_max(largest) for bound in (n_features - 1, n_features))
    found = low
    for _ in range(_N_NEWTON_STEPS):
        ratio = _ratio(found, n_features)
        slope = _slope(found, ratio, n_features).clamp_min(torch.finfo(torch.float64).tiny)
        found = torch.minimum(torch.maximum(found + (target - ratio) / slope, low), high)
    return found.to(length.dtype)


class VonMisesFisher(TorchDistribution):
    """Unit vectors around a direction.

    Parameters
    ----------
    loc : Tensor, shape (..., D)
        Its direction is the mean direction; its length does not matter, but is not 0.
    concentration : Tensor, shape (...)
        Kappa, >= 0.

    Examples
    --------
    >>> vector = VonMisesFisher(torch.ones(5), torch.tensor(10.0)).sample()
    >>> round(float(vector.norm()), 4)
    1.0
    """

    arg_constraints: ClassVar = {
        "loc": constraints.real_vector,
        "concentration": constraints.nonnegative,
    }
    support = pyro_constraints.sphere
    has_rsample = False

    def __init__(
        self, loc: Tensor, concentration: Tensor, validate_args: bool | None = None
    ) -> None:
        self.loc, self.concentration = loc, concentration
        batch_shape = torch.broadcast_shapes(loc.shape[:-1], concentration.shape)
        super().__init__(batch_shape, loc.shape[-1:], validate_args=validate_args)

    def expand(self, batch_shape: torch.Size, _instance: object = None) -> VonMisesFisher:
        """The same distribution for a larger batch; parameters keep their own shape."""
        new = type(self).__new__(type(self))
        new.loc, new.concentration = self.loc, self.concentration
        super(VonMisesFisher, new).__init__(
            torch.Size(batch_shape), self.event_shape, validate_args=False
        )
        return new

    @property
    def mean(self) -> Tensor:
        """Expectation, inside the sphere; shape (..., D)."""
        length = mean_resultant_length(self.concentration, self.event_shape[0])
        mean = length.unsqueeze(-1) * normalize(self.loc, dim=-1)
        return mean.expand(*self.batch_shape, *self.event_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density at unit vectors ``value`` (..., D); shape (...)."""
        cosine = (value * normalize(self.loc, dim=-1)).sum(-1)
        constant = log_normaliser(self.concentration, self.event_shape[0])
        log_prob = constant + self.concentration * cosine
        return log_prob.expand(torch.broadcast_shapes(log_prob.shape, self.batch_shape))

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws of shape (*sample_shape, *batch_shape, D)."""
        shape = torch.Size(sample_shape) + self.batch_shape
        return sample_around(self.loc.expand(*shape, -1), self.concentration.expand(shape))


def sample_around(loc: Tensor, concentration: Tensor) -> Tensor:
    """One exact draw around each direction (Wood 1994, algorithm VM*).

    Parameters
    ----------
    loc : Tensor, shape (..., D)
    concentration : Tensor, shape (...)

    Returns
    -------
    Tensor, shape (..., D)
    """
    gap = _sample_gap(concentration.double(), loc.shape[-1])
    direction = normalize(loc, dim=-1)
    noise = torch.randn_like(direction)
    tangent = noise - (noise * direction).sum(-1, keepdim=True) * direction
    sine = (gap * (2 - gap)).sqrt().to(loc.dtype)
    cosine = (1 - gap).to(loc.dtype)
    drawn = cosine.unsqueeze(-1) * direction + sine.unsqueeze(-1) * normalize(tangent, dim=-1)
    return normalize(drawn, dim=-1)


def _sample_gap(concentration: Tensor, n_features: int) -> Tensor:
    """One minus the cosine between a draw and its mean direction, by rejection.

    The envelope is Wood's; in gaps instead of cosines, so that no digit is lost where
    the concentration is large.
    """
    degrees = n_features - 1.0
    # Wood's b, his eq. 3, without the difference of two large numbers.
    b = degrees / (2 * concentration + (4 * concentration.square() + degrees**2).sqrt())
    mode = 2 * b / (1 + b)  # 1 - x_0, the gap at which the envelope touches
    half = torch.full_like(b, 0.5 * degrees)
    gap = torch.zeros_like(b)
    pending = torch.ones_like(b, dtype=torch.bool)
    while bool(pending.any()):
        z = torch.distributions.Beta(half[pending], half[pending], validate_args=False).sample()
        here, touch, kappa = b[pending], mode[pending], concentration[pending]
        drawn = 2 * here * z / (1 - (1 - here) * z)
        # 1 - x_0 w over 1 - x_0^2, of which the logarithm is Wood's w.r.t. the envelope.
        spread = (touch + (1 - touch) * drawn) / (touch * (2 - touch))
        score = kappa * (touch - drawn) + degrees * spread.log()
        refused = score < torch.rand_like(score).log()  # never of NaN, which has to end too
        gap[pending] = drawn
        pending[pending.clone()] = refused
    return gap


class _LogNormaliser(torch.autograd.Function):
    """``log C_D`` in double precision; its derivative is minus the mean resultant length."""

    @staticmethod
    def forward(ctx: Any, concentration: Tensor, n_features: int) -> Tensor:
        ctx.save_for_backward(concentration)
        ctx.n_features = n_features
        # The surface of the sphere is the constant at concentration 0.
        half = 0.5 * n_features
        log_surface = math.log(2) + half * math.log(math.pi) - math.lgamma(half)
        return -log_scaled_bessel(half - 1, concentration)[0] - log_surface

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (concentration,) = ctx.saved_tensors
        return -gradients[0] * _MeanResultant.apply(concentration, ctx.n_features), None


class _MeanResultant(torch.autograd.Function):
    """``A_D`` in double precision, with its derivative."""

    @staticmethod
    def forward(ctx: Any, concentration: Tensor, n_features: int) -> Tensor:
        ratio = _ratio(concentration, n_features)
        ctx.save_for_backward(_slope(concentration, ratio, n_features))
        return ratio

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (slope,) = ctx.saved_tensors
        return gradients[0] * slope, None


def _ratio(concentration: Tensor, n_features: int) -> Tensor:
    return concentration / n_features * log_scaled_bessel(0.5 * n_features - 1, concentration)[1]


def _slope(concentration: Tensor, ratio: Tensor, n_features: int) -> Tensor:
    """``A_D' = 1 - A_D^2 - (D - 1) A_D / kappa``, which is ``1 / D`` at 0."""
    share = torch.where(concentration > 0, ratio / concentration, 1 / n_features)
    return (1 - ratio) * (1 + ratio) - (n_features - 1) * share
