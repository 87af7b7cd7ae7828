"""Some sub-populations of a stability study, and what is kept of them.

What is kept of a block does not grow with its number of sub-populations, but for one label a
vertex and a few numbers of each; and with the subjects of a group, up to 64 and not beyond.
Blocks of a study add up to its report, wherever and whenever each was made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from neuroparcel.brain.designs import SubPopulations
from neuroparcel.brain.jackknife import AbsenceSums
from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.brain.reduction import Reduction
from neuroparcel.parcellation.stability_measures import Maps, measure
from neuroparcel.parcellation.subpopulation_labels import SubPopulationLabels
from neuroparcel.types import BoolArray, FloatArray, IntArray

_N_BLOCKS = 32  # of the sub-populations of one size and group, at most
_LEAST = 64  # sub-populations of a block, where a batch costs little more than one


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
    maps : Maps
        The same, ready to be compared.
    without : Maps
        Of the group without each part that is left out together
        (:attr:`~neuroparcel.brain.designs.SubPopulations.left_out`), (part, ...).
    """

    soft: SoftParcellation
    maps: Maps
    without: Maps


@dataclass(frozen=True, eq=False)
class Block:
    """What is kept of some sub-populations.

    Attributes
    ----------
    labels : (sample, vertex) array of uint16
        Most probable network from 1; 0 where there are no data.
    networks : (sample, network, component) array of float32
        Topmost networks.
    numbers : (sample, measure) array of float
        As :func:`~neuroparcel.parcellation.stability_measures.measures` names them.
    of_numbers : AbsenceSums
        Of the numbers, (measure,).
    stable : AbsenceSums
        Of whether the label is the full group's, (vertex,).
    parts, n_parts : (3, vertex) array of float and of int
        Sums of the ``PARTS``, and how many sub-populations have them.
    """

    labels: IntArray
    networks: FloatArray
    numbers: FloatArray
    of_numbers: AbsenceSums
    stable: AbsenceSums
    parts: FloatArray
    n_parts: IntArray

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Plain arrays by name."""
        arrays = {name: np.asarray(getattr(self, name)) for name in (*_OF_SAMPLES, *_TOTALS)}
        for name in _SUMS:
            sums: AbsenceSums = getattr(self, name)
            arrays |= {f"{name}/{key}": array for key, array in sums.to_arrays().items()}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Block:
        """Undo :meth:`to_arrays`; KeyError if one is missing."""
        sums: dict[str, Any] = {
            name: AbsenceSums.from_arrays(
                {
                    key.removeprefix(f"{name}/"): array
                    for key, array in arrays.items()
                    if key.startswith(f"{name}/")
                }
            )
            for name in _SUMS
        }
        own: dict[str, Any] = {name: arrays[name] for name in (*_OF_SAMPLES, *_TOTALS)}
        return cls(**own, **sums)

    def plus(self, other: Block) -> Block:
        """The sums of both; the samples of the other after our own."""
        samples: dict[str, Any] = {
            name: np.concatenate([getattr(self, name), getattr(other, name)])
            for name in _OF_SAMPLES
        }
        return Block(
            **samples,
            **{name: getattr(self, name) + getattr(other, name) for name in (*_SUMS, *_TOTALS)},
        )

    def in_order(self, rows: IntArray) -> Block:
        """The same with the samples where ``rows`` says that they belong."""
        order = np.argsort(rows)
        return replace(self, **{name: getattr(self, name)[order] for name in _OF_SAMPLES})


_OF_SAMPLES = ("labels", "networks", "numbers")
_TOTALS = ("parts", "n_parts")
_SUMS = ("of_numbers", "stable")


def blocks_of(
    chunks: Iterable[SubPopulationLabels],
    full: FullGroup,
    reduction: Reduction,
    lacks: BoolArray,
) -> Iterator[Block]:
    """Sum up sub-populations, a few in memory at a time.

    Those that lack a subject are compared with the group without it too: they are the
    sub-populations that the group would have without that subject.

    Parameters
    ----------
    chunks : iterable of SubPopulationLabels
    full : FullGroup
    reduction : Reduction
        Whose inverse gives the networks' profiles.
    lacks : (sample, part) array of bool
        Whether a sub-population lacks all that are left out together; no columns where nothing
        can be said of the group without them.
    """
    done = 0
    for chunk in chunks:
        n = len(chunk.population)
        yield _block(chunk, full, reduction, lacks[done : done + n])
        done += n


def _block(
    found: SubPopulationLabels, full: FullGroup, reduction: Reduction, lacks: BoolArray
) -> Block:
    maps = Maps.of(found, reduction)
    within = np.stack([found.subject_part, found.session_part], axis=1)
    measured = measure(maps, within, full.maps)
    of_numbers, stable = _Sums(), _Sums()
    for part, rows in enumerate(lacks.T):
        without = measure(maps.at(rows), within[rows], full.without.at(part))
        of_numbers.add(without.numbers)
        stable.add(without.stable)
    known = ~np.isnan(measured.parts)
    return Block(
        labels=maps.labels,
        networks=found.networks,
        numbers=measured.numbers,
        of_numbers=of_numbers.of(measured.numbers),
        stable=stable.of(measured.stable),
        parts=np.where(known, measured.parts, 0).sum(0),
        n_parts=known.sum(0),
    )


@dataclass(eq=False)
class _Sums:
    """Sums over the sub-populations that lack each part, one part after the other."""

    n: list[IntArray] = field(default_factory=list)
    total: list[FloatArray] = field(default_factory=list)

    def add(self, values: FloatArray) -> None:
        known = ~np.isnan(values)
        self.n.append(known.sum(0))
        self.total.append(np.where(known, values, 0).sum(0))

    def of(self, values: FloatArray) -> AbsenceSums:
        """Together with the sums over all."""
        known = ~np.isnan(values)
        counted, shape = np.where(known, values, 0), (len(self.n), *values.shape[1:])
        return AbsenceSums(
            n=known.sum(0),
            total=counted.sum(0),
            square=np.square(counted).sum(0),
            n_absent=np.asarray(self.n, dtype=np.int32).reshape(shape),
            absent=np.asarray(self.total, dtype=np.float64).reshape(shape),
        )
