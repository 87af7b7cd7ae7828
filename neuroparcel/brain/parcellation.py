"""Parcellations that carry their uncertainty: a probability of each network at each vertex.

A vertex without data has probabilities too, those of the prior, and the parcellation says where
that is so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.colours import Colour, network_colours
from neuroparcel.errors import ConnectomeError
from neuroparcel.types import BoolArray, FloatArray, IntArray

_SUM_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class SoftParcellation:
    """Probability of each network at each vertex.

    Parameters
    ----------
    axis : BrainAxis
        The region's vertices.
    networks : tuple of str
        One name a network.
    probabilities : (vertex, network) array of float32
        Rows sum to 1; NaN where nothing is known.
    data : (vertex,) array of bool, optional
        Where they were found from data; elsewhere they are the prior's. By default wherever
        there are probabilities.
    colours : tuple of Colour, optional
        One a network; by default :func:`network_colours`.

    Raises
    ------
    ConnectomeError
        If shapes disagree or a row is not a distribution.
    """

    axis: BrainAxis
    networks: tuple[str, ...]
    probabilities: FloatArray
    data: BoolArray | None = None
    colours: tuple[Colour, ...] = ()

    def __post_init__(self) -> None:
        _check("A parcellation", self.probabilities, (len(self.axis), len(self.networks)))
        _check_mask(self.data, (len(self.axis),))
        object.__setattr__(self, "colours", _colours_of(self.networks, self.colours))

    @property
    def n_networks(self) -> int:
        """Number of networks."""
        return len(self.networks)

    @property
    def is_known(self) -> BoolArray:
        """Vertices that have a distribution, shape (vertex,), bool."""
        return np.asarray(np.isfinite(self.probabilities).all(axis=-1))

    @property
    def has_data(self) -> BoolArray:
        """Vertices that have a distribution found from data, shape (vertex,), bool."""
        return self.is_known if self.data is None else self.is_known & self.data

    @property
    def n_prior_only(self) -> int:
        """Number of vertices that have the prior's distribution."""
        return int((self.is_known & ~self.has_data).sum())

    @property
    def labels(self) -> IntArray:
        """Most probable network, from 1; 0 where nothing is known. Shape (vertex,), int32."""
        best = np.nan_to_num(self.probabilities).argmax(axis=-1) + 1
        return np.where(self.is_known, best, 0).astype(np.int32)

    @property
    def entropy(self) -> FloatArray:
        """Entropy of each vertex as a share of the largest possible, log n_networks.

        Shape (vertex,), float32: 0 is certain, 1 is even; NaN where nothing is known.
        """
        p = np.asarray(self.probabilities, dtype=np.float64)
        nats = -(p * np.log(np.where(p > 0, p, 1))).sum(axis=-1)
        largest = np.log(self.n_networks) if self.n_networks > 1 else 1.0
        return np.clip(nats / largest, 0, 1).astype(np.float32)

    @property
    def margin(self) -> FloatArray:
        """Probability of the most probable network less that of the next, shape (vertex,), float32.

        1 where there is one network; NaN where nothing is known.
        """
        if self.n_networks == 1:
            return np.where(self.is_known, 1, np.nan).astype(np.float32)
        next_best, best = np.partition(self.probabilities, (-2, -1), axis=-1)[:, -2:].T
        return np.where(self.is_known, best - next_best, np.nan).astype(np.float32)


class Parcellations(Protocol):
    """Parcellations of a cohort that are looked at one by one: in memory, or on disk."""

    @property
    def axis(self) -> BrainAxis:
        """The region's vertices."""

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of the networks."""

    @property
    def colours(self) -> tuple[Colour, ...]:
        """Colours of the networks."""

    @property
    def subjects(self) -> tuple[str, ...]:
        """Names of the subjects."""

    @property
    def sessions(self) -> tuple[str, ...]:
        """Names of the sessions."""

    @property
    def n_networks(self) -> int:
        """Number of networks."""

    def of_population(self) -> SoftParcellation:
        """The population's parcellation."""

    def of_subject(self, subject: str) -> SoftParcellation:
        """One subject's parcellation."""

    def of_session(self, subject: str, session: str) -> SoftParcellation:
        """One session's parcellation, all NaN if the session is missing."""


