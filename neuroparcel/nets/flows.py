"""Conditional density estimators: an affine block, then a coupling flow.

Reverse KL samples in the inner loop, so every map here is as fast forwards as
backwards: couplings in two dimensions and more, an elementwise spline in one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from zuko.flows.coupling import GeneralCouplingTransform
from zuko.flows.gaussianization import ElementWiseTransform
from zuko.lazy import LazyTransform
from zuko.transforms import ComposedTransform, MonotonicRQSTransform

_N_BINS = 8


@dataclass(frozen=True)
class FlowConfig:
    """Sizes of a conditional flow."""

    hidden: int = 64
    n_couplings: int = 2


@dataclass(frozen=True, eq=False)
class ConditionedFlow:
    """A density on R^n for every row of a context.

    Attributes
    ----------
    shift, log_scale : Tensor, shape (batch..., n)
    transform : zuko Transform or None
        From the base to the standardised coordinates; None is the identity.
    """

    shift: Tensor
    log_scale: Tensor
    transform: ComposedTransform | None

    def rsample_and_log_prob(self, n_draws: int) -> tuple[Tensor, Tensor]:
        """Draws (draw, batch..., n) and their log density (draw, batch...), in one pass."""
        base = torch.randn(
            n_draws, *self.shift.shape, dtype=self.shift.dtype, device=self.shift.device
        )
        log_prob = _standard_normal(base) - self.log_scale.sum(-1)
        if self.transform is not None:
            base, log_det = self.transform.call_and_ladj(base)
            log_prob = log_prob - log_det
        return self.shift + self.log_scale.exp() * base, log_prob

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density at ``value`` (..., batch..., n)."""
        standardised = (value - self.shift) * (-self.log_scale).exp()
        log_det = -self.log_scale.sum(-1)
        if self.transform is not None:
            standardised, inverse_log_det = self.transform.inv.call_and_ladj(standardised)
            log_det = log_det + inverse_log_det
        return _standard_normal(standardised) + log_det


class ConditionalFlow(nn.Module):
    """Affine block with diagonal scale on top of a coupling flow (ADAVI, appendix F.2).

    The shift has a linear part on the plain summaries, so that a shrunken
    average is one matrix away; a small network adds the rest. The couplings
    start as the identity.

    Parameters
    ----------
    n : int
        Number of unbounded coordinates.
    n_summary, n_context : int
        Widths of the plain summaries and of the whole context.
    config : FlowConfig
    """

    def __init__(self, n: int, n_summary: int, n_context: int, config: FlowConfig) -> None:
        super().__init__()
        self.shift_linear, self.scale_linear = nn.Linear(n_summary, n), nn.Linear(n_summary, n)
        self.shift_network = _network(n_context, config.hidden, n)
        self.scale_network = _network(n_context, config.hidden, n)
        self.couplings = nn.ModuleList(_couplings(n, n_context, config))
        for module in (self.shift_linear, self.scale_linear):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)

    def forward(
        self, summary: Tensor, context: Tensor, *, affine_only: bool = False
    ) -> ConditionedFlow:
        """Condition on summaries (batch..., n_summary) and context (batch..., n_context)."""
        shift = self.shift_linear(summary) + self.shift_network(context)
        log_scale = self.scale_linear(summary) + self.scale_network(context)
        transform = None
        if not affine_only:
            transform = ComposedTransform(*(coupling(context) for coupling in self.couplings))
        return ConditionedFlow(shift, log_scale, transform)

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters by role: ``shift``, ``scale``, ``flow``."""
        return {
            "shift": [*self.shift_linear.parameters(), *self.shift_network.parameters()],
            "scale": [*self.scale_linear.parameters(), *self.scale_network.parameters()],
            "flow": list(self.couplings.parameters()),
        }


def _couplings(n: int, n_context: int, config: FlowConfig) -> list[nn.Module]:
    hidden = (config.hidden,)
    if n == 1:
        shapes = [(_N_BINS,), (_N_BINS,), (_N_BINS - 1,)]
        spline = ElementWiseTransform(
            1, n_context, univariate=MonotonicRQSTransform, shapes=shapes, hidden_features=hidden
        )
        return [_identity(spline)]
    half = torch.arange(n) % 2 == 0
    masks = (half if i % 2 == 0 else ~half for i in range(config.n_couplings))
    return [
        _identity(GeneralCouplingTransform(n, n_context, mask, hidden_features=hidden))
        for mask in masks
    ]


def _identity(transform: LazyTransform) -> LazyTransform:
    """Silence the last layer, so that training starts from the identity."""
    last = transform.hyper[-1]
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return transform


def _network(n_inputs: int, hidden: int, n_outputs: int) -> nn.Sequential:
    last = nn.Linear(hidden, n_outputs)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(n_inputs, hidden), nn.GELU(), last)


def _standard_normal(value: Tensor) -> Tensor:
    log_two_pi = 1.8378770664093453
    return -0.5 * (value.square() + log_two_pi).sum(-1)
