from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from neuroparcel.brain.icosphere import icosphere, nearest_points


@pytest.mark.parametrize("frequency", [1, 2, 3, 9])
def test_points_are_on_the_sphere_and_spread_evenly(frequency):
    points = icosphere(frequency)
    assert points.shape == (10 * frequency**2 + 2, 3)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1)
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-12)
    edge = pdist(icosphere(1)).min()
    assert pdist(points).min() > 0.7 * edge / frequency


def test_nearest_points_do_not_see_the_radius():
    points = icosphere(4)
    wanted = points[::3] + 0.01
    np.testing.assert_array_equal(nearest_points(100 * points, wanted), np.arange(len(points))[::3])