@dataclass(frozen=True, eq=False)
class CohortParcellation:
    """Soft parcellations of a population, its subjects and their sessions.

    Network numbers mean the same network at all levels.

    Parameters
    ----------
    axis : BrainAxis
        The region's vertices.
    networks, subjects, sessions : tuple of str
        Names.
    population : (vertex, network) array of float32
    subject : (subject, vertex, network) array of float32
    session : (subject, session, vertex, network) array of float32
        NaN where a session is missing.
    data : (subject, session, vertex) array of bool, optional
        Where sessions have data; a subject has what one of its sessions has, the population
        what one subject has. By default wherever sessions have probabilities.
    colours : tuple of Colour, optional
        One a network; by default :func:`network_colours`.
    """

    axis: BrainAxis
    networks: tuple[str, ...]
    subjects: tuple[str, ...]
    sessions: tuple[str, ...]
    population: FloatArray
    subject: FloatArray
    session: FloatArray
    data: BoolArray | None = None
    colours: tuple[Colour, ...] = ()

    def __post_init__(self) -> None:
        last = (len(self.axis), len(self.networks))
        n_subjects, n_sessions = len(self.subjects), len(self.sessions)
        _check("A population parcellation", self.population, last)
        _check("Subject parcellations", self.subject, (n_subjects, *last))
        _check("Session parcellations", self.session, (n_subjects, n_sessions, *last))
        _check_mask(self.data, (n_subjects, n_sessions, last[0]))
        object.__setattr__(self, "colours", _colours_of(self.networks, self.colours))

    @property
    def n_networks(self) -> int:
        """Number of networks."""
        return len(self.networks)

    @property
    def has_data(self) -> BoolArray:
        """Where sessions have data, shape (subject, session, vertex), bool."""
        known = np.asarray(np.isfinite(self.session).all(axis=-1))
        return known if self.data is None else known & self.data

    def of_population(self) -> SoftParcellation:
        """The population's parcellation."""
        data = None if self.data is None else np.asarray(self.data.any(axis=(0, 1)))
        return self._soft(self.population, data)

    def of_subject(self, subject: str) -> SoftParcellation:
        """One subject's parcellation."""
        row = position_of("subject", subject, self.subjects)
        data = None if self.data is None else self.data[row].any(axis=0)
        return self._soft(self.subject[row], data)

    def of_session(self, subject: str, session: str) -> SoftParcellation:
        """One session's parcellation, all NaN if the session is missing."""
        row = position_of("subject", subject, self.subjects)
        column = position_of("session", session, self.sessions)
        data = None if self.data is None else self.data[row, column]
        return self._soft(self.session[row, column], data)

    def _soft(self, probabilities: FloatArray, data: BoolArray | None) -> SoftParcellation:
        return SoftParcellation(self.axis, self.networks, probabilities, data, self.colours)


def _check(what: str, probabilities: FloatArray, shape: tuple[int, ...]) -> None:
    """Refuse an array of another shape, or with rows that are neither distributions nor NaN."""
    if probabilities.shape != shape:
        raise ConnectomeError(f"{what} of shape {probabilities.shape} should be {shape}.")
    rows = probabilities.reshape(-1, shape[-1])
    rows = rows[~np.isnan(rows).all(axis=1)]
    total = rows.sum(axis=1, dtype=np.float64)
    if not (np.abs(total - 1) < _SUM_TOLERANCE).all() or (rows < 0).any():
        raise ConnectomeError(f"{what} has rows that are not probabilities with sum 1.")


def _colours_of(networks: tuple[str, ...], colours: tuple[Colour, ...]) -> tuple[Colour, ...]:
    """The colours given, or the ones of the numbers."""
    if colours and len(colours) != len(networks):
        raise ConnectomeError(f"{len(colours)} colours do not belong to {len(networks)} networks.")
    return colours or network_colours(len(networks))


def _check_mask(data: BoolArray | None, shape: tuple[int, ...]) -> None:
    if data is not None and data.shape != shape:
        raise ConnectomeError(f"A mask of data of shape {data.shape} should be {shape}.")


def position_of(kind: str, name: str, names: tuple[str, ...]) -> int:
    """Position of a subject's or session's name; ConnectomeError if there is none."""
    if name not in names:
        raise ConnectomeError(f"There is no {kind} {name!r}; there are {list(names)}.")
    return names.index(name)
