r"""How well networks that other subjects taught do on a subject that they have not seen.

Labels :math:`U_{nk}(t)` come from one session ``t`` of the subject alone, and are judged by
another, ``v``. The held-out density is the mean over vertices of

.. math:: \log \sum_k U_{nk}(t) \, p(y_n(v) \mid m_k),

in nats a vertex, where the networks ``m`` of session ``v`` are draws from the model: around
the subject's, as session ``t`` shows them. (Of a model with session networks alone they are
session t's own.) Where no session is repeated, vertices are held out instead.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from neuroparcel.brain.connectome import Cohort
from neuroparcel.brain.homogeneity import correlation_rows, homogeneity, random_homogeneity
from neuroparcel.graph.observation import Observation
from neuroparcel.graph.trace import seeded
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.parcellation.agreement import adjusted_rand, hard_labels
from neuroparcel.parcellation.label_model import LabelModel
from neuroparcel.parcellation.labels import soft_labels
from neuroparcel.parcellation.networks import TrainedNetworks
from neuroparcel.types import IntArray

_N_DRAWS = 16
_NO_DAY = -1  # labels that are of no session of the subject
_HIDDEN = 0.2  # share of the vertices, where no session is repeated


@dataclass(frozen=True, eq=False)
class Judge:
    """Networks and labels that were learnt from other subjects, ready to be judged.

    Parameters
    ----------
    networks : TrainedNetworks
    labels : LabelModel, optional
        None for the paper's.
    parcels : sequence of ndarray of int, shape (vertex,)
        Random parcels, as many as networks.
    population : ndarray of int, shape (vertex,), optional
        Map of the training subjects, networks from 1; for :meth:`by_vertices`.
    seed : int
    """

    networks: TrainedNetworks
    labels: LabelModel | None
    parcels: Sequence[IntArray]
    population: IntArray | None = None
    seed: int = 0

    def by_sessions(
        self, cohort: Cohort, data: Observation, strength: Tensor | None = None
    ) -> dict[str, float]:
        """Scores of labels of one session on the other sessions of the subject.

        Parameters
        ----------
        cohort : Cohort
            One subject.
        data : Observation, (1, 1, session, vertex, component)
            The coordinates of its profiles.
        strength : Tensor, shape (1, session, vertex), optional

        Returns
        -------
        dict
            See :data:`~neuroparcel.parcellation.selection.MEASURES`; empty with one session.
        """
        days = _days(cohort)
        if len(days) < 2:
            return {}
        views = {day: self._view(_session(data, day), _of(strength, day)) for day in days}
        maps = {day: view.labels for day, view in views.items()}
        pairs = [(t, v) for t in days for v in days if t != v]
        agreed = [adjusted_rand(maps[t], maps[v]) for t, v in pairs if t < v]
        inside, gain = self._homogeneity(cohort, maps)
        return {
            "density": _mean([self._density(views[t], data, v) for t, v in pairs]),
            "test_retest": _mean([value for value in agreed if value is not None]),
            "homogeneity": inside,
            "homogeneity_gain": gain,
            "used": _mean([_n_used(one) for one in maps.values()]),
        }

    def by_vertices(
        self, cohort: Cohort, data: Observation, strength: Tensor | None = None
    ) -> dict[str, float]:
        """Scores of a subject without repeated sessions: held-out vertices, the group's map.

        Parameters
        ----------
        cohort, data, strength
            As in :meth:`by_sessions`.
        """
        assert self.population is not None  # it is judged here
        inside, gain = self._homogeneity(cohort, {_NO_DAY: self.population})
        one_by_one = [(_session(data, d), _of(strength, d)) for d in _days(cohort)]
        return {
            "density": _mean([self._hidden_density(*one) for one in one_by_one]),
            "homogeneity": inside,
            "homogeneity_gain": gain,
            "used": _mean([_n_used(self._view(*one).labels) for one in one_by_one]),
        }

    def _view(self, data: Observation, strength: Tensor | None) -> _View:
        """What one session says of labels and networks."""
        networks, model = self.networks(data, strength), self.networks.model
        _, _, soft = soft_labels(networks, model, self.labels, strength=strength, seed=self.seed)
        with seeded(self.seed):
            draws = _for_another_session(model, networks.sample(_N_DRAWS, self.seed))
        return _View(soft[0, 0], hard_labels(soft[0, 0]), draws)

    def _density(self, view: _View, data: Observation, day: int) -> float:
        """Mean log density of a session, given the view of another."""
        there = data.mask[0, 0, day] & torch.from_numpy(view.labels > 0).to(data.mask.device)
        values = data.values[:, 0, day, there][:, None]
        soft = torch.from_numpy(view.soft).to(values)[there]
        log_labels = soft.clamp_min(torch.finfo(soft.dtype).tiny).log()
        return _predicted(self.networks.model, values, view.draws, log_labels)

    def _hidden_density(self, data: Observation, strength: Tensor | None) -> float:
        """Mean log density of vertices that were hidden while the networks were inferred."""
        with seeded(self.seed):
            hidden = (torch.rand(data.mask.shape) < _HIDDEN).to(data.mask.device) & data.mask
        draws = self.networks(Observation(data.values, data.mask & ~hidden), strength).sample(
            _N_DRAWS, self.seed
        )
        rows = hidden[0, 0, 0]
        if not bool(rows.any()):
            return math.nan
        log_prior = None
        if self.labels is not None:
            log_prior = self.labels.prior.log().expand(len(rows), -1)[rows]
        values = data.values[:, 0, 0, rows][:, None]
        return _predicted(self.networks.model, values, draws, log_prior)

    def _homogeneity(self, cohort: Cohort, labels: Mapping[int, IntArray]) -> tuple[float, float]:
        """Homogeneity in each session of labels of the others; and above random parcels."""
        found, gains = [], []
        for _, day, profiles in cohort.cells():
            rows = correlation_rows(profiles)
            valid = np.flatnonzero(cohort.valid[0, day])
            chance = random_homogeneity(rows, valid, self.parcels)
            values = [homogeneity(rows, own[valid]) for t, own in labels.items() if t != day]
            found += values
            gains += [value - chance for value in values]
        return _mean(found), _mean(gains)


@dataclass(frozen=True, eq=False)
class _View:
    """Labels (vertex, network) and (vertex,) of a session; draws of another one's networks."""

    soft: np.ndarray
    labels: np.ndarray
    draws: dict[str, Tensor]


