"""Small maps for the report: the right colours in the right places."""

from __future__ import annotations

import numpy as np

from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.io.meshes import load_cortex_axis
from neuroparcel.plotting.report_maps import _joined, paint_small

RED, BLUE = (1.0, 0.0, 0.0, 1.0), (0.0, 0.0, 1.0, 1.0)


def shares(picture: np.ndarray) -> tuple[float, float]:
    """Share of pixels that are rather red, and rather blue."""
    red, blue = (picture[..., i].astype(int) - picture[..., 2 - i] for i in (0, 2))
    return float((red > 60).mean()), float((blue > 60).mean())


def test_both_sides_of_both_hemispheres_stand_in_their_places():
    axis = load_cortex_axis()
    is_left = (axis.structure == "CORTEX_LEFT")[:, None]
    probabilities = np.where(is_left, [1.0, 0.0], [0.0, 1.0]).astype(np.float32)
    soft = SoftParcellation(axis, ("left", "right"), probabilities, colours=(RED, BLUE))
    picture = paint_small(soft, 60)
    rows, columns = picture.shape[0] // 2, picture.shape[1] // 2
    assert picture.dtype == np.uint8
    for part in (picture[:rows], picture[rows:]):  # outer and inner sides
        assert shares(part[:, :columns])[0] > 0.4 > 0.02 > shares(part[:, :columns])[1]
        assert shares(part[:, columns:])[1] > 0.4 > 0.02 > shares(part[:, columns:])[0]
    assert not np.array_equal(picture[:rows], picture[-rows:])


def test_a_region_is_painted_close_up(parcellation: SoftParcellation):
    picture = paint_small(parcellation, 100)
    assert max(picture.shape[:2]) == 100
    plain = np.abs(np.diff(picture.astype(int), axis=-1)).max(axis=-1) < 8
    assert 0.15 < (~plain).mean() < 0.6  # the region, and grey cortex around it


def test_pictures_of_other_sizes_are_centred_on_white():
    small, large = np.zeros((2, 3, 3)), np.full((4, 1, 3), 0.5)
    joined = _joined([small, large], along=1, gap=2)
    assert joined.shape == (4, 3 + 2 + 1, 3)
    np.testing.assert_array_equal(joined[:, 0, 0], [1, 0, 0, 1])
    np.testing.assert_array_equal(joined[:, 3:5], 1)
    np.testing.assert_array_equal(joined[:, 5], 0.5)
