r"""Gaussian networks at the levels of an MS-HBM, given scales and what the data say.

All networks of a cohort hang on one tree, in which everything is isotropic but the
prior :math:`\Sigma_g` of the top. In the axes of :math:`\Sigma_g` each coordinate is a
tree of its own, so that the best means are found by one pass up and one down. With a
factor for each network (mean field) they are the means of the exact Gaussian posterior,
and each variance is one over the network's own precision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from neuroparcel.models.choices import LEVELS
from neuroparcel.models.mshbm import MSHBM

SPREAD_SITES = {"subject": "log_epsilon", "session": "log_sigma"}


@dataclass(frozen=True, eq=False)
class Gaussian:
    """Independent normal coordinates along the axes of the prior.

    Attributes
    ----------
    mean, variance : Tensor of float64, shape (subject or 1, session or 1, network, component)
    """

    mean: Tensor
    variance: Tensor

    @property
    def square(self) -> Tensor:
        """E|m|^2, shape (subject or 1, session or 1, network)."""
        return self.mean.square().sum(-1) + self.trace

    @property
    def trace(self) -> Tensor:
        """Sum of the variances, shape (subject or 1, session or 1, network)."""
        return self.variance.sum(-1)


@dataclass(frozen=True, eq=False)
class Evidence:
    """Gaussian evidence of each session for its networks.

    Attributes
    ----------
    precision : Tensor, shape (subject, session, network)
        Of each coordinate.
    linear : Tensor, shape (subject, session, network, component)
        Precision times location.
    """

    precision: Tensor
    linear: Tensor


@dataclass(frozen=True, eq=False)
class Tree:
    """Levels, prior and which ground variables have data below them.

    Attributes
    ----------
    levels : tuple of str
    prior_variance : Tensor of float64, shape (component,)
        Of the topmost networks, along the axes.
    axes : Tensor of float64, shape (component, component)
        Orthonormal columns: coordinates are ``rows @ axes``.
    present : Tensor of bool, shape (subject, session)
    """

    levels: tuple[str, ...]
    prior_variance: Tensor
    axes: Tensor
    present: Tensor

    @classmethod
    def of(cls, model: MSHBM, present: Tensor, axes: Tensor | None = None) -> Tree:
        """The tree of a model for a cohort; with the axes of its prior, where known."""
        tril = model.prior_tril.double()
        if axes is None:
            variance, axes = torch.linalg.eigh(tril @ tril.T)
        else:
            variance = (tril.T @ axes).square().sum(0)
        least = torch.finfo(torch.float32).tiny
        return cls(model.levels, variance.clamp_min(least), axes, present)

    def at(self, level: str, values: Tensor) -> Tensor:
        """Sum values (subject or 1, session or 1, ...) over the plates below a level."""
        if level != "session":
            values = values.sum(1, keepdim=True)
        return values.sum(0, keepdim=True) if level == "population" else values

    def present_at(self, level: str) -> Tensor:
        """Which ground variables of a level have data; shape (subject or 1, session or 1)."""
        return self.at(level, self.present.double()) > 0

    def children(self, level: str) -> Tensor:
        """Children with data of each ground variable above the last level; (..., 1, 1)."""
        below = self.levels[self.levels.index(level) + 1]
        return self.at(level, self.present_at(below).double())[..., None, None]

    def parents(self) -> dict[str, str]:
        """Each level's parent; the topmost has none."""
        return dict(zip(self.levels[1:], self.levels, strict=False))


Networks = Mapping[str, Gaussian]


