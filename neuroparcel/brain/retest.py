"""Test-retest reliability of labels: whether a session tells which subject it is from.

Three views of the labels of single sessions: intraclass correlation of soft labels, whether a
subject is identified by them among others, and the adjusted Rand index of hard labels within a
subject against that between subjects.

The null of the last two is that labels of a session say nothing of whose they are: each session
after the first is dealt out to the subjects at random, and
p = (1 + permutations that do at least as well) / (1 + permutations). The adjusted Rand index is
known within blocks of subjects only, see :mod:`neuroparcel.brain.session_agreement`, and for it
sessions are dealt out within blocks. That is as valid, as such permutations are a group.

References
----------
B. Phipson and G. K. Smyth (2010), Permutation p-values should never be zero, Statistical
Applications in Genetics and Molecular Biology 9, section 3.
Those of :mod:`neuroparcel.brain.icc` and :mod:`neuroparcel.brain.identification`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import factorial

import numpy as np

from neuroparcel.brain.designs import EVERYONE
from neuroparcel.brain.icc import ImageReliability, Reliability, image_reliability, jackknife
from neuroparcel.brain.identification import closest, squared_distances, wilson_interval
from neuroparcel.brain.session_agreement import (
    blocks_of,
    hard_labels,
    ratio,
    session_agreements,
    session_pairs,
    within_and_between,
)
from neuroparcel.brain.stability import RetestReliability, Statistic
from neuroparcel.types import BoolArray, FloatArray, IntArray

_ROUNDING = 1e-9  # sums of the same numbers in another order are as large
_FEWEST_WAYS = 20  # to deal out the sessions, that a p-value can be 0.05

Retest = tuple[RetestReliability, tuple[Statistic, ...], tuple[str, ...]]


def retest(
    labels: FloatArray,
    subjects: Sequence[str],
    sessions: Sequence[str],
    networks: Sequence[str],
    *,
    n_permutations: int = 1000,
    seed: int = 0,
) -> Retest | None:
    """Compare the labels of subjects' sessions with one another.

    Parameters
    ----------
    labels : (subject, session, vertex, network) array of float
        Soft labels, each made from a single session; NaN where there is no data. Labels of a
        joint fit would agree because they share a subject.
    subjects, sessions, networks : sequence of str
        Names, in the order of the labels.
    n_permutations, seed : int
        Of the null.

    Returns
    -------
    tuple or None
        Reliability at each vertex, statistics, and notes on who was left out; None if fewer
        than two subjects share two sessions.
    """
    has_data = np.asarray(~np.isnan(labels[..., 0]).all(axis=2))
    chosen = _shared_sessions(has_data)
    if chosen is None:
        return None
    rows, columns = chosen
    blocks = blocks_of(len(rows))
    within_blocks, freely = (
        _deal(of, len(columns), n_permutations, seed) for of in (blocks, np.zeros_like(blocks))
    )
    found = image_reliability(labels, rows, columns)
    distances = _distances(labels, rows, columns)
    statistics = (
        *_correlations(found, networks, len(rows)),
        *_agreements(labels, rows, columns, within_blocks),
        _identification(distances, freely),
    )
    reliability = RetestReliability(
        tuple(sessions[column] for column in columns),
        tuple(subjects[row] for row in rows),
        found.vertices.icc2,
        found.vertices.icc3,
        distances[0],
    )
    notes = _notes(reliability, len(subjects), sessions, n_permutations)
    return reliability, statistics, notes


def _shared_sessions(has_data: BoolArray) -> tuple[IntArray, IntArray] | None:
    """Rows and columns of a cohort (subject, session) that are full, with many images in all.

    From the two sessions that most subjects share, a session is taken in as long as it does not
    cost more images, of those who lack it, than it brings.
    """
    n_sessions = has_data.shape[1]

    def shared(columns: Sequence[int]) -> int:
        return int(has_data[:, columns].all(axis=1).sum())

    pairs = [(int(one), int(other)) for one, other in session_pairs(n_sessions)]
    chosen = list(max(pairs, key=shared, default=()))
    if not chosen or shared(chosen) < 2:
        return None
    while len(chosen) < n_sessions:
        others = (column for column in range(n_sessions) if column not in chosen)
        wider = [*chosen, max(others, key=lambda column: shared([*chosen, column]))]
        if shared(wider) < 2 or shared(wider) * len(wider) < shared(chosen) * len(chosen):
            break
        chosen = wider
    columns = np.sort(chosen)
    return np.flatnonzero(has_data[:, columns].all(axis=1)), columns


@dataclass(frozen=True, eq=False)
class _Dealt:
    """Sessions dealt out to subjects at random.

    ``order`` is (permutation, session, subject): whose labels a subject gets.
    """

    blocks: IntArray
    order: IntArray

    def rearranged(self, pairs: FloatArray) -> tuple[FloatArray, IntArray]:
        """What stands on the diagonals of (session pair, subject, subject) after each deal.

        Sums and counts of what is known, (permutation,).
        """
        sums = np.zeros(len(self.order))
        counts = np.zeros(len(self.order), np.int64)
        for table, (one, other) in zip(pairs, session_pairs(self.order.shape[1]), strict=True):
            values = table[self.order[:, one], self.order[:, other]]
            sums += np.nansum(values, axis=1)
            counts += (~np.isnan(values)).sum(axis=1)
        return sums, counts


def _deal(blocks: IntArray, n_sessions: int, n_permutations: int, seed: int) -> _Dealt:
    """Each session after the first dealt out within blocks of subjects."""
    rng = np.random.default_rng(seed)
    keys = blocks + rng.random((n_permutations, n_sessions, len(blocks)))
    order = np.empty(keys.shape, np.intp)
    order[..., np.argsort(blocks, kind="stable")] = np.argsort(keys, axis=-1)
    order[:, 0] = np.arange(len(blocks))
    return _Dealt(blocks, order)


def _distances(labels: FloatArray, rows: IntArray, columns: IntArray) -> FloatArray:
    """Between the subjects' sessions of each pair, (session pair, subject, subject), float32."""
    of_cohort = [  # a choice of rows would be a copy
        squared_distances(labels[:, columns[one]], labels[:, columns[other]])
        for one, other in session_pairs(len(columns))
    ]
    return np.stack([one[np.ix_(rows, rows)] for one in of_cohort])


