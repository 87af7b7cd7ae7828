"""The pictures of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from neuroparcel.brain.atlas import Region
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import Parcellations
from neuroparcel.errors import OptionError
from neuroparcel.inference.stages import TrainingHistory
from neuroparcel.io.entities import entity
from neuroparcel.io.meshes import load_cortex_axis
from neuroparcel.io.writers import open_parcellations
from neuroparcel.io.writers.similarity import read_similarity
from neuroparcel.parcellation.reliability import ReliabilityTable
from neuroparcel.pipeline.figure_files import Printing, pick, save_figure
from neuroparcel.pipeline.figure_sources import RunNetworks, read_networks
from neuroparcel.pipeline.model_file import CONFIG_FILE, family_name
from neuroparcel.pipeline.progress import progress_bar, say
from neuroparcel.pipeline.reliability_file import read_reliability
from neuroparcel.pipeline.results import FIGURES, TRAINING_FILE, read_history
from neuroparcel.pipeline.run_folder import RUN_FILE, read_finished_run, read_run, run_region
from neuroparcel.types import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CONNECTIONS = "connections"
_DPI = 200  # of the pictures that a run draws; those for print are drawn by ``plot``

Jobs: TypeAlias = "dict[str, partial[Figure]]"


def plot(
    results: Path,
    *,
    only: Sequence[str] = (),
    formats: Sequence[str] = ("png",),
    dpi: int = 300,
    subjects: Sequence[str] = (),
    quiet: bool = False,
) -> list[Path]:
    """Draw the pictures of a finished run again.

    Parameters
    ----------
    results : Path
        Output folder of ``fit`` or ``infer``.
    only : sequence of str
        Names of figures, such as ``"population"``; all if there are none.
    formats : sequence of {"png", "svg", "pdf"}
    dpi : int, default 300
        Dots an inch, where a page is 180 mm wide.
    subjects : sequence of str
        Subjects to draw, in the overview and by themselves; all if there are none.
    quiet : bool
        Show no progress bar, and do not say what cannot be drawn.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    OutputError
        If the folder holds no finished run.
    OptionError
        If the run has no such figure or subject, or a format or resolution is unknown.
    """
    printing = Printing(tuple(formats), dpi)
    run = read_finished_run(results)
    parcellation = open_parcellations(results)
    whom = pick(subjects, parcellation.subjects, "--subjects", "subject")
    region = run_region(results, run, parcellation.axis)
    shown = _Shown(
        parcellation,
        region,
        read_history(results) if (results / TRAINING_FILE).is_file() else None,
        read_similarity(results),
        read_reliability(results, run),
        read_networks(results, run.get("options", {})),
        whom if subjects else (),
    )
    jobs = {**shown.jobs(), **_model_jobs(results, parcellation)}
    reasons = (undrawn(parcellation.axis), shown.why_no_connections())
    if _CONNECTIONS in only and reasons[1]:
        raise OptionError(f"--only: {reasons[1]}", "Fit time series to targets with places.")
    chosen = pick(only, tuple(jobs), "--only", "figure")
    with progress_bar("drawing", quiet=quiet) as advance:
        figures = _draw({name: jobs[name] for name in chosen}, results, printing, advance)
    for reason in reasons:
        if reason and not only:
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
    """The pictures of a run as PNG files: all that :func:`plot` draws, but for the model's.

    Parameters
    ----------
    folder : Path
        Of the run. The networks' profiles are read from it, if they are there.
    parcellation : Parcellations
        On the fs_LR 32k cortex: population, every subject and an overview, and the labels'
        uncertainty. Of nodes: a heat map of the population. Other maps are not drawn;
        :func:`undrawn` says so.
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
    run = read_run(folder) if (folder / RUN_FILE).is_file() else {}
    networks = read_networks(folder, run.get("options", {}))
    shown = _Shown(parcellation, region, history, similarity, reliability, networks)
    return _draw(shown.jobs(), folder, Printing(dpi=_DPI), advance)


def undrawn(axis: BrainAxis) -> str | None:
    """Why there is no figure of maps on an axis, in one line; None if there is one."""
    if axis.is_nodes or is_drawable(axis):
        return None
    sizes = sorted(set(axis.mesh_size.values()))
    places = [f"a mesh of {size:,} vertices" for size in sizes]
    if not axis.is_surface.all():
        places.append(f"{int((~axis.is_surface).sum()):,} voxels")
    return (
        f"No figure of the maps: the region lies on {' and '.join(places)} ({axis.space}), and "
        "only the fs_LR 32k cortex and nodes are drawn."
    )


def is_drawable(axis: BrainAxis) -> bool:
    """Whether all rows are vertices of the fs_LR 32k cortex, whose surfaces are at hand."""
    meshes = load_cortex_axis().mesh_size
    return bool(axis.is_surface.all()) and axis.mesh_size.items() <= meshes.items()


