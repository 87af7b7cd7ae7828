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
class Verdict:
    """Judgement of a fit.

    Attributes
    ----------
    converged : bool
    dead_networks : tuple of str
        Networks that hold less than 1 % of the region.
    heldout : HeldOutDensity
    gain : float
        Nats a vertex that the cohort's loss fell by over the last quarter of training;
        NaN if nothing was trained.
    """

    converged: bool
    dead_networks: tuple[str, ...]
    heldout: HeldOutDensity
    gain: float

    @property
    def good(self) -> bool:
        """Converged, all networks alive, better than k-means on held-out vertices."""
        return self.converged and not self.dead_networks and self.heldout.gain > 0

    @property
    def messages(self) -> tuple[str, ...]:
        """One line a finding."""
        lines = [] if math.isnan(self.gain) else [self._convergence()]
        if self.dead_networks:
            names = ", ".join(self.dead_networks)
            lines.append(f"DEAD NETWORKS: {names}: ask for fewer --networks")
        else:
            lines.append("all networks are alive")
        relation = "better" if self.heldout.gain > 0 else "NO BETTER"
        lines.append(
            f"held-out vertices: {self.heldout.model:.2f} nats, {relation} than k-means "
            f"({self.heldout.kmeans:.2f})"
        )
        return tuple(lines)

    def _convergence(self) -> str:
        moved = f"the loss fell by {self.gain:.3f} nats a vertex in the last quarter"
        if self.converged:
            return f"converged ({moved})"
        return f"NOT CONVERGED ({moved}): train longer with --steps"


def judge(
    history: TrainingHistory | None, parcellation: CohortParcellation, heldout: HeldOutDensity
) -> Verdict:
    """Judge a fit; without a history (amortized inference) it counts as converged."""
    gain = history.last_gain() if history is not None else math.nan
    converged = not gain > _SMALL_GAIN
    share = np.nanmean(parcellation.subject, axis=(0, 1))
    dead = tuple(
        name for name, held in zip(parcellation.networks, share, strict=True) if held < _DEAD_SHARE
    )
    return Verdict(converged, dead, heldout, gain)
