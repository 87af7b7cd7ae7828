"""The gallery of subjects, and what data they have."""

from __future__ import annotations

from neuroparcel.report.run import ReportedRun
from neuroparcel.report.section import Section


def subjects(run: ReportedRun) -> Section:
    """A picture of each subject as far as there is room, and a table of all."""
    shown = [view for view in run.subjects if view.picture is not None]
    content = {
        "views": run.subjects,
        "shown": shown,
        "rows_are": run.rows_are,
        "note": _note(len(shown), run),
        "none": run.undrawn,
        "any_missing": any(view.missing for view in run.subjects),
        "any_prior": any(view.n_prior_only for view in run.subjects),
    }
    return Section("subjects", "Subjects", "subjects.html", content)


def _note(n_shown: int, run: ReportedRun) -> str:
    """What was left out or made smaller, so that the page stays small enough to send."""
    n_subjects = len(run.subjects)
    notes = []
    if 0 < n_shown < n_subjects:
        notes.append(f"only the first {n_shown} of {n_subjects} subjects are shown")
    if any(view.is_small for view in run.subjects):
        notes.append("pictures are smaller than for few subjects")
    said = " and ".join(notes)
    return f"{said[0].upper()}{said[1:]}, so that this page stays below 15 MB." if said else ""
