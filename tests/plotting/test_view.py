"""A view shows the region asked for, from outside, the right way up."""

from __future__ import annotations

import numpy as np
import pytest

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import SpaceError
from neuroparcel.io.meshes import load_mesh
from neuroparcel.io.regions import load_region
from neuroparcel.plotting.view import close_up, whole_hemisphere

N_PIXELS = 200


@pytest.mark.parametrize(
    ("roi", "edges"),
    [
        ("L_44,L_45", ("anterior", "posterior", "inferior", "superior")),
        ("R_44,R_45", ("posterior", "anterior", "inferior", "superior")),
        ("L_V1", ("posterior", "anterior", "inferior", "superior")),
    ],
)
def test_left_is_left_and_up_is_up(roi, edges):
    region = load_region(roi)
    (structure,) = region.axis.structures
    assert close_up(region.axis, structure, N_PIXELS).edges == edges


def test_position_grows_along_the_picture(region):
    """In a lateral view of the left hemisphere posterior is right and superior is up."""
    view = close_up(region.axis, "CORTEX_LEFT", N_PIXELS)
    coordinates = load_mesh("inflated", "left")[0]
    anterior, superior = (view.interpolate(coordinates[:, axis]) for axis in (1, 2))
    assert np.nanmean(np.diff(anterior, axis=1)) < 0
    assert np.nanmean(np.diff(superior, axis=0)) < 0


def test_all_of_the_region_is_in_the_picture(region):
    view = close_up(region.axis, "CORTEX_LEFT", N_PIXELS)
    assert max(view.shape) == N_PIXELS
    assert np.isin(region.axis.vertex, view.corners).all()


def test_interpolation_keeps_constants_and_bounds(region):
    view = close_up(region.axis, "CORTEX_LEFT", N_PIXELS)
    cortex = view.corners[..., 0] >= 0
    ones = view.interpolate(np.ones(32492))
    np.testing.assert_allclose(ones[cortex], 1, atol=1e-5)
    assert np.isnan(ones[~cortex]).all()
    assert ((view.relief[cortex] > 0) & (view.relief[cortex] <= 1)).all()


def test_the_whole_hemisphere_is_seen_from_the_side(region):
    view = whole_hemisphere(close_up(region.axis, "CORTEX_LEFT", N_PIXELS), region.axis, N_PIXELS)
    assert view.edges == ("anterior", "posterior", "inferior", "superior")
    seen = len(np.unique(view.corners)) / 32492
    assert 0.25 < seen < 0.75


def test_what_cannot_be_drawn_is_refused():
    thalamus = BrainAxis(
        "fsLR", ["THALAMUS_LEFT"], [-1], [[0, 0, 0]], {}, np.eye(4), volume_shape=(2, 2, 2)
    )
    with pytest.raises(SpaceError, match="THALAMUS_LEFT cannot be drawn"):
        close_up(thalamus, "THALAMUS_LEFT")
    coarse = BrainAxis.from_vertices("fsLR", {"CORTEX_LEFT": [1]}, {"CORTEX_LEFT": 10242})
    with pytest.raises(SpaceError, match="on a mesh of 10242 vertices cannot be drawn"):
        close_up(coarse, "CORTEX_LEFT")
