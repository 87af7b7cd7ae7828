"""Cohorts from the model on disk: maps of each session, their table, and the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from neuroparcel.brain.atlas import Region
from neuroparcel.brain.model_cohort import ModelCohort
from neuroparcel.io.files import write_arrays, write_json, write_text
from neuroparcel.io.simulated import SimulatedCohort, make_room, write_truth
from neuroparcel.io.writers.cifti_writer import CiftiWriter


def write_model_cohort(
    folder: Path,
    cohort: ModelCohort,
    region: Region,
    *,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> SimulatedCohort:
    """Write the maps of a cohort on the vertices of its region.

    The table of the maps is written last: where it exists, the cohort is complete.

    Parameters
    ----------
    folder : pathlib.Path
        Where to write; made if missing.
    cohort : ModelCohort
    region : Region
        Of as many vertices as were drawn.
    overwrite : bool, default False
        Replace a simulated cohort that lies in the folder.
    progress : callable, optional
        Called after each file with the numbers of files written and to write.

    Returns
    -------
    SimulatedCohort

    Raises
    ------
    OutputError
        If the folder holds something else, or another cohort and `overwrite` is off.
    """
    written, settings = SimulatedCohort(Path(folder)), cohort.settings
    truth = cohort.truth(region.axis)
    make_room(written, overwrite=overwrite)
    write_json(written.settings, asdict(settings))
    write_truth(written, truth)
    write_arrays(written.networks, {n: np.asarray(a) for n, a in cohort.to_arrays().items()})
    writer, rows = CiftiWriter(region.axis), ["subject\tsession\tpath"]
    shape = (settings.n_subjects, settings.n_sessions)
    for n_done, (subject, session) in enumerate(np.ndindex(shape), start=1):
        names = settings.subjects[subject], settings.sessions[session]
        path = _path(written, *names)
        path.parent.mkdir(parents=True, exist_ok=True)
        maps = cohort.maps(subject, session).T
        writer.dscalar(path, {f"map {number}": one for number, one in enumerate(maps, start=1)})
        rows.append("\t".join([*names, str(path.relative_to(written.folder))]))
        if progress:
            progress(n_done, int(np.prod(shape)))
    write_text(written.table, "\n".join([*rows, ""]))
    return written


def _path(cohort: SimulatedCohort, subject: str, session: str) -> Path:
    """File of one session, in the words of BIDS."""
    name = f"sub-{subject}_ses-{session}_space-fsLR_den-32k_maps.dscalar.nii"
    return cohort.maps_dir / f"sub-{subject}" / name
