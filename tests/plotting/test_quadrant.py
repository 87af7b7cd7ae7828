"""Networks of two targets on the quarter circle."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.text import Text

from neuroparcel.errors import SpaceError
from neuroparcel.graph import Observation
from neuroparcel.graph.trace import seeded
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.mshbm_reference import fit_reference
from neuroparcel.models.mshbm_start import estimate_moments
from neuroparcel.plotting.quadrant import Ring, draw_quadrant, rings_of


@pytest.fixture(scope="module")
def rings() -> list[Ring]:
    """A posterior of two subjects with two sessions, 50 vertices each."""
    model = MSHBM(torch.eye(1), 2)
    with seeded(3):
        population = torch.tensor([[-1.2], [0.9]])
        subject = population + 0.3 * torch.randn(2, 2, 1)
        session = subject[:, None] + 0.12 * torch.randn(2, 2, 2, 1)
        label = torch.randint(2, (2, 2, 50))
        profiles = session.gather(2, label[..., None]) + 0.15 * torch.randn(2, 2, 50, 1)
    data = Observation.complete(profiles[None])
    posterior = fit_reference(model, data, estimate_moments(data, population, model))
    truth = {"population": population, "subject": subject, "session": session}
    return rings_of(
        {site: draw.numpy() for site, draw in posterior.sample(400).items()},
        truth={f"{level}_networks": value.numpy() for level, value in truth.items()},
        data=profiles.numpy(),
    )


def test_a_ring_for_the_population_each_subject_and_each_session(rings):
    names = [ring.name for ring in rings]
    one = ["session 1", "session 2"]
    assert names == ["population", "subject 1", *one, "subject 2", *one]
    assert [ring.data is not None for ring in rings] == [n.startswith("session") for n in names]
    for ring in rings:
        assert ring.samples.shape == (400, 2)
        assert ((ring.samples > 0) & (ring.samples < np.pi / 2)).all()


def test_sessions_are_known_better_than_subjects_and_hold_the_truth(rings):
    sessions = [ring for ring in rings if ring.data is not None]
    width = {id(ring): np.diff(ring.interval, axis=0) for ring in rings}
    assert width[id(rings[2])].max() < width[id(rings[1])].max()
    for ring in sessions:
        assert ring.truth is not None
        low, high = ring.interval
        inside = (low - 0.03 < ring.truth) & (ring.truth < high + 0.03)  # one of 8 may be outside
        assert inside.all()


def test_angles_are_those_of_the_link():
    """The link coordinate 0 is halfway, and the square of a profile is a softmax."""
    zeros = {
        "population_networks": np.zeros((5, 1, 1)),
        "subject_networks": np.full((5, 1, 1, 1), 1.0),
        "session_networks": np.full((5, 1, 1, 1, 1), -1.0),
    }
    population, subject, session = (ring.samples[0, 0] for ring in rings_of(zeros))
    assert population == pytest.approx(np.pi / 4)
    assert np.tan(subject) ** 2 == pytest.approx(np.exp(-np.sqrt(2)))
    assert subject + session == pytest.approx(np.pi / 2)


def test_the_figure_names_all_and_draws_every_arc_at_its_radius(rings):
    figure = draw_quadrant(rings, "Toy")
    texts = {text.get_text() for text in figure.findobj(Text)}
    assert {"Toy", "truth", "population", "subject 2", "first target", "Network 2, 95 %"} <= texts
    (axes,) = figure.axes
    arcs = [line for line in axes.lines if line.get_linewidth() == 2.4]
    assert len(arcs) == 2 * len(rings)
    for ring, pair in zip(rings, zip(arcs[::2], arcs[1::2], strict=True), strict=True):
        for network, arc in enumerate(pair):
            x, y = arc.get_data()
            assert np.ptp(np.hypot(x, y)) < 1e-9
            ends = np.arctan2(y, x)[[0, -1]]
            np.testing.assert_allclose(ends, ring.interval[:, network])


def test_more_targets_are_refused():
    with pytest.raises(SpaceError, match="3 targets cannot be drawn on a circle"):
        rings_of({"population_networks": np.zeros((5, 2, 2))})
