"""The pictures of a stability analysis."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from neuroparcel.brain.stability import StabilityReport
from neuroparcel.pipeline.figure_files import Printing, save_figure
from neuroparcel.pipeline.figures import Jobs, is_drawable
from neuroparcel.pipeline.results import FIGURES

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_stability(
    folder: Path,
    report: StabilityReport,
    printing: Printing,
    advance: Callable[[int, int, str], None] | None = None,
) -> list[Path]:
    """Draw a stability analysis, into ``figures/`` of its folder.

    On the fs_LR 32k cortex ``stability``, ``population`` and ``parts`` are maps; elsewhere the
    first and the last show rows sorted within networks, and the second is not drawn. Then
    ``agreement``, a matrix, if there are two to compare; ``curve`` against sizes, or ``spread``
    of one size; and ``retest``. Of groups the first four are drawn each, such as
    ``stability_group-F``.

    Parameters
    ----------
    folder : Path
        Of the analysis.
    report : StabilityReport
    printing : Printing
    advance : callable, optional
        Called with the number done, the number in all, and what comes next.

    Returns
    -------
    list of Path
    """
    jobs = stability_jobs(report)
    files: list[Path] = []
    for done, (name, draw) in enumerate(jobs.items()):
        if advance is not None:
            advance(done, len(jobs), name)
        files += save_figure(draw(), folder / FIGURES, name, printing)
    if advance is not None:
        advance(len(jobs), len(jobs), "")
    return files


def stability_jobs(report: StabilityReport) -> Jobs:
    """The figures by name; each is drawn when it is called."""
    from neuroparcel.plotting.retest import draw_retest
    from neuroparcel.plotting.stability import file_endings
    from neuroparcel.plotting.stability_curve import draw_curve, has_curve
    from neuroparcel.plotting.stability_spread import draw_spread

    on_surface = is_drawable(report.axis)
    jobs: Jobs = {}
    for group, ending in file_endings(report).items():
        jobs |= _group_jobs(report, group, ending, on_surface=on_surface)
    if has_curve(report):
        jobs["curve"] = partial(draw_curve, report)
    else:
        jobs["spread"] = partial(draw_spread, report)
    if report.reliability is not None:
        jobs["retest"] = partial(draw_retest, report, on_surface=on_surface)
    return jobs


def _group_jobs(report: StabilityReport, group: str, ending: str, *, on_surface: bool) -> Jobs:
    from neuroparcel.plotting.stability_maps import draw_parts, draw_stability_map
    from neuroparcel.plotting.stability_matrix import draw_agreement, has_agreement
    from neuroparcel.plotting.stability_ranks import draw_parts_ranks, draw_stability_ranks
    from neuroparcel.plotting.stable_population import draw_stable_population

    draw: dict[str, Callable[[StabilityReport, str], Figure]]
    if on_surface:
        draw = {"stability": draw_stability_map, "population": draw_stable_population}
        draw["parts"] = draw_parts
    else:
        draw = {"stability": draw_stability_ranks, "parts": draw_parts_ranks}
    if has_agreement(report, group):
        draw["agreement"] = draw_agreement
    return {f"{name}{ending}": partial(function, report, group) for name, function in draw.items()}
