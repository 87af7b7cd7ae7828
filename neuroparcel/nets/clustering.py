r"""Plain summaries of mixtures: every data set is clustered by itself.

Where components are exchangeable and anywhere (a mixture whose means have a wide
prior), no anchor learnt beforehand fits all data sets. A short expectation
maximisation of a two-level mixture finds the components of each:

.. math::
    x_{gn} &\sim \sum_k w_{gk} N(m_{gk}, s^2 I) &
    m_{gk} &\sim N(M_k, r^2 I)

with groups ``g`` (all outer plates, flattened). Several starts run for a few
steps, and the likeliest goes on. It has no weights and does not depend on the
order of points or groups.

References
----------
Gonzalez, Clustering to minimize the maximum intercluster distance, Theoretical
Computer Science 1985 (the farthest-point starts).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from neuroparcel.nets.summaries import SetSummary

_N_FIRST_STEPS, _N_STEPS = 5, 8
_N_GROUP_STARTS = 3  # starts within the widest groups, beside two from all points
_FLOOR = 1e-4  # smallest spread, relative to that of all points


class ClusteredMoments(SetSummary):
    """Means, shares and spreads of the clusters of each set.

    Parameters
    ----------
    n_components : int
        Clusters; those of one data set are numbered by their first coordinate.
    n_features : int
        Width of one element.
    """

    def __init__(self, n_components: int, n_features: int) -> None:
        super().__init__()
        self.n_components = n_components
        self.block_sizes = (n_features,) * n_components
        self.n_outputs = n_components * n_features + 2 * n_components + 1

    @torch.no_grad()
    def forward(self, elements: Tensor, mask: Tensor) -> Tensor:
        """(batch, *outer, n, feature) with mask (batch, *outer, n) to (batch, *outer, n_outputs).

        Output: the means, cluster by cluster; log share and log spread of each
        cluster; log size of the set.
        """
        points = elements.reshape(mask.shape[0], -1, *elements.shape[-2:])
        present = mask.reshape(mask.shape[0], -1, mask.shape[-1])
        found = cluster(points, present, self.n_components)
        count = present.sum(-1, keepdim=True).clamp_min(1).to(points).log()
        summary = torch.cat(
            [found.means.flatten(-2), found.shares.log(), found.spreads.log(), count], -1
        )
        return summary.reshape(*mask.shape[:-1], -1)


@dataclass(frozen=True, eq=False)
class Clusters:
    """The clusters of a batch of data sets.

    Attributes
    ----------
    centres : Tensor, shape (batch, component, feature)
        M.
    means : Tensor, shape (batch, group, component, feature)
        m.
    shares : Tensor, shape (batch, group, component)
        w.
    spreads : Tensor, shape (batch, group, component)
        Root mean square deviation of a cluster's points from its mean, a coordinate.
    """

    centres: Tensor
    means: Tensor
    shares: Tensor
    spreads: Tensor


def cluster(points: Tensor, mask: Tensor, n_components: int) -> Clusters:
    """The likeliest clusters of several starts, in the order of their first coordinate.

    Parameters
    ----------
    points : Tensor, shape (batch, group, n, feature)
    mask : Tensor of bool, shape (batch, group, n)
    n_components : int
    """
    sets = _Sets.of(points, mask)
    starts = _starts(points, mask, n_components)
    tried = sets.repeated(len(starts))
    fits = _iterated(tried, _first_fit(tried, torch.cat(starts)), _N_FIRST_STEPS)
    likeliest = _score(tried, fits).reshape(len(starts), -1).argmax(0)
    rows = likeliest * len(points) + torch.arange(len(points), device=points.device)
    best = _numbered(_Fit(*(getattr(fits, f.name)[rows] for f in fields(_Fit))))
    return _described(sets, _iterated(sets, best, _N_STEPS))


@dataclass(frozen=True, eq=False)
class _Sets:
    points: Tensor  # (batch, group, n, feature)
    weight: Tensor  # (batch, group, n, 1); 0 where there is no data
    has_data: Tensor  # (batch, group, 1)
    n_numbers: Tensor  # (batch,); points times features
    floor: Tensor  # (batch,); smallest variance

    @classmethod
    def of(cls, points: Tensor, mask: Tensor) -> _Sets:
        weight = mask.unsqueeze(-1).to(points)
        n_numbers = weight.sum((1, 2, 3)).clamp_min(1) * points.shape[-1]
        mean = (weight * points).sum((1, 2)) / (n_numbers / points.shape[-1]).unsqueeze(-1)
        spread = (weight * (points - mean[:, None, None])).square().sum((1, 2, 3)) / n_numbers
        return cls(points, weight, mask.any(-1, True).to(points), n_numbers, _small(spread))

    def repeated(self, n: int) -> _Sets:
        """The data sets, all of them ``n`` times over."""
        return _Sets(*(torch.cat([getattr(self, f.name)] * n) for f in fields(_Sets)))


@dataclass(frozen=True, eq=False)
class _Fit:
    centres: Tensor
    means: Tensor
    shares: Tensor
    point_variance: Tensor  # (batch,); s^2
    group_variance: Tensor  # (batch,); r^2


def _first_fit(sets: _Sets, centres: Tensor) -> _Fit:
    means = centres.unsqueeze(1).expand(-1, sets.points.shape[1], -1, -1)
    shares = torch.full_like(means[..., 0], 1 / means.shape[-2])
    nearest = _squares(sets.points, means).min(-1).values
    variance = (nearest * sets.weight[..., 0]).sum((1, 2)) / sets.n_numbers + sets.floor
    return _Fit(centres, means, shares, variance, variance)


def _iterated(sets: _Sets, fit: _Fit, n_steps: int) -> _Fit:
    for _ in range(n_steps):
        fit = _step(sets, fit)
    return fit


def _step(sets: _Sets, fit: _Fit) -> _Fit:
    """One step of expectation maximisation; means are shrunk towards their centres."""
    n_features = sets.points.shape[-1]
    assigned = _assigned(sets, fit)
    mass = assigned.sum(-2)
    shares = (mass + 1) / (mass.sum(-1, keepdim=True) + mass.shape[-1])
    own, shared = mass / _wide(fit.point_variance), 1 / _wide(fit.group_variance)
    pull = (assigned.transpose(-1, -2) @ sets.points) / _wide(fit.point_variance).unsqueeze(-1)
    pull = pull + shared.unsqueeze(-1) * fit.centres.unsqueeze(1)
    means = pull / (own + shared).unsqueeze(-1)
    centres = _group_mean(means, (mass + 1e-3) * sets.has_data)
    scatter = (assigned * _squares(sets.points, means)).sum((1, 2, 3))
    between = ((means - centres.unsqueeze(1)).square().sum(-1) * sets.has_data).sum((1, 2))
    n_means = sets.has_data.sum((1, 2)).clamp_min(1) * means.shape[-2] * n_features
    return _Fit(
        centres,
        means,
        shares,
        scatter / sets.n_numbers + sets.floor,
        between / n_means + sets.floor,
    )


def _score(sets: _Sets, fit: _Fit) -> Tensor:
    """Log likelihood of points and means (batch,), up to a constant."""
    n_features = sets.points.shape[-1]
    points = torch.logsumexp(_log_density(sets, fit), -1) * sets.weight[..., 0]
    squares = (fit.means - fit.centres.unsqueeze(1)).square().sum(-1)
    variance = _wide(fit.group_variance)
    means = -0.5 * (squares / variance + n_features * variance.log()) * sets.has_data
    return points.sum((1, 2)) + means.sum((1, 2))


def _described(sets: _Sets, fit: _Fit) -> Clusters:
    assigned = _assigned(sets, fit)
    mass, n_features = assigned.sum(-2), sets.points.shape[-1]
    scatter = (assigned * _squares(sets.points, fit.means)).sum(-2)
    # A cluster of next to no points has the spread of all clusters.
    pooled = _wide(fit.point_variance)
    variance = (scatter + pooled * n_features) / ((mass + 1) * n_features)
    return Clusters(fit.centres, fit.means, fit.shares, variance.sqrt())


def _starts(points: Tensor, mask: Tensor, n_components: int) -> list[Tensor]:
    """Centres (batch, component, feature) to start from."""
    pooled, present = points.flatten(1, 2), mask.flatten(1)
    starts = [_traverse(pooled, present, n_components, far=far) for far in (True, False)]
    mean = _masked_mean(points, mask).unsqueeze(-2)
    spread = (_squares(points, mean)[..., 0] * mask).sum(-1)
    widest = spread.argsort(-1, descending=True)[:, :_N_GROUP_STARTS]
    batch = torch.arange(len(points), device=points.device)
    for group in widest.unbind(-1):
        starts.append(_traverse(points[batch, group], mask[batch, group], n_components, far=True))
    return starts


def _traverse(points: Tensor, mask: Tensor, n_components: int, *, far: bool) -> Tensor:
    """Farthest-point traversal, from the point farthest from (or nearest to) the mean."""
    from_mean = _squares(points, _masked_mean(points, mask).unsqueeze(-2))[..., 0]
    hidden = torch.where(mask, 0.0, torch.inf)
    first = (from_mean - hidden).argmax(-1) if far else (from_mean + hidden).argmin(-1)
    batch = torch.arange(len(points), device=points.device)
    chosen = [points[batch, first]]
    nearest = _squares(points, chosen[0].unsqueeze(-2))[..., 0]
    for _ in range(n_components - 1):
        chosen.append(points[batch, (nearest - hidden).argmax(-1)])
        nearest = torch.minimum(nearest, _squares(points, chosen[-1].unsqueeze(-2))[..., 0])
    return torch.stack(chosen, -2)


def _numbered(fit: _Fit) -> _Fit:
    """Components in the order of their centres' first coordinate."""
    order = fit.centres[..., 0].argsort(-1)
    return _Fit(
        fit.centres.gather(1, order.unsqueeze(-1).expand_as(fit.centres)),
        fit.means.gather(2, order[:, None, :, None].expand_as(fit.means)),
        fit.shares.gather(2, order[:, None].expand_as(fit.shares)),
        fit.point_variance,
        fit.group_variance,
    )


