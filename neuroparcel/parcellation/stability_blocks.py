"""Some sub-populations of a stability study, and what is kept of them.

What is kept of a block does not grow with its number of sub-populations, but for one label a
vertex and a few numbers of each. Blocks of a study add up to its report, wherever and whenever
each was made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from neuroparcel.brain.designs import SubPopulations
from neuroparcel.brain.jackknife import AbsenceSums
from neuroparcel.brain.label_maps import adjusted_rands, contingencies, dices
from neuroparcel.brain.matching import profile_correlations
from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.brain.reduction import Reduction
from neuroparcel.brain.stability import PARTS
from neuroparcel.parcellation.subpopulation_labels import SubPopulationLabels
from neuroparcel.types import BoolArray, FloatArray, IntArray

_N_BLOCKS = 32  # of the sub-populations of one size and group, at most
_LEAST = 64  # sub-populations of a block, where a batch costs little more than one
STABLE = "stable"
AT_VERTICES = (STABLE, *PARTS)
"""What is found at each vertex of each sub-population."""


@dataclass(frozen=True, order=True)
class BlockPlace:
    """Which sub-populations a block is of.

    Attributes
    ----------
    cell : int
        Number of their size and group in the study.
    start, stop : int
        From and up to which, in the order of the design.
    """

    cell: int
    start: int
    stop: int

    def __str__(self) -> str:
        return f"cell-{self.cell}_samples-{self.start}-{self.stop}"


def places_of(cells: Iterable[SubPopulations], *, batched: bool) -> tuple[BlockPlace, ...]:
    """The blocks of a study: of each cell at most 32, whoever makes them.

    Halves of a pair are in one block.

    Parameters
    ----------
    cells : iterable of SubPopulations
    batched : bool
        Whether sub-populations are labelled many at a time; blocks are then not small.
    """
    places = []
    for number, cell in enumerate(cells):
        step = max(2 * -(-len(cell) // (2 * _N_BLOCKS)), _LEAST if batched else 2)
        places += [
            BlockPlace(number, start, min(start + step, len(cell)))
            for start in range(0, len(cell), step)
        ]
    return tuple(places)


@dataclass(frozen=True, eq=False)
class FullGroup:
    """The parcellation of a whole group, that those of its sub-populations are compared with.

    Attributes
    ----------
    soft : SoftParcellation
    networks : (network, component) array of float
        Topmost networks.
    """

    soft: SoftParcellation
    networks: FloatArray

    @property
    def labels(self) -> IntArray:
        """From 1; 0 where there are no data, (vertex,)."""
        return np.where(self.soft.has_data, self.soft.labels, 0)


@dataclass(frozen=True, eq=False)
class Block:
    """What is kept of some sub-populations.

    Attributes
    ----------
    labels : (sample, vertex) array of uint16
        Most probable network from 1; 0 where there are no data.
    networks : (sample, network, component) array of float32
        Topmost networks.
    ari_full : (sample,) array of float
        Adjusted Rand index with the full group.
    dice_full, profile_full : (sample, network) array of float
        Overlap of each network with the full group's, and correlation of its profile.
    means : (sample, 4) array of float
        Means over vertices of ``AT_VERTICES``.
    at_vertices : AbsenceSums
        Of ``AT_VERTICES``, values (4, vertex).
    """

    labels: IntArray
    networks: FloatArray
    ari_full: FloatArray
    dice_full: FloatArray
    profile_full: FloatArray
    means: FloatArray
    at_vertices: AbsenceSums

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Plain arrays by name."""
        own = {name: getattr(self, name) for name in _OF_SAMPLES}
        sums = self.at_vertices.to_arrays()
        return {**own, **{f"{_SUMS}{name}": array for name, array in sums.items()}}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Block:
        """Undo :meth:`to_arrays`; KeyError if one is missing."""
        sums = {
            name.removeprefix(_SUMS): array
            for name, array in arrays.items()
            if name.startswith(_SUMS)
        }
        own = {name: arrays[name] for name in _OF_SAMPLES}
        return cls(**own, at_vertices=AbsenceSums.from_arrays(sums))


