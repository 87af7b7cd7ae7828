"""What a stability analysis returns, and what of it is printed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path

from neuroparcel.brain.designs import EVERYONE, SubPopulations
from neuroparcel.brain.stability import PARTS, SizeStability, StabilityReport, Statistic
from neuroparcel.pipeline.planning import Plan
from neuroparcel.pipeline.stability_options import StabilityOptions
from neuroparcel.plotting.stability_words import words_of

_MOST_LINES = 4  # of groups and sizes, on the terminal
_MOST_NOTES = 3
_STAR, _SAMPLES = "*", "samples"
_METHODS = {
    "amortized": "by the trained posterior",
    "refit:mean-field": "each by mean field",
    "refit:reference": "each by coordinate ascent",
}


@dataclass(frozen=True, eq=False)
class StabilityPlan:
    """What ``neuroparcel stability`` would do.

    Attributes
    ----------
    options : StabilityOptions
    planned : Plan
        Of the recordings.
    cells : tuple of SubPopulations
    notes : tuple of str
    """

    options: StabilityOptions
    planned: Plan
    cells: tuple[SubPopulations, ...]
    notes: tuple[str, ...]

    def summary(self) -> str:
        """A few lines for the terminal."""
        region = self.planned.recipe.region
        words = words_of(self.options.design)
        drawn = [
            f"{_who(cell.group)}, {words.counted(len(cell))} of {cell.size} of "
            f"{len(cell.pool)} subjects"
            for cell in self.cells
        ]
        return "\n".join(
            [
                f"design {self.options.design}, parcellated {_METHODS[self.options.method]}",
                *drawn,
                f"region {region.name}: {region.n_vertices} {region.axis.rows_are}, "
                f"{self.planned.n_networks} networks, into {self.options.folder}",
                *(f"note: {note}" for note in self.notes),
                "dry run: nothing was written",
            ]
        )


@dataclass(frozen=True)
class StabilityTask:
    """What one task of several has done.

    Attributes
    ----------
    output : Path
    n_blocks : int
        Parts of this task.
    n_left : int
        Parts that are still to be made, by other tasks.
    """

    output: Path
    n_blocks: int
    n_left: int

    def summary(self) -> str:
        """Two lines for the terminal."""
        left = (
            f"{_counted(self.n_left, 'part')} left to the other tasks"
            if self.n_left
            else "all parts are there"
        )
        return (
            f"{_counted(self.n_blocks, 'part')} of this task done; {left}: {self.output}\n"
            "put them together with the same command, --resume instead of --task-id and --n-tasks"
        )


@dataclass(frozen=True, eq=False)
class StabilityResult:
    """What :func:`~neuroparcel.pipeline.stability` returns.

    Attributes
    ----------
    output : Path
    files, figures : tuple of Path
        Everything that was written.
    report : StabilityReport
    warnings : tuple of str
        On the recordings and the groups.
    """

    output: Path
    files: tuple[Path, ...]
    figures: tuple[Path, ...]
    report: StabilityReport
    warnings: tuple[str, ...]

    def summary(self) -> str:
        """A few lines for the terminal."""
        found = [
            *_drawn(self.report),
            *_by_size(self.report),
            *_between_groups(self.report),
            *_parts(self.report),
            *_of_the_cohort(self.report),
        ]
        lines = [
            *found,
            *_star(found),
            *_notes(self.report),
            f"maps, tables and stability.json: {self.output}",
        ]
        if self.figures:
            lines.append(f"pictures: {self.figures[0].parent}")
        return "\n".join(lines)


def _drawn(report: StabilityReport) -> Iterator[str]:
    method, words = _METHODS.get(report.method, report.method), words_of(report.design.kind)
    counted = words.counted_among([one.n_samples for one in report.sizes])
    sizes = sorted({one.size for one in report.sizes})
    groups = [group for group in report.full if group != EVERYONE]
    of = f" in the groups {', '.join(groups)}" if groups else ""
    yield (
        f"{counted} of {' and of '.join(map(str, sizes))} "
        f"of {len(report.subjects)} subjects{of} ({report.design.kind}), parcellated {method}"
    )


def _by_size(report: StabilityReport) -> Iterator[str]:
    for one in report.sizes[:_MOST_LINES]:
        words = {
            "stable": "a label is the full group's with probability",
            "ari_full": "adjusted Rand index with the full group",
            "ari_between": words_of(report.design.kind).beside,
        }
        found = {name: _of(report, name, one) for name in words}
        said = [f"{text} {_number(found[name])}" for name, text in words.items() if found[name]]
        whose = "" if one.group == EVERYONE else f"{one.group}, "
        if said:
            yield f"{whose}size {one.size}: {', '.join(said)}"
    if len(report.sizes) > _MOST_LINES:
        yield f"and {len(report.sizes) - _MOST_LINES} more in statistics.tsv"


def _parts(report: StabilityReport) -> Iterator[str]:
    """Of the smallest sub-populations of the first group, as in figures and the report."""
    if not report.sizes:
        return
    one = report.sizes[0]
    found = [_of(report, f"share_{part}", one) for part in PARTS]
    said = [
        f"{part} {statistic.value:.0%}"
        for part, statistic in zip(PARTS, found, strict=True)
        if statistic is not None and not isnan(statistic.value)
    ]
    if said:
        whose = f"{_who(one.group)}, size {one.size}"
        yield f"differences of soft labels come from: {', '.join(said)} ({whose})"


def _between_groups(report: StabilityReport) -> Iterator[str]:
    """Of the smallest sub-populations that two groups have."""
    for one in _smallest_of_two(report)[:_MOST_LINES]:
        yield f"{one.group}, size {one.size}: adjusted Rand index {_number(one)}"


def _smallest_of_two(report: StabilityReport) -> list[Statistic]:
    found = [one for one in report.statistics if one.name == "ari_groups" and one.size is not None]
    down = sorted(found, key=lambda one: one.size or 0, reverse=True)
    return list({one.group: one for one in down}.values())


def _star(lines: Sequence[str]) -> Iterator[str]:
    """What a star says, where there is one."""
    if any(f"]{_STAR}" in line for line in lines):
        yield f"{_STAR} interval over sub-populations of these subjects only"


def _notes(report: StabilityReport) -> Iterator[str]:
    for note in report.notes[:_MOST_NOTES]:
        yield f"note: {note}"
    n_more = len(report.notes) - _MOST_NOTES
    if n_more > 0:
        yield f"and {n_more} more note{'s' * (n_more > 1)} in stability.json"


def _of_the_cohort(report: StabilityReport) -> Iterator[str]:
    words = {
        "icc2": "ICC(2,1) of single sessions",
        "icc3": "ICC(3,1)",
    }
    found = {name: _of(report, name) for name in words}
    said = [f"{text} {_number(found[name])}" for name, text in words.items() if found[name]]
    if said:
        yield ", ".join(said)
    identified = _of(report, "identification")
    if identified is not None:
        yield f"subjects identified across sessions: {_number(identified)}{_chance(identified)}"
    margin = _of(report, "within_minus_between")
    if margin is not None:
        yield (
            "adjusted Rand index of sessions, within less between subjects: "
            f"{_number(margin)}{_chance(margin)}"
        )


def _of(report: StabilityReport, name: str, one: SizeStability | None = None) -> Statistic | None:
    """A statistic over all networks; of the cohort if no sub-populations are named."""
    group, size = (EVERYONE, None) if one is None else (one.group, one.size)
    for statistic in report.statistics:
        key = (statistic.name, statistic.group, statistic.size, statistic.network)
        if key == (name, group, size, ""):
            return statistic
    return None


def _number(statistic: Statistic | None) -> str:
    assert statistic is not None  # those that are missing are left out
    if isnan(statistic.value):
        return "unknown"
    if isnan(statistic.low):
        return f"{statistic.value:.2f}"
    star = _STAR * (statistic.interval == _SAMPLES)
    return f"{statistic.value:.2f} [{statistic.low:.2f}, {statistic.high:.2f}]{star}"


def _chance(statistic: Statistic) -> str:
    if isnan(statistic.p):
        return ""
    return f"; by chance {statistic.null:.2f}, p = {statistic.p:.3g}"


def _counted(number: int, noun: str) -> str:
    """A number, its noun and the verb."""
    return f"{number} {noun} is" if number == 1 else f"{number} {noun}s are"


def _who(group: str) -> str:
    return "all subjects" if group == EVERYONE else f"group {group}"
