"""The strongest targets are painted, in their places and on both hemispheres."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from matplotlib.text import Text

from neuroparcel.brain.atlas import Targets
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.colours import network_colours
from neuroparcel.errors import SpaceError
from neuroparcel.io.meshes import load_cortex_axis, load_mesh
from neuroparcel.io.targets import load_targets
from neuroparcel.plotting import connections
from neuroparcel.plotting.connections import (
    draw_connections,
    strongest_targets,
    target_of_vertices,
)

CORTEX = load_cortex_axis()


@pytest.mark.parametrize(("n_targets", "n_strongest"), [(1488, 15), (360, 4), (100, 1), (12, 1)])
def test_one_percent_rounded_up(n_targets, n_strongest):
    profiles = np.random.default_rng(0).normal(size=(3, n_targets))
    chosen = strongest_targets(profiles)
    assert (chosen.sum(axis=1) == n_strongest).all()
    for values, mine in zip(profiles, chosen, strict=True):
        assert values[mine].min() > values[~mine].max()


def test_a_seed_stands_for_the_vertices_nearest_to_it():
    """By brute force, on the sphere, and never across the midline."""
    seeds = load_targets("seeds")
    found = target_of_vertices(seeds)
    for row in np.random.default_rng(0).integers(len(CORTEX), size=60):
        structure = str(CORTEX.structure[row])
        sphere = load_mesh("sphere", "left" if structure == "CORTEX_LEFT" else "right")[0]
        mine = np.flatnonzero(seeds.axis.structure == structure)
        distance = np.linalg.norm(
            sphere[seeds.axis.vertex[mine]] - sphere[CORTEX.vertex[row]], axis=1
        )
        assert found[row] == mine[distance.argmin()]
    for number in range(0, 1488, 97):
        is_seed = CORTEX.structure == seeds.axis.structure[number]
        is_seed &= CORTEX.vertex == seeds.axis.vertex[number]
        assert found[is_seed].tolist() == [number]


def test_an_area_is_painted_as_it_is():
    """Rows of the cortex that no target has stay without one."""
    rows = np.flatnonzero(np.arange(len(CORTEX)) % 5 > 0)
    assignment = rows % 3
    areas = Targets("thirds", CORTEX.restrict(rows), assignment, ("a", "b", "c"))
    found = target_of_vertices(areas)
    np.testing.assert_array_equal(found[rows], assignment)
    assert (np.delete(found, rows) == -1).all()


def test_each_network_has_its_own_colour_where_it_is_strong(monkeypatch):
    painted: list[tuple[np.ndarray, np.ndarray]] = []

    def paint(view, axis, rows, colour):
        painted.append((rows, colour))
        return np.ones((*view.shape, 3))

    monkeypatch.setattr(connections, "paint_rows", paint)
    areas = Targets("thirds", CORTEX, np.arange(len(CORTEX)) % 3, ("a", "b", "c"))
    colours = network_colours(2)
    figure = draw_connections(
        np.array([[0.0, 1.0, 0.2], [0.9, 0.1, 0.3]]), areas, ("one", "two"), colours
    )
    assert len(painted) == 8
    for number, target in enumerate((1, 0)):
        rows, colour = painted[4 * number]
        np.testing.assert_array_equal(rows, np.arange(len(CORTEX)) % 3 == target)
        np.testing.assert_array_equal(colour, colours[number][:3])
    texts = {text.get_text() for text in figure.findobj(Text)}
    assert {"one", "two", "the strongest 1 of 3 targets (thirds)"} <= texts


@pytest.mark.parametrize("n_networks", [1, 6, 50])
def test_any_number_of_networks_has_a_page(n_networks, monkeypatch):
    monkeypatch.setattr(connections, "_four_views", list)  # 200 of them take long
    profiles = np.random.default_rng(0).normal(size=(n_networks, 1488))
    names = [f"A network of a long name {number}" for number in range(n_networks)]
    figure = draw_connections(profiles, load_targets("seeds"), names, network_colours(n_networks))
    assert figure.get_figheight() < 11.7, "a sheet of paper"
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.texts]
    assert len(boxes) == n_networks + 2
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


def test_what_has_no_place_is_refused():
    nodes = BrainAxis.from_nodes(["a", "b", "c"])
    with pytest.raises(SpaceError, match="targets nodes have no vertex of the fs_LR 32k cortex"):
        target_of_vertices(Targets("nodes", nodes, np.arange(3), nodes.names))
    with pytest.raises(SpaceError, match=r"shape \(1, 4\) should be \(1, 1488\)"):
        draw_connections(np.ones((1, 4)), load_targets("seeds"), ["a"], network_colours(1))
