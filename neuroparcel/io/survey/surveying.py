"""What a cohort holds, file by file, before anything long runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from neuroparcel.io.layout import CohortFiles
from neuroparcel.io.scheduling import Outcome, run_tasks
from neuroparcel.io.survey.examination import Examined, Grid, examine
from neuroparcel.io.survey.text import counted, summarise

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of files opened and the number in all."""


@dataclass(frozen=True)
class Survey:
    """The recordings of a cohort, each with what its header tells.

    Parameters
    ----------
    files : CohortFiles
        Where they lie.
    recordings : tuple of Examined
        One a recording, in the order of the files.
    """

    files: CohortFiles
    recordings: tuple[Examined, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing stands in the way; missing sessions do not."""
        return not self.problems

    @cached_property
    def problems(self) -> tuple[str, ...]:
        """What stands in the way, one line each: unusable files, and recordings that do not fit."""
        lines = [f"{entry.recording}: {entry.error}" for entry in self.recordings if entry.error]
        return (*lines, *self._misfits())

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a user should know, one line each: what was found and missing, and what differs."""
        return (*self.files.notes, *self._differences())

    def summary(self) -> str:
        """Subjects by sessions, what differs, what was decided, what is wrong; many lines."""
        notes = (*self.files.remarks, *self._differences())  # the table shows what is missing
        return summarise(self.files, self.recordings, self.problems, notes)

    def table(self) -> list[dict[str, Any]]:
        """One row a recording, plain values."""
        return [
            {
                "subject": entry.recording.subject,
                "session": entry.recording.session,
                "run": entry.recording.run,
                "path": " ".join(str(path) for path in entry.recording.paths),
                "kind": entry.kind,
                "n_frames": entry.n_frames if entry.kind else None,
                "n_kept": entry.n_kept,
                "tr": entry.tr,
                "space": str(entry.grid) if entry.grid else None,
                "rows": entry.rows or None,
                "n_bytes": entry.n_bytes,
                "status": entry.error or "ok",
            }
            for entry in self.recordings
        ]

    def to_tsv(self) -> str:
        """The table as TSV text, ``n/a`` where nothing is known."""
        rows = self.table()
        lines = ["\t".join(rows[0])]
        lines += ["\t".join(map(_cell, row.values())) for row in rows]
        return "\n".join(lines) + "\n"

    def _misfits(self) -> list[str]:
        """One line for each grid that does not agree with that of most recordings."""
        first: dict[Grid, Examined] = {}
        counts: Counter[Grid] = Counter()
        for entry in self.recordings:
            if entry.grid is not None:
                first.setdefault(entry.grid, entry)
                counts[entry.grid] += 1
        if len(counts) < 2:
            return []
        (common, n_common), *others = counts.most_common()
        return [
            f"{first[grid].recording.path} ({counted(n, 'recording')} in {grid}) cannot be pooled "
            f"with {first[common].recording.path} ({n_common} in {common})"
            f"{_why(grid, common)}. Resample them alike, or take them off the list."
            for grid, n in others
            if not grid.agrees(common)
        ]

    def _differences(self) -> list[str]:
        readable = [entry for entry in self.recordings if entry.kind]
        lines = []
        trs = Counter(entry.tr for entry in readable if entry.tr is not None)
        if len(trs) > 1:
            common, rare = trs.most_common()[0][0], trs.most_common()[-1][0]
            first = next(entry for entry in readable if entry.tr == rare)
            lines.append(
                f"The TR differs: most recordings have {common:g} s, {_where(first)}, has "
                f"{rare:g} s."
            )
        kinds = Counter(entry.kind for entry in readable)
        if len(kinds) > 1:
            named = ", ".join(f"{kind} ({n})" for kind, n in kinds.most_common())
            lines.append(f"The recordings are of different kinds: {named}.")
        return [*lines, *_perhaps_transposed(readable), *_alike_maps(readable)]


def survey(files: CohortFiles, n_jobs: int = 1, progress: Progress | None = None) -> Survey:
    """Open the header of every recording of a cohort.

    Parameters
    ----------
    files : CohortFiles
        The recordings.
    n_jobs : int, default 1
        Processes that open files.
    progress : callable, optional
        Called after each file with the number done and the number in all.

    Returns
    -------
    Survey
        A file that cannot be opened is an entry with its error, and stops nothing.
    """
    n_done = 0

    def count(_: Outcome) -> None:
        nonlocal n_done
        n_done += 1
        if progress is not None:
            progress(n_done, len(files.recordings))

    outcomes = run_tasks(examine, files.recordings, n_jobs=n_jobs, on_outcome=count)
    entries = [
        outcome.value if outcome.error is None else Examined(recording, 0, outcome.error_line)
        for recording, outcome in zip(files.recordings, outcomes, strict=True)
    ]
    return Survey(files, tuple(entries))


def _why(grid: Grid, common: Grid) -> str:
    """What the words for two grids do not show."""
    if str(grid) != str(common):
        return ""
    if grid.nodes:
        return ", as the nodes have other names or another order"
    return ", as the structures or the position of the volume differ"


def _perhaps_transposed(readable: Sequence[Examined]) -> list[str]:
    """A note on matrices of more nodes than frames; CIFTI files say which is which."""
    wide = [
        entry
        for entry in readable
        if entry.kind == "series"
        and entry.grid is not None
        and entry.grid.nodes
        and entry.n_rows > entry.n_frames
        and not entry.recording.path.name.endswith(".nii")
    ]
    if not wide:
        return []
    first = wide[0]
    more = "" if len(wide) == 1 else f", and {len(wide) - 1} more"
    return [
        f"More nodes ({first.n_rows}) than frames ({first.n_frames}): if rows are nodes, "
        f"transpose; rows must be frames ({first.recording.path}{more})."
    ]


def _alike_maps(readable: Sequence[Examined]) -> list[str]:
    """A note on files in which several maps have one name."""
    lines = []
    for entry in readable:
        name, n_alike = next(iter(Counter(entry.names).most_common(1)), ("", 0))
        if entry.kind == "maps" and n_alike > 1:
            lines.append(
                f"{entry.recording.path} has {n_alike} maps called {name!r}, which --features "
                "maps refuses."
            )
    more = f" {len(lines) - 1} further files have maps of one name too." if lines[1:] else ""
    return [lines[0] + more] if lines else []


def _where(entry: Examined) -> str:
    return f"{entry.recording.path}, {entry.recording}"


def _cell(value: object) -> str:
    return "n/a" if value is None else " ".join(str(value).split())
