r"""Factors of the sites of a mixture: components are a batch, and share all weights.

A site whose events have one row a component (the networks of a session, their log
scales) gets one flow on a row, conditioned on what the encoder says of that component.
Locations start from the component's means :math:`z_h` at its own hierarchy and those
above, as a posterior mean shrinks them:

.. math:: \mu_k = c_k + u \sum_h (w_h + g_h(\text{context}_k)) \odot z_{hk} + \dots

with weights :math:`w_h` by coordinate and gates :math:`g_h`, one number a hierarchy,
that shrink a small network more than a large one. The dots are the shift of the
conditional flow. No weight belongs to one component, so their number does not depend
on how many there are, and renumbering components renumbers their posteriors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from neuroparcel.nets.flows import ConditionalFlow, ConditionedFlow, FlowConfig, network
from neuroparcel.nets.regression import coordinate_start


@dataclass(frozen=True)
class FactorSizes:
    """Widths of a componentwise factor and of what it reads.

    Attributes
    ----------
    n_components, n : int
        Rows of an event, and unbounded coordinates of one row.
    n_scalars, n_context : int
        Features of a row that shift and scale are linear in, and its whole context.
    n_levels : int
        Means of a row, of ``n`` coordinates each; 0 where it has none.
    """

    n_components: int
    n: int
    n_scalars: int
    n_context: int
    n_levels: int

    @property
    def n_summary(self) -> int:
        """Width of a row's summary: scalars, then means, hierarchy by hierarchy."""
        return self.n_scalars + self.n_levels * self.n


@dataclass(frozen=True, eq=False)
class ConditionedComponents:
    """Independent densities of the rows, as one of the flat event.

    Attributes
    ----------
    rows : ConditionedFlow
        Batch shape (batch..., component), on rows of ``n`` coordinates.
    """

    rows: ConditionedFlow

    @property
    def shift(self) -> Tensor:
        """Shape (batch..., component * n)."""
        return self.rows.shift.flatten(-2)

    def noise(self, n_draws: int, *, common: bool = False) -> Tensor:
        """What draws are made of, see :class:`ConditionedFlow`."""
        return self.rows.noise(n_draws, common=common)

    def rsample_and_log_prob(self, n_draws: int, *, common: bool = False) -> tuple[Tensor, Tensor]:
        """Draws (draw, batch..., component * n) and their log density (draw, batch...)."""
        value, log_prob = self.rows.rsample_and_log_prob(n_draws, common=common)
        return value.flatten(-2), log_prob.sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density at ``value`` (..., batch..., component * n)."""
        return self.rows.log_prob(value.unflatten(-1, self.rows.shift.shape[-2:])).sum(-1)


class ComponentFactor(nn.Module):
    """One conditional flow for the rows of all components.

    Parameters
    ----------
    sizes : FactorSizes
    config : FlowConfig
    """

    def __init__(self, sizes: FactorSizes, config: FlowConfig) -> None:
        super().__init__()
        self.sizes = sizes
        self.flow = ConditionalFlow(sizes.n, sizes.n_scalars, sizes.n_context, config)
        self.locations = Locations(sizes, config.hidden) if sizes.n_levels else None

    def forward(
        self, summary: Tensor, context: Tensor, *, affine_only: bool = False
    ) -> ConditionedComponents:
        """Condition on summaries and contexts of rows (batch..., component, feature)."""
        scalars, means = self._split(summary)
        rows = self.flow(scalars, context, affine_only=affine_only)
        if self.locations is not None:
            rows = replace(rows, shift=rows.shift + self.locations(means, context))
        return ConditionedComponents(rows)

    @torch.no_grad()
    def start(self, summaries: Tensor, targets: Tensor) -> None:
        """Regress targets (row, component * n) on summaries (row, component, n_summary).

        One regression for all components: each coordinate on its own means first, then
        what is left on the scalars.
        """
        scalars, means = self._split(summaries)
        rest = targets.unflatten(-1, (self.sizes.n_components, self.sizes.n))
        if self.locations is not None:
            rest = rest - self.locations.start(means, rest)
        # Component by component: equal steps through the rows then meet all of them.
        self.flow.start(scalars.transpose(0, 1).flatten(0, 1), rest.transpose(0, 1).flatten(0, 1))

    def _split(self, summary: Tensor) -> tuple[Tensor, Tensor]:
        """Scalars (..., n_scalars) and means (..., n_levels, n)."""
        n_means = self.sizes.n_levels * self.sizes.n
        scalars, means = summary.split((self.sizes.n_scalars, n_means), -1)
        return scalars, means.unflatten(-1, (self.sizes.n_levels, self.sizes.n))

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters by role: ``shift``, ``scale``, ``flow``."""
        groups = self.flow.groups()
        if self.locations is not None:
            groups["shift"] = [*groups["shift"], *self.locations.parameters()]
        return groups


class Locations(nn.Module):
    """Shift of a row that is linear in its means, coordinate by coordinate.

    Parameters
    ----------
    sizes : FactorSizes
    hidden : int
        Width of the network of the gates.
    """

    centre: Tensor
    unit: Tensor
    mean_centre: Tensor
    mean_unit: Tensor

    def __init__(self, sizes: FactorSizes, hidden: int) -> None:
        super().__init__()
        shape = (sizes.n_components, sizes.n_levels, sizes.n)
        self.weights = nn.Parameter(torch.zeros(sizes.n_levels, sizes.n))
        self.gates = network(sizes.n_context, hidden, sizes.n_levels)
        self.register_buffer("centre", torch.zeros(sizes.n_components, sizes.n))
        self.register_buffer("unit", torch.ones(()))
        self.register_buffer("mean_centre", torch.zeros(shape))
        self.register_buffer("mean_unit", torch.ones(sizes.n_levels, 1))

    def forward(self, means: Tensor, context: Tensor) -> Tensor:
        """Means (..., component, level, n) and contexts to shifts (..., component, n)."""
        weights = self.weights + self.gates(context).unsqueeze(-1)
        standardised = (means - self.mean_centre) / self.mean_unit
        return self.centre + self.unit * (weights * standardised).sum(-2)

    def start(self, means: Tensor, targets: Tensor) -> Tensor:
        """Regress targets (row, component, n) on means; returns the fitted values."""
        self.centre.copy_(targets.mean(0))
        self.unit.copy_(_size(targets - self.centre, (0, 1, 2)))
        self.mean_centre.copy_(means.mean(0))
        self.mean_unit.copy_(_size(means - self.mean_centre, (0, 1, 3)).unsqueeze(-1))
        x = ((means - self.mean_centre) / self.mean_unit).flatten(0, 1)
        y = ((targets - self.centre) / self.unit).flatten(0, 1)
        self.weights.copy_(coordinate_start(x, y))
        fitted = (self.weights * x).sum(-2).unflatten(0, targets.shape[:2])
        return self.centre + self.unit * fitted


def _size(deviations: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Root mean square; one where nothing varies."""
    size = deviations.square().mean(dims).sqrt()
    return torch.where(size > 0, size, 1.0)