def _correlations(
    found: ImageReliability, networks: Sequence[str], n_subjects: int
) -> Iterator[Statistic]:
    for name in ("icc2", "icc3"):
        for network, place in (("", ()), *((one, (k,)) for k, one in enumerate(networks))):
            of: Reliability = found.networks if network else found.image
            estimate = getattr(of, name)
            value, low, high = (
                float(one[place]) for one in (estimate.value, estimate.low, estimate.high)
            )
            yield _statistic(name, value, low, high, n_subjects, network=network)


def _agreements(
    labels: FloatArray, rows: IntArray, columns: IntArray, dealt: _Dealt
) -> Iterator[Statistic]:
    """Adjusted Rand index within subjects, between them, and how much larger within."""
    hard = np.stack([hard_labels(labels[row, columns]) for row in rows])
    found = session_agreements(hard, dealt.blocks, labels.shape[-1])
    values, halves = jackknife(within_and_between(found))
    within, n_within = dealt.rearranged(found)
    total, n_total = float(np.nansum(found)), int((~np.isnan(found)).sum())
    null = ratio(within, n_within) - ratio(total - within, n_total - n_within)
    n_subjects = len(rows)
    n_between = int((dealt.blocks[:, None] == dealt.blocks).sum()) - n_subjects
    names = ("ari_within_subject", "ari_between_subjects", "within_minus_between")
    counts = (n_subjects, n_between, n_subjects)
    nulls = (np.zeros(0), np.zeros(0), null)
    for name, value, half, n, of in zip(names, values, halves, counts, nulls, strict=True):
        low, high = float(value - half), min(float(value + half), 1.0)
        yield _statistic(name, float(value), low, high, n, null=of)


def _identification(distances: FloatArray, dealt: _Dealt) -> Statistic:
    """Of all pairs of sessions, their mean."""
    hits = closest(distances)
    own = np.diagonal(hits, axis1=1, axis2=2)
    rate = float(ratio(np.nansum(own), np.count_nonzero(~np.isnan(own))))
    n_subjects = hits.shape[-1]
    low, high = wilson_interval(rate, n_subjects)
    null = ratio(*dealt.rearranged(hits))
    return _statistic("identification", rate, low, high, n_subjects, null=null)


def _statistic(
    name: str,
    value: float,
    low: float,
    high: float,
    n: int,
    *,
    network: str = "",
    null: FloatArray | None = None,
) -> Statistic:
    expected = p = float("nan")
    if null is not None and len(null) and np.isfinite(value):
        expected = float(np.mean(null))
        p = (1 + int((null >= value - _ROUNDING).sum())) / (1 + len(null))
    over = "subjects" if np.isfinite(low) else ""
    return Statistic(EVERYONE, None, name, network, value, low, high, over, n=n, null=expected, p=p)


def _notes(
    found: RetestReliability, n_cohort: int, sessions: Sequence[str], n_permutations: int
) -> tuple[str, ...]:
    n_subjects, n_sessions = len(found.subjects), len(found.sessions)
    notes = []
    unused = [one for one in sessions if one not in found.sessions]
    if unused:
        notes.append(
            f"Test-retest compares the sessions {_list(found.sessions)}; too few subjects have "
            f"{_list(unused)} as well."
        )
    if n_subjects < n_cohort:
        notes.append(
            f"Test-retest is of the {n_subjects} of {n_cohort} subjects that have the sessions "
            f"{_list(found.sessions)}."
        )
    n_ways = factorial(n_subjects) ** (n_sessions - 1)
    if n_permutations and n_ways < _FEWEST_WAYS:
        notes.append(
            f"The sessions of {n_subjects} subjects can be dealt out in {n_ways} ways: no p-value "
            f"by permutation can be much below {1 / n_ways:.2g}."
        )
    if n_subjects == 2:
        notes.append("Two subjects are too few for confidence intervals of their reliability.")
    return tuple(notes)


def _list(names: Sequence[str]) -> str:
    return ", ".join(names)
