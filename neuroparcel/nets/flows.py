"""Conditional density estimators: an affine block, then a coupling flow.

Reverse KL samples in the inner loop, so every map here is as fast forwards as
backwards: couplings in two dimensions and more, an elementwise spline in one.

References
----------
Dinh et al., Density estimation using Real NVP, ICLR 2017.
Durkan et al., Neural Spline Flows, NeurIPS 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from zuko.flows.coupling import GeneralCouplingTransform
from zuko.flows.gaussianization import ElementWiseTransform
from zuko.lazy import LazyTransform
from zuko.transforms import ComposedTransform, MonotonicAffineTransform, MonotonicRQSTransform

from neuroparcel.errors import OptionError
from neuroparcel.nets.regression import linear_start

_N_BINS = 8
_SPLINE = [(_N_BINS,), (_N_BINS,), (_N_BINS - 1,)]
_MAPS = {
    "affine": {"univariate": MonotonicAffineTransform, "shapes": [(), ()]},
    "spline": {"univariate": MonotonicRQSTransform, "shapes": _SPLINE},
}


@dataclass(frozen=True)
class FlowConfig:
    """Shape and sizes of a conditional flow.

    Attributes
    ----------
    hidden : int
        Width of the conditioning networks.
    n_couplings : int
        Coupling layers on top of the affine block; 0 leaves a Gaussian.
    coupling : {"spline", "affine"}
        Map of each coordinate in a coupling. Splines bend every marginal; affine maps
        cost 11 times fewer outputs and suit events of many coordinates. A single
        coordinate always has a spline, for an affine map of it would add nothing.
    affine : {"diagonal", "triangular"}
        Scale of the affine block; triangular correlates the coordinates of an event at
        the price of ``n (n - 1) / 2`` outputs.
    """

    hidden: int = 64
    n_couplings: int = 2
    coupling: Literal["spline", "affine"] = "spline"
    affine: Literal["diagonal", "triangular"] = "diagonal"

    def __post_init__(self) -> None:
        if self.coupling not in _MAPS:
            raise OptionError(
                f"no coupling '{self.coupling}'.", f"Choose one of {', '.join(_MAPS)}."
            )
        if self.affine not in ("diagonal", "triangular"):
            raise OptionError(f"no affine block '{self.affine}'.", "Choose diagonal or triangular.")


@dataclass(frozen=True, eq=False)
class ConditionedFlow:
    r"""A density on R^n for every row of a context.

    .. math:: x = \mu + e^{s} (I + A)\, T(z), \quad z \sim N(0, I)

    Attributes
    ----------
    shift, log_scale : Tensor, shape (batch..., n)
        mu and s.
    transform : zuko Transform or None
        T; None is the identity.
    mixing : Tensor, shape (batch..., n, n), or None
        A, strictly lower triangular; None is zero.
    """

    shift: Tensor
    log_scale: Tensor
    transform: ComposedTransform | None
    mixing: Tensor | None = None

    def noise(self, n_draws: int, *, common: bool = False) -> Tensor:
        """What draws are made of, (draw, batch..., n).

        ``common`` noise is the same for all rows of the first batch dimension.
        """
        shape = (1, *self.shift.shape[1:]) if common else self.shift.shape
        base = torch.randn(n_draws, *shape, dtype=self.shift.dtype, device=self.shift.device)
        return base.expand(n_draws, *self.shift.shape)

    def rsample_and_log_prob(self, n_draws: int, *, common: bool = False) -> tuple[Tensor, Tensor]:
        """Draws (draw, batch..., n) and their log density (draw, batch...), in one pass."""
        base = self.noise(n_draws, common=common)
        log_prob = _standard_normal(base) - self.log_scale.sum(-1)
        if self.transform is not None:
            base, log_det = self.transform.call_and_ladj(base)
            log_prob = log_prob - log_det
        if self.mixing is not None:
            base = base + (self.mixing @ base.unsqueeze(-1)).squeeze(-1)
        return self.shift + self.log_scale.exp() * base, log_prob

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density at ``value`` (..., batch..., n)."""
        standardised = (value - self.shift) * (-self.log_scale).exp()
        log_det = -self.log_scale.sum(-1)
        if self.mixing is not None:
            # Only the part below the diagonal is read; the diagonal counts as one.
            standardised = torch.linalg.solve_triangular(
                self.mixing, standardised.unsqueeze(-1), upper=False, unitriangular=True
            ).squeeze(-1)
        if self.transform is not None:
            standardised, inverse_log_det = self.transform.inv.call_and_ladj(standardised)
            log_det = log_det + inverse_log_det
        return _standard_normal(standardised) + log_det


