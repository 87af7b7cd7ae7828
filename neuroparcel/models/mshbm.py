r"""The multi-session hierarchical Bayesian model of connectivity networks (MS-HBM).

With the L-normal emission, networks and profiles are link coordinates in
:math:`R^{D_1 - 1}`:

.. math::
    m_l &\sim N(0, \Sigma_g) &
    \log \epsilon_l, \log \sigma_l, \log \kappa &\sim U(-10, 8) \\
    m_{sl} &\sim N(m_l, \epsilon_l^2 I) &
    m_{stl} &\sim N(m_{sl}, \sigma_l^2 I) \\
    \pi &\sim \mathrm{Dirichlet}(2, \dots, 2) &
    y_{stn} &\sim \sum_l \pi_l N(m_{stl}, \kappa^2 I)

with subjects ``s``, sessions ``t``, vertices ``n`` and networks ``l``. Networks are
event dimensions, not a plate: the plates are subject > session > vertex.

With the von Mises-Fisher emission profiles are unit vectors of any sign, and

.. math::
    y_{stn} \sim \sum_l \pi_l \, \mathrm{vMF}(m_{stl} / \|m_{stl}\|, \kappa)

where networks have the same Gaussian laws, of which only directions reach the data.

Any level can be left out: its networks and its scale go, the levels below hang on the
one above, and the topmost has the prior :math:`N(0, \Sigma_g)`.

References
----------
Kong et al., Spatial topography of individual-specific cortical networks predicts
human cognition, personality, and emotion, Cerebral Cortex 2019.
Rouillard and Wassermann, ADAVI, ICLR 2022, eq. E.10.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import cast

import pyro
import torch
from pyro import distributions as dist
from torch import Tensor

from neuroparcel.distributions.mixture import GaussianMixture, LocationMixture
from neuroparcel.distributions.vmf_mixture import VonMisesFisherMixture
from neuroparcel.errors import OptionError
from neuroparcel.models.choices import (
    BY_NETWORK,
    BY_SESSION,
    EMISSIONS,
    KAPPAS,
    L_NORMAL,
    LEVELS,
    SHARED,
    VON_MISES_FISHER,
    check_choice,
    check_levels,
)


@dataclass(frozen=True, eq=False)
class MSHBM:
    """The model as a Pyro callable: ``MSHBM(covariance, 2)(profiles, n_subjects=8)``.

    Parameters
    ----------
    population_covariance : Tensor, shape (component, component)
        Prior covariance of a network of the topmost level, Sigma_g. Of a von
        Mises-Fisher model only its shape counts: it is scaled to trace 1, so that
        networks have a length of about 1.
    n_networks : int
    log_scale_range : tuple of float
        Support of the uniform priors of the log scales (natural logarithm).
    concentration : float
        Of the Dirichlet prior of the mixture weights.
    levels : tuple of {"population", "subject", "session"}
        Levels that have networks of their own, in this order. Profiles come from the
        networks of the last.
    emission : {"l-normal", "von-mises-fisher"}
        Law of a profile around its network.
    kappa : {"shared", "network", "session"}
        What has a spread of its own: nothing, each network, or each session of each
        subject.

    Raises
    ------
    OptionError
        If an argument is none of these.
    """

    population_covariance: Tensor
    n_networks: int
    levels: tuple[str, ...] = field(default=LEVELS, kw_only=True)
    emission: str = field(default=L_NORMAL, kw_only=True)
    kappa: str = field(default=SHARED, kw_only=True)
    log_scale_range: tuple[float, float] = (-10.0, 8.0)
    concentration: float = 2.0

    def __post_init__(self) -> None:
        check_choice("emission", self.emission, EMISSIONS)
        check_choice("kappa", self.kappa, KAPPAS)
        _check_numbers(self.n_networks, self.log_scale_range, self.concentration)
        object.__setattr__(self, "levels", check_levels(self.levels))
        object.__setattr__(self, "_scale_tril", self._factor())

    @property
    def log_kappa_range(self) -> tuple[float, float]:
        """Support of the uniform prior of log kappa.

        A concentration grows with the number of components for the same mean cosine,
        so its largest value is that of ``log_scale_range`` for each component.
        """
        low, high = self.log_scale_range
        if self.emission == L_NORMAL:
            return low, high
        return low, high + math.log(len(self.population_covariance))

    @property
    def prior_tril(self) -> Tensor:
        """Cholesky factor of the topmost networks' prior covariance."""
        tril: Tensor = self._scale_tril  # type: ignore[attr-defined]
        return tril

    def to(self, device: torch.device | str) -> MSHBM:
        """The same model with its prior on another device."""
        return replace(self, population_covariance=self.population_covariance.to(device))

    def __call__(
        self,
        profiles: Tensor | None = None,
        n_subjects: int = 3,
        n_sessions: int = 2,
        n_vertices: int = 20,
    ) -> Tensor:
        """Run the model.

        Parameters
        ----------
        profiles : Tensor, shape (..., subject, session, vertex, component), optional
            Observed link coordinates, or unit vectors of a von Mises-Fisher model;
            drawn if None.
        n_subjects, n_sessions, n_vertices : int
            Plate sizes.
        """
        networks = self._networks("population")
        log_epsilon = self._log_scale("log_epsilon", "subject")
        log_sigma = self._log_scale("log_sigma", "session")
        log_kappa = None if self.kappa == BY_SESSION else self._log_kappa()
        weight_prior = dist.Dirichlet(
            self.prior_tril.new_full((self.n_networks,), self.concentration)
        )
        weights = pyro.sample("mixture_weights", weight_prior)
        with pyro.plate("subject", n_subjects, dim=-3):
            networks = self._networks("subject", networks, log_epsilon)
            with pyro.plate("session", n_sessions, dim=-2):
                networks = self._networks("session", networks, log_sigma)
                if log_kappa is None:
                    log_kappa = self._log_kappa()
                with pyro.plate("vertex", n_vertices, dim=-1):
                    # There is at least one level.
                    profile = self._emission(weights, cast(Tensor, networks), log_kappa)
                    return pyro.sample("profiles", profile, obs=profiles)

    def networks(self, latents: Mapping[str, Tensor]) -> Tensor:
        """The networks that profiles come from: those of the last level.

        Parameters
        ----------
        latents : mapping of site name to Tensor, shape (..., *plates, *event)

        Returns
        -------
        Tensor, shape (..., subject or 1, session or 1, network, component)
        """
        level = self.levels[-1]
        networks = latents[f"{level}_networks"]
        n_plates = LEVELS.index(level)
        split = networks.dim() - 2
        return networks.reshape(
            *networks.shape[:split], *(1,) * (2 - n_plates), *networks.shape[split:]
        )

    def component_log_prob(self, profiles: Tensor, latents: Mapping[str, Tensor]) -> Tensor:
        """Log density of each profile under each network, without mixture weights.

        Parameters
        ----------
        profiles : Tensor, shape (..., subject, session, vertex, component)
        latents : mapping of site name to Tensor, shape (..., *plates, *event)

        Returns
        -------
        Tensor, shape (..., subject, session, vertex, network)
        """
        return self.mixture(latents).component_log_prob(profiles)

    def mixture(self, latents: Mapping[str, Tensor]) -> LocationMixture:
        """The law of a profile (..., subject, session, vertex, component) given the latents.

        Plates that nothing varies in have the size 1 in its batch shape.

        Parameters
        ----------
        latents : mapping of site name to Tensor, shape (..., *plates, *event)
        """
        log_kappa = latents["log_kappa"]
        if self.kappa == SHARED:
            log_kappa = log_kappa[..., None, None, None]
        elif self.kappa == BY_NETWORK:
            log_kappa = log_kappa[..., None, None, None, :]
        else:
            log_kappa = log_kappa[..., None]
        weights = latents["mixture_weights"][..., None, None, None, :]
        return self._emission(weights, self.networks(latents).unsqueeze(-3), log_kappa)

    def _emission(self, weights: Tensor, networks: Tensor, log_kappa: Tensor) -> LocationMixture:
        """Arguments in Pyro's shapes: (..., subject, session, vertex, *event)."""
        kappa = log_kappa.exp()
        if self.kappa != BY_NETWORK:
            kappa = kappa.unsqueeze(-1)
        if self.emission == L_NORMAL:
            return GaussianMixture(weights, networks, kappa, validate_args=False)
        return VonMisesFisherMixture(weights, networks, kappa, validate_args=False)

    def _networks(
        self, level: str, parents: Tensor | None = None, log_spread: Tensor | None = None
    ) -> Tensor | None:
        """Networks of a level, or those above it where the level is left out."""
        if level not in self.levels:
            return parents
        if parents is None or log_spread is None:  # the topmost level
            tril = self.prior_tril
            zeros = tril.new_zeros(self.n_networks, tril.shape[-1])
            prior = dist.MultivariateNormal(zeros, scale_tril=tril, validate_args=False)
            return pyro.sample(f"{level}_networks", prior.to_event(1))
        around = dist.Normal(parents, log_spread.exp().unsqueeze(-1)).to_event(2)
        return pyro.sample(f"{level}_networks", around)

    def _log_scale(self, name: str, level: str) -> Tensor | None:
        """How far a level's networks reach from those above; None if it has nothing above."""
        if level not in self.levels[1:]:
            return None
        return pyro.sample(name, self._uniform(self.log_scale_range, (self.n_networks,)))

    def _log_kappa(self) -> Tensor:
        shape = (self.n_networks,) if self.kappa == BY_NETWORK else ()
        return pyro.sample("log_kappa", self._uniform(self.log_kappa_range, shape))

    def _uniform(self, bounds: tuple[float, float], shape: tuple[int, ...]) -> dist.Distribution:
        low, high = (self.prior_tril.new_full(shape, bound) for bound in bounds)
        return dist.Uniform(low, high).to_event(len(shape))

    def _factor(self) -> Tensor:
        covariance = self.population_covariance
        if covariance.dim() != 2 or covariance.shape[0] != covariance.shape[1]:
            raise OptionError(
                f"the population covariance has the shape {tuple(covariance.shape)}.",
                "Give a square matrix, (component, component).",
            )
        if self.emission == VON_MISES_FISHER:
            covariance = covariance / covariance.diagonal().sum()
        factor, failed = torch.linalg.cholesky_ex(covariance)
        if bool(failed) or not bool(torch.isfinite(factor).all()):
            raise OptionError(
                "the population covariance is not positive definite.",
                "Give the covariance of coordinates that all vary: keep fewer components.",
            )
        return factor


def _check_numbers(
    n_networks: int, log_scale_range: tuple[float, float], concentration: float
) -> None:
    if n_networks < 1:
        raise OptionError(f"{n_networks} networks were asked for.", "Give at least one.")
    low, high = log_scale_range
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise OptionError(
            f"the log scales have the range ({low}, {high}).",
            "Give two numbers, the smaller one first.",
        )
    if not concentration > 0:
        raise OptionError(
            f"the mixture weights have the concentration {concentration}.",
            "Give a positive number; 1 is the uniform prior of the weights.",
        )
