"""From the blocks of a stability study to its report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.brain.comparison import NetworkMap
from neuroparcel.brain.designs import Design, SubPopulations
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
from neuroparcel.parcellation.stability_blocks import (
    AT_VERTICES,
    STABLE,
    Block,
    BlockPlace,
    FullGroup,
)
from neuroparcel.types import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from neuroparcel.parcellation.stability import StabilityStudy

_N_SHOWN = 60  # sub-populations whose agreement with each other is a matrix
_N_SPUN = 20  # sub-populations that are compared with rotations
_PAIRS_AT_ONCE = 4096
_MOST = 1.0  # of every statistic
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
    is_absent: BoolArray
    labels: IntArray
    networks: FloatArray
    ari_full: FloatArray
    dice_full: FloatArray
    profile_full: FloatArray
    means: FloatArray
    at_vertices: AbsenceSums

    def interval(self, values: FloatArray) -> Interval:
        """Of the mean of a number of each sub-population."""
        # The two of a test-retest are the same people.
        n_independent = len(values) // 2 if (self.drawn.session >= 0).any() else None
        return AbsenceSums.of(values, self.is_absent).interval(n_independent=n_independent)


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
        first, *others = (block.at_vertices for block in found)
        yield _Cell(
            drawn=drawn,
            full=study.full_group(drawn.group, drawn.pool),
            is_absent=drawn.is_absent,
            labels=np.concatenate([block.labels for block in found]),
            networks=np.concatenate([block.networks for block in found]),
            ari_full=np.concatenate([block.ari_full for block in found]),
            dice_full=np.concatenate([block.dice_full for block in found]),
            profile_full=np.concatenate([block.profile_full for block in found]),
            means=np.concatenate([block.means for block in found]),
            at_vertices=sum(others, start=first),
        )


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
    sums = cell.at_vertices
    place = AT_VERTICES.index(STABLE)
    interval = sums.proportion()
    shown = np.unique(np.linspace(0, len(cell.labels) - 1, _N_SHOWN).round().astype(int))
    pairs = np.stack(np.meshgrid(shown, shown, indexing="ij"), -1).reshape(-1, 2)
    counts = contingencies_of_pairs(cell.labels, pairs, cell.full.soft.n_networks)
    return SizeStability(
        group=cell.drawn.group,
        size=cell.drawn.size,
        n_samples=len(cell.labels),
        stable=VertexEstimate(
            _float32(sums.mean[place]),
            _float32(interval.low[place]),
            _float32(interval.high[place]),
        ),
        parts={part: _float32(sums.mean[AT_VERTICES.index(part)]) for part in PARTS},
        members=cell.drawn.members,
        session=cell.drawn.session,
        ari_full=_float32(cell.ari_full),
        dice_full=_float32(cell.dice_full),
        profile_full=_float32(cell.profile_full),
        similarity=_float32(adjusted_rands(counts).reshape(len(shown), len(shown))),
        shown=shown,
    )


def _statistics(
    cell: _Cell, study: StabilityStudy, reliable: RetestReliability | None, nulls: Nulls
) -> Iterator[Statistic]:
    """What is found of the sub-populations of one group and size."""
    table = _Table(cell, study.model.identity.networks)
    spun = _spun(cell, nulls)
    yield table.row(STABLE, cell.means[:, 0], cell.interval(cell.means[:, 0]))
    yield table.row("ari_full", cell.ari_full, cell.interval(cell.ari_full), null=spun)
    yield from table.of_networks("dice_full", cell.dice_full, cell.interval)
    yield from table.of_networks("profile_full", cell.profile_full, cell.interval)
    yield from _of_pairs(cell, table, study)
    parts = cell.means[:, 1:]
    total = AbsenceSums.of(np.nansum(parts, 1), cell.is_absent)
    for column, part in enumerate(PARTS):
        if np.isnan(parts[:, column]).all():  # there are no sessions to be apart
            continue
        own = AbsenceSums.of(parts[:, column], cell.is_absent)
        yield table.row(f"part_{part}", parts[:, column], cell.interval(parts[:, column]))
        share, interval = ratio(own, total)
        yield table.row(f"share_{part}", np.array([]), interval, value=float(share))
    if reliable is not None:
        yield from _identification(cell, table, study, reliable)


def _of_pairs(cell: _Cell, table: _Table, study: StabilityStudy) -> Iterator[Statistic]:
    """How sub-populations agree with one another, where they are not the same."""
    pairs = cell.drawn.pairs[~_repeated(cell.drawn)]
    if not len(pairs):
        return
    counts = contingencies_of_pairs(cell.labels, pairs, cell.full.soft.n_networks)
    lacking = cell.is_absent[pairs[:, 0]] & cell.is_absent[pairs[:, 1]]
    n_independent = len(pairs) if study.design.kind in _PAIRED else max(1, len(cell.labels) // 2)

    def interval(values: FloatArray) -> Interval:
        return AbsenceSums.of(values, lacking).interval(n_independent=n_independent)

    index = adjusted_rands(counts)
    yield table.row("ari_between", index, interval(index))
    yield from table.of_networks("dice_between", dices(counts), interval)
    profiles = _profiles_between(cell, pairs, study.model.reduction)
    yield from table.of_networks("profile_between", profiles, interval)
    apart = ~(~cell.is_absent[pairs[:, 0]] & ~cell.is_absent[pairs[:, 1]]).any(1)
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
    common = reduction.inverse(cell.full.networks).mean(0)
    found = []
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        rows, place = np.unique(pairs[start : start + _PAIRS_AT_ONCE], return_inverse=True)
        deviation = reduction.inverse(cell.networks[rows]) - common
        deviation -= deviation.mean(-1, keepdims=True)
        deviation /= np.maximum(np.linalg.norm(deviation, axis=-1, keepdims=True), 1e-12)
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
        n_told = (~cell.is_absent[:, pooled]).sum(1)  # a subject that is drawn twice counts once
        chance = float((1 / n_told[~np.isnan(rates)]).mean())
        yield table.row("identification", rates, cell.interval(rates), chance=chance)


def _spun(cell: _Cell, nulls: Nulls) -> tuple[float, float] | None:
    """Mean agreement with rotations of the full group's map, and the p-value."""
    if not nulls.n_spins:
        return None
    soft = cell.full.soft
    chosen = np.unique(np.linspace(0, len(cell.labels) - 1, _N_SPUN).round().astype(int))
    reference = NetworkMap.of_parcellation(cell.drawn.group, soft)
    spheres = load_spheres(reference, reference)
    found = spin_agreement(
        cell.labels[chosen], reference, spheres, n_spins=nulls.n_spins, seed=nulls.seed
    )
    return float(found.adjusted_rand_null.mean()), found.p


