r"""The two emissions of an MS-HBM, as the reference sees them.

L-normal: evidence for a network is Gaussian, and kappa squared an inverse gamma.

von Mises-Fisher: the expected cosine between a profile ``y`` and a network
:math:`m \sim N(\mu, \tau^2 I)` is that to its mean, less what the spread takes,

.. math:: E[y^T m / \|m\|] \approx y^T \mu / \sqrt{\|\mu\|^2 + (D - 1) \tau^2},

which is right to the second order in :math:`\tau / \|\mu\|` and to 1 / D where the
spread is large. With this cosine the bound of a network with the resultant
:math:`R = \sum_n r_n y_n` has a minorant that touches it and whose maximum is in closed
form (:func:`_climb`), so that no step can lower it. Kappa is the most likely one.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from neuroparcel.distributions.mixture import isotropic_log_prob
from neuroparcel.distributions.von_mises_fisher import (
    concentration_of,
    mean_resultant_length,
)
from neuroparcel.models.choices import BY_NETWORK, L_NORMAL, SHARED
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.reference_networks import (
    Evidence,
    Gaussian,
    Networks,
    Tree,
    networks_bound,
    solve,
)
from neuroparcel.models.reference_scales import Concentration, Scale, TruncatedInverseGamma

Density = Callable[[Tensor], Tensor]
Spreads = Mapping[str, TruncatedInverseGamma]


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over vertices, weighted by their labels; float64, along the prior's axes.

    Attributes
    ----------
    mass : Tensor, shape (subject, session, network)
        Label probabilities.
    count, square : Tensor, shape (subject, session, network)
        Probabilities times the evidence's weight, and these times squared norms.
    total : Tensor, shape (subject, session, network, component)
        Weighted profiles.
    labels : Tensor, shape ()
        Entropy of the labels, plus what is expected of their given log prior.
    """

    mass: Tensor
    count: Tensor
    square: Tensor
    total: Tensor
    labels: Tensor

    @classmethod
    def zeros(cls, sizes: tuple[int, ...], n_components: int) -> Sums:
        """Sums of nothing for (subject, session, network)."""
        mass, count, square = torch.zeros(3, *sizes, dtype=torch.float64)
        total = torch.zeros(*sizes, n_components, dtype=torch.float64)
        return cls(mass, count, square, total, torch.zeros((), dtype=torch.float64))


@dataclass(frozen=True, eq=False)
class Labelled:
    """Profiles of a session with their labels.

    Attributes
    ----------
    values : Tensor, shape (row, component)
    labels : Tensor, shape (row, network)
        Probabilities.
    weight : Tensor or float, shape (row, 1)
        Of the profiles.
    """

    values: Tensor
    labels: Tensor
    weight: Tensor | float