def _predicted(
    model: MSHBM, values: Tensor, draws: Mapping[str, Tensor], log_labels: Tensor | None
) -> float:
    """Mean log density of profiles (1, 1, vertex, component), in nats a vertex.

    Log labels are (vertex, network); None for the mixture weights of the draws.
    """
    densities = []
    for draw in range(_N_DRAWS):
        latents = {site: value[draw] for site, value in draws.items()}
        evidence = model.component_log_prob(values, latents)[0, 0]
        prior = latents["mixture_weights"].log() if log_labels is None else log_labels
        densities.append(torch.logsumexp(evidence + prior, -1))
    return float((torch.logsumexp(torch.stack(densities), 0) - math.log(_N_DRAWS)).mean())


def _for_another_session(model: MSHBM, draws: dict[str, Tensor]) -> dict[str, Tensor]:
    """Draws of one session's networks, with those of a session that was not seen in its place."""
    if "session" not in model.levels[1:]:
        return draws
    seen = draws["session_networks"]
    parent = draws[f"{model.levels[-2]}_networks"]
    parent = parent.reshape(len(seen), *(1,) * (seen.dim() - 3), *seen.shape[-2:])
    spread = draws["log_sigma"].exp().reshape(len(seen), *(1,) * (seen.dim() - 3), -1, 1)
    noise = torch.randn(seen.shape, dtype=seen.dtype).to(seen.device)
    return {**draws, "session_networks": parent + spread * noise}


def _days(cohort: Cohort) -> list[int]:
    return [int(day) for day in np.flatnonzero(cohort.present[0])]


def _session(data: Observation, day: int) -> Observation:
    return Observation(data.values[:, :, day : day + 1], data.mask[:, :, day : day + 1])


def _of(strength: Tensor | None, day: int) -> Tensor | None:
    return None if strength is None else strength[:, day : day + 1]


def _n_used(labels: IntArray) -> int:
    return len(np.unique(labels[labels > 0]))


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else math.nan
