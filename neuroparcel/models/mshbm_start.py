"""Where to look for the MS-HBM: moment estimates around given network anchors.

The priors of the log scales are so wide that data drawn from them are almost
never like a cohort. Training data are therefore simulated near what simple
moments of the cohort suggest; the model's priors are not touched.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from pyro import distributions as dist
from pyro.distributions import TorchDistribution
from torch import Tensor
from torch.nn.functional import normalize

from neuroparcel.distributions.von_mises_fisher import concentration_of
from neuroparcel.graph.observation import Observation
from neuroparcel.models.choices import BY_NETWORK, BY_SESSION, L_NORMAL
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.nets.summaries import AnchoredMoments

_HALF_WIDTH = 1.0  # of the log scales around their estimates
_N_STEPS = 5
_PSEUDO_COUNT = 1.0
_LEAST_SPREAD = 1e-4  # of a coordinate, that the summaries tell from none
_LEAST_LENGTH = 1e-2  # of a mean of unit vectors that has a direction
_LEAST_CONSENSUS = 0.1  # mean cosine between subjects, below which spreads are unbounded
_LONE_VARIANCE = 1e-2  # between subjects, where there is one: of a link coordinate,
_LONE_DIRECTION = 0.1  # and one minus the cosine between directions


@dataclass(frozen=True, eq=False)
class Moments:
    """Moment estimates of the MS-HBM's networks and scales.

    Attributes
    ----------
    anchors : Tensor, shape (network, component)
        Population networks in the unit of the data; unit vectors in a von Mises-Fisher
        model.
    epsilon, sigma : Tensor, shape (network,)
        Standard deviation between subjects, and between sessions of the level above, in
        the unit of the model's networks.
    kappa : Tensor, shape (), or (network,) if each network has its own
        Of a profile around its network: a standard deviation, or the concentration of a
        von Mises-Fisher model. The typical one, if each session has its own.
    model : MSHBM, optional
        Whose sites are proposed; by default one with all levels, L-normal, one kappa.
    radius : Tensor, shape () or (network,)
        Length of the model's networks in the unit of the anchors.
    """

    anchors: Tensor
    epsilon: Tensor
    sigma: Tensor
    kappa: Tensor
    model: MSHBM | None = None
    radius: Tensor = field(default_factory=lambda: torch.tensor(1.0))

    @property
    def networks(self) -> Tensor:
        """Population networks as the model's prior has them, shape (network, component)."""
        return self.anchors * self.radius.to(self.anchors).unsqueeze(-1)

    @property
    def temperature(self) -> float:
        """Typical standard deviation of a coordinate of a profile around its network."""
        kappa = self.kappa.log().mean().exp()
        is_sd = self.model is None or self.model.emission == L_NORMAL
        return float(kappa if is_sd else kappa.rsqrt())

    def proposals(self) -> dict[str, TorchDistribution]:
        """Distributions of the MS-HBM's top sites to simulate training data from."""
        model = _or_default(self.model, self.anchors)
        top, *below = model.levels
        spread = self.sigma if top == "session" else self.epsilon
        networks = dist.Normal(self.networks, spread.unsqueeze(-1).expand_as(self.anchors))
        sites: dict[str, TorchDistribution] = {f"{top}_networks": networks.to_event(2)}
        if "subject" in below:
            sites["log_epsilon"] = _near(self.epsilon.log(), model.log_scale_range)
        if "session" in below:
            sites["log_sigma"] = _near(self.sigma.log(), model.log_scale_range)
        return {**sites, "log_kappa": _near(self.kappa.log(), model.log_kappa_range)}


@dataclass(frozen=True, eq=False)
class _Clusters:
    """Soft clusters of each session; shapes (subject, session, ...), and which are there."""

    means: Tensor  # (..., network, component)
    mass: Tensor  # (..., network), in vertices
    variance: Tensor  # (..., network), of a coordinate around the mean
    present: Tensor  # (...)