class Emission(ABC):
    """How profiles come from networks.

    Parameters
    ----------
    model : MSHBM

    Attributes
    ----------
    is_free_of_length : bool
        Whether only directions of networks reach the data.
    """

    is_free_of_length: ClassVar[bool]

    def __init__(self, model: MSHBM) -> None:
        self.sharing = model.kappa
        self.bounds = model.log_kappa_range

    @abstractmethod
    def density(
        self, tree: Tree, networks: Gaussian, kappa: Scale, at: tuple[int, int], like: Tensor
    ) -> Density:
        """Expected log density of profiles (row, component) of a session; (row, network)."""

    @abstractmethod
    def bound(self, networks: Gaussian, kappa: Scale, sums: Sums) -> Tensor:
        """Expected log density of all profiles."""

    @abstractmethod
    def networks(
        self,
        tree: Tree,
        now: Networks,
        kappa: Scale,
        spreads: Spreads,
        sums: Sums,
        kept: Gaussian | None,
    ) -> Networks:
        """Networks whose bound is not lower."""

    @abstractmethod
    def kappa(self, networks: Gaussian, now: Scale, sums: Sums) -> Scale:
        """The best factor of kappa."""

    @abstractmethod
    def start(self, kappa: Tensor, counts: Tensor) -> Scale:
        """A factor at an estimate, as if from counts; both of kappa's shape."""

    @abstractmethod
    def missing(
        self, tree: Tree, networks: Gaussian, kappa: Scale, at: tuple[int, int], rows: Labelled
    ) -> Tensor:
        r"""Information on a session's networks that uncertain labels hide, (network, network).

        With the gradient :math:`g_{nk}` of a profile's log density by its network, the labels'
        covariance takes :math:`\sum_n (\delta_{kl} r_{nk} - r_{nk} r_{nl}) \,
        g_{nk}^T g_{nl} / D` from the precision of each coordinate, in the mean over them.
        """

    def over(self, value: Tensor) -> Tensor:
        """One number for what shares a kappa, as (subject or 1, session or 1, network or 1)."""
        if self.sharing == SHARED:
            return value.reshape(1, 1, 1)
        return value.reshape(1, 1, -1) if self.sharing == BY_NETWORK else value.unsqueeze(-1)

    def pool(self, values: Tensor) -> Tensor:
        """Sum (subject, session, network) over what shares a kappa."""
        if self.sharing == SHARED:
            return values.sum()
        return values.sum((0, 1)) if self.sharing == BY_NETWORK else values.sum(-1)

    def _at(self, value: Tensor, at: tuple[int, int]) -> Tensor:
        """The numbers of one session, (network or 1,)."""
        spread = self.over(value)
        return spread[min(at[0], len(spread) - 1), min(at[1], spread.shape[1] - 1)]


def emission_of(model: MSHBM) -> Emission:
    """The emission of a model."""
    return LNormal(model) if model.emission == L_NORMAL else VonMisesFisher(model)


class LNormal(Emission):
    """Isotropic Gaussian profiles; kappa is their standard deviation."""

    is_free_of_length = False

    def density(
        self, tree: Tree, networks: Gaussian, kappa: Scale, at: tuple[int, int], like: Tensor
    ) -> Density:
        """Expected log density of profiles (row, component) of a session; (row, network)."""
        law = _inverse_gamma(kappa)
        mean, trace = _session(networks.mean, at) @ tree.axes.T, _session(networks.trace, at)
        inverse, log_square = self._at(law.mean_inverse, at), self._at(law.mean_log_square, at)
        n_components = mean.shape[-1]
        # What the log density at the mean of 1 / kappa^2 lacks of the expected one.
        jensen = 0.5 * n_components * (log_square + inverse.log()) + 0.5 * inverse * trace
        locs, scale, less = mean.to(like).unsqueeze(0), inverse.rsqrt().to(like), jensen.to(like)
        return lambda values: isotropic_log_prob(values, locs, scale) - less

    def bound(self, networks: Gaussian, kappa: Scale, sums: Sums) -> Tensor:
        """Expected log density of all profiles."""
        law, n_components = _inverse_gamma(kappa), sums.total.shape[-1]
        count, scatter = self.pool(sums.count), self.pool(_scatter(networks, sums))
        log_square = math.log(2 * math.pi) + law.mean_log_square
        return -0.5 * (n_components * count * log_square + law.mean_inverse * scatter).sum()

    def networks(
        self,
        tree: Tree,
        now: Networks,
        kappa: Scale,
        spreads: Spreads,
        sums: Sums,
        kept: Gaussian | None,
    ) -> Networks:
        """The best networks, all levels at once."""
        inverse = self.over(_inverse_gamma(kappa).mean_inverse)
        evidence = Evidence(inverse * sums.count, inverse.unsqueeze(-1) * sums.total)
        return solve(tree, evidence, closeness(spreads), kept=kept)

    def kappa(self, networks: Gaussian, now: Scale, sums: Sums) -> Scale:
        """The best factor of kappa."""
        count, scatter = self.pool(sums.count), self.pool(_scatter(networks, sums))
        return TruncatedInverseGamma(0.5 * sums.total.shape[-1] * count, 0.5 * scatter, self.bounds)

    def start(self, kappa: Tensor, counts: Tensor) -> Scale:
        """A factor at an estimate, as if from counts; both of kappa's shape."""
        shape = 0.5 * counts
        return TruncatedInverseGamma(shape, shape * kappa.square(), self.bounds)

    def missing(
        self, tree: Tree, networks: Gaussian, kappa: Scale, at: tuple[int, int], rows: Labelled
    ) -> Tensor:
        """Information on a session's networks that uncertain labels hide, (network, network)."""
        inverse = self._at(_inverse_gamma(kappa).mean_inverse, at).to(rows.values)
        mean = (_session(networks.mean, at) @ tree.axes.T).to(rows.values)
        scale = inverse.square() / mean.shape[-1]
        square = scale * torch.cdist(rows.values, mean).square()
        weighted = rows.weight * rows.labels
        crossed = (weighted * square).T @ weighted
        apart = scale * torch.cdist(mean, mean).square()
        pairs = 0.5 * (crossed + crossed.T - (weighted.T @ weighted) * apart)
        return ((rows.weight * weighted * square).sum(0).diag() - pairs).double()


