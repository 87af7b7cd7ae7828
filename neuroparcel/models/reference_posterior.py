"""What the reference knows of every site of an MS-HBM: factors, draws, evidence, labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from neuroparcel.errors import CheckpointError, DataError, OptionError
from neuroparcel.graph.observation import Observation
from neuroparcel.graph.trace import seeded
from neuroparcel.models.choices import L_NORMAL, LEVELS
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.reference_emissions import emission_of
from neuroparcel.models.reference_labels import (
    Cells,
    LabelEvidence,
    expected_log_weights,
    missing_information,
)
from neuroparcel.models.reference_networks import (
    SPREAD_SITES,
    Gaussian,
    Tree,
    level_shape,
)
from neuroparcel.models.reference_scales import Concentration, Scale, TruncatedInverseGamma

_LEAST_MASS = 1.0  # vertices a session, below which a network is dead
_LEAST_SHARE = 1e-3  # of a network's precision, that uncertain labels leave


@dataclass(frozen=True, eq=False)
class Factors:
    """One factor for each site, and for each ground variable of it.

    Attributes
    ----------
    networks : mapping of level to Gaussian
    spreads : mapping of level, all but the topmost, to TruncatedInverseGamma, shape (network,)
    kappa : Scale, shape (), (network,) or (subject, session)
    weights : Tensor of float64, shape (network,)
        Concentration of the mixture weights' Dirichlet.
    """

    networks: Mapping[str, Gaussian]
    spreads: Mapping[str, TruncatedInverseGamma]
    kappa: Scale
    weights: Tensor


@dataclass(frozen=True, eq=False)
class ReferencePosterior:
    """The mean-field posterior of one cohort.

    Attributes
    ----------
    model : MSHBM
    tree : Tree
        Levels, the prior's axes, and which sessions have data.
    factors : Factors
        Networks along the prior's axes.
    elbo : Tensor of float64, shape (iteration,)
        The bound in nats after the labels of each iteration. Of the von Mises-Fisher
        emission without constants that nothing moves.
    mass : Tensor of float64, shape (subject, session, network)
        Vertices of each network.
    converged : bool
    data : Observation, optional
        What was fitted; evidence and labels are read from it.
    labels : LabelEvidence
    missing : Tensor of float64, shape (subject, session, network, network), optional
        Precision that uncertain labels hide; taken from the data, if not given.
    """

    model: MSHBM
    tree: Tree
    factors: Factors
    elbo: Tensor
    mass: Tensor
    converged: bool
    data: Observation | None
    labels: LabelEvidence
    missing: Tensor | None = None

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of the latent sites, as the model has them."""
        spreads = [SPREAD_SITES[level] for level in self.factors.spreads]
        networks = [f"{level}_networks" for level in self.tree.levels]
        return (*networks, *spreads, "log_kappa", "mixture_weights")

    @property
    def dead(self) -> tuple[int, ...]:
        """Numbers, from 1, of networks that hold less than a vertex a session.

        They keep the mean of their parents, and the topmost that of the prior.
        """
        typical = self.mass[self.tree.present].mean(0)
        return tuple((typical < _LEAST_MASS).nonzero().squeeze(-1).add(1).tolist())

    def mean(self, site: str) -> Tensor:
        """Posterior mean of a site, shape (*plates, *event), in the model's dtype."""
        if site not in self.sites:
            raise OptionError(
                f"the model has no latent site '{site}'.", f"Choose one of {', '.join(self.sites)}."
            )
        return self._means()[site].to(self.model.prior_tril)

    def variance(self, level: str) -> Tensor:
        """Posterior variances of a level's networks along the axes of the prior.

        Those of the last level are wider than the factor's: a mean field takes the labels of
        the others for known when it judges a network, and what they hide is put back.

        Returns
        -------
        Tensor, shape (*plates, network, component)
        """
        if level == self.tree.levels[-1]:
            variance = self._covariance.diagonal(dim1=-2, dim2=-1).transpose(-1, -2)
            shape = self.factors.networks[level].mean.shape
            return level_shape(level, variance.expand(shape))
        return level_shape(level, self.factors.networks[level].variance)

    def sample(self, n_draws: int, seed: int = 0) -> dict[str, Tensor]:
        """Joint draws of every site, shape (draw, *plates, *event), in the model's dtype.

        Ground variables without any data below them are drawn from the model, given
        their parents. The same seed gives the same draws.
        """
        if n_draws < 1:
            raise OptionError(f"{n_draws} draws were asked for.", "Ask for at least one.")
        with seeded(seed):
            draws = {
                SPREAD_SITES[level]: law.sample_log(n_draws)
                for level, law in self.factors.spreads.items()
            }
            draws["log_kappa"] = self.factors.kappa.sample_log(n_draws)
            weights = torch.distributions.Dirichlet(self.factors.weights)
            draws["mixture_weights"] = weights.sample((n_draws,))
            draws |= self._network_draws(n_draws, draws)
        return {site: draws[site].to(self.model.prior_tril) for site in self.sites}

    def evidence(self, subject: int, session: int) -> Tensor:
        """Expected log density of a session's profiles under each network.

        Neither the labels' prior nor the weight of evidence is in it.

        Returns
        -------
        Tensor, shape (vertex, network), in the dtype of the data; 0 without data
        """
        cells, at = self._cells, (subject, session)
        values = cells.data.values
        last = self.factors.networks[self.tree.levels[-1]]
        density = emission_of(self.model).density(self.tree, last, self.factors.kappa, at, values)
        found = values.new_zeros(values.shape[3], self.model.n_networks)
        for rows, profiles in cells.chunks(*at):
            found[rows] = density(profiles)
        return found

    def responsibilities(self, subject: int, session: int) -> Tensor:
        """Label probabilities of a session's vertices; without data, of the labels' prior.

        Returns
        -------
        Tensor, shape (vertex, network), in the dtype of the data
        """
        evidence, cells = self.evidence(subject, session), self._cells
        rows = slice(len(evidence))
        prior = cells.log_prior(expected_log_weights(self.factors.weights), rows)
        return torch.softmax(cells.weight(subject, session, rows) * evidence + prior, -1)

    def to_tensors(self) -> dict[str, Tensor]:
        """All but data and labels: what :meth:`from_tensors` makes the same posterior of."""
        tensors = {
            "elbo": self.elbo,
            "mass": self.mass,
            "present": self.tree.present,
            "converged": torch.tensor(self.converged),
            "missing": self._missing,
            "axes": self.tree.axes,
            "mixture_weights.concentration": self.factors.weights,
        }
        laws = {SPREAD_SITES[level]: law for level, law in self.factors.spreads.items()}
        for site, law in {**laws, "log_kappa": self.factors.kappa}.items():
            tensors |= {f"{site}.{name}": value for name, value in law.to_tensors().items()}
        for level, networks in self.factors.networks.items():
            tensors[f"{level}_networks.mean"] = networks.mean
            tensors[f"{level}_networks.variance"] = networks.variance.contiguous()
        return tensors

    @classmethod
    def from_tensors(
        cls,
        model: MSHBM,
        tensors: Mapping[str, Tensor],
        data: Observation | None = None,
        labels: LabelEvidence | None = None,
    ) -> ReferencePosterior:
        """A posterior of these :meth:`to_tensors`.

        Parameters
        ----------
        model : MSHBM
            That the posterior is of.
        tensors : mapping of str to Tensor
        data : Observation, optional
            That it was fitted to, if evidence and labels are wanted.
        labels : LabelEvidence, optional

        Raises
        ------
        CheckpointError
            If the tensors are not those of this model's reference.
        """
        try:
            factors = _factors(model, tensors)
            tree = Tree.of(model, tensors["present"], tensors["axes"])
            history = (tensors["elbo"], tensors["mass"], bool(tensors["converged"]))
            missing = tensors["missing"]
        except KeyError as error:
            raise CheckpointError(
                f"the saved reference lacks {error}.",
                "Give the model that it was fitted with: its levels and emission.",
            ) from error
        expected = (model.n_networks, len(tree.prior_variance))
        found = tuple(factors.networks[model.levels[-1]].mean.shape[-2:])
        if found != expected:
            raise CheckpointError(
                f"the saved reference has networks of the shape {found}, the model {expected}.",
                "Give the model that it was fitted with.",
            )
        return cls(model, tree, factors, *history, data, labels or LabelEvidence(), missing)

    def _means(self) -> dict[str, Tensor]:
        factors = self.factors
        means = {
            f"{level}_networks": level_shape(level, networks.mean @ self.tree.axes.T)
            for level, networks in factors.networks.items()
        }
        spreads = {SPREAD_SITES[level]: law.mean_log for level, law in factors.spreads.items()}
        weights = factors.weights / factors.weights.sum()
        return {
            **means,
            **spreads,
            "log_kappa": factors.kappa.mean_log,
            "mixture_weights": weights,
        }

    def _network_draws(self, n_draws: int, scales: Mapping[str, Tensor]) -> dict[str, Tensor]:
        draws: dict[str, Tensor] = {}
        parent = torch.zeros(())
        for level, networks in self.factors.networks.items():
            noise = torch.randn(n_draws, *networks.mean.shape, dtype=torch.float64)
            if level == self.tree.levels[-1]:
                # (..., component or 1, network, network) times noise (..., network, component)
                root = torch.linalg.cholesky(self._covariance)
                drawn = networks.mean + torch.einsum("stdkl,nstld->nstkd", root, noise)
            else:
                drawn = networks.mean + networks.variance.sqrt() * noise
            if level in self.factors.spreads:
                spread = scales[SPREAD_SITES[level]].exp()[:, None, None, :, None]
                there = self.tree.present_at(level)[..., None, None]
                drawn = torch.where(there, drawn, parent + spread * noise)
            parent = drawn
            rows = (drawn @ self.tree.axes.T).flatten(1, 2)
            plates = networks.mean.shape[: LEVELS.index(level)]
            draws[f"{level}_networks"] = rows.reshape(n_draws, *plates, *rows.shape[2:])
        return draws

    @cached_property
    def _missing(self) -> Tensor:
        if self.missing is not None:
            return self.missing
        last = self.factors.networks[self.tree.levels[-1]]
        return missing_information(
            self._cells,
            self.tree,
            emission_of(self.model),
            last,
            self.factors.kappa,
            self.factors.weights,
        )

    @cached_property
    def _covariance(self) -> Tensor:
        """Of the last level's networks with one another; (..., component or 1, network, network).

        One for all components, where their variances are the same.
        """
        last = self.tree.levels[-1]
        variance = self.factors.networks[last].variance.transpose(-1, -2)
        if last != self.tree.levels[0]:
            variance = variance[..., :1, :]
        sd = variance.sqrt()
        missing = self.tree.at(last, self._missing).unsqueeze(-3)
        scaled = sd.unsqueeze(-1) * missing * sd.unsqueeze(-2)
        values, vectors = torch.linalg.eigh(torch.eye(scaled.shape[-1]).to(scaled) - scaled)
        inverse = (vectors / values.clamp_min(_LEAST_SHARE).unsqueeze(-2)) @ vectors.mT
        return sd.unsqueeze(-1) * inverse * sd.unsqueeze(-2)

    @cached_property
    def _cells(self) -> Cells:
        if self.data is None:
            raise DataError(
                "the reference was loaded without its data.",
                "Give from_tensors the data, or fit new data with keep_population.",
            )
        return Cells.of(self.model, self.data, self.labels)


def _factors(model: MSHBM, tensors: Mapping[str, Tensor]) -> Factors:
    networks = {
        level: Gaussian(tensors[f"{level}_networks.mean"], tensors[f"{level}_networks.variance"])
        for level in model.levels
    }
    spreads = {
        level: TruncatedInverseGamma.from_tensors(
            _under(tensors, SPREAD_SITES[level]), model.log_scale_range
        )
        for level in model.levels[1:]
    }
    law = TruncatedInverseGamma if model.emission == L_NORMAL else Concentration
    kappa = law.from_tensors(_under(tensors, "log_kappa"), model.log_kappa_range)
    return Factors(networks, spreads, kappa, tensors["mixture_weights.concentration"])


def _under(tensors: Mapping[str, Tensor], site: str) -> dict[str, Tensor]:
    """The tensors of a site by their own names."""
    start = f"{site}."
    found = {n.removeprefix(start): value for n, value in tensors.items() if n.startswith(start)}
    if not found:
        raise KeyError(site)
    return found
