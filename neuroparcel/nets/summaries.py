"""The residual path of the encoder: plain summaries of a set, carried to the flows.

Posterior means of hierarchical models are close to shrunken averages, so the
averages are handed on as they are; attention adds what they miss.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from neuroparcel.nets.chunked import CHUNK_SIZE, chunks, summed

_LEAST_VARIATION = 1e-10  # variance of a feature that varies, relative to its squared mean
_N_UNIT_ROWS = 100_000  # elements that units are measured on
_NORMAL_DEVIATION = 1.4826  # standard deviation over median absolute deviation of a Gaussian


class SetSummary(nn.Module, ABC):
    """Plain summaries of a set.

    Attributes
    ----------
    n_outputs : int
        Width of the summary.
    block_sizes : tuple of int
        Its leading features, in blocks that share one scale.
    """

    n_outputs: int
    block_sizes: tuple[int, ...]

    @abstractmethod
    def forward(self, elements: Tensor, mask: Tensor) -> Tensor:
        """(..., n, n_features) with mask (..., n) to (..., n_outputs); NaN where undefined."""


class Moments(SetSummary):
    """Masked mean, pooled spread and size of a set of feature vectors.

    The spread of a block of features is the logarithm of its root mean square
    deviation from the set's mean: the statistic that the scale of a Gaussian
    random effect is estimated from.

    Parameters
    ----------
    n_features : int
        Width of one element.
    block_sizes : tuple of int
        Consecutive leading features whose deviations are pooled, one spread each.
    chunk_size : int
        Elements that are read at once, over all sets.
    """

    def __init__(
        self, n_features: int, block_sizes: tuple[int, ...], chunk_size: int = CHUNK_SIZE
    ) -> None:
        super().__init__()
        self.block_sizes = block_sizes
        self.chunk_size = chunk_size
        self.n_outputs = n_features + len(block_sizes) + 1

    def forward(self, elements: Tensor, mask: Tensor) -> Tensor:
        """(..., n, n_features) with mask (..., n) to (..., n_outputs); NaN where undefined."""
        pieces = chunks(elements, mask, self.chunk_size)
        count = mask.sum(-1, keepdim=True).to(elements.dtype)
        (total,) = summed(_total, pieces)
        mean = total / count.clamp_min(1)
        centre = mean[..., None, : sum(self.block_sizes)]

        def squares_of(elements: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
            deviation = elements[..., : centre.shape[-1]] - centre
            return _total(deviation.square(), mask)

        squares = summed(squares_of, pieces)[0] / (count - 1).clamp_min(1)
        spread = [0.5 * _log(block.mean(-1)) for block in squares.split(self.block_sizes, -1)]
        undefined = torch.full_like(count, torch.nan)
        spreads = torch.where(count > 1, torch.stack(spread, -1), undefined)
        filled = torch.where(count > 0, mean, undefined)
        return torch.cat([filled, spreads, count.clamp_min(1).log()], -1)


class AnchoredMoments(SetSummary):
    r"""Means of a set weighted by soft assignment to learnt anchors.

    A few steps of mixture clustering, unrolled: from the anchors :math:`a_k`,

    .. math::
        w_{nk} &\propto \exp(-\|y_n - m_k\|^2 / (2 \tau^2)), \\
        m_k &\leftarrow (\sum_n w_{nk} y_n + c\, a_k) / (\sum_n w_{nk} + c)

    with a learnt temperature :math:`\tau` and pseudo-count :math:`c` that keep
    each mean near its anchor: component ``k`` means the same in every set.

    Parameters
    ----------
    anchors : Tensor, shape (anchor, feature)
    temperature : float
        Start of tau, in the unit of the features; the spread inside a cluster.
    n_steps : int
        Unrolled steps; 1 assigns to the anchors themselves.
    pseudo_count : float
        Start of c.
    chunk_size : int
        Elements that are read at once, over all sets.
    """

    def __init__(
        self,
        anchors: Tensor,
        temperature: float,
        n_steps: int,
        pseudo_count: float,
        chunk_size: int = CHUNK_SIZE,
    ) -> None:
        super().__init__()
        self.anchors = nn.Parameter(anchors.clone())
        self.log_temperature = nn.Parameter(torch.tensor(float(temperature)).log())
        self.log_pseudo_count = nn.Parameter(torch.tensor(float(pseudo_count)).log())
        self.n_steps = n_steps
        self.chunk_size = chunk_size
        n_anchors, n_features = anchors.shape
        self.block_sizes = (n_features,) * n_anchors
        self.n_outputs = n_anchors * n_features + 2 * n_anchors + 2

    def forward(self, elements: Tensor, mask: Tensor) -> Tensor:
        """(..., n, feature) with mask (..., n) to (..., n_outputs).

        Output: the means, anchor by anchor; log share and log spread of each
        anchor; log spread around all of them; log size of the set.
        """
        pieces = chunks(elements, mask, self.chunk_size)
        means = self.anchors.expand(*mask.shape[:-1], *self.anchors.shape)
        for _ in range(self.n_steps):
            means = self._update(*summed(partial(self._collect, means), pieces))
        mass, scatter = summed(partial(self._scatter, means), pieces)
        count = mask.sum(-1, keepdim=True).clamp_min(1).to(elements.dtype)
        spread = scatter / (mass.clamp_min(1e-3) * elements.shape[-1])
        pooled = scatter.sum(-1, keepdim=True) / (count * elements.shape[-1])
        share = ((mass + 1) / (count + mass.shape[-1])).log()
        spreads = [0.5 * _log(spread), 0.5 * _log(pooled)]
        return torch.cat([means.flatten(-2), share, *spreads, count.log()], -1)

    def _collect(self, means: Tensor, elements: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Mass (..., anchor) and weighted sum (..., anchor, feature) of the elements."""
        weights = self._assign(_closeness(elements, means), mask)
        return weights.sum(-1), weights @ elements

    def _scatter(self, means: Tensor, elements: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Mass and weighted squared distance to the means, both (..., anchor)."""
        closeness = _closeness(elements, means)
        weights = self._assign(closeness, mask)
        distance = (elements.square().sum(-1).unsqueeze(-2) - 2 * closeness).clamp_min(0)
        return weights.sum(-1), (weights * distance).sum(-1)

    def _assign(self, closeness: Tensor, mask: Tensor) -> Tensor:
        logits = closeness * (-2 * self.log_temperature).exp()
        return torch.softmax(logits, -2) * mask.unsqueeze(-2)

    def _update(self, mass: Tensor, total: Tensor) -> Tensor:
        pseudo = self.log_pseudo_count.exp()
        return (total + pseudo * self.anchors) / (mass.unsqueeze(-1) + pseudo)


class Standardise(nn.Module):
    """Features to zero mean and unit variance; the undefined to the mean.

    The constants are measured once, on the first training data, and travel with
    the weights.

    Parameters
    ----------
    n_features : int
    one_scale : sequence of Tensor of int
        Places of features that have one variance, in turn.
    one_law : sequence of Tensor of int
        Places of features that have one mean and one variance.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        n_features: int,
        one_scale: Sequence[Tensor] = (),
        one_law: Sequence[Tensor] = (),
    ) -> None:
        super().__init__()
        self.one_scale, self.one_law = tuple(one_scale), tuple(one_law)
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("scale", torch.ones(n_features))

    @torch.no_grad()
    def measure(self, features: Tensor) -> None:
        """Set the constants from ``features`` (sample, n_features), NaN ignored."""
        mean = features.nanmean(0)
        variance = (features - mean).square().nanmean(0)
        for places in self.one_law:
            mean[places], variance[places] = _pooled(mean[places], variance[places])
        for places in self.one_scale:
            variance[places] = variance[places].nanmean()
        self.mean.copy_(torch.nan_to_num(mean))
        # What never varied in training (the size of a set, say) could teach nothing, and is
        # left out: with sets of another size it would lead the networks astray.
        varies = torch.nan_to_num(variance) > _LEAST_VARIATION * mean.square()
        self.scale.copy_(torch.where(varies, variance, torch.inf).sqrt())

    def forward(self, features: Tensor) -> Tensor:
        """(..., n_features) standardised."""
        return torch.nan_to_num((features - self.mean) / self.scale)

    def inverse(self, features: Tensor) -> Tensor:
        """Back from standardised; what never varied is its mean."""
        scale = torch.where(self.scale.isinf(), 0.0, self.scale)
        return features * scale + self.mean