def estimate_moments(data: Observation, anchors: Tensor, model: MSHBM | None = None) -> Moments:
    """Moment estimates from a cohort.

    Every session's vertices are softly assigned to networks that start at the
    anchors; variances of the resulting means are nested analysis-of-variance
    estimates, less the part that the finite number of vertices explains. A level that
    the model leaves out adds its variance to that of the other.

    Means of unit vectors are shorter than 1 by the mean resultant length, which gives
    the concentration; what varies then is their direction.

    Parameters
    ----------
    data : Observation, (1, subject, session, vertex, component)
        Unit vectors, if the model's emission is von Mises-Fisher.
    anchors : Tensor, shape (network, component)
    model : MSHBM, optional
        By default one with all levels, the L-normal emission and one kappa.
    """
    model = _or_default(model, anchors)
    directional = model.emission != L_NORMAL
    anchors = normalize(anchors, dim=-1) if directional else anchors
    clusters = _clusters(data, anchors)
    variance = _profile_variance(clusters, model.kappa)
    count = clusters.mass[clusters.present].mean(0).clamp_min(1)
    low, high = (math.exp(bound) for bound in model.log_kappa_range)
    if not directional:
        spreads = _spreads(clusters, clusters.means, variance / count, _LONE_VARIANCE)
        kappa = variance.sqrt().clamp(low, high)
        return Moments(anchors, *_at_levels(*spreads, clusters, model), kappa, model)
    n_components = anchors.shape[-1]
    length = (1 - n_components * variance).clamp(0, 1).sqrt()
    kappa = concentration_of(length, n_components, high).clamp_min(low)
    length = length.clamp_min(_LEAST_LENGTH)
    directions = clusters.means / length.unsqueeze(-1)
    noise = variance / length.square() / count
    spreads = _spreads(clusters, directions, noise, _LONE_DIRECTION / n_components)
    radius = _radius(anchors, model)
    # A Gaussian spread s around a network of length r leaves the cosine r^2 / (r^2 + D s^2).
    consensus = 1 - n_components * (spreads[0].square() + spreads[1].square())
    unit = radius / consensus.clamp_min(_LEAST_CONSENSUS).sqrt()
    epsilon, sigma = _at_levels(unit * spreads[0], unit * spreads[1], clusters, model)
    return Moments(anchors, epsilon, sigma, kappa, model, radius)


def _clusters(data: Observation, anchors: Tensor) -> _Clusters:
    n_networks, n_components = anchors.shape
    temperature = float(_spread_around(data, anchors).clamp_min(_LEAST_SPREAD))
    summaries = AnchoredMoments(anchors, temperature, _N_STEPS, _PSEUDO_COUNT)
    with torch.no_grad():
        summary = summaries(data.values, data.mask)[0]
    ends = [anchors.numel() + step * n_networks for step in range(3)]
    means, share, spread, _ = summary.tensor_split(ends, -1)
    return _Clusters(
        means=means.unflatten(-1, (n_networks, n_components)),
        mass=share.exp() * data.mask[0].sum(-1, keepdim=True),
        variance=(2 * spread).exp(),
        present=data.mask_at(1)[0],
    )


def _profile_variance(clusters: _Clusters, kappa: str) -> Tensor:
    """Of a coordinate of a profile around its network; shape () or (network,)."""
    mass, variance = clusters.mass[clusters.present], clusters.variance[clusters.present]
    share = mass / mass.sum(-1, keepdim=True)
    session = (share * variance).sum(-1)
    if kappa == BY_SESSION:
        return session.log().mean().exp()
    if kappa == BY_NETWORK:
        # A network that got no vertex has the others' variance.
        total = (mass * variance).sum(0) + _PSEUDO_COUNT * session.mean()
        return total / (mass.sum(0) + _PSEUDO_COUNT)
    return session.mean()