class VonMisesFisher(Emission):
    """Unit vectors around the directions of networks; kappa is their concentration."""

    is_free_of_length = True

    def density(
        self, tree: Tree, networks: Gaussian, kappa: Scale, at: tuple[int, int], like: Tensor
    ) -> Density:
        """Expected log density of profiles (row, component) of a session; (row, network)."""
        law, n_components = _concentration(kappa), networks.mean.shape[-1]
        concentration = self._at(law.value, at)
        own = Gaussian(_session(networks.mean, at), _session(networks.variance, at))
        mean = (own.mean / _length(own).unsqueeze(-1)) @ tree.axes.T
        constant = self._at(law.log_normaliser(n_components), at).to(like)
        pull = (concentration.unsqueeze(-1) * mean).to(like).T
        return lambda values: values @ pull + constant

    def bound(self, networks: Gaussian, kappa: Scale, sums: Sums) -> Tensor:
        """Expected log density of all profiles."""
        law = _concentration(kappa)
        count, cosine = self.pool(sums.count), self.pool(_cosines(networks, sums))
        constant = law.log_normaliser(sums.total.shape[-1])
        return (count * constant + law.value * cosine).sum()

    def networks(
        self,
        tree: Tree,
        now: Networks,
        kappa: Scale,
        spreads: Spreads,
        sums: Sums,
        kept: Gaussian | None,
    ) -> Networks:
        """Networks whose bound is not lower.

        All levels at once, with evidence linear in the last: quick, but no minorant.
        Where that lowers the bound, the last level climbs and the others follow.
        """
        last, near = tree.levels[-1], closeness(spreads)
        pull = tree.at(last, self.over(_concentration(kappa).value).unsqueeze(-1) * sums.total)
        quick = self._linearised(tree, now, pull, near, kept)
        if self._height(tree, quick, kappa, spreads, sums) >= self._height(
            tree, now, kappa, spreads, sums
        ):
            return quick
        if kept is not None and len(tree.levels) == 1:
            return now
        networks = {**now, last: _climb(tree, now, pull, near)}
        return _followed(tree, networks, near, kept)

    def kappa(self, networks: Gaussian, now: Scale, sums: Sums) -> Scale:
        """The most likely concentration, and how curved the bound is there."""
        n_components = sums.total.shape[-1]
        count, cosine = self.pool(sums.count), self.pool(_cosines(networks, sums))
        there = count > 0
        length = torch.where(there, cosine / count.clamp_min(torch.finfo(count.dtype).tiny), 0.0)
        low, high = self.bounds
        found = concentration_of(length, n_components, math.exp(high)).clamp_min(math.exp(low))
        log_mode = torch.where(there, found.log(), now.mean_log)
        return Concentration(log_mode, self._sd(log_mode, count, n_components), self.bounds)

    def start(self, kappa: Tensor, counts: Tensor) -> Scale:
        """A factor at an estimate, as if from counts; both of kappa's shape."""
        log_mode = kappa.log().clamp(*self.bounds)
        return Concentration(log_mode, counts.clamp_min(1).rsqrt(), self.bounds)

    def missing(
        self, tree: Tree, networks: Gaussian, kappa: Scale, at: tuple[int, int], rows: Labelled
    ) -> Tensor:
        """Information on a session's networks that uncertain labels hide, (network, network).

        Gradients are tangent: they lack what lies along their network.
        """
        concentration = self._at(_concentration(kappa).value, at)
        length = _session(_length(networks), at)
        mean = (_session(networks.mean, at) / length.unsqueeze(-1) @ tree.axes.T).to(rows.values)
        scale = (concentration / length / math.sqrt(mean.shape[-1])).to(rows.values)
        cosine, weighted = rows.values @ mean.T, rows.weight * rows.labels * scale
        along = weighted * cosine
        crossed = (along * cosine).T @ weighted
        pairs = weighted.T @ weighted - crossed - crossed.T + (along.T @ along) * (mean @ mean.T)
        square = (1 - cosine.square()).clamp_min(0) * scale
        return ((rows.weight * weighted * square).sum(0).diag() - pairs).double()

    def _sd(self, log_kappa: Tensor, count: Tensor, n_components: int) -> Tensor:
        kappa = log_kappa.exp()
        ratio = mean_resultant_length(kappa, n_components)
        slope = (1 - ratio) * (1 + ratio) - (n_components - 1) * ratio / kappa
        # Between the slopes of Amos's bounds, whatever rounding makes of it.
        slope = slope.clamp_min(0.25 * (n_components - 1) / (kappa + n_components).square())
        return (
            1 / (count * kappa.square() * slope).clamp_min(torch.finfo(torch.float64).tiny).sqrt()
        )

    def _linearised(
        self,
        tree: Tree,
        now: Networks,
        pull: Tensor,
        near: Mapping[str, Tensor],
        kept: Gaussian | None,
    ) -> Networks:
        """All levels at once, the direction of the last one's vectors taken as it stands."""
        last = now[tree.levels[-1]]
        length, along = _length(last), (pull * last.mean).sum(-1)
        precision = along.clamp_min(0) / length**3
        evidence = Evidence(precision, pull / length.unsqueeze(-1))
        n_components = pull.shape[-1]
        share = (n_components - 1) / n_components
        return solve(tree, evidence, near, trace_share=share, kept=kept)

    def _height(
        self, tree: Tree, networks: Networks, kappa: Scale, spreads: Spreads, sums: Sums
    ) -> float:
        """The bound of the networks, without what does not depend on them."""
        prior = networks_bound(tree, networks, closeness(spreads), log_squares(spreads))
        cosines = self.pool(_cosines(networks[tree.levels[-1]], sums))
        return float(prior + (_concentration(kappa).value * cosines).sum())


