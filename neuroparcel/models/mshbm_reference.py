r"""Closed-form mean-field inference of the MS-HBM: the reference beside the engine.

Coordinate ascent on the evidence lower bound with one factor for each ground variable:

.. math::
    q(z_n) &\propto \exp(w_n E \log p(y_n | m_{z}) + E \log \pi_z) \\
    q(m) &= N(\mu, \mathrm{diag}(\tau^2)) \quad \text{on the axes of } \Sigma_g \\
    q(\epsilon_l^2), q(\sigma_l^2), q(\kappa^2) &= \text{truncated inverse gammas} \\
    q(\pi) &= \mathrm{Dirichlet}

One pass over the data gives the labels and their sums; networks, scales and weights then
take several rounds on these sums, which cost nothing beside it. No step lowers the bound.
The von Mises-Fisher emission has a step of its own, see
:mod:`neuroparcel.models.reference_emissions`.

References
----------
Bishop, Pattern Recognition and Machine Learning, 2006, section 10.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Dirichlet, kl_divergence

from neuroparcel.errors import DataError, OptionError
from neuroparcel.graph.observation import Observation
from neuroparcel.models.choices import BY_NETWORK, BY_SESSION, SHARED
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.mshbm_start import Moments
from neuroparcel.models.reference_emissions import (
    Emission,
    Sums,
    closeness,
    emission_of,
    log_squares,
)
from neuroparcel.models.reference_labels import (
    Cells,
    LabelEvidence,
    expected_log_weights,
    gather,
)
from neuroparcel.models.reference_networks import Gaussian, Tree, networks_bound, spread_sums
from neuroparcel.models.reference_posterior import Factors, ReferencePosterior
from neuroparcel.models.reference_scales import TruncatedInverseGamma

_N_ROUNDS = 5  # of networks and their spreads, for each pass over the data
_START_SHARE = 0.1  # of the variance between sessions, that a network starts with


def fit_reference(
    model: MSHBM,
    data: Observation,
    start: Moments | ReferencePosterior,
    *,
    labels: LabelEvidence | None = None,
    n_iterations: int = 200,
    tolerance: float = 1e-6,
    keep_population: ReferencePosterior | None = None,
) -> ReferencePosterior:
    """Fit the mean-field posterior of a cohort by coordinate ascent.

    Parameters
    ----------
    model : MSHBM
    data : Observation, (1, subject, session, vertex, component)
        Products with profiles are taken in their dtype, all else in float64.
    start : Moments or ReferencePosterior
        Estimates, or a posterior of the same model; of another cohort too, whose
        topmost networks and scales are then the start.
    labels : LabelEvidence, optional
        By default the model's own.
    n_iterations : int
        Passes over the data, at most.
    tolerance : float
        Gain of the bound, in nats a vertex, below which it has converged.
    keep_population : ReferencePosterior, optional
        A posterior of the same model, whose population networks, scales and mixture
        weights stay as they are: for new subjects. A kappa of each session is found anew.

    Returns
    -------
    ReferencePosterior

    Raises
    ------
    DataError
        If the data are not one cohort with profiles, or do not fit the model.
    OptionError
        If start or labels do not fit the model, or n_iterations is not positive.
    """
    labels = labels or LabelEvidence()
    ascent = _Ascent.of(model, data, start, keep_population, labels, n_iterations)
    factors = ascent.started(start)
    elbo: list[Tensor] = []
    n_vertices, converged = int(data.n_observed), False
    while True:
        sums = ascent.gather(factors)
        elbo.append(ascent.bound(factors, sums))
        settled = len(elbo) > 1 and float(elbo[-1] - elbo[-2]) < tolerance * n_vertices
        converged = settled or ascent.is_known
        if converged or len(elbo) == n_iterations:
            break
        factors = ascent.improve(factors, sums)
    history = (torch.stack(elbo), sums.mass, converged)
    return ReferencePosterior(model, ascent.tree, factors, *history, data, labels)


def improve_reference(
    model: MSHBM,
    data: Observation,
    start: Moments | ReferencePosterior,
    labels: LabelEvidence,
) -> ReferencePosterior:
    """One step of :func:`fit_reference`: one pass over the data, then all other factors.

    The bound and the mass that it gives are those of the start.

    Parameters
    ----------
    model, data, start, labels
        As in :func:`fit_reference`.
    """
    ascent = _Ascent.of(model, data, start, None, labels)
    factors = ascent.started(start)
    sums = ascent.gather(factors)
    history = (ascent.bound(factors, sums).reshape(1), sums.mass, False)
    improved = ascent.improve(factors, sums)
    return ReferencePosterior(model, ascent.tree, improved, *history, data, labels)


@dataclass(frozen=True, eq=False)
class _Ascent:
    """One cohort's coordinate ascent: what does not change from step to step."""

    model: MSHBM
    cells: Cells
    tree: Tree
    emission: Emission
    kept: ReferencePosterior | None

    @classmethod
    def of(
        cls,
        model: MSHBM,
        data: Observation,
        start: Moments | ReferencePosterior,
        kept: ReferencePosterior | None,
        labels: LabelEvidence,
        n_iterations: int = 1,
    ) -> _Ascent:
        """The ascent of a cohort, if data, start and model go together."""
        _check(model, data, start, kept, n_iterations)
        cells = Cells.of(model, data, labels)
        if not bool(cells.present.any()):
            raise DataError("the cohort has no profile at all.", "Give at least one session.")
        return cls(model, cells, Tree.of(model, cells.present), emission_of(model), kept)

    @property
    def is_known(self) -> bool:
        """Whether all but the labels is kept, so that there is nothing to improve."""
        is_kept = self.kept is not None and self.tree.levels == ("population",)
        return is_kept and self.model.kappa != BY_SESSION

    @property
    def last(self) -> str:
        """The level that profiles come from."""
        return self.tree.levels[-1]

    def gather(self, factors: Factors) -> Sums:
        """Labels, summed over vertices."""
        last = factors.networks[self.last]
        return gather(self.cells, self.tree, self.emission, last, factors.kappa, factors.weights)

    def bound(self, factors: Factors, sums: Sums) -> Tensor:
        """The evidence lower bound, in nats, for the labels that gave the sums."""
        total = sums.labels + self._prior_bound(factors)
        total = total + self.emission.bound(factors.networks[self.last], factors.kappa, sums)
        total = total - factors.kappa.divergence()[self._kappa_present].sum()
        if self.cells.labels.log_prior is None:
            prior = Dirichlet(torch.full_like(factors.weights, self.model.concentration))
            shares = (sums.mass.sum((0, 1)) * expected_log_weights(factors.weights)).sum()
            total = total + shares - kl_divergence(Dirichlet(factors.weights), prior)
        return total

    def improve(self, factors: Factors, sums: Sums) -> Factors:
        """Networks, scales and weights that are best for the sums, one after the other."""
        for _ in range(_N_ROUNDS if self.kept is None else 1):
            factors = self.with_spreads(self.with_networks(factors, sums), sums)
        return self.with_radius(self.with_weights(self.with_kappa(factors, sums), sums))

    def with_networks(self, factors: Factors, sums: Sums) -> Factors:
        """The factors with new networks."""
        kept = None
        if self.kept is not None and self.tree.levels[0] == "population":
            kept = self.kept.factors.networks["population"]
        networks = self.emission.networks(
            self.tree, factors.networks, factors.kappa, factors.spreads, sums, kept
        )
        return Factors(networks, factors.spreads, factors.kappa, factors.weights)

    def with_spreads(self, factors: Factors, sums: Sums) -> Factors:
        """The factors with new scales between levels."""
        if self.kept is not None:
            return factors
        spreads = {
            level: TruncatedInverseGamma(
                torch.full_like(squares, 0.5 * n_coordinates),
                0.5 * squares,
                self.model.log_scale_range,
            )
            for level, (n_coordinates, squares) in spread_sums(self.tree, factors.networks).items()
        }
        return Factors(factors.networks, spreads, factors.kappa, factors.weights)

    def with_kappa(self, factors: Factors, sums: Sums) -> Factors:
        """The factors with a new kappa."""
        if self.kept is not None and self.model.kappa != BY_SESSION:
            return factors
        kappa = self.emission.kappa(factors.networks[self.last], factors.kappa, sums)
        return Factors(factors.networks, factors.spreads, kappa, factors.weights)

    def with_weights(self, factors: Factors, sums: Sums) -> Factors:
        """The factors with new mixture weights: the shares of the labels, whatever their prior."""
        if self.kept is not None:
            return factors
        weights = self.model.concentration + sums.mass.sum((0, 1))
        return Factors(factors.networks, factors.spreads, factors.kappa, weights)

    def with_radius(self, factors: Factors) -> Factors:
        """The factors with networks and spreads grown to the length that the prior has most.

        Where only directions reach the data, growing all levels of a network alike changes
        nothing but the topmost prior; level by level, that length would be found slowly.
        """
        if not self.emission.is_free_of_length or self.kept is not None:
            return factors
        top = self.tree.levels[0]
        networks, there = factors.networks[top], self.tree.present_at(top)
        second = (networks.mean.square() + networks.variance) / self.tree.prior_variance
        growth = len(self.tree.prior_variance) / second.sum(-1)
        if factors.spreads:  # which are shared, and grow with all
            growth = 1 / growth.reciprocal()[there].mean(0)
        longer, wider = growth.sqrt().unsqueeze(-1), growth.unsqueeze(-1)
        levels = {
            level: Gaussian(q.mean * longer, q.variance * wider)
            for level, q in factors.networks.items()
        }
        spreads = {
            level: TruncatedInverseGamma(law.shape, law.rate * growth, law.bounds)
            for level, law in factors.spreads.items()
        }
        grown = Factors(levels, spreads, factors.kappa, factors.weights)
        # At the bounds of a spread more than the prior changes.
        return grown if self._prior_bound(grown) >= self._prior_bound(factors) else factors

    def started(self, start: Moments | ReferencePosterior) -> Factors:
        """Factors to start from; those kept are the kept posterior's."""
        if isinstance(start, Moments):
            factors = self._from_moments(start)
        else:
            factors = self._from_posterior(start)
        if self.kept is None:
            return factors
        kept = self._from_posterior(self.kept)
        networks = dict(factors.networks)
        if self.tree.levels[0] == "population":
            networks["population"] = kept.networks["population"]
        kappa = factors.kappa if self.model.kappa == BY_SESSION else kept.kappa
        return Factors(networks, kept.spreads, kappa, kept.weights)

    def _prior_bound(self, factors: Factors) -> Tensor:
        """What the bound owes to networks and spreads."""
        near, logs = closeness(factors.spreads), log_squares(factors.spreads)
        total = networks_bound(self.tree, factors.networks, near, logs)
        for law in factors.spreads.values():
            total = total - law.divergence().sum()
        return total

    def _from_moments(self, start: Moments) -> Factors:
        mean = (start.networks.double() @ self.tree.axes).expand(1, 1, -1, -1)
        spread = start.sigma.double().square().unsqueeze(-1)
        top = Gaussian(mean, (_START_SHARE * spread).expand_as(mean))
        n_coordinates = float(self.tree.present.sum()) * mean.shape[-1]
        shape = torch.full_like(start.sigma.double(), 0.5 * n_coordinates)
        scales = {"subject": start.epsilon, "session": start.sigma}
        spreads = {
            level: TruncatedInverseGamma(
                shape, shape * scales[level].double().square(), self.model.log_scale_range
            )
            for level in self.tree.levels[1:]
        }
        counts = torch.full(self._kappa_shape, float(self.cells.data.n_observed))
        kappa = self._as_kappa(start.kappa.double())
        weights = torch.full_like(shape, self.model.concentration)
        law = self.emission.start(kappa, counts.double())
        return Factors(self._at_all_levels(top), spreads, law, weights)

    def _from_posterior(self, start: ReferencePosterior) -> Factors:
        factors = start.factors
        if torch.equal(start.tree.present, self.tree.present):
            return factors
        top = factors.networks[self.tree.levels[0]]
        there = start.tree.present_at(self.tree.levels[0])
        typical = Gaussian(top.mean[there].mean(0), top.variance[there].mean(0))
        typical = Gaussian(typical.mean[None, None], typical.variance[None, None])
        kappa = factors.kappa
        if self.model.kappa == BY_SESSION:
            log_kappa = kappa.mean_log[start.tree.present].mean()
            counts = torch.full(self._kappa_shape, float(self.cells.data.n_observed))
            kappa = self.emission.start(self._as_kappa(log_kappa.exp()), counts.double())
        return Factors(self._at_all_levels(typical), factors.spreads, kappa, factors.weights)

    def _at_all_levels(self, networks: Gaussian) -> dict[str, Gaussian]:
        """The same networks (1, 1, network, component) in every ground variable."""
        levels = {}
        for level in self.tree.levels:
            shape = (*self.tree.present_at(level).shape, *networks.mean.shape[-2:])
            levels[level] = Gaussian(networks.mean.expand(shape), networks.variance.expand(shape))
        return levels

    @property
    def _kappa_shape(self) -> tuple[int, ...]:
        if self.model.kappa == SHARED:
            return ()
        if self.model.kappa == BY_NETWORK:
            return (self.model.n_networks,)
        return tuple(self.tree.present.shape)

    @property
    def _kappa_present(self) -> Tensor:
        """Which kappas there are in the bound, of kappa's shape."""
        if self.model.kappa == BY_SESSION:
            return self.tree.present
        return torch.ones(self._kappa_shape, dtype=torch.bool)

    def _as_kappa(self, estimate: Tensor) -> Tensor:
        """An estimate in kappa's shape: of several the typical one, unless each has its own."""
        if estimate.dim() and self.model.kappa != BY_NETWORK:
            estimate = estimate.log().mean().exp()
        return estimate.expand(self._kappa_shape)


