"""Laws of the picture of uncertainty."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import colormaps

from neuroparcel.brain.atlas import Region
from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.io.meshes import load_cortex_axis
from neuroparcel.plotting.paint import NO_DATA, paint_values
from neuroparcel.plotting.uncertainty import draw_uncertainty
from neuroparcel.plotting.view import hemisphere_from


def _soft(first: float) -> SoftParcellation:
    axis = load_cortex_axis()
    rows = np.tile([first, 1 - first], (len(axis), 1)).astype(np.float32)
    return SoftParcellation(axis, ("A", "B"), rows)


@pytest.mark.parametrize(("value", "level"), [(0.0, 0.0), (0.25, 0.25), (1.0, 1.0)])
def test_a_value_has_the_colour_of_its_level(value: float, level: float) -> None:
    axis = load_cortex_axis()
    view = hemisphere_from("CORTEX_LEFT", "left", 60)
    picture = paint_values(view, axis, np.full(len(axis), value), "cividis")
    centre = picture[view.shape[0] // 2, view.shape[1] // 2]
    assert np.allclose(centre, colormaps["cividis"](level)[:3], atol=0.01)


def test_a_vertex_where_nothing_is_known_is_grey() -> None:
    axis = load_cortex_axis()
    view = hemisphere_from("CORTEX_LEFT", "left", 60)
    picture = paint_values(view, axis, np.full(len(axis), np.nan), "cividis")
    assert np.allclose(picture[view.shape[0] // 2, view.shape[1] // 2], NO_DATA)


def test_the_scale_and_what_it_measures_are_named() -> None:
    figure = draw_uncertainty(_soft(0.5), "Population")
    texts = {text.get_text() for text in figure.texts}
    assert {"Population", "entropy of the labels as a share of log 2"} <= texts
    assert [tick.get_text() for tick in figure.axes[-1].get_yticklabels()] == [
        "certain",
        "0.5",
        "even",
    ]
    assert len(figure.axes) == 5  # two sides of two hemispheres, and the scale


def test_a_small_region_fills_its_picture(parcellation: SoftParcellation, region: Region) -> None:
    """Area 44 is certain, area 45 has the entropy of 3 to 1; a hemisphere shows it as a speck."""
    figure = draw_uncertainty(parcellation, "Population", region=region)
    texts = {text.get_text() for text in figure.texts}
    assert "broca-left: entropy of the labels as a share of log 2" in texts
    assert "left hemisphere" in texts
    assert "dark grey: no data" not in texts
    picture = np.asarray(figure.axes[0].images[0].get_array())
    of_45 = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75)) / np.log(2)
    shares = [
        np.isclose(picture, colormaps["cividis"](level)[:3], atol=0.02).all(axis=-1).mean()
        for level in (0.0, of_45)
    ]
    assert min(shares) > 0.05
    assert len(figure.axes) == 3  # close-up, inset, and the scale


def test_holes_in_a_small_region_are_explained(parcellation: SoftParcellation) -> None:
    data = np.arange(len(parcellation.axis)) > 20
    holes = SoftParcellation(
        parcellation.axis, parcellation.networks, parcellation.probabilities, data
    )
    texts = {text.get_text() for text in draw_uncertainty(holes, "Population").texts}
    assert "dark grey: no data" in texts
