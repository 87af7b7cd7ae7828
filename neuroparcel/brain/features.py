"""What describes a vertex: its correlations with targets, the strongest of them, or maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from neuroparcel.brain.profiles import (
    combine_runs,
    signal_strength,
    to_positive_sphere,
    to_signed_sphere,
)
from neuroparcel.errors import OptionError
from neuroparcel.types import BoolArray, FloatArray

FeatureKind = Literal["correlation", "fisher-z", "binary", "maps"]
Measure = Literal["correlation", "binary", "maps"]
Signs = Literal["shift", "clip", "signed"]

TOP_SHARE = 0.1
"""Share of the correlations that binary features keep (Kong et al. 2019)."""

_LARGEST_R = 0.99  # of a vertex with itself r is 1, and its z infinite
_LARGEST_EXPONENT = 20.0  # standard deviations of a map; its exponential is far inside float32


@dataclass(frozen=True)
class Features:
    r"""How a vertex is described, and how that becomes a point on the unit sphere.

    Parameters
    ----------
    kind : {"correlation", "fisher-z", "binary", "maps"}, default "correlation"
        ``"correlation"``: Pearson's r with each target. ``"fisher-z"``: Fisher's
        :math:`z = \operatorname{artanh} r`. ``"binary"``: whether r is among the largest 10 %
        of all vertices of the region and all targets, averaged over the runs of the session.
        ``"maps"``: the maps of the files as they are, such as task contrasts.
    positive : {"shift", "clip", "signed"}, optional
        How negative values become positive, or that they stay as they are, see
        :func:`to_sphere`. ``"signed"`` for maps if not given, else ``"shift"``.

    Raises
    ------
    OptionError
        If either is unknown.

    References
    ----------
    R. Kong et al. (2019), Spatial topography of individual-specific cortical networks predicts
    human cognition, personality, and emotion, Cerebral Cortex 29, 2533-2551.
    """

    kind: FeatureKind = "correlation"
    positive: Signs | None = None

    def __post_init__(self) -> None:
        if self.positive is None:  # a recipe that is kept says what was done
            object.__setattr__(self, "positive", "signed" if self.kind == "maps" else "shift")
        for name, value, known in (
            ("features", self.kind, get_args(FeatureKind)),
            ("treatment of negative values", self.positive, get_args(Signs)),
        ):
            if value not in known:
                raise OptionError(f"Unknown {name}: {value!r}.", f"Use one of {', '.join(known)}.")

    @property
    def measure(self) -> Measure:
        """The numbers that are kept of a session; Fisher's z is taken when they are used."""
        return "correlation" if self.kind == "fisher-z" else self.kind

    @property
    def signed(self) -> bool:
        """Whether profiles have negative entries."""
        return self.positive == "signed"

    @property
    def keeps_correlations(self) -> bool:
        """Whether :func:`from_sphere` finds correlations in the profiles."""
        return self.measure == "correlation" and not self.signed


def binarise(correlation: FloatArray, share: float = TOP_SHARE) -> FloatArray:
    """1 where a correlation is among the largest of its run, else 0.

    Parameters
    ----------
    correlation : (vertex, target) array of float
        Correlations of one run. NaN stays NaN.
    share : float, default 0.1
        Share of the finite entries of the whole array that become 1.

    Returns
    -------
    (vertex, target) array of float32

    References
    ----------
    B. T. T. Yeo et al. (2011), The organization of the human cerebral cortex estimated by
    intrinsic functional connectivity, Journal of Neurophysiology 106, 1125-1165.
    """
    known = np.isfinite(correlation)
    finite = correlation[known]
    if finite.size == 0:
        return np.full(correlation.shape, np.nan, np.float32)
    n_kept = max(1, round(share * finite.size))
    threshold = np.partition(finite, finite.size - n_kept)[finite.size - n_kept]
    return np.where(known, correlation >= threshold, np.nan).astype(np.float32)


def without_top(shares: FloatArray) -> BoolArray:
    """Vertices none of whose correlations is among the largest of any run.

    All their shares are 0, which says nothing of where they belong: on the sphere they would be
    one and the same uniform profile.

    Parameters
    ----------
    shares : (vertex, target) array of float
        Binary features of a session, see :func:`binarise` and :func:`combine`.

    Returns
    -------
    (vertex,) array of bool
        False in rows that are NaN throughout, which are dead already.
    """
    return np.asarray((shares == 0).any(axis=1) & ~(shares > 0).any(axis=1))


