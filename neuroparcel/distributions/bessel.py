r"""The modified Bessel function of the first kind, scaled, for any order and argument.

.. math::
    F_\nu(x) = \Gamma(\nu + 1) \, (x / 2)^{-\nu} \, I_\nu(x), \qquad F_\nu(0) = 1

Far orders have Debye's uniform expansion, which is good at every ``x`` at once; near
ones come down from there by the three-term recurrence, whose terms are all positive:

.. math::
    F_{\nu - 1} = F_\nu + \frac{x^2}{4 \nu (\nu + 1)} F_{\nu + 1}

References
----------
NIST Digital Library of Mathematical Functions, 10.41.3 (the expansion), 10.41.9 (its
polynomials) and 10.29.1 (the recurrence).
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache

import torch
from torch import Tensor

# The expansion is taken this many orders up, with so many terms: what is left of it is
# below 1e-10 there, at any argument.
_N_ORDERS = 16
_N_TERMS = 7


def log_scaled_bessel(order: float, x: Tensor) -> tuple[Tensor, Tensor]:
    r"""``log F_order(x)``, and the ratio ``F_(order + 1)(x) / F_order(x)``.

    Parameters
    ----------
    order : float
        At least -1/2.
    x : Tensor, shape (...), dtype float64
        Not negative.

    Returns
    -------
    log_value, ratio : Tensor, shape (...)
        The ratio lies in (0, 1].
    """
    far = order + _N_ORDERS
    log_value, ratio = _debye(far, x)
    product = torch.ones_like(x)
    quarter = 0.25 * x.square()
    for step in range(_N_ORDERS):
        above = far - step
        ratio = (quarter * ratio).mul_(1 / (above * (above + 1))).add_(1).reciprocal_()
        product = product.mul_(ratio)
    return log_value - product.log(), ratio


def _debye(order: float, x: Tensor) -> tuple[Tensor, Tensor]:
    """``log F_order`` and the ratio to the next order, by the uniform expansion.

    The ratio is taken term by term, as the logarithms of both are large numbers that
    differ by little.
    """
    root, next_root = (torch.hypot(x, x.new_tensor(nu)) for nu in (order, order + 1))
    series, next_series = _series(order, root), _series(order + 1, next_root)
    constant = math.lgamma(order + 1) - 0.5 * math.log(2 * math.pi)
    log_value = root - order * (0.5 * (order + root)).log() - 0.5 * root.log() + series.log()
    rise = (2 * order + 1) / (root + next_root)
    exponent = rise - order * torch.log1p((1 + rise) / (order + root))
    factor = 2 * (order + 1) / (order + 1 + next_root) * (root / next_root).sqrt()
    return log_value + constant, exponent.exp() * factor * next_series / series


def _series(order: float, root: Tensor) -> Tensor:
    """``sum_k u_k(t) / order^k`` at ``t = order / root``."""
    square = (order / root).square()
    inverse = root.reciprocal()
    total = torch.zeros_like(root)
    for coefficients in reversed(_debye_polynomials(_N_TERMS)):
        value = torch.full_like(root, coefficients[-1])
        for coefficient in reversed(coefficients[:-1]):
            value = value.mul_(square).add_(coefficient)
        total = total.mul_(inverse).add_(value)
    return total


@cache
def _debye_polynomials(n_terms: int) -> tuple[tuple[float, ...], ...]:
    r"""Coefficients of :math:`u_k(t) / t^k` in powers of :math:`t^2`.

    .. math::
        u_{k + 1}(t) = \tfrac12 t^2 (1 - t^2) u_k'(t)
            + \tfrac18 \int_0^t (1 - 5 \tau^2) u_k(\tau) \, d\tau, \qquad u_0 = 1
    """
    polynomials = [[Fraction(1)]]
    for k in range(n_terms - 1):
        following = [Fraction(0)] * (k + 2)
        for j, coefficient in enumerate(polynomials[-1]):
            power = k + 2 * j  # of t, that this coefficient of u_k stands at
            following[j] += coefficient * (Fraction(power, 2) + Fraction(1, 8 * (power + 1)))
            following[j + 1] -= coefficient * (Fraction(power, 2) + Fraction(5, 8 * (power + 3)))
        polynomials.append(following)
    return tuple(tuple(map(float, polynomial)) for polynomial in polynomials)
