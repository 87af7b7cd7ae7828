"""Sub-populations are drawn as their design says, whatever else is drawn."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from neuroparcel.brain.designs import (
    ALL_SESSIONS,
    DESIGNS,
    Design,
    SubPopulations,
    draw_sub_populations,
)
from neuroparcel.errors import OptionError

N_SUBJECTS = 12
GROUPS = {"m": np.array([11, 0, 2, 4, 6, 8]), "f": np.array([1, 3, 5, 7, 9])}
STRATA = np.array([0, 0, 0, 0, 0, 0, 0, 4, 4, 4, 9, 9])
RETEST = (2, 0)


def draw(kind: str, n_samples: int = 40, **options) -> SubPopulations:
    retest = RETEST if kind == "test-retest" else None
    design = Design(kind, (options.pop("size", 4),), n_samples, options.pop("seed", 0))
    (drawn,) = draw_sub_populations(
        design, options.pop("n_subjects", N_SUBJECTS), retest=retest, **options
    )
    return drawn


@pytest.mark.parametrize("kind", DESIGNS)
def test_cells_are_groups_in_order_times_sizes_from_small_to_large(kind):
    design = Design(kind, (2, 3, 2) if kind == "split-half" else (4, 3, 4), 7, 1)
    groups = {"m": GROUPS["m"], "f": np.arange(11, -1, -1)}
    cells = draw_sub_populations(design, N_SUBJECTS, groups=groups, retest=RETEST)
    sizes = {"jackknife": [5, 11], "split-half": [2, 3] * 2}.get(kind, [3, 4] * 2)
    assert [cell.size for cell in cells] == sizes
    assert [cell.group for cell in cells] == ["m", "f"] if kind == "jackknife" else list("mmff")
    for cell in cells:
        assert cell.pool.tolist() == sorted(groups[cell.group])
        assert np.isin(cell.members, cell.pool).all()
        assert cell.members.shape[1] == cell.size
        assert (np.diff(cell.members, axis=1) >= 0).all()
        n_samples = len(cell.pool) if kind == "jackknife" else 7
        assert len(cell) == n_samples * (2 if kind in ("split-half", "test-retest") else 1)
        assert cell.session.shape == (len(cell),)


@pytest.mark.parametrize("kind", ["without-replacement", "jackknife", "split-half", "test-retest"])
def test_nobody_is_drawn_twice(kind):
    assert (np.diff(draw(kind).members, axis=1) > 0).all()


def test_a_bootstrap_draws_with_replacement():
    members = draw("bootstrap", 2000, size=N_SUBJECTS).members
    n_different = np.mean([len(set(row)) for row in members.tolist()])
    expected = N_SUBJECTS * (1 - (1 - 1 / N_SUBJECTS) ** N_SUBJECTS)
    assert n_different == pytest.approx(expected, abs=0.1)  # its standard error is 0.03


def test_a_jackknife_leaves_each_out_once():
    drawn = draw("jackknife", groups={"m": GROUPS["m"]})
    assert [set(drawn.pool) - set(row) for row in drawn.members] == [{i} for i in drawn.pool]
    np.testing.assert_array_equal(drawn.is_absent, np.eye(6, dtype=bool))


def test_halves_share_nobody_and_make_the_pairs():
    drawn = draw("split-half", size=6)
    assert drawn.pairs.tolist() == [[2 * j, 2 * j + 1] for j in range(40)]
    for first, second in drawn.members[drawn.pairs]:
        assert sorted([*first, *second]) == list(range(N_SUBJECTS))
    assert 0.3 < (drawn.members[::2, 0] == 0).mean() < 0.7


def test_test_and_retest_have_the_same_members():
    drawn = draw("test-retest")
    np.testing.assert_array_equal(drawn.members[::2], drawn.members[1::2])
    assert drawn.session.tolist() == list(RETEST) * 40
    assert drawn.pairs.tolist() == [[2 * j, 2 * j + 1] for j in range(40)]
    np.testing.assert_array_equal(drawn.members[::2], draw("without-replacement").members)
    assert set(draw("without-replacement").session) == {ALL_SESSIONS}


@pytest.mark.parametrize("n_samples", [1, 2, 7, 32, 33, 34, 50])
def test_pairs_are_of_neighbours_and_each_pair_once(n_samples):
    pairs = draw("without-replacement", n_samples).pairs
    found = {frozenset(pair) for pair in pairs.tolist()}
    assert len(found) == len(pairs)
    steps = range(1, 17) if n_samples > 32 else range(1, n_samples)
    assert found == {frozenset([b, (b + j) % n_samples]) for b in range(n_samples) for j in steps}
    if n_samples < 34:
        assert found == {frozenset(pair) for pair in combinations(range(n_samples), 2)}


@pytest.mark.parametrize("kind", ["without-replacement", "bootstrap", "split-half", "test-retest"])
@pytest.mark.parametrize("strata", [None, STRATA])
def test_a_sub_population_does_not_depend_on_the_others(kind, strata):
    many = draw(kind, 30, strata=strata)
    few = draw(kind, 9, strata=strata)
    np.testing.assert_array_equal(few.members, many.members[: len(few)])
    assert not np.array_equal(draw(kind, 9, strata=strata, seed=1).members, few.members)
    rows = np.arange(N_SUBJECTS)
    same = draw(kind, 9, strata=strata, groups={"all": rows[::-1]})
    np.testing.assert_array_equal(same.members, few.members)
    other = draw(kind, 9, strata=strata, groups={"both": rows})
    assert not np.array_equal(other.members, few.members)


def test_sizes_and_groups_do_not_depend_on_one_another():
    design = Design(sizes=(3, 5), n_samples=9)
    cells = draw_sub_populations(design, N_SUBJECTS, groups=GROUPS)
    (alone,) = draw_sub_populations(Design(sizes=(5,), n_samples=9), 12, groups={"f": GROUPS["f"]})
    np.testing.assert_array_equal(cells[3].members, alone.members)
    five, four = (draw("bootstrap", 9, size=size).members.tolist() for size in (5, 4))
    assert any(Counter(few) - Counter(more) for more, few in zip(five, four, strict=True))


@pytest.mark.parametrize("kind", ["without-replacement", "bootstrap", "split-half"])
@pytest.mark.parametrize("strata", [None, STRATA])
def test_everyone_is_equally_likely_a_member(kind, strata):
    members = draw(kind, 1500, size=5, strata=strata).members
    share = np.bincount(members.ravel(), minlength=N_SUBJECTS) / members.size
    # Of 7,500 draws or more: the largest standard error is 4 %.
    np.testing.assert_allclose(share * N_SUBJECTS, 1, atol=0.14)


@pytest.mark.parametrize("kind", ["without-replacement", "bootstrap", "split-half"])
@pytest.mark.parametrize("size", [2, 5, 6])
def test_strata_have_their_share_rounded_down_or_up(kind, size):
    drawn = draw(kind, 300, size=size, strata=STRATA)
    for code, n in ((0, 7), (4, 3), (9, 2)):
        found = (STRATA[drawn.members] == code).sum(axis=1)
        exact = n * size / N_SUBJECTS
        assert set(found) == {int(np.floor(exact)), int(np.ceil(exact))}


def test_strata_of_a_group_are_in_the_proportions_of_the_group():
    drawn = draw("without-replacement", size=3, strata=STRATA, groups={"m": GROUPS["m"]})
    assert set((STRATA[drawn.members] == 0).sum(axis=1)) == {2}


BAD = {
    "larger than the cohort": (
        Design(sizes=(4, 13)),
        {},
        "--size asks for 13 subjects, and the cohort has 12. Give sizes of 12 or less.",
    ),
    "larger than a group": (
        Design("bootstrap", (6,)),
        {"groups": GROUPS},
        "--size asks for 6 subjects, and group 'f' has 5. Give sizes of 5 or less.",
    ),
    "halves": (
        Design("split-half", (3,)),
        {"groups": {"f": GROUPS["f"]}},
        "--size asks for two halves of 3 subjects, and group 'f' has 5. Give sizes of 2 or less.",
    ),
    "one subject": (Design(sizes=(3, 1)), {}, "--size is 1. Give sizes of 2 subjects or more."),
    "no size": (Design(sizes=()), {}, "--size is empty. Give sizes of 2 subjects or more."),
    "no samples": (Design(n_samples=0), {}, "--samples is 0. Give 1 or more."),
    "seed": (Design(seed=-1), {}, "--seed is -1. Give 0 or more."),
    "cohort of one": (
        Design(),
        {"groups": {"all": np.array([3])}},
        "A without-replacement design needs 2 subjects or more, and the cohort has 1. Use a larger "
        "cohort.",
    ),
    "jackknife of two": (
        Design("jackknife"),
        {"groups": {"f": np.array([3, 4])}},
        "A jackknife design needs 3 subjects or more, and group 'f' has 2. Group by another column,"
        " or empty the cells of this group in the table.",
    ),
    "no members": (
        Design("split-half", (2,)),
        {"groups": {"f": np.array([], int)}},
        "A split-half design needs 4 subjects or more, and group 'f' has none. Group by",
    ),
    "rows": (
        Design(),
        {"groups": {"f": np.arange(3, 13)}},
        "The rows of group 'f' go from 3 to 12, and those of the cohort from 0 to 11. Give rows",
    ),
    "strata": (
        Design(),
        {"strata": STRATA[1:]},
        "There are strata of 11 subjects, and 12 in the cohort. Give a code for each.",
    ),
    "strata of a jackknife": (
        Design("jackknife"),
        {"strata": STRATA},
        "draws from no strata. Leave --stratify away, or choose another --design.",
    ),
    "no sessions": (
        Design("test-retest"),
        {},
        "A test-retest design needs two sessions. Name two by --retest A,B",
    ),
    "one session twice": (
        Design("test-retest"),
        {"retest": (1, 1)},
        "A test-retest design needs two sessions.",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_drawn(name):
    design, options, message = BAD[name]
    with pytest.raises(OptionError) as caught:
        draw_sub_populations(design, N_SUBJECTS, **options)
    assert message in str(caught.value)


def test_a_jackknife_asks_for_no_sizes_and_no_samples():
    assert len(draw_sub_populations(Design("jackknife", (), 0), 4)[0]) == 4


def test_designs_that_there_are_not():
    with pytest.raises(
        OptionError, match=r"--design is 'boot'\. Choose one of without-replacement"
    ):
        Design("boot")