def closeness(spreads: Spreads) -> dict[str, Tensor]:
    """E[1 / variance] of each level around its parent, shape (network,)."""
    return {level: law.mean_inverse for level, law in spreads.items()}


def log_squares(spreads: Spreads) -> dict[str, Tensor]:
    """E[log variance] of each level around its parent, shape (network,)."""
    return {level: law.mean_log_square for level, law in spreads.items()}


def _climb(tree: Tree, now: Networks, pull: Tensor, near: Mapping[str, Tensor]) -> Gaussian:
    r"""The last level's networks at the top of a minorant, those above as they are.

    With :math:`a = R^T \mu`, :math:`q = \|\mu\|^2 + (D - 1) \tau^2` and their present
    values, convexity of the exponential gives

    .. math:: a q^{-1/2} \ge c_0 (1 + \log(a / a_0) - \tfrac12 (q / q_0 - 1)),
        \qquad c_0 = a_0 q_0^{-1/2},

    as :math:`\log q` lies below its tangent. With a Gaussian prior that is a quadratic
    form and one logarithm, and ``a`` at its top solves a quadratic equation.
    """
    last = now[tree.levels[-1]]
    n_components = pull.shape[-1]
    parent = tree.parents().get(tree.levels[-1])
    above = now[parent].mean if parent else torch.zeros_like(last.mean)
    own = near[tree.levels[-1]].unsqueeze(-1) if parent else 1 / tree.prior_variance
    length, along = _length(last), (pull * last.mean).sum(-1)
    climbs = along > 0  # else a logarithm has no place; what points away stays
    height = torch.where(climbs, along, 0.0) / length
    precision = (height / length.square()).unsqueeze(-1)
    total = own + precision
    towards = (pull * own * above / total).sum(-1)
    reach = (pull.square() / total).sum(-1)
    at_top = 0.5 * (towards + (towards.square() + 4 * height * reach).sqrt())
    factor = torch.where(climbs, height / at_top.clamp_min(torch.finfo(torch.float64).tiny), 0.0)
    mean = (own * above + factor.unsqueeze(-1) * pull) / total
    variance = 1 / (own + precision * (n_components - 1) / n_components)
    stays = ~climbs.unsqueeze(-1)
    return Gaussian(
        torch.where(stays, last.mean, mean), torch.where(stays, last.variance, variance)
    )