class Units(nn.Module):
    """The observed features in units of their own, so that volts do as well as microvolts.

    Median and median absolute deviation of the first training data: a heavy tail does
    not set the unit.

    Parameters
    ----------
    n_features : int
    shared : bool
        One scale for all features, where distances between elements count.
    """

    centre: Tensor
    scale: Tensor

    def __init__(self, n_features: int, *, shared: bool) -> None:
        super().__init__()
        self.shared = shared
        self.register_buffer("centre", torch.zeros(n_features))
        self.register_buffer("scale", torch.ones(n_features))

    @torch.no_grad()
    def measure(self, elements: Tensor) -> None:
        """Set the units from ``elements`` (sample, n_features)."""
        some = elements[:: max(1, len(elements) // _N_UNIT_ROWS)]
        centre = some.median(0).values
        deviation = (some - centre).abs()
        scale = _NORMAL_DEVIATION * deviation.median(0).values
        scale = torch.where(scale > 0, scale, deviation.square().mean(0).sqrt())
        if self.shared:
            scale = scale.square().mean().sqrt().expand_as(scale)
        self.centre.copy_(centre)
        self.scale.copy_(torch.where(scale > 0, scale, 1.0))

    def forward(self, elements: Tensor) -> Tensor:
        """(..., n_features) in these units."""
        return (elements - self.centre) / self.scale

    def inverse(self, elements: Tensor) -> Tensor:
        """Back to the units of the data."""
        return elements * self.scale + self.centre


def _total(elements: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
    """Sum over the observed elements, (..., n, feature) to (..., feature)."""
    return ((mask.unsqueeze(-1) * elements).sum(-2),)


def _pooled(means: Tensor, variances: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of all features together, NaN ignored."""
    mean = means.nanmean()
    return mean, (variances + (means - mean).square()).nanmean()


def _closeness(elements: Tensor, means: Tensor) -> Tensor:
    """(..., n, feature) and (..., anchor, feature) to (..., anchor, n): y m - m^2 / 2.

    Half of minus the squared distance, but for the square of the element itself,
    which is the same for every anchor and so cancels in the assignment.
    """
    squares = means.square().sum(-1, keepdim=True)
    return means @ elements.transpose(-1, -2) - 0.5 * squares


def _log(squares: Tensor) -> Tensor:
    return (squares + 1e-8).log()
