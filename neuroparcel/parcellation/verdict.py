"""Whether a fit can be trusted: convergence, dead networks, held-out density."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from neuroparcel.brain.parcellation import CohortParcellation
from neuroparcel.inference.stages import TrainingHistory
from neuroparcel.parcellation.heldout import HeldOutDensity

_SMALL_GAIN = 0.1  # nats a vertex that training still gained at its end
_DEAD_SHARE = 0.01  # of the region's probability


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
        Networks that hold less than 1 % of the region, or win no vertex of any subject.
    heldout : HeldOutDensity
    gain : float
        Nats a vertex that the cohort's loss fell by over the last half of training;
        NaN if there were too few steps to tell.
    trained : bool
        False for amortized inference.
    """

    converged: bool
    dead_networks: tuple[str, ...]
    heldout: HeldOutDensity
    gain: float
    trained: bool = True

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
        return Finding(f"DEAD NETWORKS: {names}; ask for fewer --networks", True)

    def _density(self) -> Finding:
        better = self.heldout.gain > 0
        relation = "better" if better else "NO BETTER"
        text = (
            f"held-out vertices: {self.heldout.model:.2f} nats, {relation} than pooled k-means "
            f"({self.heldout.kmeans:.2f}); k-means of each session alone: "
            f"{self.heldout.session_kmeans:.2f}"
        )
        return Finding(text, not better)


def judge(
    history: TrainingHistory | None, parcellation: CohortParcellation, heldout: HeldOutDensity
) -> Verdict:
    """Judge a fit, or amortized inference, which has no history."""
    gain = history.last_gain() if history is not None else math.nan
    trained = history is not None
    converged = not trained or gain < _SMALL_GAIN
    return Verdict(converged, _dead_networks(parcellation), heldout, gain, trained)


def _dead_networks(parcellation: CohortParcellation) -> tuple[str, ...]:
    share = np.nanmean(parcellation.subject, axis=(0, 1))
    winners = {
        int(label)
        for name in parcellation.subjects
        for label in parcellation.of_subject(name).labels
    }
    return tuple(
        name
        for number, (name, held) in enumerate(zip(parcellation.networks, share, strict=True), 1)
        if held < _DEAD_SHARE or number not in winners
    )