def _followed(
    tree: Tree, networks: Networks, near: Mapping[str, Tensor], kept: Gaussian | None
) -> Networks:
    """The levels above the last, given it."""
    if len(tree.levels) == 1:
        return networks
    last, above = tree.levels[-1], tree.levels[:-1]
    there = tree.present_at(last)[..., None, None]
    closer = (near[last].unsqueeze(-1) * there).squeeze(-1)
    linear = torch.where(there, near[last].unsqueeze(-1) * networks[last].mean, 0.0)
    upper = Tree(above, tree.prior_variance, tree.axes, tree.present)
    evidence = Evidence(closer, linear)
    return {**solve(upper, evidence, near, kept=kept), last: networks[last]}


def _length(networks: Gaussian) -> Tensor:
    """Root of |mu|^2 + (D - 1) times the mean variance; (subject or 1, session or 1, network)."""
    n_components = networks.mean.shape[-1]
    spread = networks.trace * (n_components - 1) / n_components
    return (networks.mean.square().sum(-1) + spread).sqrt()


def _cosines(networks: Gaussian, sums: Sums) -> Tensor:
    """Expected sum of cosines, shape (subject, session, network)."""
    return (sums.total * networks.mean).sum(-1) / _length(networks)


def _scatter(networks: Gaussian, sums: Sums) -> Tensor:
    """Expected weighted squares of profiles around networks, (subject, session, network)."""
    cross = (sums.total * networks.mean).sum(-1)
    around = sums.square - 2 * cross + sums.count * networks.mean.square().sum(-1)
    # Rounding of profiles without any noise can leave less than nothing.
    return around.clamp_min(0) + sums.count * networks.trace


def _session(values: Tensor, at: tuple[int, int]) -> Tensor:
    """One session of (subject or 1, session or 1, ...)."""
    return values[min(at[0], len(values) - 1), min(at[1], values.shape[1] - 1)]


def _inverse_gamma(kappa: Scale) -> TruncatedInverseGamma:
    assert isinstance(kappa, TruncatedInverseGamma)
    return kappa


def _concentration(kappa: Scale) -> Concentration:
    assert isinstance(kappa, Concentration)
    return kappa