def _between_groups(cells: Sequence[_Cell]) -> Iterator[Statistic]:
    """Agreement of sub-populations of the same size of two groups."""
    for one, other in combinations(cells, 2):
        if one.drawn.size != other.drawn.size or one.drawn.group == other.drawn.group:
            continue
        n = min(len(one.labels), len(other.labels))
        both = np.concatenate([one.labels[:n], other.labels[:n]])
        pairs = np.stack([np.arange(n), n + np.arange(n)], 1)
        counts = contingencies_of_pairs(both, pairs, one.full.soft.n_networks)
        index = adjusted_rands(counts)
        absent = np.concatenate([one.is_absent[:n], other.is_absent[:n]], 1)
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
        network: str = "",
        *,
        value: float | None = None,
        null: tuple[float, float] | None = None,
        chance: float = float("nan"),
    ) -> Statistic:
        """A row of numbers of sub-populations or pairs, or of one number of all."""
        drawn = self.cell.drawn
        mean, p = (chance, float("nan")) if null is None else null
        found = _row(drawn.group, drawn.size, name, network, values, interval, value)
        return replace(found, null=mean, p=p, n=found.n or len(self.cell.labels))

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
        for column, network in enumerate(self.networks):
            own = values[:, column]
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
    return Statistic(
        group=group,
        size=size,
        name=name,
        network=network,
        value=value,
        low=float(interval.low),
        high=min(float(interval.high), _MOST),
        interval=interval.over,
        q05=float(low),
        q95=float(high),
        n=len(known),
    )


def _float32(values: FloatArray) -> FloatArray:
    return np.asarray(values, dtype=np.float32)
