"""Parcellations that carry their uncertainty: a probability of each network at each vertex."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import ConnectomeError
from neuroparcel.types import BoolArray, FloatArray, IntArray

_SUM_TOLERANCE = 1e-3

# M. Okabe and K. Ito (2008), Color Universal Design: told apart by the colour-blind too.
_OKABE_ITO = ("0072B2", "D55E00", "009E73", "CC79A7", "E69F00", "56B4E9", "F0E442")


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
        Rows sum to 1; NaN where there are no data.

    Raises
    ------
    ConnectomeError
        If shapes disagree or a row is not a distribution.
    """

    axis: BrainAxis
    networks: tuple[str, ...]
    probabilities: FloatArray

    def __post_init__(self) -> None:
        _check("A parcellation", self.probabilities, (len(self.axis), len(self.networks)))

    @property
    def n_networks(self) -> int:
        """Number of networks."""
        return len(self.networks)

    @property
    def has_data(self) -> BoolArray:
        """Vertices that have a distribution, shape (vertex,), bool."""
        return np.asarray(np.isfinite(self.probabilities).all(axis=-1))

    @property
    def labels(self) -> IntArray:
        """Most probable network, from 1; 0 without data. Shape (vertex,), int32."""
        best = np.nan_to_num(self.probabilities).argmax(axis=-1) + 1
        return np.where(self.has_data, best, 0).astype(np.int32)

    @property
    def entropy(self) -> FloatArray:
        """Entropy of each vertex as a share of the largest possible, log n_networks.

        Shape (vertex,), float32: 0 is certain, 1 is even; NaN without data.
        """
        p = np.asarray(self.probabilities, dtype=np.float64)
        nats = -(p * np.log(np.where(p > 0, p, 1))).sum(axis=-1)
        largest = np.log(self.n_networks) if self.n_networks > 1 else 1.0
        return np.clip(nats / largest, 0, 1).astype(np.float32)


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
        NaN where a session is missing or a vertex has no data.
    """

    axis: BrainAxis
    networks: tuple[str, ...]
    subjects: tuple[str, ...]
    sessions: tuple[str, ...]
    population: FloatArray
    subject: FloatArray
    session: FloatArray

    def __post_init__(self) -> None:
        last = (len(self.axis), len(self.networks))
        n_subjects, n_sessions = len(self.subjects), len(self.sessions)
        _check("A population parcellation", self.population, last)
        _check("Subject parcellations", self.subject, (n_subjects, *last))
        _check("Session parcellations", self.session, (n_subjects, n_sessions, *last))

    @property
    def n_networks(self) -> int:
        """Number of networks."""
        return len(self.networks)

    def of_population(self) -> SoftParcellation:
        """The population's parcellation."""
        return SoftParcellation(self.axis, self.networks, self.population)

    def of_subject(self, subject: str) -> SoftParcellation:
        """One subject's parcellation."""
        row = _position("subject", subject, self.subjects)
        return SoftParcellation(self.axis, self.networks, self.subject[row])

    def of_session(self, subject: str, session: str) -> SoftParcellation:
        """One session's parcellation, all NaN if the session is missing."""
        row = _position("subject", subject, self.subjects)
        column = _position("session", session, self.sessions)
        return SoftParcellation(self.axis, self.networks, self.session[row, column])


def network_colours(n_networks: int) -> tuple[tuple[float, float, float, float], ...]:
    """A colour for each network: red, green, blue, alpha in [0, 1].

    A network keeps its colour whatever the number of networks. The first seven are safe for
    colour-blind readers; further ones step around the colour wheel by the golden ratio.
    """
    return tuple(_colour(number) for number in range(n_networks))


def _colour(number: int) -> tuple[float, float, float, float]:
    if number < len(_OKABE_ITO):
        red, green, blue = (int(_OKABE_ITO[number][i : i + 2], 16) / 255 for i in (0, 2, 4))
    else:
        red, green, blue = colorsys.hsv_to_rgb(number * 0.618034 % 1, 0.65, 0.85)
    return red, green, blue, 1.0


def _check(what: str, probabilities: FloatArray, shape: tuple[int, ...]) -> None:
    """Refuse an array of another shape, or with rows that are neither distributions nor NaN."""
    if probabilities.shape != shape:
        raise ConnectomeError(f"{what} of shape {probabilities.shape} should be {shape}.")
    rows = probabilities.reshape(-1, shape[-1])
    rows = rows[~np.isnan(rows).all(axis=1)]
    total = rows.sum(axis=1, dtype=np.float64)
    if not (np.abs(total - 1) < _SUM_TOLERANCE).all() or (rows < 0).any():
        raise ConnectomeError(f"{what} has rows that are not probabilities with sum 1.")


def _position(kind: str, name: str, names: tuple[str, ...]) -> int:
    if name not in names:
        raise ConnectomeError(f"There is no {kind} {name!r}; there are {list(names)}.")
    return names.index(name)