_OF_SAMPLES = ("labels", "networks", "ari_full", "dice_full", "profile_full", "means")
_SUMS = "at_vertices/"


def block_of(
    chunks: Iterable[SubPopulationLabels],
    full: FullGroup,
    reduction: Reduction,
    is_absent: BoolArray,
) -> Block:
    """Sum up sub-populations, a few in memory at a time.

    Parameters
    ----------
    chunks : iterable of SubPopulationLabels
    full : FullGroup
    reduction : Reduction
        Whose inverse gives the networks' profiles.
    is_absent : (sample, pooled subject) array of bool
        Whether a sub-population lacks a subject.
    """
    kept: dict[str, list[np.ndarray]] = {name: [] for name in _OF_SAMPLES}
    sums: AbsenceSums | None = None
    done = 0
    for chunk in chunks:
        labels = hard_labels(chunk)
        values = _at_vertices(chunk, labels, full)
        counts = contingencies(labels, full.labels, full.soft.n_networks)
        kept["labels"].append(labels)
        kept["networks"].append(chunk.networks)
        kept["ari_full"].append(adjusted_rands(counts))
        kept["dice_full"].append(dices(counts))
        kept["profile_full"].append(profiles_with(chunk.networks, full.networks, reduction))
        kept["means"].append(_mean_over_vertices(values))
        absent = is_absent[done : done + len(labels)]
        found = AbsenceSums.of(values, absent)
        sums = found if sums is None else sums + found
        done += len(labels)
    assert sums is not None  # a block has at least one sub-population
    of_samples: dict[str, np.ndarray] = {
        name: np.concatenate(arrays) for name, arrays in kept.items()
    }
    return Block(**of_samples, at_vertices=sums)


def joined(blocks: Sequence[Block], rows: Sequence[IntArray]) -> Block:
    """One block of several, each of some rows of it; the rows of all are 0, 1, 2, ..."""
    order = np.argsort(np.concatenate(rows))
    of_samples = {
        name: np.concatenate([getattr(block, name) for block in blocks])[order]
        for name in _OF_SAMPLES
    }
    first, *others = (block.at_vertices for block in blocks)
    return Block(**of_samples, at_vertices=sum(others, start=first))


def hard_labels(found: SubPopulationLabels) -> IntArray:
    """Most probable networks from 1, (sub-population, vertex); 0 where there are no data."""
    best = found.population.argmax(-1) + 1
    return np.where(found.data, best, 0).astype(np.uint16)


def profiles_with(networks: FloatArray, full: FloatArray, reduction: Reduction) -> FloatArray:
    """Correlation of each network's profile with that of the same number in the full group.

    Less the mean profile of the full group's networks, which all networks share.

    Parameters
    ----------
    networks : (sub-population, network, component) array of float
    full : (network, component) array of float

    Returns
    -------
    (sub-population, network) array of float
    """
    reference = reduction.inverse(full)
    return np.stack(
        [np.diagonal(profile_correlations(reduction.inverse(one), reference)) for one in networks]
    )


def _at_vertices(found: SubPopulationLabels, labels: IntArray, full: FullGroup) -> FloatArray:
    """``AT_VERTICES`` (sub-population, 4, vertex); NaN where there are no data."""
    apart = np.square(found.population - full.soft.probabilities).sum(-1)
    parts = [labels == full.labels, apart, found.subject_part, found.session_part]
    known = found.data & full.soft.has_data
    return np.where(known[:, None], np.stack(parts, 1), np.nan)


def _mean_over_vertices(values: FloatArray) -> FloatArray:
    """Where they are known; NaN where they are nowhere."""
    known = ~np.isnan(values)
    n_known = known.sum(-1)
    return np.where(
        n_known > 0, np.where(known, values, 0).sum(-1) / np.maximum(n_known, 1), np.nan
    )
