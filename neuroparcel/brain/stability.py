"""What repeating a parcellation over sub-populations of a cohort has shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.colours import Colour
from neuroparcel.brain.designs import Design
from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.types import FloatArray, IntArray

PARTS = ("population", "subject", "session")
"""Of the mean squared deviation of a session's soft label from that of the full cohort: how far
sub-populations are from it, subjects from their sub-population, and sessions from their subject."""


@dataclass(frozen=True)
class Statistic:
    """One number: a row of the tidy table.

    Attributes
    ----------
    group : str
    size : int or None
        Of the sub-populations; None of what is found from the cohort as a whole.
    name : str
        Such as ``ari_full``; the user guide lists them.
    network : str
        Empty where it is of all networks.
    value : float
    low, high : float
        95 % confidence interval; NaN where there is none.
    interval : str
        What the interval is over: ``subjects``, ``samples``, or empty.
    q05, q95 : float
        Percentiles over sub-populations, or pairs of them; NaN where there are none.
    n : int
        Sub-populations, pairs, or subjects that it is a mean over.
    null : float
        Mean under the null hypothesis; NaN where there is none.
    p : float
        Share of the null that is at least as large; NaN where there is none.
    """

    group: str
    size: int | None
    name: str
    network: str
    value: float
    low: float = float("nan")
    high: float = float("nan")
    interval: str = ""
    q05: float = float("nan")
    q95: float = float("nan")
    n: int = 0
    null: float = float("nan")
    p: float = float("nan")


@dataclass(frozen=True, eq=False)
class VertexEstimate:
    """A number at each vertex, with its 95 % confidence interval.

    Attributes
    ----------
    value, low, high : (vertex,) array of float32
        NaN where nothing is known.
    """

    value: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, eq=False)
class SizeStability:
    """Sub-populations of one size, drawn from one group.

    Attributes
    ----------
    group : str
    size : int
    n_samples : int
    stable : VertexEstimate
        Probability that the label of a sub-population is that of its full group.
    parts : mapping of str to (vertex,) array of float32
        ``population``, ``subject`` and ``session``, see ``PARTS``; they sum to the mean squared
        deviation. Of single sessions, the session part is NaN, and the subject part has both.
    members : (sample, size) array of int
        Rows of the cohort.
    session : (sample,) array of int
        Column of the session that a sample is parcellated from; -1 for all.
    ari_full : (sample,) array of float32
        Adjusted Rand index with the full group; NaN where neither map is divided.
    dice_full, profile_full : (sample, network) array of float32
        Dice coefficient of each network with the full group's, and correlation of its profile.
    similarity : (shown, shown) array of float32
        Adjusted Rand index between evenly spaced sub-populations.
    shown : (shown,) array of int
        Their numbers.
    """

    group: str
    size: int
    n_samples: int
    stable: VertexEstimate
    parts: Mapping[str, FloatArray]
    members: IntArray
    session: IntArray
    ari_full: FloatArray
    dice_full: FloatArray
    profile_full: FloatArray
    similarity: FloatArray
    shown: IntArray

    @property
    def known_parts(self) -> tuple[str, ...]:
        """Those of ``PARTS`` that are not missing at every vertex."""
        return tuple(part for part in PARTS if not np.isnan(self.parts[part]).all())


@dataclass(frozen=True, eq=False)
class RetestReliability:
    """How well the labels of one session tell of another, at each vertex.

    Attributes
    ----------
    sessions : tuple of str
        Of which each subject has all.
    subjects : tuple of str
    icc2, icc3 : VertexEstimate
        Intraclass correlation of soft labels of single sessions: ICC(2,1), absolute agreement,
        and ICC(3,1), consistency; of all networks together.
    distances : (subject, subject) array of float32
        Mean squared difference of the soft labels of the first session (rows) and the second.
    """

    sessions: tuple[str, ...]
    subjects: tuple[str, ...]
    icc2: VertexEstimate
    icc3: VertexEstimate
    distances: FloatArray


@dataclass(frozen=True, eq=False)
class StabilityReport:
    """A stability analysis.

    Attributes
    ----------
    axis : BrainAxis
    networks : tuple of str
    colours : tuple of Colour
    subjects, sessions : tuple of str
        Of the cohort.
    design : Design
    method : str
        How sub-populations were parcellated: ``amortized``, ``refit:mean-field`` or
        ``refit:reference``.
    prior : str
        Where a vertex-wise prior of labels was from: ``own`` of each sub-population, ``trained``,
        or empty, for labels without one.
    full : mapping of str to SoftParcellation
        The parcellation of each full group.
    sizes : tuple of SizeStability
        Groups in order, and each with its sizes from small to large.
    reliability : RetestReliability, optional
        If at least two subjects share two sessions.
    statistics : tuple of Statistic
    notes : tuple of str
        What a reader should know.
    """

    axis: BrainAxis
    networks: tuple[str, ...]
    colours: tuple[Colour, ...]
    subjects: tuple[str, ...]
    sessions: tuple[str, ...]
    design: Design
    method: str
    prior: str
    full: Mapping[str, SoftParcellation]
    sizes: tuple[SizeStability, ...]
    reliability: RetestReliability | None
    statistics: tuple[Statistic, ...]
    notes: tuple[str, ...] = ()

    def of(self, group: str, size: int) -> SizeStability:
        """The sub-populations of a group and size; KeyError if there are none."""
        for one in self.sizes:
            if (one.group, one.size) == (group, size):
                return one
        raise KeyError((group, size))
