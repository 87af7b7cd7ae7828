"""Pixels lie in the faces that they are said to lie in."""

from __future__ import annotations

import numpy as np
import pytest

from neuroparcel.plotting.raster import rasterise

SQUARE = np.array([[0.0, 0.0], [9.0, 0.0], [9.0, 9.0], [0.0, 9.0]])
HALVES = np.array([[0, 1, 2], [0, 2, 3]])


def random_mesh(seed: int) -> tuple[np.ndarray, np.ndarray]:
    from scipy.spatial import Delaunay

    points = np.random.default_rng(seed).uniform(-5, 45, size=(60, 2))
    return points, Delaunay(points).simplices


@pytest.mark.parametrize("seed", range(5))
def test_weights_give_back_the_position(seed):
    """Interpolating the corners' own positions yields the pixel: the law of the coordinates."""
    points, faces = random_mesh(seed)
    corners, weights = rasterise(points, np.zeros(60), faces, (40, 30))
    row, column = np.nonzero(corners[..., 0] >= 0)
    found = (points[corners[row, column]] * weights[row, column][..., None]).sum(axis=1)
    np.testing.assert_allclose(found, np.column_stack([column, row]), atol=1e-4)
    assert (weights >= -1e-5).all()


@pytest.mark.parametrize("seed", range(5))
def test_a_mesh_without_holes_leaves_none(seed):
    from matplotlib.path import Path
    from scipy.spatial import ConvexHull

    points, faces = random_mesh(seed)
    corners, _ = rasterise(points, np.zeros(60), faces, (40, 30))
    hull = Path(points[ConvexHull(points).vertices])
    row, column = np.mgrid[:40, :30]
    inside = hull.contains_points(np.column_stack([column.ravel(), row.ravel()]), radius=-1e-6)
    covered = corners[..., 0].ravel() >= 0
    assert covered[inside].all()


def test_the_nearer_face_is_seen():
    points = np.concatenate([SQUARE, SQUARE])
    faces = np.concatenate([HALVES + 4, HALVES])
    depth = np.repeat([2.0, 1.0], 4)
    nearer = rasterise(points, depth, faces, (10, 10))[0]
    further = rasterise(points, -depth, faces, (10, 10))[0]
    assert (nearer < 4).all()
    assert (further >= 4).all()


def test_many_small_and_few_large_faces_agree():
    """Faces are drawn in batches of one size; a large one must not hide the small ones."""
    points, faces = random_mesh(0)
    small = points / 10 + 20
    together = rasterise(
        np.concatenate([points, small]),
        np.repeat([0.0, 1.0], 60),
        np.concatenate([faces, faces + 60]),
        (40, 30),
    )[0]
    alone = rasterise(small, np.zeros(60), faces, (40, 30))[0]
    np.testing.assert_array_equal(together[alone >= 0], alone[alone >= 0] + 60)


def test_what_lies_outside_or_on_edge_is_left_out():
    outside = SQUARE + np.array([100, 0])
    assert (rasterise(outside, np.zeros(4), HALVES, (10, 10))[0] == -1).all()
    line = np.array([[0.0, 0.0], [5.0, 5.0], [9.0, 9.0]])
    assert (rasterise(line, np.zeros(3), np.array([[0, 1, 2]]), (10, 10))[0] == -1).all()