def _check(
    model: MSHBM,
    data: Observation,
    start: Moments | ReferencePosterior,
    kept: ReferencePosterior | None,
    n_iterations: int,
) -> None:
    if data.batch_size != 1 or len(data.plate_sizes) != 3 or data.values.dim() != 5:
        raise DataError(
            f"the reference was given values of the shape {tuple(data.values.shape)}.",
            "Give one cohort, (1, subject, session, vertex, component).",
        )
    n_components = model.prior_tril.shape[-1]
    if data.values.shape[-1] != n_components:
        raise DataError(
            f"profiles have {data.values.shape[-1]} components, the model {n_components}.",
            "Reduce both in the same way.",
        )
    if n_iterations < 1:
        raise OptionError(f"{n_iterations} iterations were asked for.", "Ask for at least one.")
    if isinstance(start, Moments):
        _check_networks("the start", tuple(start.anchors.shape), model)
    for name, posterior in (("the start", start), ("the population to keep", kept)):
        if isinstance(posterior, ReferencePosterior):
            _check_same(name, posterior.model, model)


def _check_networks(name: str, shape: tuple[int, ...], model: MSHBM) -> None:
    expected = (model.n_networks, model.prior_tril.shape[-1])
    if shape != expected:
        raise OptionError(
            f"{name} has networks of the shape {shape}.",
            f"The model takes {expected}, (network, component).",
        )


def _check_same(name: str, other: MSHBM, model: MSHBM) -> None:
    _check_networks(name, (other.n_networks, other.prior_tril.shape[-1]), model)
    for part in ("levels", "emission", "kappa", "log_scale_range", "concentration"):
        if getattr(other, part) != getattr(model, part):
            raise OptionError(
                f"{name} is of a model with {part} {getattr(other, part)}, "
                f"not {getattr(model, part)}.",
                "Give a posterior of the same model.",
            )
