"""How stable the labels are: what a stability analysis of the run has found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.brain.designs import EVERYONE
from neuroparcel.brain.stability import PARTS, SizeStability, StabilityReport, Statistic
from neuroparcel.plotting.stability import (
    against_chance,
    file_endings,
    groups_of,
    in_words,
    interval_kind,
    n_drawn_from,
    sizes_of,
    statistic_of,
)
from neuroparcel.plotting.stability_words import whole_in, whole_of, words_of
from neuroparcel.report.figures import figure_of
from neuroparcel.report.run import ReportedRun
from neuroparcel.report.section import Picture, Section

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_GROUPS = 4  # that have pictures of their own in the page
_OFTEN = 0.75
_METHODS = {
    "amortized": "parcellated by the posterior that this fit has trained, without training again",
    "refit:mean-field": "fitted anew one by one, by mean field",
    "refit:reference": "fitted anew one by one, by coordinate ascent",
}
_PRIORS = {
    "own": "The prior of the labels at each place was learnt anew in each of them.",
    "trained": "The prior of the labels at each place was that of the whole cohort.",
}
_COLUMNS = ("stable", "ari_full", "ari_between", "ari_disjoint", "dice_full")
_OVER_SUBJECTS = (
    "Intervals hold 95 % and are over subjects: what would be found with other subjects drawn in "
    "the same way."
)
_OVER_SAMPLES = (
    "Intervals hold 95 % and are over sub-populations of these subjects; with others the numbers "
    "may differ by more."
)
_STAR = "*"
_STARRED = (
    f"Those with a star ({_STAR}) are over sub-populations of these subjects; with others the "
    "numbers may differ by more."
)


@dataclass(frozen=True)
class StabilityRow:
    """What the table says of one group and size.

    Attributes
    ----------
    group : str
    size, n_drawn : int
    cells : tuple of str
        A number with its interval each; empty where it is not known.
    """

    group: str
    size: int
    n_drawn: int
    cells: tuple[str, ...]


def stability(run: ReportedRun) -> Section | None:
    """The stability analysis of the run, where there is one."""
    report = run.stability
    if report is None:
        return None
    columns = _known_columns(report)
    content = {
        "sentences": [_unbroken(sentence) for sentence in _sentences(report) if sentence],
        "limits": list(_limits(report)),
        "notes": report.notes,
        "columns": [_headings(report)[name] for name in columns],
        "counted": words_of(report.design.kind).nouns.capitalize(),
        "rows": _rows(report, columns),
        "has_groups": groups_of(report) != (EVERYONE,),
        "between_groups": _between_groups(report),
        "maps": list(_maps(run, report)) if run.is_drawable else [],
        "charts": list(_charts(run, report)),
    }
    return Section("stability", "Stability", "stability.html", content)


def _sentences(report: StabilityReport) -> Iterator[str]:
    yield _what_was_done(report)
    for group in groups_of(report):
        yield _how_stable(report, group)
        yield _where_not(report, sizes_of(report, group)[0])
    for group in groups_of(report):
        yield _what_moves(report, sizes_of(report, group)[0])
    yield _retest(report)
    yield _what_intervals_are(report)


def _what_was_done(report: StabilityReport) -> str:
    words = words_of(report.design.kind)
    sizes = sorted({one.size for one in report.sizes})
    groups = groups_of(report)
    whom = f"the {len(report.subjects):,} subjects"
    if groups != (EVERYONE,):
        whom = f"the groups {_listed(groups)} of {whom}"
    each = " each" if len(report.sizes) > 1 else ""
    counted = words.counted_among([one.n_samples for one in report.sizes])
    were = "was" if counted.startswith("1 ") else "were"
    said = f"{counted}{each} of {_listed([f'{size:,}' for size in sizes])} subjects, "
    said += f"{words.from_whom.format(whom=whom)}, {were} {_METHODS[report.method]}."
    return f"{said} {_PRIORS.get(report.prior, '')}".rstrip()


def _how_stable(report: StabilityReport, group: str) -> str:
    """Of the smallest and the largest size."""
    found, words = sizes_of(report, group), words_of(report.design.kind)
    said = []
    for one in dict.fromkeys((found[0], found[-1])):
        values = {name: _of(report, name, one) for name in _COLUMNS}
        stable, full, between = values["stable"], values["ari_full"], values["ari_between"]
        if stable is None:
            continue
        share = _words(report, stable, percent=True)
        told = [f"{share} of the labels are those of the {whole_of(group)}"]
        if full is not None:
            told.append(f"the adjusted Rand index with its map is {_words(report, full)}")
        if between is not None:
            told.append(f"that {words.between} {_words(report, between)}")
        said.append(f"With {one.size:,} subjects {_listed(told)}.")
    whose = "" if group == EVERYONE else f"Group {group}: "
    return whose + " ".join(said) if said else ""


def _where_not(report: StabilityReport, one: SizeStability) -> str:
    """The share that often changes, and the network that does so most, at the smallest size."""
    labels, stable = report.full[one.group].labels, one.stable.value
    known = (labels > 0) & np.isfinite(stable)
    if not known.any():
        return ""
    often = float((stable[known] < _OFTEN).mean())
    rows_are = report.axis.rows_are
    whose = "" if one.group == EVERYONE else f"Group {one.group}: "
    said = f"{whose}{_percent(often)} of the {rows_are} keep their label in fewer than three of "
    said += f"four of the {words_of(report.design.kind).maps} of {one.size:,}"
    present = np.unique(labels[known])
    if len(present) > 1:
        means = [float(stable[known & (labels == number)].mean()) for number in present]
        least = int(np.argmin(means))
        said += f"; least stable is {report.networks[present[least] - 1]}, whose {rows_are} keep "
        said += f"theirs in {_percent(means[least])}"
    return f"{said}."


def _what_moves(report: StabilityReport, one: SizeStability) -> str:
    found = {part: _of(report, f"share_{part}", one) for part in PARTS}
    due = {
        "population": f"is due to who is in the sub-population of {one.size:,}",
        "subject": "to the subject",
        "session": "to the session",
    }
    said = [f"{_percent(x.value)} {due[part]}" for part, x in found.items() if x is not None]
    if found["population"] is None:
        return ""
    whose = "" if one.group == EVERYONE else f"Group {one.group}: "
    return (
        f"{whose}Of the mean squared deviation of a session's soft label from that of the "
        f"{whole_of(one.group)}, {_listed(said)}."
    )


def _retest(report: StabilityReport) -> str:
    identified, icc = (statistic_of(report, name) for name in ("identification", "icc3"))
    said = []
    if identified is not None:
        chance = against_chance(identified, percent=True)
        share = in_words(identified, percent=True, digits=0)
        told = f"The labels of one session tell {share} of the subjects by another"
        said.append(f"{told} ({chance})." if chance else f"{told}.")
    if icc is not None:
        said.append(f"The intraclass correlation ICC(3,1) of soft labels is {in_words(icc)}.")
    return " ".join(said)


def _what_intervals_are(report: StabilityReport) -> str:
    if interval_kind(report) == "samples":
        return _OVER_SAMPLES
    has_star = any(one.interval == "samples" for one in _tabled(report))
    return f"{_OVER_SUBJECTS} {_STARRED}" if has_star else _OVER_SUBJECTS


def _tabled(report: StabilityReport) -> Iterator[Statistic]:
    """All numbers of the table."""
    for one in report.sizes:
        found = [_of(report, name, one) for name in _COLUMNS]
        yield from (value for value in found if value is not None)


def _words(report: StabilityReport, found: Statistic, *, percent: bool = False) -> str:
    """A number with its interval, and a star where that is not over subjects like others."""
    said = in_words(found, percent=percent, digits=0 if percent else 2)
    return said + _STAR * (found.interval not in ("", interval_kind(report)))


def _limits(report: StabilityReport) -> Iterator[str]:
    """What the numbers do not say."""
    if report.method == "amortized":
        yield (
            "The trained weights, the networks that training began from and the reduction of the "
            "features saw all subjects. This is the stability of labels in that frame; fits made "
            "from nothing but the sub-population would agree less."
        )
    else:
        yield (
            "The networks that each fit began from and the reduction of the features saw all "
            "subjects; without them fits would agree less."
        )
    one = report.sizes[0]
    words, shared = words_of(report.design.kind), _mean_shared(one)
    if shared > 0 or words.is_paired:
        yield words.overlap.format(
            size=f"{one.size:,}",
            shared=f"{shared:.1f}",
            whole=f"the {n_drawn_from(report, one):,} of {_whole(one.group)}",
        )
    yield "A stable label need not be a right one."


def _whole(group: str) -> str:
    return "the full population" if group == EVERYONE else f"group {group}"


def _mean_shared(one: SizeStability) -> float:
    from neuroparcel.plotting.stability_matrix import shared_members

    shared = shared_members(one.members[one.shown])
    pairs = shared[np.triu_indices(len(shared), k=1)]
    return float(pairs.mean()) if len(pairs) else 0.0


def _headings(report: StabilityReport) -> dict[str, str]:
    """Of the columns of the table."""
    between = words_of(report.design.kind).beside.capitalize()
    return {
        "stable": f"Labels as in the {whole_in(report)}",
        "ari_full": "Rand index with its map",
        "ari_between": between,
        "ari_disjoint": "Two without a common subject",
        "dice_full": "Dice of networks",
    }


def _known_columns(report: StabilityReport) -> list[str]:
    return [
        name for name in _COLUMNS if any(_of(report, name, one) is not None for one in report.sizes)
    ]


def _rows(report: StabilityReport, columns: list[str]) -> list[StabilityRow]:
    rows = []
    for one in report.sizes:
        found = [_of(report, name, one) for name in columns]
        cells = tuple("" if value is None else _words(report, value) for value in found)
        n_drawn = one.n_samples // words_of(report.design.kind).n_maps
        rows.append(StabilityRow(one.group, one.size, n_drawn, cells))
    return rows


def _between_groups(report: StabilityReport) -> list[tuple[str, str]]:
    """Agreement of sub-populations of two groups: who, and how far."""
    return [
        (f"{one.group}, {one.size:,} subjects", in_words(one))
        for one in report.statistics
        if one.name == "ari_groups" and np.isfinite(one.value)
    ]


def _maps(run: ReportedRun, report: StabilityReport) -> Iterator[Picture]:
    """On the surface, of the first few groups."""
    from neuroparcel.plotting.stability_maps import draw_parts, draw_stability_map
    from neuroparcel.plotting.stable_population import draw_stable_population

    for group, ending in list(file_endings(report).items())[:_MOST_GROUPS]:
        of = _of_group(group)
        alt = f"Map of the probability that the label of a sub-population{of} is that of the "
        alt += f"{whole_of(group)}, with the low end of its interval or the sizes beside it"
        yield _figure(run, f"stability{ending}", partial(draw_stability_map, report, group), alt)
        alt = f"Networks of the population{of}, once pale where undecided and once pale where "
        alt += "other sub-populations have another label"
        draw = partial(draw_stable_population, report, group)
        yield _figure(run, f"population{ending}", draw, alt)
        alt = f"Maps of the deviation of soft labels{of}: by sub-population, subject and session"
        yield _figure(run, f"parts{ending}", partial(draw_parts, report, group), alt)


def _charts(run: ReportedRun, report: StabilityReport) -> Iterator[Picture]:
    from neuroparcel.plotting.retest import draw_retest
    from neuroparcel.plotting.stability_curve import draw_curve, has_curve
    from neuroparcel.plotting.stability_spread import draw_spread

    if not run.is_drawable:
        yield from _ranks(run, report)
    if has_curve(report):
        alt = "Curves of agreement against the number of subjects of a sub-population"
        yield _figure(run, "curve", partial(draw_curve, report), alt)
    else:
        alt = "Histograms of the agreement of sub-populations, and Dice coefficients of networks"
        yield _figure(run, "spread", partial(draw_spread, report), alt)
    yield from _matrices(run, report)
    if report.reliability is not None:
        alt = "Intraclass correlations, and distances of each subject's session from all others"
        draw = partial(draw_retest, report, on_surface=run.is_drawable)
        yield _figure(run, "retest", draw, alt)


def _ranks(run: ReportedRun, report: StabilityReport) -> Iterator[Picture]:
    """In place of maps, of the first few groups."""
    from neuroparcel.plotting.stability_ranks import draw_parts_ranks, draw_stability_ranks

    for group, ending in list(file_endings(report).items())[:_MOST_GROUPS]:
        of = _of_group(group)
        alt = f"The probability that a label{of} stays, sorted within networks, with intervals"
        draw = partial(draw_stability_ranks, report, group)
        yield _figure(run, f"stability{ending}", draw, alt)
        alt = f"Deviation of soft labels{of} by sub-population, subject and session"
        yield _figure(run, f"parts{ending}", partial(draw_parts_ranks, report, group), alt)


def _matrices(run: ReportedRun, report: StabilityReport) -> Iterator[Picture]:
    from neuroparcel.plotting.stability_matrix import draw_agreement, has_agreement

    for group, ending in list(file_endings(report).items())[:_MOST_GROUPS]:
        if has_agreement(report, group):
            alt = f"Matrix of the adjusted Rand index of pairs of sub-populations{_of_group(group)}"
            alt += ", and the index against the number of subjects that both have"
            yield _figure(run, f"agreement{ending}", partial(draw_agreement, report, group), alt)


def _of_group(group: str) -> str:
    return "" if group == EVERYONE else f" of group {group}"


def _figure(run: ReportedRun, name: str, draw: partial[Figure], alt: str) -> Picture:
    return figure_of(run, f"stability/{name}", draw, alt)


def _of(report: StabilityReport, name: str, one: SizeStability) -> Statistic | None:
    return statistic_of(report, name, group=one.group, size=one.size)


def _unbroken(text: str) -> str:
    """Text whose percent signs stay with their numbers."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _listed(names: list[str] | tuple[str, ...], last: str = "and") -> str:
    """Names in a row, with a word before the last.

    Examples
    --------
    >>> _listed(["a"]), _listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    *first, end = names
    return f"{', '.join(first)} {last} {end}" if first else end