def _assigned(sets: _Sets, fit: _Fit) -> Tensor:
    return torch.softmax(_log_density(sets, fit), -1) * sets.weight


def _log_density(sets: _Sets, fit: _Fit) -> Tensor:
    variance = _wide(fit.point_variance).unsqueeze(-1)
    normal = _squares(sets.points, fit.means) / variance + sets.points.shape[-1] * variance.log()
    return fit.shares.log().unsqueeze(-2) - 0.5 * normal


def _group_mean(means: Tensor, weight: Tensor) -> Tensor:
    """Mean (batch, component, feature) over groups; a group with a whole point counts fully."""
    w = weight.clamp_max(1).unsqueeze(-1)
    return (w * means).sum(1) / w.sum(1).clamp_min(1e-12)


def _masked_mean(points: Tensor, mask: Tensor) -> Tensor:
    weight = mask.unsqueeze(-1).to(points)
    return (weight * points).sum(-2) / weight.sum(-2).clamp_min(1)


def _squares(points: Tensor, means: Tensor) -> Tensor:
    """(..., n, feature) and (..., k, feature) to squared distances (..., n, k)."""
    return torch.cdist(points, means, compute_mode="donot_use_mm_for_euclid_dist").square()


def _small(variance: Tensor) -> Tensor:
    return _FLOOR**2 * variance + 1e-12


def _wide(variance: Tensor) -> Tensor:
    """(batch,) against (batch, group, component)."""
    return variance[:, None, None]
