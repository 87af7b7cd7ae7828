"""Rank and coverage plots show what is right and what is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from neuroparcel.inference.calibration import Calibration
from neuroparcel.plotting.calibration import draw_coverage, draw_ranks

N_DRAWS = 99


def calibration_of(shares: dict[str, np.ndarray]) -> Calibration:
    """Ranks that stand at these shares (simulation, coordinate) of the draws."""
    ranks = {site: (share * (N_DRAWS + 1)).astype(int) for site, share in shares.items()}
    varies = {site: np.ones(share.shape[1:], bool) for site, share in shares.items()}
    return Calibration(ranks, varies, dict.fromkeys(shares, 1), N_DRAWS)


@pytest.fixture(scope="module")
def three():
    """Ranks that are even, that pile up at both ends, and that pile up in the middle."""
    random = np.random.default_rng(0)
    return calibration_of(
        {
            "exact": np.repeat((np.arange(400)[:, None] + 0.5) / 400, 3, axis=1),
            "over_confident": random.beta(0.5, 0.5, (400, 3)),
            "under_confident": random.beta(2, 2, (400, 3)),
        }
    )


def test_sites_have_panels_that_count_what_leaves_the_band(three, pixels_of):
    figure = draw_ranks(three)
    assert [axes.get_title(loc="left") for axes in figure.axes] == list(three.ranks)
    counts = [axes.texts[0].get_text() for axes in figure.axes]
    assert counts == [f"{n} of 3 leave the band (0.15 expected)" for n in (0, 3, 3)]
    assert np.ptp(pixels_of(figure)) > 0


def test_lines_that_leave_on_either_side_are_counted():
    random = np.random.default_rng(2)
    shares = {"low": random.beta(1, 2, (400, 2)), "high": random.beta(2, 1, (400, 2))}
    counts = [axes.texts[0].get_text()[:6] for axes in draw_ranks(calibration_of(shares)).axes]
    assert counts == ["2 of 2", "2 of 2"]


def test_a_line_is_the_ecdf_difference(three):
    line = draw_ranks(three).axes[1].lines[1]
    share, difference = line.get_data()
    ranks = three.ranks["over_confident"][:, 0]
    np.testing.assert_allclose(difference[9], np.mean(ranks < 10) - 0.1)
    assert share[9] == pytest.approx(0.1)
    assert difference[9] > 0 > difference[-10]


def test_constant_coordinates_are_not_drawn(three):
    varies = {site: np.array([True, False, True]) for site in three.ranks}
    some = Calibration(three.ranks, varies, three.hierarchy, N_DRAWS)
    assert "of 2 leave" in draw_ranks(some).axes[0].texts[0].get_text()


@pytest.mark.parametrize("n_sites", [1, 4, 8])
def test_any_number_of_sites_fits(n_sites, pixels_of):
    random = np.random.default_rng(1)
    many = calibration_of({f"site_{i}": random.random((100, 1)) for i in range(n_sites)})
    pixels_of(draw_ranks(many))
    figure = draw_coverage(many)
    pixels_of(figure)
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == list(many.ranks)
    looks = {(line.get_color(), line.get_linestyle()) for line in figure.axes[0].lines[1:]}
    assert len(looks) == n_sites


def test_coverage_lies_below_the_diagonal_if_over_confident(three, pixels_of):
    figure = draw_coverage(three)
    pixels_of(figure)
    _, exact, over, under = (line.get_ydata() for line in figure.axes[0].lines)
    levels = figure.axes[0].lines[1].get_xdata()
    np.testing.assert_allclose(exact, levels, atol=1e-9)
    assert (over[3:-3] < levels[3:-3] - 0.02).all()
    assert (under[3:-3] > levels[3:-3] + 0.02).all()
