"""The figure of a model: names are there, nothing overlaps, plates hold what they should."""

from __future__ import annotations

import math
from itertools import combinations, pairwise

import pyro
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.patches import Circle
from pyro import distributions as dist

from neuroparcel.graph import analyse
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.toys import gaussian_random_effects
from neuroparcel.plotting.graph import draw
from neuroparcel.plotting.graph_layout import RADIUS, family_panel, model_panel, plate_label


def one_plate(x=None, n=3):
    z = pyro.sample("z", dist.Normal(0.0, 1.0))
    with pyro.plate("a_plate_of_some_name", n, dim=-1):
        pyro.sample("x", dist.Normal(z, 1.0), obs=x)


def hyperpriors(signal=None, n_sites=2, n_subjects=3, n=5):
    """Parents on their own level, a plate without latents, and a name that cannot be broken."""
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    tau = pyro.sample("tau", dist.HalfNormal(1.0))
    top = pyro.sample("top", dist.Normal(mu, tau))
    cholesky = pyro.sample("covariancefactorofthenoise", dist.LKJCholesky(2))
    with pyro.plate("site", n_sites, dim=-3):
        gain = pyro.sample("gain", dist.LogNormal(0.0, 1.0))
        effect = pyro.sample("site_effect", dist.Normal(top, gain))
        with pyro.plate("subject", n_subjects, dim=-2), pyro.plate("time", n, dim=-1):
            mean = effect + top + cholesky[..., 0, 0] * mu
            pyro.sample("signal", dist.Normal(mean, gain), obs=signal)


MODELS = {
    "random effects": gaussian_random_effects,
    "MS-HBM": MSHBM(torch.eye(4), 2),
    "one plate": one_plate,
    "hyperpriors": hyperpriors,
}


@pytest.fixture(scope="module", params=MODELS.values(), ids=MODELS)
def template(request):
    return analyse(request.param)


@pytest.fixture(scope="module")
def panels(template):
    model = model_panel(template.graph)
    return model, family_panel(template.graph, model)


@pytest.fixture(scope="module")
def figure(template):
    return draw(template)


def test_every_site_plate_and_encoding_is_named(template, figure):
    graph = template.graph
    texts = [text.get_text().replace("\n", "") for text in figure.axes[0].texts]
    assert {site.name for site in (*graph.latents, graph.observed)} <= set(texts)
    for rank in range(graph.n_plates):
        assert texts.count(plate_label(graph, rank)) == 2
        assert f"E{rank + 1}" in texts
    assert {f"q({site.name})" for site in graph.latents} <= set(texts)
    assert {site.link_name for site in graph.latents} <= set(texts)


def test_nodes_and_their_labels_do_not_overlap(panels):
    for panel in panels:
        for one, other in combinations(panel.nodes, 2):
            assert not one.box.meets(other.box), (one.name, other.name)


def test_plates_hold_their_nodes_and_no_others(panels):
    for panel in panels:
        for rank, plate in enumerate(panel.plates):
            for node in panel.nodes:
                if node.hierarchy <= rank:
                    assert plate.holds(node.box), (plate.name, node.name)
                else:
                    assert not plate.meets(node.box), (plate.name, node.name)


def test_plates_nest(panels):
    for panel in panels:
        for inner, outer in pairwise(panel.plates):
            assert outer.holds(inner)
            assert inner != outer
            assert inner.bottom - outer.bottom > 0.15  # room for the outer plate's name


def test_arrows_are_the_parents_of_the_model(template, panels):
    sites = (*template.graph.latents, template.graph.observed)
    expected = {(parent, site.name) for site in sites for parent in site.parents}
    assert set(panels[0].arrows) == expected
    model = panels[0]
    assert all(model.node(tail).x < model.node(head).x for tail, head in model.arrows)


def test_arrows_of_the_family_contract_the_plates_and_feed_the_factors(template, panels):
    graph, (_, family) = template.graph, panels
    chain = [graph.observed.name, *(f"E{h + 1}" for h in range(graph.n_plates))]
    feeds = {(f"E{site.hierarchy}", f"q({site.name})") for site in graph.latents}
    assert set(family.arrows) == {*pairwise(chain)} | feeds
    for rank, plate in enumerate(graph.plates):
        encoding = family.node(f"E{rank + 1}")
        assert encoding.note == ("pooled over", plate.name)
        assert not family.plates[rank].meets(encoding.box)


def test_no_arrow_of_the_model_runs_through_a_node(panels):
    model = panels[0]
    for tail, head in model.arrows:
        for node in model.nodes:
            if node.name not in (tail, head):
                distance = distance_to_segment(node, model.node(tail), model.node(head))
                assert distance > RADIUS, (tail, head, node.name)


def distance_to_segment(point, start, end) -> float:
    dx, dy = end.x - start.x, end.y - start.y
    share = ((point.x - start.x) * dx + (point.y - start.y) * dy) / (dx**2 + dy**2)
    share = min(1.0, max(0.0, share))
    return math.hypot(start.x + share * dx - point.x, start.y + share * dy - point.y)


def test_written_text_stays_apart_and_on_the_page(figure, pixels_of):
    """As rendered, so that the widths the layout reckons with are wide enough."""
    pixels_of(figure)
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    for one, other in combinations(boxes, 2):
        assert not one.overlaps(other)
    for box in boxes:
        assert 0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert 0 <= box.y0 < box.y1 <= figure.bbox.y1


def test_data_are_shaded_and_latents_are_not(template, figure):
    circles = [patch for patch in figure.axes[0].patches if isinstance(patch, Circle)]
    brightness = sorted(sum(to_rgb(circle.get_facecolor())) / 3 for circle in circles)
    n_latents = len(template.graph.latents)
    assert len(circles) == 2 * (n_latents + 1)
    assert brightness[1] < 0.8 < brightness[2]
    assert brightness.count(1.0) == n_latents


def test_the_same_model_is_drawn_the_same(template, panels):
    assert model_panel(template.graph) == panels[0]


def test_long_names_are_broken_at_underscores(panels, template):
    for node in panels[0].nodes:
        assert "".join(node.label) == node.name
        assert all(line.endswith("_") for line in node.label[:-1])


def test_a_large_model_fits_a_page_in_landscape():
    """11 inches at most: text of 8 points stays above 5 in a column of 7.2 inches."""
    width, height = draw(analyse(MSHBM(torch.eye(4), 2))).get_size_inches()
    assert width < 11
    assert height < 8
