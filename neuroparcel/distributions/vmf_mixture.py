"""Mixture of von Mises-Fisher distributions, whose densities come from one matrix product."""

from __future__ import annotations

from typing import ClassVar

import torch
from pyro.distributions import constraints as pyro_constraints
from torch import Tensor
from torch.distributions import constraints
from torch.nn.functional import normalize

from neuroparcel.distributions.mixture import LocationMixture, NaturalForm, products
from neuroparcel.distributions.von_mises_fisher import log_normaliser, sample_around


class VonMisesFisherMixture(LocationMixture):
    r"""Mixture of ``K`` von Mises-Fisher distributions of unit vectors.

    .. math::
        p(y) = \sum_k \pi_k \, C_D(\kappa_k) \exp(\kappa_k \, m_k^T y / \|m_k\|)

    Parameters
    ----------
    weights : Tensor, shape (..., K)
        Mixture weights, on the simplex.
    locs : Tensor, shape (..., K, D)
        Vectors whose directions are the mean directions; lengths do not matter.
    concentration : Tensor, broadcastable to (..., K)
        One a component, or (..., 1).
    """

    arg_constraints: ClassVar = {
        "weights": constraints.simplex,
        "locs": constraints.independent(constraints.real, 2),
        "concentration": constraints.nonnegative,
    }
    support = pyro_constraints.sphere

    def __init__(
        self,
        weights: Tensor,
        locs: Tensor,
        concentration: Tensor,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__(weights, locs, concentration, validate_args)

    @property
    def concentration(self) -> Tensor:
        """Concentrations, broadcastable to (..., K)."""
        return self._spread

    def component_log_prob(self, value: Tensor) -> Tensor:
        """Log density of each component at unit vectors (..., D), without weights; (..., K)."""
        return von_mises_fisher_log_prob(value, self.locs, self.concentration)

    def natural(self) -> NaturalForm:
        """Of unit vectors, which have the same square."""
        directions = self.concentration.unsqueeze(-1) * normalize(self.locs, dim=-1)
        constant = log_normaliser(self.concentration, self.locs.shape[-1])
        return NaturalForm.of(directions, torch.zeros_like(constant), constant)

    def _draw(self, loc: Tensor, spread: Tensor) -> Tensor:
        return sample_around(loc, spread)


def von_mises_fisher_log_prob(value: Tensor, locs: Tensor, concentration: Tensor) -> Tensor:
    """Log density of unit vectors around the direction of each location.

    Parameters
    ----------
    value : Tensor, shape (..., D)
        Unit vectors.
    locs : Tensor, shape (..., K, D)
    concentration : Tensor, broadcastable to (..., K)

    Returns
    -------
    Tensor, shape (..., K)
    """
    cosine = products(value, normalize(locs, dim=-1))
    return torch.addcmul(log_normaliser(concentration, value.shape[-1]), concentration, cosine)
