"""How to make the same results again: command, options, versions, inputs."""

from __future__ import annotations

from neuroparcel.report.references import used_references
from neuroparcel.report.run import ReportedRun
from neuroparcel.report.section import Section

_MOST_INPUTS = 2_000


def provenance(run: ReportedRun) -> Section:
    """Command line, options, versions and input files."""
    inputs = list(run.record["inputs"].items())
    content = {
        "command": run.command,
        "options": run.record["options"],
        "versions": run.record["versions"],
        "inputs": inputs[:_MOST_INPUTS],
        "n_inputs": len(inputs),
        "n_bytes": sum(about.get("bytes", 0) for _, about in inputs),
    }
    return Section("provenance", "How to repeat it", "provenance.html", content)


def references(run: ReportedRun) -> Section:
    """The methods that were used, each with why, and their BibTeX."""
    content = {"references": used_references(run)}
    return Section("references", "References", "references.html", content)
