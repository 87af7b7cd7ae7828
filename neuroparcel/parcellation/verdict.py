"""Whether a fit can be trusted: convergence, dead networks, held-out density."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.inference.stages import TrainingHistory
from neuroparcel.parcellation.heldout import HeldOutDensity
from neuroparcel.types import FloatArray

_SMALL_GAIN = 0.1  # nats a vertex that training still gained at its end
_MOVED = 0.1  # share of the weight of evidence
_DEAD_SHARE = 0.01  # of the region's probability; of many networks a tenth of an equal share


@dataclass(frozen=True)
class Finding:
    """One line of a verdict, and whether it is bad news."""

    text: str
    bad: bool = False


@dataclass(frozen=True)
class Verdict:
    """Judgement of a fit.

    Attributes
    ----------
    converged : bool
        False too if the training was too short to tell. True where nothing was trained.
    dead_networks : tuple of str
        Networks that win no vertex of any subject, or hold next to nothing of the region.
    heldout : HeldOutDensity
    gain : float
        Nats a vertex that the cohort's loss fell by over the last half of training;
        NaN if there were too few steps to tell.
    trained : bool
        False for amortized inference.
    ascent : Finding, optional
        How coordinate ascent ended, where that was the training.
    """

    converged: bool
    dead_networks: tuple[str, ...]
    heldout: HeldOutDensity
    gain: float
    trained: bool = True
    ascent: Finding | None = None

    @property
    def good(self) -> bool:
        """Whether no finding is bad news."""
        return not any(finding.bad for finding in self.findings)

    @property
    def messages(self) -> tuple[str, ...]:
        """One line a finding."""
        return tuple(finding.text for finding in self.findings)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The bad news alone."""
        return tuple(finding.text for finding in self.findings if finding.bad)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Convergence (if there was training), networks, held-out density."""
        first = (self._convergence(),) if self.trained else ()
        first = first if self.ascent is None else (self.ascent,)
        return (*first, self._networks(), self._density())

    def _convergence(self) -> Finding:
        if math.isnan(self.gain):
            return Finding("NOT JUDGED: too few steps to tell convergence; give more --steps", True)
        moved = f"the loss fell by {self.gain:.3f} nats a vertex in the last half"
        if self.converged:
            return Finding(f"converged ({moved})")
        return Finding(f"NOT CONVERGED ({moved}): train longer with --steps", True)

    def _networks(self) -> Finding:
        if not self.dead_networks:
            return Finding("all networks are alive")
        names = ", ".join(self.dead_networks)
        return Finding(f"DEAD NETWORKS: {names}; ask for fewer --networks, or --dead drop", True)

    def _density(self) -> Finding:
        better = self.heldout.gain > 0
        relation = "better" if better else "NO BETTER"
        text = (
            f"held-out vertices: {self.heldout.model:.2f} nats, {relation} than pooled k-means "
            f"({self.heldout.kmeans:.2f}); k-means of each session alone: "
            f"{self.heldout.session_kmeans:.2f}"
        )
        return Finding(text, not better)


class NetworkUse:
    """What networks hold in a cohort's subjects, which are taken one after the other.

    Vertices that have the prior alone do not count: they would keep any network alive.
    """

    def __init__(self) -> None:
        self._held: np.ndarray | float = 0.0
        self._n_vertices = 0
        self._winners: set[int] = set()
        self._networks: tuple[str, ...] = ()

    def add(self, soft: SoftParcellation) -> None:
        """Take one more subject's parcellation into account."""
        self._networks = soft.networks
        self.count(soft.probabilities[soft.has_data])

    def count(self, probabilities: FloatArray) -> None:
        """The same, of the probabilities (vertex, network) of its vertices with data."""
        self._held = self._held + probabilities.sum(0, dtype=np.float64)
        self._n_vertices += len(probabilities)
        self._winners |= set(np.unique(probabilities.argmax(-1)).tolist())

    @property
    def dead(self) -> tuple[str, ...]:
        """Names of the dead networks."""
        return tuple(self._networks[row] for row in self.dead_rows)

    @property
    def dead_rows(self) -> tuple[int, ...]:
        """Networks that win no vertex in any subject, or hold less than 1 % of the vertices.

        Of more than ten networks those that hold less than a tenth of an equal share.
        """
        share = np.atleast_1d(self._held) / max(self._n_vertices, 1)
        least = min(_DEAD_SHARE, 0.1 / len(share))
        return tuple(
            row for row, held in enumerate(share) if held < least or row not in self._winners
        )


def of_ascent(*, converged: bool) -> Finding:
    """How a coordinate ascent ended: whether its bound stood still before the last pass."""
    if converged:
        return Finding("coordinate ascent converged")
    return Finding("NOT CONVERGED: coordinate ascent reached its last pass", True)


def of_learning(last_change: float) -> Finding:
    """How an ascent ended that labels were learnt along with.

    Parameters
    ----------
    last_change : float
        Share by which the weight of evidence changed in the last round.
    """
    moved = f"the weight of evidence moved by {last_change:.0%} in the last round"
    if last_change < _MOVED:
        return Finding(f"labels and networks settled ({moved})")
    return Finding(f"NOT SETTLED ({moved}): labels would move on", True)


def judge(
    history: TrainingHistory | None,
    use: NetworkUse,
    heldout: HeldOutDensity,
    ascent: Finding | None = None,
) -> Verdict:
    """Judge a fit, or amortized inference, which has no history."""
    gain = history.last_gain() if history is not None else math.nan
    trained = history is not None
    converged = not trained or gain < _SMALL_GAIN
    return Verdict(converged, use.dead, heldout, gain, trained, ascent)
