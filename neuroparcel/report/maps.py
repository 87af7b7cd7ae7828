"""The population's map, and how uncertain it is."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.report.figures import figure_of
from neuroparcel.report.run import ReportedRun
from neuroparcel.report.section import Fact, Section

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SURE = 0.9
_TORN = 0.1


def population_map(run: ReportedRun) -> Section:
    """The population on the surface; of nodes a heat map; else why there is none."""
    names = f"{run.parcellations.n_networks} networks of {run.region.name}"
    pictures = []
    if run.is_drawable:
        alt = f"Map of the population: the most probable of {names} at each vertex, on the "
        alt += "inflated cortex; colours fade where labels are uncertain"
        pictures = [figure_of(run, "population", partial(_draw_population, run), alt)]
    elif run.similarity is not None:
        alt = f"Heat map: mean correlation of all pairs of nodes, sorted by {names}"
        pictures = [figure_of(run, "population", partial(_draw_heatmap, run), alt)]
    return Section(
        "population",
        "Population",
        "pictures.html",
        {
            "lead": _POPULATION_LEAD,
            "facts": [],
            "pictures": pictures,
            "kind": "map",
            "none": run.undrawn,
        },
    )


_POPULATION_LEAD = (
    "Each place has the colour of its most probable network in the population, which is the mean "
    "of its subjects; the colour fades as the probabilities become even."
)


def uncertainty(run: ReportedRun) -> Section:
    """The entropy of the population's labels, and how much of the region is decided."""
    pictures = []
    if run.is_drawable:
        alt = "Map of the entropy of the population's labels: bright where networks are even"
        pictures = [figure_of(run, "uncertainty", partial(_draw_uncertainty, run), alt)]
    return Section(
        "uncertainty",
        "Uncertainty",
        "pictures.html",
        {
            "lead": "Entropy of the population's labels as a share of the largest possible: 0 "
            "where one network is certain, 1 where all are even.",
            "facts": _decided(run.population, run.rows_are),
            "pictures": pictures,
            "kind": "map",
            "none": None,
        },
    )


def _decided(soft: SoftParcellation, rows_are: str) -> list[Fact]:
    known = soft.has_data
    if not known.any():
        return []
    best, margin = soft.probabilities[known].max(axis=-1), soft.margin[known]
    return [
        Fact("Median entropy", f"{np.median(soft.entropy[known]):.2f}"),
        Fact(
            f"Decided {rows_are}",
            f"{(best >= _SURE).mean():.0%}",
            f"one network has a probability of {_SURE} or more",
        ),
        Fact(
            f"Torn {rows_are}",
            f"{(margin < _TORN).mean():.0%}",
            f"the two most probable networks differ by less than {_TORN}",
        ),
    ]


def _draw_population(run: ReportedRun) -> Figure:
    from neuroparcel.plotting.panel import draw_panel
    from neuroparcel.plotting.surface import draw_parcellation
    from neuroparcel.plotting.view import is_seen_at_once

    draw = draw_parcellation if is_seen_at_once(run.population.axis) else draw_panel
    return draw(run.population, "Population", region=run.region)


def _draw_heatmap(run: ReportedRun) -> Figure:
    from neuroparcel.plotting.heatmap import draw_heatmap

    soft = run.population
    assert run.similarity is not None  # asked before
    return draw_heatmap(
        run.similarity,
        soft.labels,
        soft.networks,
        title="Population",
        colours=soft.colours,
        certainty=1 - soft.entropy,
        quantity="mean correlation (Fisher z)",
        names=soft.axis.names,
    )


def _draw_uncertainty(run: ReportedRun) -> Figure:
    from neuroparcel.plotting.uncertainty import draw_uncertainty

    title = "Uncertainty of the population"
    return draw_uncertainty(run.population, title, region=run.region)
