from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from neuroparcel.brain.subdivision import fsaverage_faces, subdivide


@pytest.mark.parametrize("hemisphere", ["left", "right"])
def test_vertices_are_numbered_as_in_fsaverage5(hemisphere):
    """The one mesh of fsaverage that nilearn ships."""
    package = Path(find_spec("nilearn").origin).parent  # importing it takes seconds
    folder = package / "datasets" / "data" / "fsaverage5"
    faces = nib.load(folder / f"sphere_{hemisphere}.gii.gz").agg_data("triangle")
    np.testing.assert_array_equal(fsaverage_faces(5), faces)


@pytest.mark.parametrize("level", [0, 1, 3, 5])
def test_meshes_are_closed_surfaces(level):
    faces = fsaverage_faces(level)
    n_vertices = 10 * 4**level + 2
    assert faces.shape == (2 * (n_vertices - 2), 3)  # Euler
    np.testing.assert_array_equal(np.unique(faces), np.arange(n_vertices))
    # Each edge belongs to two faces, once in each direction: all are wound the same way.
    edges = set(map(tuple, faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2).tolist()))
    assert len(edges) == 3 * len(faces)
    assert edges == {(b, a) for a, b in edges}


def test_two_triangles_become_eight():
    faces = subdivide(np.array([[0, 1, 2], [2, 1, 3]]))
    np.testing.assert_array_equal(faces[:2], [[0, 6, 4], [2, 5, 7]])
    np.testing.assert_array_equal(faces[2:5], [[4, 5, 2], [6, 5, 4], [6, 1, 5]])
    np.testing.assert_array_equal(faces[5:], [[7, 8, 3], [5, 8, 7], [5, 1, 8]])
