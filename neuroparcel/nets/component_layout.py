"""Where, in the flat summaries of a mixture, the features of each component lie.

A summary of anchored means is a long vector, component after component. Networks that
all components share read it as a table: one row a component, in the same columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class ComponentLayout:
    """Places of a flat summary of anchored moments, or of the moments above them.

    Attributes
    ----------
    n_features : int
        Coordinates of a component's mean.
    components : Tensor of int, shape (component, n_features + n_scalars)
        Places of a component's mean, then of its log share and log spreads.
    shared : Tensor of int, shape (n_shared,)
        Places of what belongs to the set as a whole: the pooled log spread, log counts.
    n_outputs : int
        Width of the flat summary.
    """

    n_features: int
    components: Tensor
    shared: Tensor
    n_outputs: int

    @classmethod
    def anchored(cls, n_components: int, n_features: int) -> ComponentLayout:
        """Of anchored moments: means, log shares, log spreads, pooled log spread, log size."""
        n_means = n_components * n_features
        means = torch.arange(n_means).reshape(n_components, n_features)
        scalars = n_means + torch.arange(2 * n_components).reshape(2, n_components).t()
        shared = n_means + 2 * n_components + torch.arange(2)
        return cls(n_features, torch.cat([means, scalars], 1), shared, int(shared[-1]) + 1)

    def above(self) -> ComponentLayout:
        """Of the moments of a set of these summaries: the mean, a log spread each, log size."""
        n_components = len(self.components)
        spread = self.n_outputs + torch.arange(n_components)
        count = torch.tensor([self.n_outputs + n_components])
        return ComponentLayout(
            self.n_features,
            torch.cat([self.components, spread.unsqueeze(-1)], 1),
            torch.cat([self.shared, count]),
            self.n_outputs + n_components + 1,
        )

    @property
    def n_scalars(self) -> int:
        """Features of a component beside its mean."""
        return self.components.shape[1] - self.n_features

    @property
    def means(self) -> Tensor:
        """Places of all means, which have one unit."""
        return self.components[:, : self.n_features].flatten()

    @property
    def scalars(self) -> tuple[Tensor, ...]:
        """Places of each scalar, over components."""
        return self.components[:, self.n_features :].unbind(1)

    def split(self, summary: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Means (..., component, n_features), scalars (..., component, n_scalars), shared.

        Parameters
        ----------
        summary : Tensor, shape (..., n_outputs)
        """
        rows = summary[..., self.components]
        sizes = (self.n_features, self.n_scalars)
        means, scalars = rows.split(sizes, -1)
        return means, scalars, summary[..., self.shared]
