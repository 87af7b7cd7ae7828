r"""The multi-session hierarchical Bayesian model of connectivity networks (MS-HBM).

Networks and profiles are link coordinates in :math:`R^{D_1 - 1}`:

.. math::
    m_l &\sim N(0, \Sigma_g) &
    \log \epsilon_l, \log \sigma_l, \log \kappa &\sim U(-10, 8) \\
    m_{sl} &\sim N(m_l, \epsilon_l^2 I) &
    m_{stl} &\sim N(m_{sl}, \sigma_l^2 I) \\
    \pi &\sim \mathrm{Dirichlet}(2, \dots, 2) &
    y_{stn} &\sim \sum_l \pi_l N(m_{stl}, \kappa^2 I)

with subjects ``s``, sessions ``t``, vertices ``n`` and networks ``l``. Networks are
event dimensions, not a plate: the plates are subject > session > vertex.

References
----------
Kong et al., Spatial topography of individual-specific cortical networks predicts
human cognition, personality, and emotion, Cerebral Cortex 2019.
Rouillard and Wassermann, ADAVI, ICLR 2022, eq. E.10.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyro
import torch
from pyro import distributions as dist
from torch import Tensor

from neuroparcel.distributions.mixture import GaussianMixture


@dataclass(frozen=True, eq=False)
class MSHBM:
    """The model as a Pyro callable: ``MSHBM(covariance, 2)(profiles, n_subjects=8)``.

    Parameters
    ----------
    population_covariance : Tensor, shape (component, component)
        Prior covariance of a population network's link coordinates, Sigma_g.
    n_networks : int
    log_scale_range : tuple of float
        Support of the uniform priors of the log scales (natural logarithm).
    concentration : float
        Of the Dirichlet prior of the mixture weights.
    """

    population_covariance: Tensor
    n_networks: int
    log_scale_range: tuple[float, float] = (-10.0, 8.0)
    concentration: float = 2.0

    def __post_init__(self) -> None:
        factor = torch.linalg.cholesky(self.population_covariance)
        object.__setattr__(self, "_scale_tril", factor)

    def to(self, device: torch.device | str) -> MSHBM:
        """The same model with its prior on another device."""
        covariance = self.population_covariance.to(device)
        return MSHBM(covariance, self.n_networks, self.log_scale_range, self.concentration)

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
            Observed link coordinates; drawn if None.
        n_subjects, n_sessions, n_vertices : int
            Plate sizes.
        """
        tril: Tensor = self._scale_tril  # type: ignore[attr-defined]
        zeros = tril.new_zeros(self.n_networks, tril.shape[-1])
        network = dist.MultivariateNormal(zeros, scale_tril=tril, validate_args=False).to_event(1)
        population = pyro.sample("population_networks", network)
        log_epsilon = pyro.sample("log_epsilon", self._log_scales())
        log_sigma = pyro.sample("log_sigma", self._log_scales())
        low, high = (tril.new_tensor(bound) for bound in self.log_scale_range)
        log_kappa = pyro.sample("log_kappa", dist.Uniform(low, high))
        weight_prior = dist.Dirichlet(tril.new_full((self.n_networks,), self.concentration))
        weights = pyro.sample("mixture_weights", weight_prior)
        with pyro.plate("subject", n_subjects, dim=-3):
            subject = dist.Normal(population, log_epsilon.exp().unsqueeze(-1)).to_event(2)
            subject_networks = pyro.sample("subject_networks", subject)
            with pyro.plate("session", n_sessions, dim=-2):
                session = dist.Normal(subject_networks, log_sigma.exp().unsqueeze(-1)).to_event(2)
                session_networks = pyro.sample("session_networks", session)
                with pyro.plate("vertex", n_vertices, dim=-1):
                    profile = GaussianMixture(weights, session_networks, log_kappa.exp())
                    return pyro.sample("profiles", profile, obs=profiles)

    def _log_scales(self) -> dist.Distribution:
        tril: Tensor = self._scale_tril  # type: ignore[attr-defined]
        low, high = (tril.new_full((self.n_networks,), bound) for bound in self.log_scale_range)
        return dist.Uniform(low, high).to_event(1)
