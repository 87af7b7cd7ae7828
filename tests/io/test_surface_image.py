from __future__ import annotations

import numpy as np
import pytest
from nilearn.maskers import SurfaceMasker
from nilearn.surface import InMemoryMesh, PolyMesh

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import SpaceError
from neuroparcel.io.formats.surface_image import (
    from_surface_image,
    load_surface_image,
    to_surface_image,
)
from neuroparcel.io.meshes import load_cortex_axis, load_mesh
from neuroparcel.io.writers.cifti_writer import write_dtseries

from .samples import gifti_bytes, numbers


@pytest.fixture(scope="module")
def cortex() -> BrainAxis:
    return load_cortex_axis()


@pytest.fixture(scope="module")
def series(cortex) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(len(cortex), 3)).astype(np.float32)


def toy_mesh(size: int) -> PolyMesh:
    points = np.random.default_rng(0).normal(size=(size, 3))
    faces = np.column_stack([np.arange(size - 2), np.arange(1, size - 1), np.arange(2, size)])
    return PolyMesh(left=InMemoryMesh(points, faces), right=InMemoryMesh(-points, faces))


def test_there_and_back(tmp_path, cortex, series):
    """dtseries to SurfaceImage to axis: every number, in the same order."""
    path = write_dtseries(tmp_path / "a.dtseries.nii", cortex, series, step=0.72)
    image = load_surface_image(path)
    assert image.shape == (64984, 3)
    axis, values = from_surface_image(image, cortex)
    assert axis == cortex
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, series)


def test_the_medial_wall_is_filled(cortex, series):
    image = to_surface_image(cortex, series, fill=-9)
    whole, values = from_surface_image(image)
    assert (len(whole), whole.structures) == (64984, ("CORTEX_LEFT", "CORTEX_RIGHT"))
    wall = np.setdiff1d(np.arange(64984), whole.rows_of(cortex))
    assert len(wall) == 64984 - 59412
    assert (values[wall] == -9).all()
    assert np.isnan(from_surface_image(to_surface_image(cortex, series))[1][wall]).all()


def test_the_mesh_is_the_midthickness_of_the_group(cortex, series):
    image = to_surface_image(cortex, series[:, 0])
    assert image.shape == (64984,)
    for side in ("left", "right"):
        coordinates, faces = load_mesh("midthickness", side)
        np.testing.assert_array_equal(image.mesh.parts[side].coordinates, coordinates)
        np.testing.assert_array_equal(image.mesh.parts[side].faces, faces)


def test_one_dimension_comes_back_as_one_frame(cortex, series):
    _, values = from_surface_image(to_surface_image(cortex, series[:, 0]), cortex)
    np.testing.assert_array_equal(values, series[:, :1])


def test_nilearn_takes_it(cortex, series):
    """A mask of the cortex, made by the bridge, gives nilearn's masker our rows."""
    mask = to_surface_image(cortex, np.ones(len(cortex), np.uint8), fill=0)
    image = to_surface_image(cortex, series, fill=0)
    masked = SurfaceMasker(mask, standardize=None).fit_transform(image)
    np.testing.assert_array_equal(masked.T, series)


def test_voxels_are_left_out(tmp_path, cortex):
    axis = BrainAxis(
        "fsLR",
        ["CORTEX_LEFT", "CORTEX_LEFT", "BRAIN_STEM"],
        [5, 2, -1],
        [[-1] * 3, [-1] * 3, [0, 1, 2]],
        {"CORTEX_LEFT": 32492},
        np.eye(4),
        (3, 3, 3),
    )
    path = write_dtseries(tmp_path / "a.dtseries.nii", axis, numbers(3), step=1.0)
    image = load_surface_image(path, fill=0)
    assert list(image.data.parts) == ["left"]
    np.testing.assert_array_equal(image.data.parts["left"][[5, 2]], numbers(3)[:2])
    assert np.count_nonzero(image.data.parts["left"]) == 2 * 6


def test_a_mesh_that_is_given(tmp_path):
    for side, primary in (("L", "CortexLeft"), ("R", "CortexRight")):
        content = gifti_bytes(numbers(12), encoding="B64BIN", primary=primary)
        (tmp_path / f"a.{side}.func.gii").write_bytes(content)
    files = sorted(tmp_path.glob("*.gii"))
    image = load_surface_image(files, mesh=toy_mesh(12))
    np.testing.assert_array_equal(image.data.parts["right"], numbers(12))
    one = load_surface_image(files[0], mesh=toy_mesh(12))
    assert list(one.mesh.parts) == ["left"]
    with pytest.raises(SpaceError, match="left hemisphere has 12 vertices, its mesh 13 vertices"):
        load_surface_image(files, mesh=toy_mesh(13))
    with pytest.raises(SpaceError, match="has 12 vertices, its mesh 32492 vertices") as caught:
        load_surface_image(files)
    assert "load_fsaverage" in caught.value.tip
    left = PolyMesh(left=toy_mesh(12).parts["left"])
    with pytest.raises(SpaceError, match="its mesh no such hemisphere"):
        load_surface_image(files, mesh=left)


def test_what_is_no_surface(cortex, series):
    with pytest.raises(SpaceError, match="do not lie on an axis of 59412 rows"):
        to_surface_image(cortex, series[:5])
    with pytest.raises(SpaceError, match="An axis of NODES has no cortical surface"):
        to_surface_image(BrainAxis.from_nodes(["a", "b"]), numbers(2))
    image = to_surface_image(cortex.restrict(cortex.rows_in("CORTEX_LEFT")), series[:29696])
    with pytest.raises(SpaceError, match="CORTEX_RIGHT is missing"):
        from_surface_image(image, cortex)
