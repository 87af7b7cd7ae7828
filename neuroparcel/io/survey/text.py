"""A survey in words: for ten subjects row by row, for a thousand by what they have in common."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from textwrap import wrap

from neuroparcel.io.layout import CohortFiles
from neuroparcel.io.layout.naming import name_some
from neuroparcel.io.survey.examination import Examined

_MAX_ROWS = 20  # more subjects than this are shown by pattern, more patterns in one line
_MAX_VALUES = 6
_SESSIONS_ABREAST = 6
_WIDTH = 100
_UNITS = ("bytes", "kB", "MB", "GB", "TB")
_FRAMES = {"series": "frame", "maps": "map", "labels": "map", "connectivity": "column"}

_Cells = dict[tuple[str, str], list[Examined]]


def summarise(
    files: CohortFiles,
    entries: Sequence[Examined],
    problems: Sequence[str],
    notes: Sequence[str] = (),
) -> str:
    """Write the summary of a survey.

    Parameters
    ----------
    files : CohortFiles
        Where the recordings lie.
    entries : sequence of Examined
        What is known of each.
    problems : sequence of str
        What stands in the way, one line each.
    notes : sequence of str, default ()
        What a user should know beside, one line each.

    Returns
    -------
    str
        Lines, without one at the end.
    """
    size = _bytes(sum(entry.n_bytes for entry in entries))
    title = (
        f"{counted(len(files.subjects), 'subject')} x {counted(len(files.sessions), 'session')}, "
        f"{counted(len(entries), 'recording')}, {size}"
    )
    parts = [[title], *_tables(files, entries), _properties(entries)]
    parts.append([f"Note: {note}" for note in notes])
    parts.append(_problems(problems))
    return "\n\n".join("\n".join(part) for part in parts if part)


def _problems(problems: Sequence[str]) -> list[str]:
    if not problems:
        return ["No problems."]
    shown = [f"  {line}" for line in problems[:_MAX_ROWS]]
    n_left = len(problems) - len(shown)
    further = [f"  and {n_left} more, which the table of all recordings names"] if n_left else []
    return [f"{counted(len(problems), 'problem')}:", *shown, *further]


def counted(n: int, noun: str) -> str:
    """A number and its noun.

    Examples
    --------
    >>> counted(1, "run"), counted(2, "run")
    ('1 run', '2 runs')
    """
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _tables(files: CohortFiles, entries: Sequence[Examined]) -> list[list[str]]:
    """Subjects by sessions, some sessions abreast."""
    cells: _Cells = defaultdict(list)
    for entry in entries:
        cells[entry.recording.subject, entry.recording.session].append(entry)
    groups = _groups(files, cells)
    tables = []
    for start in range(0, len(files.sessions), _SESSIONS_ABREAST):
        sessions = files.sessions[start : start + _SESSIONS_ABREAST]
        rows = [["subject", *sessions]]
        for group in groups[:_MAX_ROWS]:
            shown = [
                _describe([cells.get((s, session), []) for s in group]) for session in sessions
            ]
            rows.append([_name(group, len(files.subjects)), *shown])
        lines = _align(rows)
        further = [subject for group in groups[_MAX_ROWS:] for subject in group]
        if further:
            lines.append(f"and {len(further)} subjects with other runs: {name_some(further)}")
        tables.append(lines)
    return tables


def _groups(files: CohortFiles, cells: _Cells) -> list[list[str]]:
    """Subjects to show in one row: each its own if they are few, else those with the same runs."""
    if len(files.subjects) <= _MAX_ROWS:
        return [[subject] for subject in files.subjects]
    alike: dict[object, list[str]] = defaultdict(list)
    for subject in files.subjects:
        own = [cells.get((subject, session), []) for session in files.sessions]
        alike[tuple((len(runs), sum(bool(r.error) for r in runs)) for runs in own)].append(subject)
    return sorted(alike.values(), key=len, reverse=True)


def _name(group: Sequence[str], n_subjects: int) -> str:
    if len(group) == 1:
        return group[0]
    if len(group) == n_subjects:
        return f"all {n_subjects} subjects"
    return f"{len(group)} subjects ({name_some(group)})"


def _describe(cells: Sequence[Sequence[Examined]]) -> str:
    """One cell of the table: the runs and frames of one subject, or of several alike."""
    first = cells[0]
    if not first:
        return "missing"
    text = counted(len(first), "run")
    readable = [[run for run in runs if run.kind] for runs in cells]
    kinds = {run.kind for runs in readable for run in runs if run.kind}
    if kinds:
        frames = [sum(run.n_frames for run in runs) for runs in readable]
        noun = _FRAMES[kinds.pop()] if len(kinds) == 1 else "frame"
        text += f", {_range(frames)} {noun if max(frames) == 1 else noun + 's'}"
        if any(run.n_kept not in (None, run.n_frames) for runs in readable for run in runs):
            kept = [sum(_kept(run) for run in runs) for runs in readable]
            text += f" ({_range(kept)} kept)"
    n_bad = sum(bool(run.error) for run in first)
    return f"{text}, {n_bad} bad" if n_bad else text


def _kept(entry: Examined) -> int:
    return entry.n_frames if entry.n_kept is None else entry.n_kept


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"


def _align(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _properties(entries: Sequence[Examined]) -> list[str]:
    """What the files hold, one line a property, and where they differ."""
    readable = [entry for entry in entries if entry.kind]
    if not readable:
        return []
    series = [entry for entry in readable if entry.kind == "series"]
    places = [entry for entry in readable if entry.grid and not entry.grid.nodes]
    lines = [
        *_tally("Kind", readable, lambda entry: str(entry.kind)),
        *_tally("Space", readable, lambda entry: str(entry.grid)),
        *_tally("Rows", places, lambda entry: entry.rows.replace(" rows:", ":")),
        *_tally("Frames", series, lambda entry: str(entry.n_frames)),
        *_tally("TR", series, lambda entry: "unknown" if entry.tr is None else f"{entry.tr:g} s"),
        *_maps([entry for entry in readable if entry.kind == "maps"]),
        _size(readable),
    ]
    return [wrapped for line in lines for wrapped in _wrap(line)]


def _wrap(line: str) -> list[str]:
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return wrap(
        line, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _tally(label: str, entries: Sequence[Examined], tell: Callable[[Examined], str]) -> list[str]:
    """The values of a property, the common ones first; a rare one with its first recording."""
    if not entries:
        return []
    values: dict[str, list[Examined]] = defaultdict(list)
    for entry in entries:
        values[tell(entry)].append(entry)
    if len(values) == 1:
        return [f"{label}: {next(iter(values))}"]
    ordered = sorted(values.items(), key=lambda item: len(item[1]), reverse=True)
    shown = [f"  {value} ({_whose(of)})" for value, of in ordered[:_MAX_VALUES]]
    if len(ordered) > _MAX_VALUES:
        shown.append(f"  and {counted(len(ordered) - _MAX_VALUES, 'other value')}")
    return [f"{label}: {len(ordered)} values", *shown]


def _whose(entries: Sequence[Examined]) -> str:
    if len(entries) == 1:
        return str(entries[0].recording)
    return f"{len(entries)} recordings, first {entries[0].recording}"


def _maps(entries: Sequence[Examined]) -> list[str]:
    """Names of the maps that all recordings have, then of those that the same ones lack."""
    if not entries:
        return []
    owners: dict[str, list[int]] = defaultdict(list)
    for number, entry in enumerate(entries):
        for name in dict.fromkeys(entry.names):
            owners[name].append(number)
    alike: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for name, whose in owners.items():
        alike[tuple(whose)].append(name)
    shared = alike.pop(tuple(range(len(entries))), [])
    rest = sorted(alike.items(), key=lambda item: len(item[0]), reverse=True)
    lines = [f"Maps: {len(shared)} in all recordings{': ' if shared else ''}{', '.join(shared)}"]
    for numbers, names in rest[:_MAX_VALUES]:
        of = [entries[number] for number in numbers]
        lines.append(f"  {len(names)} in some only ({_whose(of)}): {', '.join(names)}")
    n_left = sum(len(names) for _, names in rest[_MAX_VALUES:])
    return [*lines, f"  and {n_left} in others"] if n_left else lines


def _size(entries: Sequence[Examined]) -> str:
    sizes = [entry.n_bytes for entry in entries]
    low, high = _bytes(min(sizes)), _bytes(max(sizes))
    return f"Size: {low} a recording" if low == high else f"Size: {low} to {high} a recording"


def _bytes(n_bytes: float) -> str:
    """Size in decimal units, as disks are sold and ``ls --si`` shows."""
    for unit in _UNITS[:-1]:
        if n_bytes < 1000:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} {_UNITS[-1]}"
