"""Groups and strata of subjects from a table of participants, and the sessions to compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neuroparcel.brain.designs import EVERYONE, SubPopulations, draw_sub_populations
from neuroparcel.errors import OptionError
from neuroparcel.io.entities import entity
from neuroparcel.io.participants import groups_of, read_participants
from neuroparcel.pipeline.stability_inputs import FinishedRun
from neuroparcel.pipeline.stability_options import StabilityOptions
from neuroparcel.types import BoolArray, IntArray

_LONGEST = 100  # letters of a group in names of files, of which systems take 255 in all
_SHOWN = 20  # letters of a longer one, in messages


@dataclass(frozen=True, eq=False)
class Drawing:
    """Who is drawn from whom.

    Attributes
    ----------
    groups : mapping of str to (subject,) array of int, optional
        Rows of the cohort; the whole cohort if None.
    strata : (subject,) array of int, optional
        A code a subject; -1 of those without a value, if they are in no group.
    retest : pair of int, optional
        Columns of the sessions to compare.
    notes : tuple of str
        Who is left out.
    """

    groups: Mapping[str, IntArray] | None = None
    strata: IntArray | None = None
    retest: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()

    def draw(self, options: StabilityOptions, n_subjects: int) -> tuple[SubPopulations, ...]:
        """The sub-populations, the same ones that the analysis draws.

        Raises
        ------
        OptionError
            If there are too few subjects, or a size at which there is one sub-population only.
        """
        cells = draw_sub_populations(
            options.sampling,
            n_subjects,
            groups=self.groups,
            strata=self.strata,
            retest=self.retest,
        )
        if options.design == "without-replacement":
            for cell in cells:
                _check_smaller(cell)
        return cells


def find_drawing(run: FinishedRun, options: StabilityOptions) -> Drawing:
    """Read the table that the options name, for the subjects of some results.

    Raises
    ------
    OptionError
        If a session, a column or a value is not there, names of groups cannot tell files
        apart, or too few subjects have both sessions of a test-retest.
    NeuroparcelError
        If the table cannot be read.
    """
    drawing = _of_table(run, options)
    retest = _retest(run, options)
    return drawing if retest is None else _with_both(run, options, drawing, retest)


def _of_table(run: FinishedRun, options: StabilityOptions) -> Drawing:
    """Who is drawn from whom, whatever sessions they have."""
    if options.table is None:
        return Drawing()
    table = read_participants(options.table)
    groups: Mapping[str, IntArray] | None = None
    notes: tuple[str, ...] = ()
    if options.by is not None:
        values = table.values(options.by, run.subjects)
        groups, notes = groups_of(values), _left_out(run, options, values)
        _check_groups(options, list(groups))
    strata = None
    if options.stratify is not None:
        strata = _strata(run, options, table.values(options.stratify, run.subjects))
    return Drawing(groups, strata, notes=notes)


def _strata(
    run: FinishedRun, options: StabilityOptions, values: tuple[str | None, ...]
) -> IntArray:
    missing = [name for name, value in zip(run.subjects, values, strict=True) if value is None]
    if missing:
        raise OptionError(
            f"{options.table} has no value of {options.stratify} for {len(missing)} of "
            f"{len(values)} subjects (first: {missing[0]}).",
            "Fill them in, or choose another column for --stratify.",
        )
    return np.unique(np.array(values, dtype=np.str_), return_inverse=True)[1]


def _left_out(
    run: FinishedRun, options: StabilityOptions, values: tuple[str | None, ...]
) -> tuple[str, ...]:
    missing = [name for name, value in zip(run.subjects, values, strict=True) if value is None]
    if not missing:
        return ()
    return (
        f"{len(missing)} of {len(values)} subjects have no {options.by} and are in no group "
        f"(first: {missing[0]})",
    )


def _check_groups(options: StabilityOptions, groups: list[str]) -> None:
    """Files are named after groups, of which there is one at least."""
    if not groups:
        raise OptionError(
            f"{options.table} has no value of {options.by} for any subject of {options.results}.",
            "Give another --table, or another column to --by.",
        )
    taken: dict[str, str] = {}
    for group in groups:
        name = entity(group).lower()
        if name == EVERYONE:
            raise OptionError(
                f"The value {group!r} of {options.by} is what the group of all subjects is called.",
                "Rename it in the table.",
            )
        if len(name) > _LONGEST:
            raise OptionError(
                f"The value '{group[:_SHOWN]}...' of {options.by} has {len(name)} letters and "
                "digits, too many for names of files.",
                f"Rename it in the table: up to {_LONGEST}.",
            )
        if not name or name in taken:
            other = f" and {taken[name]!r}" if name in taken else ""
            raise OptionError(
                f"The values {group!r}{other} of {options.by} give files no names of their own.",
                "Rename them; names of files hold letters and digits only.",
            )
        taken[name] = group


def _retest(run: FinishedRun, options: StabilityOptions) -> tuple[int, int] | None:
    if options.design != "test-retest":
        return None
    names = options.retest or run.sessions[:2]
    unknown = [name for name in names if name not in run.sessions]
    if unknown:
        raise OptionError(
            f"--retest: {run.path} has no session '{unknown[0]}'.",
            f"Its sessions are {', '.join(run.sessions)}.",
        )
    if len(names) < 2:
        return None
    return run.sessions.index(names[0]), run.sessions.index(names[1])


def _with_both(
    run: FinishedRun, options: StabilityOptions, drawing: Drawing, retest: tuple[int, int]
) -> Drawing:
    """Only those who have both sessions of a test-retest are drawn."""
    first, second = (run.sessions[column] for column in retest)
    present = run.parcellations.present
    has_both = np.array([{first, second} <= set(present[name]) for name in run.subjects])
    groups = drawing.groups or {EVERYONE: np.arange(len(run.subjects))}
    drawn = {group: rows[has_both[rows]] for group, rows in groups.items()}
    for group, rows in drawn.items():
        if len(rows) < max(options.sampling.sizes):
            raise OptionError(
                f"--size asks for {max(options.sampling.sizes)} subjects, and {len(rows)} of "
                f"{_name(group)} {'has' if len(rows) == 1 else 'have'} both sessions, {first} and "
                f"{second}.",
                "Give smaller sizes, or other sessions to --retest.",
            )
    notes = (*drawing.notes, *_without_both(run, has_both, f"{first} or {second}"))
    return Drawing(drawing.groups if has_both.all() else drawn, drawing.strata, retest, notes)


def _without_both(run: FinishedRun, has_both: BoolArray, sessions: str) -> tuple[str, ...]:
    missing = [name for name, has in zip(run.subjects, has_both, strict=True) if not has]
    if not missing:
        return ()
    return (
        f"{len(missing)} of {len(run.subjects)} subjects lack session {sessions} and are left out "
        f"(first: {missing[0]})",
    )


def _check_smaller(cell: SubPopulations) -> None:
    if cell.size == len(cell.pool):
        raise OptionError(
            f"A sub-population of all {cell.size} subjects of {_name(cell.group)} is "
            f"{'the cohort' if cell.group == EVERYONE else 'the group'} itself.",
            "Give a smaller --size, or --design bootstrap.",
        )


def _name(group: str) -> str:
    return "the cohort" if group == EVERYONE else f"group '{group}'"
