"""From the blocks of a stability study to its report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.brain.comparison import NetworkMap
from neuroparcel.brain.designs import ALL_SESSIONS, Design, SubPopulations
from neuroparcel.brain.identification import identification_of
from neuroparcel.brain.jackknife import AbsenceSums, Interval, ratio
from neuroparcel.brain.label_maps import adjusted_rands, contingencies_of_pairs, dices
from neuroparcel.brain.reduction import Reduction
from neuroparcel.brain.retest import retest
from neuroparcel.brain.stability import (
    PARTS,
    RetestReliability,
    SizeStability,
    StabilityReport,
    Statistic,
    VertexEstimate,
)
from neuroparcel.parcellation.agreement import single_session_labels
from neuroparcel.parcellation.spins import load_spheres, spin_agreement
from neuroparcel.parcellation.stability_blocks import Block, BlockPlace, FullGroup
from neuroparcel.parcellation.stability_measures import ARI, DEVIATION, centred, measures
from neuroparcel.types import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from neuroparcel.parcellation.stability import StabilityStudy

_N_SHOWN = 60  # sub-populations whose agreement with each other is a matrix
_N_SPUN = 20  # sub-populations that are compared with rotations
_PAIRS_AT_ONCE = 4096
_SIGNED = ("ari_", "profile_")  # statistics from -1 to 1
_PAIRED = ("split-half", "test-retest")  # designs whose pairs share no sub-population


@dataclass(frozen=True)
class Nulls:
    """How null distributions are made.

    Attributes
    ----------
    n_permutations : int
        Of the sessions of subjects.
    n_spins : int
        Rotations of maps; 0 for none.
    seed : int
    """

    n_permutations: int = 1000
    n_spins: int = 0
    seed: int = 0


@dataclass(frozen=True, eq=False)
class _Cell:
    """All sub-populations of one group and size, and what their blocks say together."""

    drawn: SubPopulations
    full: FullGroup
    block: Block

    @property
    def n_networks(self) -> int:
        return self.full.soft.n_networks

    @property
    def n_independent(self) -> int | None:
        """Sub-populations, but for a test-retest, whose two are the same people."""
        return len(self.drawn) // 2 if (self.drawn.session != ALL_SESSIONS).any() else None

    def interval(self, values: FloatArray) -> Interval:
        """Of the mean of a number of each sub-population, which does not know the full group."""
        return AbsenceSums.of(values, self.drawn.lacks).interval(n_independent=self.n_independent)


def assemble(
    study: StabilityStudy,
    blocks: Callable[[BlockPlace], Block],
    nulls: Nulls,
    progress: Callable[[int, int, str], None] | None = None,
) -> StabilityReport:
    """The report of a study whose blocks are done."""
    cells = list(_cells(study, blocks, progress))
    reliable, statistics, notes = _retest(study, nulls)
    sizes = []
    for cell in cells:
        statistics = (*statistics, *_statistics(cell, study, reliable, nulls))
        sizes.append(_size_stability(cell))
    cohort, identity = study.observed.cohort, study.model.identity
    return StabilityReport(
        axis=cohort.axis,
        networks=identity.networks,
        colours=identity.colours,
        subjects=cohort.subjects,
        sessions=cohort.sessions,
        design=study.design,
        method=study.method,
        prior="" if study.model.labels is None else study.prior,
        full={cell.drawn.group: cell.full.soft for cell in cells},
        sizes=tuple(sizes),
        reliability=reliable,
        statistics=(*statistics, *_between_groups(cells)),
        notes=(*notes, *_repeats(cells, study.design)),
    )


def _cells(
    study: StabilityStudy,
    blocks: Callable[[BlockPlace], Block],
    progress: Callable[[int, int, str], None] | None,
) -> Iterator[_Cell]:
    done = 0
    for number, drawn in enumerate(study.cells):
        found = []
        for place in study.places:
            if place.cell != number:
                continue
            found.append(blocks(place))
            done += place.stop - place.start
            if progress is not None:
                progress(done, study.n_samples, f"{drawn.group}, {drawn.size} subjects")
        yield _Cell(drawn, study.full_group(drawn), reduce(Block.plus, found))


def _retest(
    study: StabilityStudy, nulls: Nulls
) -> tuple[RetestReliability | None, tuple[Statistic, ...], tuple[str, ...]]:
    """Test-retest reliability of the cohort under the trained population."""
    cohort, model, whole = study.observed.cohort, study.model, study.whole
    if cohort.n_sessions < 2 or not (cohort.present.sum(1) > 1).sum() > 1:
        return None, (), ()
    labels = single_session_labels(
        model.networks, whole.data, model.labels, whole.strength, nulls.seed
    )
    found = retest(
        labels,
        cohort.subjects,
        cohort.sessions,
        model.identity.networks,
        n_permutations=nulls.n_permutations,
        seed=nulls.seed,
    )
    return (None, (), ()) if found is None else found


def _size_stability(cell: _Cell) -> SizeStability:
    block, drawn = cell.block, cell.drawn
    interval = block.stable.proportion(n_independent=cell.n_independent)
    shown = _spaced(len(drawn), _N_SHOWN)
    pairs = np.stack(np.meshgrid(shown, shown, indexing="ij"), -1).reshape(-1, 2)
    counts = contingencies_of_pairs(block.labels, pairs, cell.n_networks)
    parts = block.parts / np.where(block.n_parts > 0, block.n_parts, np.nan)
    return SizeStability(
        group=drawn.group,
        size=drawn.size,
        n_samples=len(drawn),
        stable=VertexEstimate(
            _float32(block.stable.mean), _float32(interval.low), _float32(interval.high)
        ),
        parts=dict(zip(PARTS, _float32(parts), strict=True)),
        members=drawn.members,
        session=drawn.session,
        ari_full=_float32(_numbers(cell, ARI)[:, 0]),
        dice_full=_float32(_numbers(cell, "dice_full")[:, 1:]),
        profile_full=_float32(_numbers(cell, "profile_full")[:, 1:]),
        similarity=_float32(adjusted_rands(counts).reshape(len(shown), len(shown))),
        shown=shown,
    )


def _numbers(cell: _Cell, name: str) -> FloatArray:
    """One measure of each sub-population, (sample, 1), or of all networks and of each."""
    columns = [number for number, known in enumerate(measures(cell.n_networks)) if known[0] == name]
    return cell.block.numbers[:, columns]


def _spaced(n: int, most: int) -> IntArray:
    """Numbers from 0 to n - 1, as many at even steps as there may be."""
    return np.unique(np.linspace(0, n - 1, most).round().astype(int))


def _statistics(
    cell: _Cell, study: StabilityStudy, reliable: RetestReliability | None, nulls: Nulls
) -> Iterator[Statistic]:
    """What is found of the sub-populations of one group and size."""
    table = _Table(cell, study.model.identity.networks)
    spun = _spun(cell, nulls)
    columns = measures(cell.n_networks)
    deviation = cell.block.of_numbers.at(columns.index((DEVIATION, None)))
    for column, (name, network) in enumerate(columns):
        values, sums = cell.block.numbers[:, column], cell.block.of_numbers.at(column)
        is_part = name.startswith("part_")
        if name == DEVIATION or (is_part and np.isnan(values).all()):
            continue  # single sessions have no session part
        interval = sums.interval(n_independent=cell.n_independent)
        null = spun if name == ARI else None
        yield table.row(name, values, interval, network, null=null)
        if is_part:
            share, interval = ratio(sums, deviation, n_independent=cell.n_independent)
            own = name.replace("part_", "share_")
            yield table.row(own, np.array([]), interval, value=float(share))
    yield from _of_pairs(cell, table, study)
    if reliable is not None:
        yield from _identification(cell, table, study, reliable)


def _of_pairs(cell: _Cell, table: _Table, study: StabilityStudy) -> Iterator[Statistic]:
    """How sub-populations agree with one another, where they are not the same."""
    pairs = cell.drawn.pairs[~_repeated(cell.drawn)]
    if not len(pairs):
        return
    counts = contingencies_of_pairs(cell.block.labels, pairs, cell.n_networks)
    first, second = pairs.T
    lacking = cell.drawn.lacks[first] & cell.drawn.lacks[second]
    n_independent = len(pairs) if study.design.kind in _PAIRED else max(1, len(cell.drawn) // 2)

    def interval(values: FloatArray) -> Interval:
        return AbsenceSums.of(values, lacking).interval(n_independent=n_independent)

    index = adjusted_rands(counts)
    yield table.row("ari_between", index, interval(index))
    yield from table.of_networks("dice_between", dices(counts), interval)
    profiles = _profiles_between(cell, pairs, study.model.reduction)
    yield from table.of_networks("profile_between", profiles, interval)
    apart = np.all(cell.drawn.is_absent[first] | cell.drawn.is_absent[second], axis=1)
    if study.design.kind not in _PAIRED and apart.any():
        some = AbsenceSums.of(index[apart], lacking[apart])
        n_apart = min(int(apart.sum()), n_independent)
        yield table.row("ari_disjoint", index[apart], some.interval(n_independent=n_apart))


def _repeated(drawn: SubPopulations) -> BoolArray:
    """Which pairs have the same members and the same session, and so the same labels."""
    first, second = drawn.pairs.T
    same = (drawn.members[first] == drawn.members[second]).all(1)
    return np.asarray(same & (drawn.session[first] == drawn.session[second]))


def _repeats(cells: Sequence[_Cell], design: Design) -> Iterator[str]:
    """A note where there are fewer sub-populations to draw than were drawn."""
    for cell in cells:
        drawn = cell.drawn
        n_different = len(np.unique(np.column_stack([drawn.members, drawn.session]), axis=0))
        if n_different < len(drawn) / 2 and design.kind != "jackknife":
            yield (
                f"{n_different} of the {len(drawn)} sub-populations of {drawn.size} subjects "
                f"({drawn.group}) are different: the others repeat them"
            )


def _profiles_between(cell: _Cell, pairs: IntArray, reduction: Reduction) -> FloatArray:
    """Correlations of profiles (pair, network), less the mean profile of the full group."""
    common = cell.full.maps.profiles.mean(0)
    found = []
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        rows, place = np.unique(pairs[start : start + _PAIRS_AT_ONCE], return_inverse=True)
        deviation = centred(reduction.inverse(cell.block.networks[rows]), common)
        first, second = place.reshape(-1, 2).T
        found.append((deviation[first] * deviation[second]).sum(-1))
    return np.concatenate(found)


def _identification(
    cell: _Cell, table: _Table, study: StabilityStudy, reliable: RetestReliability
) -> Iterator[Statistic]:
    """Whether the members of a sub-population are told from one another."""
    subjects = study.observed.cohort.subjects
    rows = [subjects.index(name) for name in reliable.subjects]
    distances = np.full((len(subjects), len(subjects)), np.nan)
    distances[np.ix_(rows, rows)] = reliable.distances
    rates = identification_of(distances, cell.drawn.members)
    if not np.isnan(rates).all():
        pooled = np.isin(cell.drawn.pool, rows)
        n_told = (~cell.drawn.is_absent[:, pooled]).sum(
            1
        )  # a subject that is drawn twice counts once
        chance = float((1 / n_told[~np.isnan(rates)]).mean())
        yield table.row("identification", rates, cell.interval(rates), chance=chance)


def _spun(cell: _Cell, nulls: Nulls) -> tuple[float, float] | None:
    """Mean agreement with rotations of the full group's map, and the p-value."""
    if not nulls.n_spins:
        return None
    soft = cell.full.soft
    chosen = _spaced(len(cell.drawn), _N_SPUN)
    reference = NetworkMap.of_parcellation(cell.drawn.group, soft)
    spheres = load_spheres(reference, reference)
    found = spin_agreement(
        cell.block.labels[chosen], reference, spheres, n_spins=nulls.n_spins, seed=nulls.seed
    )
    return float(found.adjusted_rand_null.mean()), found.p


