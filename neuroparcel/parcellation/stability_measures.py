"""How far the parcellations of sub-populations are from that of their full group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neuroparcel.brain.label_maps import adjusted_rands, contingencies, dices
from neuroparcel.brain.reduction import Reduction
from neuroparcel.brain.stability import PARTS
from neuroparcel.parcellation.subpopulation_labels import SubPopulationLabels
from neuroparcel.types import BoolArray, FloatArray, IntArray

STABLE, DEVIATION, ARI = "stable", "deviation", "ari_full"
BY_NETWORK = ("dice_full", "profile_full")


def measures(n_networks: int) -> list[tuple[str, int | None]]:
    """Names of the numbers of each sub-population, and networks: none is the mean over all."""
    single = [STABLE, *(f"part_{part}" for part in PARTS), DEVIATION, ARI]
    found: list[tuple[str, int | None]] = [(name, None) for name in single]
    for name in BY_NETWORK:
        found += [(name, None), *((name, network) for network in range(n_networks))]
    return found


@dataclass(frozen=True, eq=False)
class Maps:
    """Parcellations that are compared: one a sub-population, or a single one.

    Attributes
    ----------
    probabilities : (..., vertex, network) array of float32
    labels : (..., vertex) array of uint16
        From 1; 0 where there are no data.
    profiles : (..., network, target) array of float
        Of the topmost networks.
    """

    probabilities: FloatArray
    labels: IntArray
    profiles: FloatArray

    @classmethod
    def of(cls, found: SubPopulationLabels, reduction: Reduction) -> Maps:
        """Of some sub-populations."""
        best = found.population.argmax(-1) + 1
        labels = np.where(found.data, best, 0).astype(np.uint16)
        return cls(found.population, labels, reduction.inverse(found.networks))

    def at(self, rows: IntArray | BoolArray | int) -> Maps:
        """Some of several, or one."""
        return Maps(self.probabilities[rows], self.labels[rows], self.profiles[rows])


def joined(maps: Sequence[Maps]) -> Maps:
    """All of them, one after the other."""
    return Maps(
        np.concatenate([one.probabilities for one in maps]),
        np.concatenate([one.labels for one in maps]),
        np.concatenate([one.profiles for one in maps]),
    )


@dataclass(frozen=True, eq=False)
class Measured:
    """Sub-populations beside one parcellation.

    Attributes
    ----------
    stable : (sub-population, vertex) array of float
        1 where the label is the same; NaN without data.
    parts : (sub-population, 3, vertex) array of float
        The ``PARTS`` of the squared deviation from it.
    numbers : (sub-population, measure) array of float
        As :func:`measures` names them.
    """

    stable: FloatArray
    parts: FloatArray
    numbers: FloatArray


def measure(maps: Maps, within: FloatArray, full: Maps) -> Measured:
    """Compare sub-populations with one parcellation.

    Parameters
    ----------
    maps : Maps
    within : (sub-population, 2, vertex) array of float
        Their subject and session parts.
    full : Maps
        A single one.
    """
    known = (maps.labels > 0) & (full.labels > 0)
    stable = np.where(known, maps.labels == full.labels, np.nan)
    apart = np.square(maps.probabilities - full.probabilities).sum(-1)
    parts = np.concatenate([apart[:, None], within], axis=1)
    parts = np.where(known[:, None], parts, np.nan)
    means = [_mean_known(stable), *_mean_known(parts).T]
    counts = contingencies(maps.labels, full.labels, full.probabilities.shape[-1])
    numbers = [*means, np.nansum(means[1:], axis=0), adjusted_rands(counts)]
    for own in (dices(counts), _correlations(maps.profiles, full.profiles)):
        numbers += [_mean_known(own), *own.T]
    return Measured(stable, parts, np.stack(numbers, axis=1))


def centred(profiles: FloatArray, common: FloatArray) -> FloatArray:
    """Profiles (..., network, target) less a mean profile (target,), of length 1; or zero."""
    deviation = profiles - common
    deviation = deviation - deviation.mean(-1, keepdims=True)
    length = np.linalg.norm(deviation, axis=-1, keepdims=True)
    return deviation / np.where(length > 0, length, 1)


def _correlations(profiles: FloatArray, full: FloatArray) -> FloatArray:
    """Of each network's profile with that of the same number, (sub-population, network).

    Less the mean profile of the full group's networks, which all networks share.
    """
    common = full.mean(0)
    return np.asarray((centred(profiles, common) * centred(full, common)).sum(-1))


def _mean_known(values: FloatArray) -> FloatArray:
    """Mean over the last axis where values are known; NaN where they are nowhere."""
    known = ~np.isnan(values)
    n_known = known.sum(-1)
    mean = np.where(known, values, 0).sum(-1) / np.maximum(n_known, 1)
    return np.where(n_known > 0, mean, np.nan)
