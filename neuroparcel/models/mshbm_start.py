"""Where to look for the MS-HBM: moment estimates around given network anchors.

The priors of the log scales are so wide that data drawn from them are almost
never like a cohort. Training data are therefore simulated near what simple
moments of the cohort suggest; the model's priors are not touched.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pyro import distributions as dist
from pyro.distributions import TorchDistribution
from torch import Tensor

from neuroparcel.graph.observation import Observation
from neuroparcel.nets.summaries import AnchoredMoments

_HALF_WIDTH = 1.0  # of the log scales around their estimates
_N_STEPS = 5
_PSEUDO_COUNT = 1.0


@dataclass(frozen=True, eq=False)
class Moments:
    """Moment estimates of the MS-HBM's networks and scales.

    Attributes
    ----------
    anchors : Tensor, shape (network, component)
        Population networks.
    epsilon, sigma : Tensor, shape (network,)
        Standard deviation between subjects, and between sessions of a subject.
    kappa : Tensor, shape ()
        Standard deviation of a profile around its network.
    """

    anchors: Tensor
    epsilon: Tensor
    sigma: Tensor
    kappa: Tensor

    def proposals(self) -> dict[str, TorchDistribution]:
        """Distributions of the MS-HBM's top sites to simulate training data from."""
        spread = self.epsilon.unsqueeze(-1).expand_as(self.anchors)
        return {
            "population_networks": dist.Normal(self.anchors, spread).to_event(2),
            "log_epsilon": _near(self.epsilon.log()).to_event(1),
            "log_sigma": _near(self.sigma.log()).to_event(1),
            "log_kappa": _near(self.kappa.log()),
        }


def estimate_moments(data: Observation, anchors: Tensor) -> Moments:
    """Moment estimates from a cohort.

    Every session's vertices are softly assigned to networks that start at the
    anchors; variances of the resulting means are nested analysis-of-variance
    estimates, less the part that the finite number of vertices explains.

    Parameters
    ----------
    data : Observation, (1, subject, session, vertex, component)
    anchors : Tensor, shape (network, component)
    """
    n_networks, n_components = anchors.shape
    present = data.mask_at(1)[0]
    kappa = _spread_around(data, anchors)
    summaries = AnchoredMoments(anchors, float(kappa), _N_STEPS, _PSEUDO_COUNT)
    with torch.no_grad():
        summary = summaries(data.values, data.mask)[0]
    means = summary[..., : anchors.numel()].unflatten(-1, (n_networks, n_components))
    share = summary[..., anchors.numel() :][..., :n_networks].exp()
    spread = summary[..., anchors.numel() + n_networks :][..., :n_networks].exp()
    kappa = (share * spread.square()).sum(-1)[present].mean().sqrt()
    count = (share * data.mask[0].sum(-1, keepdim=True))[present].mean(0).clamp_min(1)
    noise = kappa.square() / count
    subjects, within = _nested(means, present)
    sessions = present.sum(1).clamp_min(1).double().mean().to(means)
    between = _variance(subjects, present.any(1))
    if not bool((present.sum(1) > 1).any()):
        within = between / 2  # one session each: sessions and subjects cannot be told apart
    sigma = _positive_part(within, noise).sqrt()
    epsilon = _positive_part(between, (sigma.square() + noise) / sessions).sqrt()
    return Moments(anchors, epsilon, sigma, kappa)


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


def _variance(subjects: Tensor, present: Tensor) -> Tensor:
    """Variance between subjects (network,), averaged over components."""
    chosen = subjects[present]
    if len(chosen) < 2:
        return chosen.new_ones(chosen.shape[-2]) * 1e-2
    return chosen.var(0).mean(-1)


def _positive_part(raw: Tensor, explained: Tensor) -> Tensor:
    """``raw - explained``, but at least a tenth of ``raw``."""
    return torch.maximum(raw - explained, 0.1 * raw).clamp_min(1e-8)


def _near(centre: Tensor) -> dist.Uniform:
    # Well inside the prior's support, (-10, 8), also for data without any spread.
    inside = centre.clamp(-8.0, 6.0)
    return dist.Uniform(inside - _HALF_WIDTH, inside + _HALF_WIDTH)
