"""What a run would read and do: what ``--dry-run`` prints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuroparcel.brain.atlas import Region, Targets
from neuroparcel.brain.connectome import Cohort
from neuroparcel.brain.profiles import Positive
from neuroparcel.io.cohort import load_cohort
from neuroparcel.io.layout import CohortFiles
from neuroparcel.pipeline.progress import progress_bar


@dataclass(frozen=True, eq=False)
class Plan:
    """The recordings, the region and the targets of a run.

    Attributes
    ----------
    files : CohortFiles
    region : Region
    targets : Targets
    positive : {"shift", "clip"}
        How negative correlations are treated.
    n_networks : int
    output : Path
    """

    files: CohortFiles
    region: Region
    targets: Targets
    positive: Positive
    n_networks: int
    output: Path

    def summary(self) -> str:
        """A few lines for the terminal."""
        files = self.files
        n_cells = len({(r.subject, r.session) for r in files.recordings})
        missing = len(files.subjects) * len(files.sessions) - n_cells
        return "\n".join(
            [
                f"{len(files.subjects)} subjects x {len(files.sessions)} sessions "
                f"({', '.join(files.sessions)}), {missing} missing, "
                f"{len(files.recordings)} recordings",
                f"region {self.region.name}: {self.region.n_vertices} vertices",
                f"targets {self.targets.name}: {self.targets.n_targets}",
                f"{self.n_networks} networks, into {self.output}",
                *self.files.notes,
                "dry run: nothing was written",
            ]
        )

    def input_record(self) -> dict[str, Any]:
        """Each recording with its size in bytes, so that a changed input can be told."""
        return {
            str(Path(r.path).resolve()): {
                "subject": r.subject,
                "session": r.session,
                "run": r.run,
                "bytes": Path(r.path).stat().st_size,
            }
            for r in self.files.recordings
        }

    def sources(self) -> dict[str, list[str]]:
        """Subject -> the files that its parcellation is made from."""
        found: dict[str, list[str]] = {}
        for recording in self.files.recordings:
            found.setdefault(recording.subject, []).append(str(Path(recording.path).resolve()))
        return found


def read_cohort(planned: Plan, max_dead: float, *, quiet: bool) -> tuple[Cohort, tuple[str, ...]]:
    """Profiles of the recordings, and warnings about what is missing or was masked."""
    with progress_bar("loading", quiet=quiet) as advance:
        cohort, warnings = load_cohort(
            planned.files,
            planned.region,
            planned.targets,
            positive=planned.positive,
            max_dead=max_dead,
            progress=advance,
        )
    return cohort, (*planned.files.notes, *warnings)