@dataclass(frozen=True, eq=False)
class _Shown:
    """All that the pictures of a run show."""

    parcellation: Parcellations
    region: Region | None
    history: TrainingHistory | None
    similarity: FloatArray | None
    reliability: ReliabilityTable | None
    networks: RunNetworks | None
    asked_for: tuple[str, ...] = ()  # subjects; nobody for all

    def jobs(self) -> Jobs:
        """The figures by name; each is drawn when it is called."""
        from neuroparcel.plotting.reliability import draw_reliability
        from neuroparcel.plotting.training import draw_training

        jobs = {**self._map_jobs(), **self._network_jobs()}
        if self.history is not None and len(self.history.loss):
            jobs["training"] = partial(draw_training, self.history)
        if self.reliability is not None:
            jobs["reliability"] = partial(draw_reliability, self.reliability)
        return jobs

    def why_no_connections(self) -> str:
        """Why the networks' connections are not drawn, in one line; empty if they are."""
        if self.networks is None or not self.networks.why_nowhere:
            return ""
        return f"No figure of connections: {self.networks.why_nowhere}."

    def _map_jobs(self) -> Jobs:
        if self.parcellation.axis.is_nodes:
            if self.similarity is None:
                return {}
            return _node_jobs(self.parcellation, self.similarity)
        drawable = is_drawable(self.parcellation.axis)
        return _surface_jobs(self.parcellation, self.region, self.asked_for) if drawable else {}

    def _network_jobs(self) -> Jobs:
        from neuroparcel.plotting.connections import draw_connections
        from neuroparcel.plotting.profiles import draw_profiles, sides_of

        found = self.networks
        if found is None or len(found.profiles) != self.parcellation.n_networks:
            return {}
        names, colours = self.parcellation.networks, self.parcellation.colours
        sides = None if found.targets is None else sides_of(found.targets)
        jobs = {
            "networks": partial(
                draw_profiles, found.profiles, found.names, names, colours, sides=sides
            )
        }
        if found.targets is not None and not found.why_nowhere:
            axis = self.parcellation.axis
            jobs[_CONNECTIONS] = partial(
                draw_connections,
                found.profiles,
                found.targets,
                names,
                colours,
                region=axis if is_drawable(axis) else None,
            )
        return jobs


def _model_jobs(results: Path, parcellation: Parcellations) -> Jobs:
    """The model and its family, where one was trained here."""
    folder = results / "model"
    if not (folder / CONFIG_FILE).is_file() or family_name(folder) != "adavi":
        return {}
    sizes = {
        "subject": len(parcellation.subjects),
        "session": len(parcellation.sessions),
        "vertex": len(parcellation.axis),
    }
    return {"model": partial(_draw_model, results, sizes)}


def _draw_model(results: Path, sizes: Mapping[str, int]) -> Figure:
    from neuroparcel.parcellation.networks import AmortizedNetworks
    from neuroparcel.pipeline.saved_model import load_model
    from neuroparcel.plotting.graph import draw

    networks = cast(AmortizedNetworks, load_model(results).networks)
    posterior = networks.posterior
    return draw(posterior.template, family=cast(Any, posterior.family), sizes=sizes)


def _draw(
    jobs: Jobs, folder: Path, printing: Printing, advance: Callable[[int, int, str], None]
) -> list[Path]:
    files = []
    for done, (name, draw) in enumerate(jobs.items()):
        advance(done, len(jobs), name)
        files += save_figure(draw(), folder / FIGURES, name, printing)
    advance(len(jobs), len(jobs), "")
    return files


def _node_jobs(parcellation: Parcellations, similarity: FloatArray) -> Jobs:
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


def _surface_jobs(
    parcellation: Parcellations, region: Region | None, subjects: tuple[str, ...]
) -> Jobs:
    """Close-ups, or both sides of the hemispheres where a region lies on both.

    Of all subjects an overview shows the first few, of those that are asked for every one.
    """
    from neuroparcel.plotting.panel import draw_cohort_panel, draw_panel
    from neuroparcel.plotting.surface import draw_cohort, draw_parcellation
    from neuroparcel.plotting.uncertainty import draw_uncertainty
    from neuroparcel.plotting.view import is_seen_at_once

    close = is_seen_at_once(parcellation.axis)
    draw_one, draw_all = (
        (draw_parcellation, draw_cohort) if close else (draw_panel, draw_cohort_panel)
    )
    jobs: Jobs = {
        "population": partial(draw_one, parcellation.of_population(), "Population", region=region),
        "overview": partial(draw_all, parcellation, region=region, subjects=subjects),
    }
    title = "Uncertainty of the population"
    jobs["uncertainty"] = partial(
        draw_uncertainty, parcellation.of_population(), title, region=region
    )
    for subject in subjects or parcellation.subjects:
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
