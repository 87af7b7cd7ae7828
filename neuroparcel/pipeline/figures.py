"""The pictures of a run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.atomic import atomic_path
from neuroparcel.brain.atlas import Region
from neuroparcel.brain.parcellation import CohortParcellation
from neuroparcel.inference.stages import TrainingHistory
from neuroparcel.io.entities import entity
from neuroparcel.io.writers import read_parcellations
from neuroparcel.pipeline.progress import progress_bar
from neuroparcel.pipeline.results import FIGURES, TRAINING_FILE, read_history
from neuroparcel.pipeline.run_folder import read_finished_run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 200


def plot(results: Path, *, quiet: bool = False) -> list[Path]:
    """Draw the pictures of a finished run again.

    Parameters
    ----------
    results : Path
        Output folder of ``fit`` or ``infer``.

    Raises
    ------
    OutputError
        If the folder holds no finished run.
    """
    run = read_finished_run(results)
    parcellation = read_parcellations(results)
    history = read_history(results) if (results / TRAINING_FILE).is_file() else None
    region = Region(
        run["region"]["name"],
        parcellation.axis,
        tuple(run["region"]["labels"]),
        np.asarray(run["region"]["label_of_vertex"]),
    )
    with progress_bar("drawing", quiet=quiet) as advance:
        return draw_run(results, parcellation, region, history, advance)


def draw_run(
    folder: Path,
    parcellation: CohortParcellation,
    region: Region | None,
    history: TrainingHistory | None,
    advance: Callable[[int, int, str], None],
) -> list[Path]:
    """Population, every subject, an overview, and the training curve, as PNG files."""
    from neuroparcel.plotting.surface import draw_cohort, draw_parcellation
    from neuroparcel.plotting.training import draw_training

    jobs: dict[str, partial[Figure]] = {
        "population": partial(
            draw_parcellation, parcellation.of_population(), "Population", region=region
        ),
        "overview": partial(draw_cohort, parcellation, region=region),
    }
    for subject in parcellation.subjects:
        jobs[f"sub-{entity(subject)}"] = partial(
            draw_parcellation, parcellation.of_subject(subject), subject, region=region
        )
    if history is not None and len(history.loss):
        jobs["training"] = partial(draw_training, history)
    files = []
    for done, (name, draw) in enumerate(jobs.items()):
        advance(done, len(jobs), name)
        file = folder / FIGURES / f"{name}.png"
        with atomic_path(file) as aside:
            draw().savefig(aside, dpi=_DPI)
        files.append(file)
    advance(len(jobs), len(jobs), "")
    return files
