r"""From the evidence of a session to its soft labels: group prior, weight of evidence, mesh.

With the log density :math:`E_{nk}` of vertex ``n``'s profile under network ``k``, its signal
strength :math:`r_n` and a group prior :math:`\theta_{nk}`, the label is

.. math:: \log U_{nk} = w \, r_n E_{nk} + a \log \theta_{nk}
                        + \beta \sum_j A_{nj} U_{jk} + \mathrm{const}.

The density counts each coordinate of each profile as independent evidence, which it is not:
neighbours share noise, features are correlated, and a parcel is not constant. So evidence has
a weight ``w``, the prior one, ``a``, and both are learnt where sessions are repeated
(:mod:`.label_learning`). ``A`` averages over the mesh neighbours of a vertex (a Potts field in
mean-field approximation).

References
----------
Kong et al., Spatial topography of individual-specific cortical networks predicts human
cognition, personality, and emotion, Cerebral Cortex 2019 (theta, Potts field).
Miller and Dunson, Robust Bayesian inference via coarsening, Journal of the American
Statistical Association 2019 (powers of a likelihood).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuroparcel.errors import OptionError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_N_SWEEPS = 50  # of the mean-field updates, at most
_SETTLED = 1e-3  # move of every label, below which there are no more


@dataclass(frozen=True, eq=False)
class LabelModel:
    """How evidence becomes labels, see the module's equation.

    Parameters
    ----------
    prior : Tensor, shape (..., vertex or 1, network)
        Probability of each network before the data, theta; rows sum to 1.
    evidence_weight : float
        w; 1 believes the density, 0 the prior alone.
    prior_weight : float
        a.
    smoothness : float
        beta; 0 leaves vertices apart.
    neighbours : csr_array, shape (vertex, vertex), optional
        A, rows of sum 1 (0 without neighbours); needed if there is a smoothness.
    temperature, uniform_share : float
        Recalibration of the finished labels: U to the power 1 / temperature, then mixed with
        the uniform distribution.
    """

    prior: Tensor
    evidence_weight: float = 1.0
    prior_weight: float = 1.0
    smoothness: float = 0.0
    neighbours: csr_array | None = None
    temperature: float = 1.0
    uniform_share: float = 0.0

    def __post_init__(self) -> None:
        weights = (self.evidence_weight, self.prior_weight, self.smoothness)
        if not all(0 <= weight < math.inf for weight in weights):
            raise OptionError(
                f"labels have the weights {self.evidence_weight} of the evidence, "
                f"{self.prior_weight} of the prior, and the smoothness {self.smoothness}.",
                "Give finite numbers of at least 0.",
            )
        if not self.temperature > 0 or not 0 <= self.uniform_share <= 1:
            raise OptionError(
                f"labels have the temperature {self.temperature} and the uniform share "
                f"{self.uniform_share}.",
                "The one is positive, the other between 0 and 1.",
            )
        if self.smoothness and self.neighbours is None:
            raise no_mesh()

    @property
    def n_networks(self) -> int:
        """Number of networks."""
        return self.prior.shape[-1]

    @property
    def log_prior(self) -> Tensor:
        """``a log theta``, as the labels use it."""
        return self.prior_weight * self.prior.clamp_min(torch.finfo(self.prior.dtype).tiny).log()

    def recalibrated(self, temperature: float, uniform_share: float) -> LabelModel:
        """The same labels, less or more sure of themselves."""
        return replace(self, temperature=temperature, uniform_share=uniform_share)

    def __call__(self, evidence: Tensor, strength: Tensor | None = None) -> Tensor:
        """Soft labels of sessions, or of the joint evidence of several.

        Parameters
        ----------
        evidence : Tensor, shape (..., vertex, network)
            Log density of each profile under each network; zeros where there is no data,
            which then gets the prior.
        strength : Tensor, shape (..., vertex), optional
            Relative weight of each vertex's evidence; all 1 if not given.

        Returns
        -------
        Tensor, shape (..., vertex, network)
            Rows of sum 1.
        """
        field = self.field(evidence, strength)
        labels = self._smooth(field) if self.smoothness else torch.softmax(field, -1)
        return recalibrate(labels, self.temperature, self.uniform_share)

    def field(self, evidence: Tensor, strength: Tensor | None = None) -> Tensor:
        """Log labels (..., vertex, network) before neighbours are asked, up to a constant."""
        weighted = self.evidence_weight * evidence
        if strength is not None:
            weighted = weighted * strength.to(evidence).unsqueeze(-1)
        return weighted + self.log_prior.to(evidence)

    def _smooth(self, field: Tensor) -> Tensor:
        """Mean-field labels of log fields (..., vertex, network), all vertices at once.

        A vertex answers its neighbours with a slope of up to half the smoothness. Full steps
        would make neighbours swap their labels for ever where it is steep, so steps shorten.
        Each map stops by itself, so that it does not matter which others it comes with.
        """
        assert self.neighbours is not None  # checked when the model was made
        step = min(1.0, 3 / (2 + self.smoothness))
        fields = field.reshape(-1, *field.shape[-2:])
        labels = torch.softmax(fields, -1)
        moving = torch.arange(len(labels), device=labels.device)
        for _ in range(_N_SWEEPS):
            around = mean_around(labels[moving], self.neighbours)
            move = torch.softmax(fields[moving] + self.smoothness * around, -1) - labels[moving]
            labels[moving] += step * move
            moving = moving[move.abs().amax((-2, -1)) >= _SETTLED]
            if not len(moving):
                break
        return labels.reshape(field.shape)

    def settings(self) -> dict[str, float]:
        """The numbers that a saved model keeps beside the prior."""
        return {
            "evidence_weight": self.evidence_weight,
            "prior_weight": self.prior_weight,
            "smoothness": self.smoothness,
            "temperature": self.temperature,
            "uniform_share": self.uniform_share,
        }


def no_mesh() -> OptionError:
    """The error of a smoothness without neighbours."""
    return OptionError(
        "labels can be smoothed only where vertices have neighbours.",
        "Leave --smoothness away for nodes, and for meshes that are not known.",
    )


def mean_around(labels: Tensor, neighbours: csr_array) -> Tensor:
    """Mean labels (..., vertex, network) of the neighbours of each vertex."""
    by_vertex = labels.movedim(-2, 0)
    around = torch.from_numpy(neighbours @ by_vertex.reshape(len(by_vertex), -1).cpu().numpy())
    return around.to(labels).reshape(by_vertex.shape).movedim(0, -2)


def recalibrate(labels: Tensor, temperature: float, uniform_share: float) -> Tensor:
    """Labels (..., network) to the power 1 / temperature, mixed with the uniform distribution."""
    if temperature != 1:
        tiny = torch.finfo(labels.dtype).tiny
        labels = torch.softmax(labels.clamp_min(tiny).log() / temperature, -1)
    return (1 - uniform_share) * labels + uniform_share / labels.shape[-1]