def combine(runs: Sequence[tuple[FloatArray, int]], measure: Measure) -> FloatArray:
    """One array for a session from those of its runs.

    Parameters
    ----------
    runs : sequence of ((vertex, feature) array, int)
        Values of each run and its number of frames.
    measure : {"correlation", "binary", "maps"}
        Correlations are averaged in Fisher's z weighted by frames, see
        :func:`~neuroparcel.brain.profiles.combine_runs`; the others plainly, each run alike.

    Returns
    -------
    (vertex, feature) array of float32
        NaN where every run is NaN.
    """
    if measure == "correlation":
        return combine_runs(runs)
    total = np.zeros(runs[0][0].shape, np.float64)
    count = np.zeros(runs[0][0].shape, np.int32)
    for values, _ in runs:
        known = np.isfinite(values)
        total += np.where(known, values, 0)
        count += known
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def to_sphere(values: FloatArray, features: Features) -> tuple[FloatArray, BoolArray]:
    r"""Values of a session to vectors of unit norm.

    ``"signed"``: each row is centred over its features, see
    :func:`~neuroparcel.brain.profiles.to_signed_sphere`. Else entries become positive:
    correlations become :math:`(1 + r) / 2` (``"shift"``) or :math:`\max(r, 0)` (``"clip"``),
    see :func:`~neuroparcel.brain.profiles.to_positive_sphere`. Fisher's z becomes
    :math:`e^z` or :math:`\max(z, 0)`: since the link takes logarithms, the model then works
    with linear combinations of z itself. Maps become :math:`e^{x / s}` or
    :math:`\max(x / s, 0)`, s being the root mean square of the session's maps in the region.
    Shares of binary features are positive already.

    Parameters
    ----------
    values : (vertex, feature) array of float
        As kept: r for correlations and Fisher's z. A row of NaN is a dead vertex; a column of
        NaN is a dead target, which counts as uncorrelated.
    features : Features

    Returns
    -------
    profiles : (vertex, feature) array of float32
        Unit norm where alive, and entries > 0 unless signed; zeros in dead rows.
    alive : (vertex,) array of bool
        A row is dead too if it is signed and all its entries are the same.
    """
    if features.kind == "correlation" and features.positive != "signed":
        return to_positive_sphere(values, "clip" if features.positive == "clip" else "shift")
    signed = _signed(values, features.kind)
    if features.signed:
        return to_signed_sphere(signed)
    if features.positive == "shift" and features.kind != "binary":
        signed = np.exp(np.clip(signed, -_LARGEST_EXPONENT, _LARGEST_EXPONENT))
    return to_positive_sphere(signed, "clip")


def to_strength(values: FloatArray, alive: BoolArray, features: Features) -> FloatArray:
    """Signal strength of the vertices of a session, which their unit profiles do not tell.

    Parameters
    ----------
    values : (vertex, feature) array of float
        As :func:`to_sphere` takes them.
    alive : (vertex,) array of bool
        Vertices that count; no more than :func:`to_sphere` leaves.
    features : Features
        Signed ones.

    Returns
    -------
    (vertex,) array of float32
        See :func:`~neuroparcel.brain.profiles.signal_strength`.

    Raises
    ------
    OptionError
        If the features are not signed: the norm of values that were moved to be positive tells
        their level, and not their signal.
    """
    if not features.signed:
        raise OptionError("Only signed profiles have a signal strength.")
    return signal_strength(_signed(values, features.kind), alive)


def from_sphere(profiles: FloatArray, own: FloatArray, features: Features) -> FloatArray:
    """Correlations of vertices whose own signal is one of the targets: undo :func:`to_sphere`.

    A profile keeps only the ratios of its entries; the correlation of a vertex with itself,
    which is 1, gives their scale.

    Parameters
    ----------
    profiles : (vertex, target) array of float
        Entries > 0.
    own : (vertex,) array of float
        The entry of the target that is the vertex itself.
    features : Features
        ``"correlation"`` or ``"fisher-z"``.

    Returns
    -------
    (vertex, target) array of float
        Correlations; with ``"clip"`` the negative ones are about 0.

    Raises
    ------
    OptionError
        If the features are neither, or signed: a centred row has lost its level.
    """
    if features.measure != "correlation":
        raise OptionError(f"Features of the kind {features.kind!r} are no correlations.")
    if features.signed:
        raise OptionError("Profiles that are centred do not keep the level of correlations.")
    ratio = profiles / own[:, None]
    if features.kind == "correlation":
        return 2 * ratio - 1 if features.positive == "shift" else ratio
    largest = np.arctanh(_LARGEST_R)
    return np.tanh(np.log(ratio) + largest if features.positive == "shift" else ratio * largest)


def _signed(values: FloatArray, kind: FeatureKind) -> FloatArray:
    """Dead targets of living vertices set to 0, on the scale of the kind; dead rows stay NaN."""
    known = np.asarray(np.isfinite(values))
    rows = np.asarray(known.any(axis=1, keepdims=True))
    filled = np.where(known, values, np.where(rows, np.float32(0), np.float32(np.nan)))
    if kind == "fisher-z":
        return np.arctanh(np.clip(filled, -_LARGEST_R, _LARGEST_R))
    if kind == "maps":
        alive = filled[rows[:, 0]]
        power = float(np.sum(np.square(alive, dtype=np.float64))) / max(alive.size, 1)
        return filled / np.float32(np.sqrt(power) if power > 0 else 1)
    return filled
