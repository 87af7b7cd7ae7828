"""Which network each vertex belongs to, given networks and scales: one pass over the data.

A vertex's label has the probabilities ``softmax(weight * evidence + log prior)``, where
the evidence is the expected log density of its profile under each network. What the
other factors need of them are sums over vertices, taken session by session and in chunks
of vertices, so that no array of (vertex, network, component) is ever made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from neuroparcel.errors import OptionError
from neuroparcel.graph.observation import Observation
from neuroparcel.models.choices import L_NORMAL
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.reference_emissions import Emission, Labelled, Sums
from neuroparcel.models.reference_networks import Gaussian, Tree
from neuroparcel.models.reference_scales import Scale

_CHUNK_VALUES = 2**17  # of a chunk of vertices: it stays in the processor's cache
_LEAST_ROWS = 1024

Rows: TypeAlias = slice | Tensor
"""Numbers of vertices, or all from one to another."""


@dataclass(frozen=True, eq=False)
class LabelEvidence:
    """How labels are drawn from evidence; by default as in the paper's model.

    Attributes
    ----------
    weight : float
        Of the log density of a profile. Below 1, profiles of neighbours count as
        partly the same observation (a power likelihood), for networks and scales too.
    log_prior : Tensor, shape (vertex, network), optional
        Log probabilities of the labels, in place of those of the model's mixture weights.
    strength : Tensor, shape (subject, session, vertex), optional
        Weight of each vertex's profile, which multiplies ``weight``; by default 1.

    Raises
    ------
    OptionError
        If a weight is negative or not finite.
    """

    weight: float = 1.0
    log_prior: Tensor | None = None
    strength: Tensor | None = None

    def __post_init__(self) -> None:
        weights = [torch.tensor(self.weight)]
        weights += [] if self.strength is None else [self.strength]
        if not all(bool((torch.isfinite(w) & (w >= 0)).all()) for w in weights):
            raise OptionError(
                "the evidence of a label has a weight that is negative or not finite.",
                "Give weights of at least 0; 1 is the model's own.",
            )

    def check(self, data: Observation, n_networks: int) -> None:
        """Raise OptionError if a shape does not fit the cohort."""
        expected = {
            "log_prior": (data.mask.shape[-1], n_networks),
            "strength": tuple(data.mask.shape[1:]),
        }
        for name, shape in expected.items():
            given = getattr(self, name)
            if given is not None and tuple(given.shape) != shape:
                raise OptionError(
                    f"the labels' {name} has the shape {tuple(given.shape)}.",
                    f"The cohort takes {shape}.",
                )


@dataclass(frozen=True, eq=False)
class Cells:
    """A cohort's sessions, of which profiles without information are left out.

    Attributes
    ----------
    data : Observation, (1, subject, session, vertex, component)
    labels : LabelEvidence
    """

    data: Observation
    labels: LabelEvidence

    @classmethod
    def of(cls, model: MSHBM, data: Observation, labels: LabelEvidence) -> Cells:
        """The cells of a cohort; a zero vector has no direction, and counts as missing."""
        labels.check(data, model.n_networks)
        if model.emission == L_NORMAL:
            return cls(data, labels)
        # A norm makes no copy of the profiles.
        mask = data.mask & (torch.linalg.vector_norm(data.values, dim=-1) != 0)
        return cls(Observation(data.values, mask), labels)

    @property
    def present(self) -> Tensor:
        """Which sessions have any data, shape (subject, session)."""
        return self.data.mask[0].any(-1)

    def chunks(self, subject: int, session: int) -> Iterator[tuple[Rows, Tensor]]:
        """Observed vertices, as a slice where none is missing, and profiles (row, component)."""
        values, mask = self.data.values[0, subject, session], self.data.mask[0, subject, session]
        n_rows = max(_LEAST_ROWS, _CHUNK_VALUES // values.shape[-1])
        observed = mask.nonzero().squeeze(-1)
        for rows in observed.split(n_rows) if len(observed) else ():
            complete = len(rows) == int(rows[-1]) - int(rows[0]) + 1
            # Slices are read where they lie, numbers make copies.
            chunk = slice(int(rows[0]), int(rows[-1]) + 1) if complete else rows
            yield chunk, values[chunk]

    def weight(self, subject: int, session: int, rows: Rows) -> Tensor | float:
        """Weights of the profiles: one number, or (row, 1)."""
        if self.labels.strength is None:
            return self.labels.weight
        strength = self.labels.strength[subject, session, rows].to(self.data.values)
        return self.labels.weight * strength.unsqueeze(-1)

    def log_prior(self, log_weights: Tensor, rows: Rows) -> Tensor:
        """Log prior of the labels, (network,) or (row, network)."""
        if self.labels.log_prior is None:
            return log_weights.to(self.data.values)
        return self.labels.log_prior[rows].to(self.data.values)


def expected_log_weights(concentration: Tensor) -> Tensor:
    """E[log of the mixture weights] under a Dirichlet, shape (network,)."""
    return torch.digamma(concentration) - torch.digamma(concentration.sum())


def gather(
    cells: Cells, tree: Tree, emission: Emission, networks: Gaussian, kappa: Scale, weights: Tensor
) -> Sums:
    """Sums over vertices under the best labels, for what else is known.

    Parameters
    ----------
    networks : Gaussian
        Of the last level.
    weights : Tensor, shape (network,)
        Concentration of the mixture weights.
    """
    sizes = (*cells.present.shape, weights.shape[0])
    found = Sums.zeros(sizes, len(tree.prior_variance))
    log_weights = expected_log_weights(weights)
    for subject, session in cells.present.nonzero().tolist():
        at = (subject, session)
        density = emission.density(tree, networks, kappa, at, cells.data.values)
        for rows, values in cells.chunks(subject, session):
            weight = cells.weight(subject, session, rows)
            prior = cells.log_prior(log_weights, rows)
            log_labels = torch.log_softmax(weight * density(values) + prior, -1)
            labels = log_labels.exp()
            entropy = -labels.mul(log_labels).sum(dtype=torch.float64)
            if cells.labels.log_prior is not None:
                entropy += labels.mul(prior).sum(dtype=torch.float64)
            found.labels.add_(entropy)
            found.mass[at] += labels.sum(0, dtype=torch.float64)
            labels = labels.mul_(weight)
            found.count[at] += labels.sum(0, dtype=torch.float64)
            found.total[at] += (labels.T @ values).double()
            found.square[at] += (labels.T @ values.square().sum(-1)).double()
        found.total[at] = found.total[at] @ tree.axes
    return found


def missing_information(
    cells: Cells, tree: Tree, emission: Emission, networks: Gaussian, kappa: Scale, weights: Tensor
) -> Tensor:
    """Precision of the sessions' networks that is missing, as labels are not known for sure.

    Parameters
    ----------
    networks : Gaussian
        Of the last level.
    weights : Tensor, shape (network,)
        Concentration of the mixture weights.

    Returns
    -------
    Tensor of float64, shape (subject, session, network, network)
        Of each coordinate; zeros without data.

    References
    ----------
    Louis, Finding the observed information matrix when using the EM algorithm, Journal of the
    Royal Statistical Society B 1982, section 3.
    """
    n_networks = len(weights)
    found = torch.zeros(*cells.present.shape, n_networks, n_networks, dtype=torch.float64)
    log_weights = expected_log_weights(weights)
    for subject, session in cells.present.nonzero().tolist():
        at = (subject, session)
        density = emission.density(tree, networks, kappa, at, cells.data.values)
        for rows, values in cells.chunks(subject, session):
            weight = cells.weight(subject, session, rows)
            prior = cells.log_prior(log_weights, rows)
            labels = torch.softmax(weight * density(values) + prior, -1)
            found[at] += emission.missing(
                tree, networks, kappa, at, Labelled(values, labels, weight)
            )
    return found
