"""The scaled Bessel function where it is elementary, and from order to order."""

import pytest
import torch

from neuroparcel.distributions.bessel import log_scaled_bessel

X = torch.logspace(-3, 2.5, 50, dtype=torch.float64)


def test_half_orders_are_hyperbolic_functions():
    below, ratio = log_scaled_bessel(-0.5, X)
    torch.testing.assert_close(below, X.cosh().log(), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(ratio, X.tanh() / X, rtol=1e-13, atol=0)
    above, _ = log_scaled_bessel(0.5, X)
    torch.testing.assert_close(above, (X.sinh() / X).log(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("order", [0.0, 0.5, 6.0, 179.0, 999.0])
def test_the_ratio_leads_from_one_order_to_the_next(order):
    here, ratio = log_scaled_bessel(order, X)
    following, next_ratio = log_scaled_bessel(order + 1, X)
    # The expansion is cut at 3e-11, at each order by itself.
    torch.testing.assert_close(here + ratio.log(), following, rtol=1e-10, atol=1e-10)
    recurrence = 1 / (1 + X.square() / (4 * (order + 1) * (order + 2)) * next_ratio)
    torch.testing.assert_close(ratio, recurrence, rtol=1e-13, atol=0)


def test_at_zero_it_is_one():
    value, ratio = log_scaled_bessel(7.0, torch.zeros(2, dtype=torch.float64))
    torch.testing.assert_close(value, torch.zeros_like(value), rtol=0, atol=1e-10)
    torch.testing.assert_close(ratio, torch.ones_like(ratio))