def solve(
    tree: Tree,
    evidence: Evidence,
    closeness: Mapping[str, Tensor],
    *,
    trace_share: float = 1.0,
    kept: Gaussian | None = None,
) -> dict[str, Gaussian]:
    """The best Gaussian factors of all networks at once.

    Parameters
    ----------
    tree : Tree
    evidence : Evidence
        Of the sessions; zero where there is no data.
    closeness : mapping of level to Tensor, shape (network,)
        E[1 / variance] around the parent, of all levels but the topmost.
    trace_share : float
        Share of the evidence's precision that counts for variances.
    kept : Gaussian, optional
        The topmost factor, if it is not to move.
    """
    *above, last = tree.levels
    precision = tree.at(last, evidence.precision).unsqueeze(-1)
    linear = tree.at(last, evidence.linear)
    own = {last: trace_share * precision}  # what precision is added to the prior's
    upward = {last: (precision, linear)}
    for level in reversed(above):
        near = closeness[_below(tree, level)].unsqueeze(-1)
        share = 1 / (1 + precision / near)
        precision, linear = tree.at(level, share * precision), tree.at(level, share * linear)
        upward[level] = (precision, linear)
        own[level] = tree.children(level) * near
    networks: dict[str, Gaussian] = {}
    parent = torch.zeros((), dtype=torch.float64)
    for level in tree.levels:
        near = _nearness(tree, level, closeness)
        precision, linear = upward[level]
        mean = (near * parent + linear) / (near + precision)
        variance = (1 / (near + own[level])).expand_as(mean)
        networks[level] = Gaussian(mean, variance)
        if kept is not None and level == tree.levels[0]:
            networks[level] = kept
        parent = networks[level].mean
    return networks


def spread_sums(tree: Tree, networks: Networks) -> dict[str, tuple[float, Tensor]]:
    """Of each level but the topmost: coordinates, and E of their squared steps (network,)."""
    found = {}
    for level, above in tree.parents().items():
        child, parent = networks[level], networks[above]
        squares = (child.mean - parent.mean).square().sum(-1) + child.trace + parent.trace
        there = tree.present_at(level)
        total = torch.where(there.unsqueeze(-1), squares, 0.0).sum((0, 1))
        found[level] = (float(there.sum()) * len(tree.prior_variance), total)
    return found


def networks_bound(
    tree: Tree,
    networks: Networks,
    closeness: Mapping[str, Tensor],
    log_squares: Mapping[str, Tensor],
) -> Tensor:
    """Expected log prior of the networks given scales, plus their entropy.

    Parameters
    ----------
    log_squares : mapping of level to Tensor, shape (network,)
        E[log variance] around the parent.
    """
    top, n_components = networks[tree.levels[0]], len(tree.prior_variance)
    second = top.mean.square() + top.variance
    prior = -0.5 * (second / tree.prior_variance + tree.prior_variance.log()).sum(-1)
    total = _sum_present(tree, tree.levels[0], prior)
    for level, (n_coordinates, squares) in spread_sums(tree, networks).items():
        scale = n_coordinates * log_squares[level] + closeness[level] * squares
        total = total - 0.5 * scale.sum()
    for level in tree.levels:
        # The constants log(2 pi) of prior and entropy are the same.
        entropy = 0.5 * (networks[level].variance.log().sum(-1) + n_components)
        total = total + _sum_present(tree, level, entropy)
    return total


def level_shape(level: str, values: Tensor) -> Tensor:
    """Values (subject or 1, session or 1, ...) with the plates of a level only."""
    n_plates = LEVELS.index(level)
    return values.reshape(*values.shape[:n_plates], *values.shape[2:])


def _sum_present(tree: Tree, level: str, values: Tensor) -> Tensor:
    """Sum (subject or 1, session or 1, network) over ground variables with data."""
    return torch.where(tree.present_at(level).unsqueeze(-1), values, 0.0).sum()


def _below(tree: Tree, level: str) -> str:
    return tree.levels[tree.levels.index(level) + 1]


def _nearness(tree: Tree, level: str, closeness: Mapping[str, Tensor]) -> Tensor:
    """Precision around the parent, or of the prior; (network, 1) or (component,)."""
    if level == tree.levels[0]:
        return 1 / tree.prior_variance
    return closeness[level].unsqueeze(-1)
