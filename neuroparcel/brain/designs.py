"""Which sub-populations of a cohort are parcellated: sampling designs.

Each sub-population has a seed of its own, so the first hundred of a design are the same whether
one asks for a hundred or for ten thousand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise

import numpy as np

from neuroparcel.errors import OptionError
from neuroparcel.types import BoolArray, IntArray

DESIGNS = ("without-replacement", "bootstrap", "jackknife", "split-half", "test-retest")
EVERYONE = "all"
"""Name of the group that is the whole cohort."""
ALL_SESSIONS = -1
_MOST_LEFT_OUT = 64  # parts of a group that a jackknife leaves out one after the other

_N_LAGS = 16  # sub-populations that each is compared with, on each side
_LEAST = 2  # subjects of a sub-population
_LEAST_POOLED = {"jackknife": _LEAST + 1, "split-half": 2 * _LEAST}


@dataclass(frozen=True)
class Design:
    """How sub-populations are drawn.

    Attributes
    ----------
    kind : {"without-replacement", "bootstrap", "jackknife", "split-half", "test-retest"}
        Jackknife leaves out one subject at a time, and takes no sizes and no number of samples.
        Split-half draws pairs of sub-populations that share no subject. Test-retest parcellates
        each sub-population twice, from one session and from another.
    sizes : tuple of int
        Subjects of a sub-population; of each half, of a split-half.
    n_samples : int
        Sub-populations of each size and group; pairs of them, of split-half and test-retest.
    seed : int
    """

    kind: str = "without-replacement"
    sizes: tuple[int, ...] = (5,)
    n_samples: int = 300
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in DESIGNS:
            raise OptionError(f"--design is '{self.kind}'.", f"Choose one of {', '.join(DESIGNS)}.")


@dataclass(frozen=True, eq=False)
class SubPopulations:
    """The sub-populations of one size, drawn from one group of subjects.

    Attributes
    ----------
    group : str
        ``all``, or a value of the column that groups are made by.
    size : int
    pool : (pooled subject,) array of int
        Rows of the cohort that they are drawn from, in order.
    members : (sample, size) array of int
        Rows of the cohort.
    session : (sample,) array of int
        Column of the cohort's sessions that a sub-population is parcellated from, or
        ``ALL_SESSIONS``.
    pairs : (pair, 2) array of int
        Samples that are compared with one another.
    """

    group: str
    size: int
    pool: IntArray
    members: IntArray
    session: IntArray
    pairs: IntArray

    def __len__(self) -> int:
        return len(self.members)

    @cached_property
    def left_out(self) -> tuple[IntArray, ...]:
        """Rows of the cohort that a jackknife leaves out together: one each of up to 64 subjects.

        Of more, every 64th: time and memory do not grow with subjects times subjects.
        """
        n_parts = min(len(self.pool), _MOST_LEFT_OUT)
        return tuple(self.pool[part::n_parts] for part in range(n_parts))

    @cached_property
    def is_absent(self) -> BoolArray:
        """Whether a sub-population lacks a subject, (sample, pooled subject) array of bool."""
        is_absent = np.ones((len(self), int(self.pool.max()) + 1), bool)
        np.put_along_axis(is_absent, self.members, False, axis=1)
        return is_absent[:, self.pool]

    @cached_property
    def lacks(self) -> BoolArray:
        """Whether it lacks all that are left out together, (sample, part) array of bool."""
        n_parts = len(self.left_out)
        found = [self.is_absent[:, part::n_parts].all(axis=1) for part in range(n_parts)]
        return np.stack(found, axis=1)


def draw_sub_populations(
    design: Design,
    n_subjects: int,
    *,
    groups: Mapping[str, IntArray] | None = None,
    strata: IntArray | None = None,
    retest: tuple[int, int] | None = None,
) -> tuple[SubPopulations, ...]:
    """Draw the sub-populations of a design.

    What a sub-population is depends on the seed, the name of its group, its size and its number
    only, and on who is in the group, in whatever order.

    Parameters
    ----------
    design : Design
    n_subjects : int
        Of the cohort.
    groups : mapping of str to array of int, optional
        Rows of the cohort that sub-populations are drawn from; everyone by default.
    strata : (subject,) array of int, optional
        A code a subject of the cohort. Each sub-population has the strata in the proportions of
        its group, rounded down or up by chance, so that everyone is equally likely a member.
    retest : pair of int, optional
        Columns of the two sessions of a test-retest design.

    Returns
    -------
    tuple of SubPopulations
        Groups as they are given, and each with its sizes from small to large. The two halves of
        a split-half, and the two sessions of a test-retest, are neighbouring rows and make the
        pairs; others are compared with the 16 before and after them.

    Raises
    ------
    OptionError
        If there are too few subjects for the sizes or the design.

    References
    ----------
    W. G. Madow (1949), On the theory of systematic sampling II, Annals of Mathematical
    Statistics 20: strata whose shares are no whole numbers.

    Examples
    --------
    >>> (drawn,) = draw_sub_populations(Design("jackknife"), 3)
    >>> drawn.members.tolist()
    [[1, 2], [0, 2], [0, 1]]
    """
    if groups is None:
        groups = {EVERYONE: np.arange(n_subjects)}
    _check_design(design, n_subjects, strata, retest)
    cells = []
    for group, rows in groups.items():
        pool = np.unique(np.asarray(rows, dtype=np.int64))
        _check_pool(design, group, pool, n_subjects)
        codes = np.zeros(len(pool), int) if strata is None else np.asarray(strata)[pool]
        for size in _sizes(design, len(pool)):
            _check_size(design, group, len(pool), size)
            members = _members(design, group, pool, codes, size)
            cells.append(_cell(design, group, pool, members, retest))
    return tuple(cells)


def _sizes(design: Design, n_pooled: int) -> list[int]:
    return [n_pooled - 1] if design.kind == "jackknife" else sorted(set(design.sizes))


def _cell(
    design: Design,
    group: str,
    pool: IntArray,
    members: IntArray,
    retest: tuple[int, int] | None,
) -> SubPopulations:
    n_samples, size = members.shape
    is_paired = design.kind in ("split-half", "test-retest")
    session = np.full(n_samples, ALL_SESSIONS)
    if design.kind == "test-retest" and retest is not None:
        session[0::2], session[1::2] = retest
    pairs = np.arange(n_samples).reshape(-1, 2) if is_paired else _neighbours(n_samples)
    return SubPopulations(group, size, pool, members, session, pairs)


def _neighbours(n_samples: int) -> IntArray:
    """Each sample with the 16 that follow it, around; every pair once."""
    if n_samples <= 2 * _N_LAGS:
        return np.stack(np.triu_indices(n_samples, 1), axis=1)
    first, lag = np.divmod(np.arange(n_samples * _N_LAGS), _N_LAGS)
    return np.stack([first, (first + lag + 1) % n_samples], axis=1)


def _members(design: Design, group: str, pool: IntArray, codes: IntArray, size: int) -> IntArray:
    """Rows of the cohort in each sub-population, in order; (sample, size) array of int."""
    if design.kind == "jackknife":
        return np.stack([np.delete(pool, left_out) for left_out in range(len(pool))])
    strata = [pool[codes == code] for code in np.unique(codes)]
    drawn = [
        row
        for rng in _generators(design, group, size)
        for row in _draw(design.kind, strata, size, rng)
    ]
    return np.sort(np.stack(drawn), axis=1)


def _generators(design: Design, group: str, size: int) -> Iterator[np.random.Generator]:
    for number in range(design.n_samples):
        key = (size, number, *group.encode())
        yield np.random.default_rng(np.random.SeedSequence(design.seed, spawn_key=key))


def _draw(
    kind: str, strata: Sequence[IntArray], size: int, rng: np.random.Generator
) -> list[IntArray]:
    """One sub-population, or two that belong together."""
    shuffled = [strata[i] for i in rng.permutation(len(strata))]
    n_drawn = 2 * size if kind == "split-half" else size
    counts = _shares([len(stratum) for stratum in shuffled], n_drawn, rng)
    drawn = np.concatenate(
        [
            rng.choice(stratum, n, replace=kind == "bootstrap")
            for stratum, n in zip(shuffled, counts, strict=True)
        ]
    )
    if kind == "split-half":  # strata stand together, so that each half has half of them
        return [drawn[0::2], drawn[1::2]]
    return [drawn, drawn] if kind == "test-retest" else [drawn]


def _shares(n_of: Sequence[int], size: int, rng: np.random.Generator) -> list[int]:
    """How many of each stratum: its share, rounded down or up by chance, such that all sum up."""
    n_all = sum(n_of)
    start = int(rng.integers(n_all))
    ends = [(size * end + start) // n_all for end in accumulate(n_of)]
    return [end - begin for begin, end in pairwise([0, *ends])]


def _check_design(
    design: Design,
    n_subjects: int,
    strata: IntArray | None,
    retest: tuple[int, int] | None,
) -> None:
    if design.seed < 0:
        raise OptionError(f"--seed is {design.seed}.", "Give 0 or more.")
    if design.kind != "jackknife":
        _check_amount(design)
    if strata is not None and design.kind == "jackknife":
        raise OptionError(
            "A jackknife leaves out one subject at a time, and draws from no strata.",
            "Leave --stratify away, or choose another --design.",
        )
    if strata is not None and len(strata) != n_subjects:
        raise OptionError(
            f"There are strata of {len(strata)} subjects, and {n_subjects} in the cohort.",
            "Give a code for each.",
        )
    if design.kind == "test-retest" and (retest is None or retest[0] == retest[1]):
        raise OptionError(
            "A test-retest design needs two sessions.",
            "Name two by --retest A,B; if subjects have only one, choose another --design.",
        )


def _check_amount(design: Design) -> None:
    if design.n_samples < 1:
        raise OptionError(f"--samples is {design.n_samples}.", "Give 1 or more.")
    if not design.sizes or min(design.sizes) < _LEAST:
        size = min(design.sizes, default="empty")
        raise OptionError(f"--size is {size}.", f"Give sizes of {_LEAST} subjects or more.")


def _check_pool(design: Design, group: str, pool: IntArray, n_subjects: int) -> None:
    least = _LEAST_POOLED.get(design.kind, _LEAST)
    if len(pool) < least:
        raise OptionError(
            f"A {design.kind} design needs {least} subjects or more, and {_name(group)} has "
            f"{len(pool) or 'none'}.",
            "Use a larger cohort."
            if group == EVERYONE
            else "Group by another column, or empty the cells of this group in the table.",
        )
    if pool[0] < 0 or pool[-1] >= n_subjects:
        raise OptionError(
            f"The rows of {_name(group)} go from {pool[0]} to {pool[-1]}, and those of the cohort "
            f"from 0 to {n_subjects - 1}.",
            "Give rows of the cohort.",
        )


def _check_size(design: Design, group: str, n_pooled: int, size: int) -> None:
    n_halves = 2 if design.kind == "split-half" else 1
    if n_halves * size > n_pooled:
        what = f"two halves of {size} subjects" if n_halves == 2 else f"{size} subjects"
        raise OptionError(
            f"--size asks for {what}, and {_name(group)} has {n_pooled}.",
            f"Give sizes of {n_pooled // n_halves} or less.",
        )


def _name(group: str) -> str:
    return "the cohort" if group == EVERYONE else f"group '{group}'"
