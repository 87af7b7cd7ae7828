"""What is printed at a page's width can be read there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from neuroparcel.brain.colours import network_colours
from neuroparcel.brain.comparison import (
    NetworkMap,
    match_by_overlap,
    measure,
    network_agreement,
)
from neuroparcel.brain.parcellation import CohortParcellation, SoftParcellation
from neuroparcel.brain.stability import StabilityReport
from neuroparcel.inference.stages import TrainingHistory
from neuroparcel.io.meshes import load_cortex_axis
from neuroparcel.io.targets import load_targets
from neuroparcel.parcellation.selection import MEASURES, Selection, recommend
from neuroparcel.plotting.connections import draw_connections
from neuroparcel.plotting.difference import draw_difference
from neuroparcel.plotting.heatmap import draw_heatmap
from neuroparcel.plotting.legend import Legend
from neuroparcel.plotting.page import SMALL, WIDTH, shortened, text_width
from neuroparcel.plotting.panel import draw_cohort_panel, draw_panel
from neuroparcel.plotting.profiles import draw_profiles
from neuroparcel.plotting.quadrant import Ring, draw_quadrant
from neuroparcel.plotting.retest import draw_retest
from neuroparcel.plotting.selection import draw_selection
from neuroparcel.plotting.stability_curve import draw_curve
from neuroparcel.plotting.stability_maps import draw_parts, draw_stability_map
from neuroparcel.plotting.stability_matrix import draw_agreement
from neuroparcel.plotting.stability_ranks import draw_stability_ranks
from neuroparcel.plotting.stability_spread import draw_spread
from neuroparcel.plotting.stable_population import draw_stable_population
from neuroparcel.plotting.surface import draw_cohort, draw_parcellation
from neuroparcel.plotting.training import draw_training
from neuroparcel.plotting.uncertainty import draw_uncertainty

from .stability_samples import report_of

LONG = "sub-" + "0123456789ABCDEF" * 4


def soft_of(n_networks: int, *, cortex: bool = True, long: bool = False) -> SoftParcellation:
    axis = load_cortex_axis()
    if not cortex:
        axis = axis.restrict(np.arange(3000, 3040))
    rows = np.arange(len(axis)) * n_networks // len(axis)
    names = tuple(f"Network {n + 1}" + " of a very long name" * 3 * long for n in range(n_networks))
    return SoftParcellation(axis, names, np.eye(n_networks, dtype=np.float32)[rows])


def cohort_of(soft: SoftParcellation, n_subjects: int) -> CohortParcellation:
    p = soft.probabilities
    every = np.broadcast_to(p, (n_subjects, *p.shape))
    names = tuple(f"{LONG}{number}" for number in range(n_subjects))
    return CohortParcellation(soft.axis, soft.networks, names, ("1",), p, every, every[:, None])


def history() -> TrainingHistory:
    steps = np.arange(41)
    return TrainingHistory(steps, ("a",) * 41, ("b",) * 41, np.ones(41), np.array([9]), np.ones(1))


def selection() -> Figure:
    scores = np.log(np.arange(2, 9))[:, None] + np.random.default_rng(0).normal(size=(7, 6))
    found = Selection(
        tuple(range(2, 9)), tuple("abcdef"), dict.fromkeys(MEASURES, scores), "sessions"
    )
    return draw_selection(found, recommend(found))


def heatmap(n_nodes: int, n_networks: int) -> Figure:
    labels = np.arange(n_nodes) % n_networks + 1
    names = [f"A network with a long name {number}" for number in range(n_networks)]
    nodes = [f"a parcel with a long name {number}" for number in range(n_nodes)]
    return draw_heatmap(np.ones((n_nodes, n_nodes)), labels, names, title=LONG, names=nodes)


def analysed(n_networks: int, **given: Any) -> StabilityReport:
    """A stability analysis of a small region whose networks have long names."""
    return report_of(soft_of(n_networks, cortex=False, long=True), **given)


def compared(soft: SoftParcellation) -> Figure:
    """A map and itself."""
    one = NetworkMap.of_parcellation(LONG, soft)
    pairs = match_by_overlap(one, one)
    rows, found = network_agreement(one, one, pairs), measure(one, one, pairs)
    return draw_difference(one, one, pairs, networks=rows, agreement=found, region="part")


FIGURES: dict[str, Callable[[], Figure]] = {
    "close-up, long names": lambda: draw_parcellation(soft_of(9, cortex=False, long=True), LONG),
    "cohort": lambda: draw_cohort(cohort_of(soft_of(30, cortex=False), 11)),
    "one subject": lambda: draw_cohort(cohort_of(soft_of(2, cortex=False), 1)),
    "panel of 50": lambda: draw_panel(soft_of(50), LONG),
    "panel, long names": lambda: draw_panel(soft_of(5, long=True), LONG),
    "cohort panel": lambda: draw_cohort_panel(cohort_of(soft_of(7), 2)),
    "uncertainty": lambda: draw_uncertainty(soft_of(7), LONG),
    "uncertainty, close up": lambda: draw_uncertainty(soft_of(7, cortex=False), LONG),
    "difference": lambda: compared(soft_of(7)),
    "difference, close up": lambda: compared(soft_of(9, cortex=False, long=True)),
    "connections": lambda: draw_connections(
        np.eye(2, 1488), load_targets("seeds"), ["a" * 80, "b"], network_colours(2)
    ),
    "profiles": lambda: draw_profiles(
        np.eye(17, 14), ["a map of a long name " * 3] * 14, ["a" * 60] * 17, network_colours(17)
    ),
    "many profiles": lambda: draw_profiles(
        np.eye(50, 90), ["x"] * 90, ["a" * 60] * 50, network_colours(50)
    ),
    "heat map": lambda: heatmap(60, 50),
    "small heat map": lambda: heatmap(20, 3),
    "training": lambda: draw_training(history()),
    "selection": selection,
    "stability": lambda: draw_stability_map(report_of(soft_of(7), (2, 5))),
    "parts": lambda: draw_parts(analysed(2, groups=[LONG]), LONG),
    "stable population": lambda: draw_stable_population(report_of(soft_of(17))),
    "stability ranks": lambda: draw_stability_ranks(analysed(17, sizes=(2, 5))),
    "stability curve": lambda: draw_curve(analysed(17, sizes=(2, 5))),
    "stability curve of groups": lambda: draw_curve(
        analysed(2, sizes=(2, 20), groups=(LONG, "b"), n_subjects=40)
    ),
    "stability spread of groups": lambda: draw_spread(analysed(3, groups=(LONG, "b", "c"))),
    "agreement of sub-populations": lambda: draw_agreement(analysed(2, sizes=(2, 5))),
    "retest": lambda: draw_retest(analysed(2, n_subjects=22)),
    "retest, rows": lambda: draw_retest(analysed(17, n_subjects=60), on_surface=False),
    "quadrant": lambda: draw_quadrant([Ring("population", np.ones((5, 2)))], LONG),
}


@pytest.mark.parametrize("name", FIGURES)
def test_letters_can_be_read_and_nothing_leaves_the_page(name):
    """At a width of 180 mm no letter is smaller than 7 points."""
    figure = FIGURES[name]()
    figure.draw_without_rendering()
    assert figure.get_figwidth() <= WIDTH + 1e-9
    words = [text for text in figure.findobj(Text) if text.get_text().strip()]
    assert words
    assert min(text.get_fontsize() for text in words) >= SMALL
    for text in words:
        box = text.get_window_extent()
        assert -1 <= box.x0 < box.x1 <= figure.bbox.x1 + 1, text.get_text()
        assert -1 <= box.y0 < box.y1 <= figure.bbox.y1 + 1, text.get_text()


def test_a_name_that_is_too_long_loses_its_middle():
    assert shortened("sub-01", 1.0, 7) == "sub-01"
    short = shortened(LONG + "-end", 1.0, 7)
    assert short.startswith("sub-")
    assert short.endswith("-end")
    assert "…" in short
    assert text_width(short, 7) <= 1.0


def test_a_legend_of_many_networks_stands_below():
    assert Legend(("a",) * 20, network_colours(20)).is_beside
    assert not Legend(("a",) * 21, network_colours(21)).is_beside
    assert not Legend(("a" * 40,), network_colours(1)).is_beside
