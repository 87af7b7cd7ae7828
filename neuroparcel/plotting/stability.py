"""What the figures of a stability analysis have in common: which numbers, and their words."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from neuroparcel.brain.designs import EVERYONE
from neuroparcel.brain.stability import SizeStability, StabilityReport, Statistic
from neuroparcel.io.entities import entity
from neuroparcel.plotting.stability_words import words_of
from neuroparcel.types import FloatArray

MOST_SIZES = 4
"""Sizes that have a map each; of more, the smallest and the largest have one."""

_LARGE_P = 0.1  # has two digits, a smaller one the first that is not 0
_FLAT, _ROOM = 0.01, 0.1  # range of an index that hardly varies, and what is shown below it
_OVER = {
    "subjects": "over subjects",
    "samples": "over sub-populations of these subjects",
}


def groups_of(report: StabilityReport) -> tuple[str, ...]:
    """Groups of subjects that sub-populations were drawn from, in order."""
    return tuple(dict.fromkeys(one.group for one in report.sizes))


def sizes_of(report: StabilityReport, group: str) -> tuple[SizeStability, ...]:
    """What was found of a group, from small to large sub-populations."""
    return tuple(one for one in report.sizes if one.group == group)


def mapped_sizes(report: StabilityReport, group: str) -> tuple[SizeStability, ...]:
    """The sizes that are drawn as maps: all of a few, else the smallest and the largest."""
    found = sizes_of(report, group)
    return found if len(found) <= MOST_SIZES else (found[0], found[-1])


def file_endings(report: StabilityReport) -> dict[str, str]:
    """What the names of each group's figures end in, different for all; nothing for everybody."""
    endings: dict[str, str] = {}
    for number, group in enumerate(groups_of(report), start=1):
        label = "" if group == EVERYONE else f"_group-{entity(group)}"
        if label.endswith("-") or label in endings.values():
            label = f"_group-{entity(group)}{number}"
        endings[group] = label
    return endings


def statistic_of(
    report: StabilityReport,
    name: str,
    *,
    group: str = EVERYONE,
    size: int | None = None,
    network: str = "",
) -> Statistic | None:
    """One number of the tidy table; None if it is not there, or is not known."""
    for one in report.statistics:
        if (one.name, one.group, one.size, one.network) == (name, group, size, network):
            return one if np.isfinite(one.value) else None
    return None


def curve_of(
    report: StabilityReport, name: str, group: str, network: str = ""
) -> tuple[Statistic, ...]:
    """A number at each size where it is known, from small to large."""
    found = [
        statistic_of(report, name, group=group, size=one.size, network=network)
        for one in sizes_of(report, group)
    ]
    return tuple(one for one in found if one is not None)


def titled(title: str, group: str) -> str:
    """A title that says of which group, unless it is everybody."""
    return title if group == EVERYONE else f"{title}: {group}"


def sampled(report: StabilityReport, one: SizeStability) -> str:
    """How many sub-populations were drawn from how many subjects, in words."""
    subjects, words = f"{n_drawn_from(report, one):,} subjects", words_of(report.design.kind)
    return f"{words.counted(one.n_samples)} of {one.size:,} of {subjects}{words.drawn}"


def sampled_each(report: StabilityReport, one: SizeStability) -> str:
    """The same of several sizes, one of which is given."""
    words = words_of(report.design.kind)
    how = f"{n_drawn_from(report, one):,} subjects{words.drawn}"
    return f"{words.counted(one.n_samples)} of each size, of {how}"


def n_drawn_from(report: StabilityReport, one: SizeStability) -> int:
    """Subjects that sub-populations were drawn from; of a group, those that were ever drawn.

    Of a test-retest too, which draws those who have both sessions.
    """
    if one.group == EVERYONE and report.design.kind != "test-retest":
        return len(report.subjects)
    found = [cell.members.ravel() for cell in sizes_of(report, one.group)]
    return len(np.unique(np.concatenate(found)))


def intervals_over(statistics: Iterable[Statistic | None]) -> str:
    """What the intervals of some numbers are over, in words; empty if they have none."""
    known = (one for one in statistics if one is not None and np.isfinite(one.low))
    kinds = dict.fromkeys(one.interval for one in known if one.interval)
    return " or ".join(_OVER[kind] for kind in kinds)


def interval_kind(report: StabilityReport) -> str:
    """What the intervals of sub-populations are over: ``subjects`` wherever that can be had."""
    kinds = {one.interval for one in report.statistics if one.size is not None}
    return "subjects" if "subjects" in kinds else "samples"


def in_words(found: Statistic, *, percent: bool = False, digits: int = 2) -> str:
    """A number with its 95 % interval, if it has one.

    Examples
    --------
    >>> in_words(Statistic("all", 5, "ari_full", "", 0.81, 0.7, 0.9))
    '0.81 (0.70 to 0.90)'
    >>> in_words(Statistic("all", 5, "stable", "", 0.81, 0.7, 0.9), percent=True, digits=0)
    '81 % (70 to 90 %)'
    """
    scale, unit = (100, " %") if percent else (1, "")
    value, low, high = (f"{scale * x:.{digits}f}" for x in (found.value, found.low, found.high))
    if not np.isfinite([found.low, found.high]).all():
        return f"{value}{unit}"
    return f"{value}{unit} ({low} to {high}{unit})"


def against_chance(found: Statistic, *, percent: bool = False) -> str:
    """The mean under the null hypothesis and p, in words; empty if there is none."""
    if not np.isfinite(found.p):
        return ""
    chance = f"{100 * found.null:.0f} %" if percent else f"{found.null:.2f}"
    p = f"{found.p:.2f}" if found.p >= _LARGE_P else f"{found.p:.1g}"
    return f"{chance} by chance, p = {p}"


def index_range(values: FloatArray, low: float, high: float) -> tuple[float, float]:
    """Ends of a scale of an adjusted Rand index, from those that were thought of.

    Where hardly anything varies, it ends at 1 and begins below: noise shall not look like a
    difference, nor the best index like the worst.

    Examples
    --------
    >>> index_range(np.array([1.0, 1.0]), 1.0, 1.0), index_range(np.array([0.2, 0.9]), 0.2, 0.9)
    ((0.9, 1.0), (0.2, 0.9))
    """
    known = values[np.isfinite(values)]
    if len(known) and np.ptp(known) > _FLAT:
        return low, high
    return float(min(known, default=1.0)) - _ROOM, 1.0
