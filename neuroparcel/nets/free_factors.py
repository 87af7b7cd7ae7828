"""Variational factors without a network: every ground variable has parameters of its own.

What mean-field variational inference uses: one free distribution for each
ground variable of each data set, of the parametric form of its prior, or a
normal in the coordinates of its link.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from pyro.distributions import Normal, TorchDistribution
from torch import Tensor, nn
from torch.distributions import Independent, constraints

from neuroparcel.distributions.links import Link

_START_SCALE = 0.1  # as Pyro's AutoNormal
_TIED = {"covariance_matrix": "scale_tril", "precision_matrix": "scale_tril"}


class FreeFactor(nn.Module, ABC):
    """Density of one site, shape (batch, *plates, *event), that depends on no data."""

    form: str

    @abstractmethod
    def rsample_and_log_prob(self, n_draws: int) -> tuple[Tensor, Tensor]:
        """Draws (draw, batch, *plates, *event) and their density (draw, batch, *plates)."""

    @abstractmethod
    def log_prob(self, value: Tensor) -> Tensor:
        """Log density (draw, batch, *plates) at ``value`` (draw, batch, *plates, *event)."""

    @abstractmethod
    def centre(self) -> Tensor:
        """A central value (batch, *plates, *event)."""


class PriorForm(FreeFactor):
    """A distribution of the prior's class with free parameters.

    Parameters
    ----------
    prior : TorchDistribution, batch shape (batch, *plates, 1, ...)
        Gives the class, and the parameters to start from.
    start : Tensor, shape (batch, *plates, *event)
        Where a location starts.
    """

    def __init__(self, prior: TorchDistribution, start: Tensor) -> None:
        super().__init__()
        base = _base(prior)
        n_inner = len(prior.event_shape) - len(base.event_shape)
        plates = start.shape[: start.dim() - len(prior.event_shape)]
        self._class = type(base)
        self._n_inner = n_inner
        names = _free_names(base)
        self._has_location = "loc" in names and not _is_bounded(base)
        self.form = self._class.__name__
        self._links: dict[str, Link] = {}
        self.free = nn.ParameterDict()
        for name in names:
            value = _full(getattr(base, name), base, base.arg_constraints[name])
            value = value.reshape(*plates, *value.shape[len(prior.batch_shape) :])
            if self._has_location and name == "loc":
                value = start.expand_as(value)
            elif self._has_location and name in ("scale", "scale_tril"):
                value = value * _START_SCALE
            self._links[name] = Link(
                base.arg_constraints[name], value.shape[len(plates) + n_inner :]
            )
            self.free[name] = nn.Parameter(self._links[name].inverse(value).clone())

    def distribution(self) -> TorchDistribution:
        """The distribution as it stands."""
        values = {name: link(self.free[name])[0] for name, link in self._links.items()}
        base = self._class(**values, validate_args=False)
        return Independent(base, self._n_inner, validate_args=False)

    def rsample_and_log_prob(self, n_draws: int) -> tuple[Tensor, Tensor]:
        """See :class:`FreeFactor`."""
        distribution = self.distribution()
        value = distribution.rsample((n_draws,))
        return value, distribution.log_prob(value)

    def log_prob(self, value: Tensor) -> Tensor:
        """See :class:`FreeFactor`."""
        return self.distribution().log_prob(value)

    def centre(self) -> Tensor:
        """The location where there is one (a heavy tail has no mean), else the mean."""
        base = _base(self.distribution())
        return base.loc if self._has_location else self.distribution().mean


class LinkNormal(FreeFactor):
    """Independent normals in the unbounded coordinates of a site's link.

    Parameters
    ----------
    link : Link
    start : Tensor, shape (batch, *plates, *event)
    """

    form = "Normal in link coordinates"

    def __init__(self, link: Link, start: Tensor) -> None:
        super().__init__()
        self._link = link
        self.loc = nn.Parameter(link.inverse(start))
        self.log_scale = nn.Parameter(torch.full_like(self.loc.data, _START_SCALE).log())

    def rsample_and_log_prob(self, n_draws: int) -> tuple[Tensor, Tensor]:
        """See :class:`FreeFactor`."""
        normal = self._normal()
        unbounded = normal.rsample((n_draws,))
        value, log_det = self._link(unbounded)
        return value, normal.log_prob(unbounded) - log_det

    def log_prob(self, value: Tensor) -> Tensor:
        """See :class:`FreeFactor`."""
        unbounded = self._link.inverse(value)
        return self._normal().log_prob(unbounded) - self._link(unbounded)[1]

    def centre(self) -> Tensor:
        """The link of the location."""
        return self._link(self.loc)[0]

    def _normal(self) -> Independent:
        return Independent(Normal(self.loc, self.log_scale.exp()), 1, validate_args=False)


def has_free_form(prior: TorchDistribution) -> bool:
    """Whether the prior's class can be a factor: reparameterised, of fixed support.

    A uniform cannot, for its parameters are its support; nor can a transformed
    distribution that does not say its parameters.
    """
    base = _base(prior)
    names = set(_free_names(base))
    parameters = inspect.signature(type(base).__init__).parameters
    needed = {n for n, p in parameters.items() if p.default is p.empty} - {"self"}
    known = needed <= names <= set(parameters)
    return base.has_rsample and bool(names) and known and not _moves_support(base)


def _moves_support(base: TorchDistribution) -> bool:
    """Distributions whose support is a function of their parameters (uniform, Pareto)."""
    return isinstance(inspect.getattr_static(type(base), "support"), constraints.dependent_property)


def _is_bounded(base: TorchDistribution) -> bool:
    return base.support not in (constraints.real, constraints.real_vector)


def _free_names(base: TorchDistribution) -> tuple[str, ...]:
    named: Mapping[str, constraints.Constraint] = base.arg_constraints
    names = dict.fromkeys(_TIED.get(name, name) for name in named)
    return tuple(name for name in names if not constraints.is_dependent(named[name]))


def _base(distribution: TorchDistribution) -> TorchDistribution:
    while isinstance(distribution, Independent):
        distribution = distribution.base_dist
    return distribution


def _full(value: Tensor, base: TorchDistribution, constraint: constraints.Constraint) -> Tensor:
    """A parameter at the full batch shape, so that every ground variable has its own."""
    event = value.shape[value.dim() - constraint.event_dim :]
    return value.detach().expand(*base.batch_shape, *event)