def _between_groups(cells: Sequence[_Cell]) -> Iterator[Statistic]:
    """Agreement of sub-populations of the same size of two groups."""
    for one, other in combinations(cells, 2):
        if one.drawn.size != other.drawn.size or one.drawn.group == other.drawn.group:
            continue
        n = min(len(one.drawn), len(other.drawn))
        both = np.concatenate([one.block.labels[:n], other.block.labels[:n]])
        pairs = np.stack([np.arange(n), n + np.arange(n)], 1)
        counts = contingencies_of_pairs(both, pairs, one.n_networks)
        index = adjusted_rands(counts)
        absent = np.concatenate([one.drawn.lacks[:n], other.drawn.lacks[:n]], 1)
        interval = AbsenceSums.of(index, absent).interval()
        name = f"{one.drawn.group} vs {other.drawn.group}"
        yield _row(name, one.drawn.size, "ari_groups", "", index, interval)


@dataclass(frozen=True, eq=False)
class _Table:
    """Rows of the table of one group and size."""

    cell: _Cell
    networks: tuple[str, ...]

    def row(
        self,
        name: str,
        values: FloatArray,
        interval: Interval,
        network: int | None = None,
        *,
        value: float | None = None,
        null: tuple[float, float] | None = None,
        chance: float = float("nan"),
    ) -> Statistic:
        """A row of numbers of sub-populations or pairs, or of one number of all."""
        drawn = self.cell.drawn
        mean, p = (chance, float("nan")) if null is None else null
        of = "" if network is None else self.networks[network]
        found = _row(drawn.group, drawn.size, name, of, values, interval, value)
        return replace(found, null=mean, p=p, n=found.n or len(drawn))

    def of_networks(
        self,
        name: str,
        values: FloatArray,
        interval: Callable[[FloatArray], Interval],
    ) -> Iterator[Statistic]:
        """The mean over networks, and each of them; values (sample or pair, network)."""
        known = ~np.isnan(values)
        mean = np.where(known, values, 0).sum(1) / np.where(known.any(1), known.sum(1), np.nan)
        yield self.row(name, mean, interval(mean))
        for network, own in enumerate(values.T):
            yield self.row(name, own, interval(own), network)


def _row(
    group: str,
    size: int,
    name: str,
    network: str,
    values: FloatArray,
    interval: Interval,
    value: float | None = None,
) -> Statistic:
    known = values[~np.isnan(values)]
    if value is None:
        value = float(known.mean()) if len(known) else float("nan")
    low, high = np.quantile(known, (0.05, 0.95)) if len(known) else (np.nan, np.nan)
    least, most = _range_of(name)
    return Statistic(
        group=group,
        size=size,
        name=name,
        network=network,
        value=value,
        low=max(float(interval.low), least),
        high=min(float(interval.high), most),
        interval=interval.over,
        q05=float(low),
        q95=float(high),
        n=len(known),
    )


def _range_of(name: str) -> tuple[float, float]:
    """What a statistic can be, which its interval does not leave."""
    if name.startswith("part_"):
        return 0.0, 2.0  # between two distributions that have nothing in common
    return (-1.0 if name.startswith(_SIGNED) else 0.0), 1.0


def _float32(values: FloatArray) -> FloatArray:
    return np.asarray(values, dtype=np.float32)