class ConditionalFlow(nn.Module):
    """Affine block on top of a coupling flow (ADAVI, appendix F.2).

    The shift has a linear part on the plain summaries, so that a shrunken
    average is one matrix away; a small network adds the rest. Both are in units
    that the coordinates had when training started. The couplings start as the
    identity.

    Parameters
    ----------
    n : int
        Number of unbounded coordinates.
    n_summary, n_context : int
        Widths of the plain summaries and of the whole context.
    config : FlowConfig
    """

    centre: Tensor
    log_unit: Tensor

    def __init__(self, n: int, n_summary: int, n_context: int, config: FlowConfig) -> None:
        super().__init__()
        self.n = n
        self.register_buffer("centre", torch.zeros(n))
        self.register_buffer("log_unit", torch.zeros(n))
        self.shift_linear, self.scale_linear = nn.Linear(n_summary, n), nn.Linear(n_summary, n)
        self.shift_network = network(n_context, config.hidden, n)
        self.scale_network = network(n_context, config.hidden, n)
        self.couplings = nn.ModuleList(_couplings(n, n_context, config))
        self.mixing_network: nn.Sequential | None = None
        if config.affine == "triangular" and n > 1:
            self.mixing_network = network(n_context, config.hidden, n * (n - 1) // 2)
        for module in (self.shift_linear, self.scale_linear):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)

    def forward(
        self, summary: Tensor, context: Tensor, *, affine_only: bool = False
    ) -> ConditionedFlow:
        """Condition on summaries (batch..., n_summary) and context (batch..., n_context)."""
        shift = self.shift_linear(summary) + self.shift_network(context)
        shift = self.centre + self.log_unit.exp() * shift
        log_scale = self.log_unit + self.scale_linear(summary) + self.scale_network(context)
        transform = None
        if not affine_only and len(self.couplings) > 0:
            transform = ComposedTransform(*(coupling(context) for coupling in self.couplings))
        return ConditionedFlow(shift, log_scale, transform, self._mixing(context))

    @torch.no_grad()
    def start(self, summaries: Tensor, targets: Tensor) -> None:
        """Regress targets (row, n) on summaries (row, n_summary), in the targets' own units."""
        centre, spread = targets.mean(0), targets.std(0)
        self.centre.copy_(centre)
        self.log_unit.copy_(torch.where(spread > 0, spread, 1.0).log())
        standardised = (targets - self.centre) * (-self.log_unit).exp()
        linear_start(self.shift_linear, self.scale_linear, summaries, standardised)

    def _mixing(self, context: Tensor) -> Tensor | None:
        if self.mixing_network is None:
            return None
        entries = self.mixing_network(context)
        mixing = entries.new_zeros(*entries.shape[:-1], self.n, self.n)
        row, column = torch.tril_indices(self.n, self.n, -1, device=entries.device)
        mixing[..., row, column] = entries
        return mixing

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters by role: ``shift``, ``scale``, ``flow``."""
        mixing = self.mixing_network.parameters() if self.mixing_network is not None else ()
        return {
            "shift": [*self.shift_linear.parameters(), *self.shift_network.parameters()],
            "scale": [*self.scale_linear.parameters(), *self.scale_network.parameters(), *mixing],
            "flow": list(self.couplings.parameters()),
        }


def _couplings(n: int, n_context: int, config: FlowConfig) -> list[nn.Module]:
    hidden = (config.hidden,)
    if n == 1:
        if config.n_couplings == 0:
            return []
        spline = ElementWiseTransform(1, n_context, hidden_features=hidden, **_MAPS["spline"])
        return [_identity(spline)]
    half = torch.arange(n) % 2 == 0
    masks = (half if i % 2 == 0 else ~half for i in range(config.n_couplings))
    univariate = _MAPS[config.coupling]
    return [
        _identity(
            GeneralCouplingTransform(n, n_context, mask, hidden_features=hidden, **univariate)
        )
        for mask in masks
    ]


def _identity(transform: LazyTransform) -> LazyTransform:
    """Silence the last layer, so that training starts from the identity."""
    last = transform.hyper[-1]
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return transform


def network(n_inputs: int, hidden: int, n_outputs: int) -> nn.Sequential:
    """One hidden layer, and a last one that starts at zero."""
    last = nn.Linear(hidden, n_outputs)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(n_inputs, hidden), nn.GELU(), last)


def _standard_normal(value: Tensor) -> Tensor:
    log_two_pi = 1.8378770664093453
    return -0.5 * (value.square() + log_two_pi).sum(-1)
