"""The pictures of a run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.atomic import atomic_path
from neuroparcel.brain.atlas import Region
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import Parcellations
from neuroparcel.inference.stages import TrainingHistory
from neuroparcel.io.entities import entity
from neuroparcel.io.meshes import load_cortex_axis
from neuroparcel.io.writers import open_parcellations
from neuroparcel.io.writers.similarity import read_similarity
from neuroparcel.parcellation.reliability import ReliabilityTable
from neuroparcel.pipeline.progress import progress_bar, say
from neuroparcel.pipeline.reliability_file import read_reliability
from neuroparcel.pipeline.results import FIGURES, TRAINING_FILE, read_history
from neuroparcel.pipeline.run_folder import read_finished_run
from neuroparcel.types import FloatArray

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
    parcellation = open_parcellations(results)
    history = read_history(results) if (results / TRAINING_FILE).is_file() else None
    region = Region(
        run["region"]["name"],
        parcellation.axis,
        tuple(run["region"]["labels"]),
        np.asarray(run["region"]["label_of_vertex"]),
    )
    with progress_bar("drawing", quiet=quiet) as advance:
        figures = draw_run(
            results,
            parcellation,
            region,
            history,
            advance,
            read_similarity(results),
            read_reliability(results, run),
        )
    reason = undrawn(parcellation.axis)
    if reason is not None:
        say(reason, quiet=quiet)
    return figures


def draw_run(
    folder: Path,
    parcellation: Parcellations,
    region: Region | None,
    history: TrainingHistory | None,
    advance: Callable[[int, int, str], None],
    similarity: FloatArray | None = None,
    reliability: ReliabilityTable | None = None,
) -> list[Path]:
    """The maps as far as they can be drawn, training curve and reliability, as PNG files.

    Parameters
    ----------
    folder : Path
        Of the run.
    parcellation : Parcellations
        On the fs_LR 32k cortex: population, every subject and an overview, and the labels'
        uncertainty where one camera does not see the region. Of nodes: a heat
        map of the population. Other maps are not drawn; :func:`undrawn` says so.
    region : Region, optional
        Areas whose borders are drawn.
    history : TrainingHistory, optional
        Drawn if it has steps.
    advance : callable
        Called with the number done, the number in all, and what comes next.
    similarity : (node, node) array of float, optional
        Fisher's z of the correlations of all pairs of nodes, averaged over the cohort; the
        heat map needs it.
    reliability : ReliabilityTable, optional
        Of the labels.

    Returns
    -------
    list of Path
    """
    from neuroparcel.plotting.reliability import draw_reliability
    from neuroparcel.plotting.training import draw_training

    jobs = _map_jobs(parcellation, region, similarity)
    if history is not None and len(history.loss):
        jobs["training"] = partial(draw_training, history)
    if reliability is not None:
        jobs["reliability"] = partial(draw_reliability, reliability)
    files = []
    for done, (name, draw) in enumerate(jobs.items()):
        advance(done, len(jobs), name)
        file = folder / FIGURES / f"{name}.png"
        with atomic_path(file) as aside:
            draw().savefig(aside, dpi=_DPI)
        files.append(file)
    advance(len(jobs), len(jobs), "")
    return files


def undrawn(axis: BrainAxis) -> str | None:
    """Why there is no figure of maps on an axis, in one line; None if there is one."""
    if axis.is_nodes or _is_drawable(axis):
        return None
    sizes = sorted(set(axis.mesh_size.values()))
    places = [f"a mesh of {size:,} vertices" for size in sizes]
    if not axis.is_surface.all():
        places.append(f"{int((~axis.is_surface).sum()):,} voxels")
    return (
        f"No figure of the maps: the region lies on {' and '.join(places)} ({axis.space}), and "
        "only the fs_LR 32k cortex and nodes are drawn."
    )


def _is_drawable(axis: BrainAxis) -> bool:
    """Whether all rows are vertices of the fs_LR 32k cortex."""
    meshes = load_cortex_axis().mesh_size
    return bool(axis.is_surface.all()) and axis.mesh_size.items() <= meshes.items()


def _map_jobs(
    parcellation: Parcellations, region: Region | None, similarity: FloatArray | None
) -> dict[str, partial[Figure]]:
    if parcellation.axis.is_nodes:
        return {} if similarity is None else _node_jobs(parcellation, similarity)
    return _surface_jobs(parcellation, region) if _is_drawable(parcellation.axis) else {}


def _node_jobs(parcellation: Parcellations, similarity: FloatArray) -> dict[str, partial[Figure]]:
    from neuroparcel.plotting.heatmap import draw_heatmap

    population = parcellation.of_population()
    heatmap = partial(
        draw_heatmap,
        similarity,
        population.labels,
        population.networks,
        title="Population",
        colours=population.colours,
        certainty=1 - population.entropy,
        quantity="mean correlation (Fisher z)",
        names=parcellation.axis.names,
    )
    return {"population": heatmap}


def _surface_jobs(parcellation: Parcellations, region: Region | None) -> dict[str, partial[Figure]]:
    """Close-ups, or both sides of the hemispheres where a region lies on both."""
    from neuroparcel.plotting.panel import draw_cohort_panel, draw_panel
    from neuroparcel.plotting.surface import draw_cohort, draw_parcellation
    from neuroparcel.plotting.uncertainty import draw_uncertainty
    from neuroparcel.plotting.view import is_seen_at_once

    close = is_seen_at_once(parcellation.axis)
    draw_one, draw_all = (
        (draw_parcellation, draw_cohort) if close else (draw_panel, draw_cohort_panel)
    )
    jobs: dict[str, partial[Figure]] = {
        "population": partial(draw_one, parcellation.of_population(), "Population", region=region),
        "overview": partial(draw_all, parcellation, region=region),
    }
    if not close:
        title = "Uncertainty of the population"
        jobs["uncertainty"] = partial(draw_uncertainty, parcellation.of_population(), title)
    for subject in parcellation.subjects:
        jobs[f"sub-{entity(subject)}"] = partial(
            _draw_subject, draw_one, parcellation, subject, region
        )
    return jobs


def _draw_subject(
    draw_one: Callable[..., Figure],
    parcellation: Parcellations,
    subject: str,
    region: Region | None,
) -> Figure:
    """One subject's figure; its map is read only now."""
    return draw_one(parcellation.of_subject(subject), subject, region=region)
