"""Groups and strata of subjects from a table of participants, and the sessions to compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neuroparcel.brain.designs import SubPopulations, draw_sub_populations
from neuroparcel.errors import OptionError
from neuroparcel.io.entities import entity
from neuroparcel.io.participants import groups_of, read_participants
from neuroparcel.pipeline.stability_inputs import FinishedRun
from neuroparcel.pipeline.stability_options import StabilityOptions
from neuroparcel.types import IntArray


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
        """The sub-populations, the same ones that the analysis draws."""
        return draw_sub_populations(
            options.sampling,
            n_subjects,
            groups=self.groups,
            strata=self.strata,
            retest=self.retest,
        )


def find_drawing(run: FinishedRun, options: StabilityOptions) -> Drawing:
    """Read the table that the options name, for the subjects of some results.

    Raises
    ------
    OptionError
        If a session, a column or a value is not there, or names of groups cannot tell files
        apart.
    NeuroparcelError
        If the table cannot be read.
    """
    retest = _retest(run, options)
    if options.table is None:
        return Drawing(retest=retest)
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
    return Drawing(groups, strata, retest, notes)


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