def _spreads(
    clusters: _Clusters, means: Tensor, noise: Tensor, lone: float
) -> tuple[Tensor, Tensor]:
    """Standard deviations between subjects and between sessions, both (network,)."""
    present = clusters.present
    subjects, within = _nested(means, present)
    between = _variance(subjects, present.any(1), lone)
    if not bool((present.sum(1) > 1).any()):
        within = between / 2  # one session each: sessions and subjects cannot be told apart
    sigma = _positive_part(within, noise).sqrt()
    explained = (sigma.square() + noise) / _n_sessions(clusters)
    return _positive_part(between, explained).sqrt(), sigma


def _at_levels(
    epsilon: Tensor, sigma: Tensor, clusters: _Clusters, model: MSHBM
) -> tuple[Tensor, Tensor]:
    """The spreads of a model that may lack levels; of one without neither, as they are."""
    if "session" not in model.levels:
        return (epsilon.square() + sigma.square() / _n_sessions(clusters)).sqrt(), sigma
    if "subject" not in model.levels:
        return epsilon, (epsilon.square() + sigma.square()).sqrt()
    return epsilon, sigma


def _n_sessions(clusters: _Clusters) -> Tensor:
    """Mean number of sessions of a subject."""
    return clusters.present.sum(1).clamp_min(1).double().mean().to(clusters.means)


def _radius(directions: Tensor, model: MSHBM) -> Tensor:
    """Root mean square length of the prior's networks in each direction; (network,).

    Of a draw ``r u`` from ``N(0, Sigma_g)`` with the direction u, ``r^2 u' Sigma_g^-1 u`` is
    chi-squared with as many degrees of freedom as there are components.
    """
    tril = model.prior_tril.to(directions)
    solved = torch.linalg.solve_triangular(tril, directions.T, upper=False)
    least = torch.finfo(directions.dtype).tiny  # of an anchor without any direction
    return (directions.shape[-1] / solved.square().sum(0).clamp_min(least)).sqrt()


def _spread_around(data: Observation, anchors: Tensor) -> Tensor:
    values = data.values[data.mask]
    nearest = torch.cdist(values, anchors).min(-1).values
    return (nearest.square().mean() / anchors.shape[-1]).sqrt()


def _nested(means: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """Subject means (subject, network, component) and variance between sessions (network,)."""
    weight = present[..., None, None].to(means)
    count = weight.sum(1)
    subjects = (weight * means).sum(1) / count.clamp_min(1)
    squares = (weight * (means - subjects.unsqueeze(1)).square()).sum((0, 1)).mean(-1)
    degrees = (count - 1).clamp_min(0).sum(0).squeeze(-1).clamp_min(1)
    return subjects, squares / degrees


def _variance(subjects: Tensor, present: Tensor, lone: float) -> Tensor:
    """Variance between subjects (network,), averaged over components."""
    chosen = subjects[present]
    if len(chosen) < 2:
        return chosen.new_full(chosen.shape[-2:-1], lone)
    return chosen.var(0).mean(-1)


def _positive_part(raw: Tensor, explained: Tensor) -> Tensor:
    """``raw - explained``, but at least a tenth of ``raw``."""
    return torch.maximum(raw - explained, 0.1 * raw).clamp_min(_LEAST_SPREAD**2)


def _or_default(model: MSHBM | None, anchors: Tensor) -> MSHBM:
    n_networks, n_components = anchors.shape
    return MSHBM(torch.eye(n_components).to(anchors), n_networks) if model is None else model


def _near(centre: Tensor, bounds: tuple[float, float]) -> TorchDistribution:
    """Uniform around ``centre``, well inside the bounds, also for data without any spread."""
    low, high = bounds
    half = min(_HALF_WIDTH, (high - low) / 4)
    inside = centre.clamp(low + 2 * half, high - 2 * half)
    return dist.Uniform(inside - half, inside + half).to_event(centre.dim())
