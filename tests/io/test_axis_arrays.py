"""An axis that went through files is the same axis."""

from __future__ import annotations

import json

import numpy as np
import pytest

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.io.axis_arrays import axis_from, axis_to_arrays, axis_to_json
from neuroparcel.io.files import read_arrays, write_arrays

_AFFINE = np.diag([2.0, 2, 2, 1])
_GRAYORDINATES = BrainAxis(
    "fsLR",
    np.array(["THALAMUS_LEFT", "CORTEX_RIGHT", "THALAMUS_LEFT"]),
    np.array([-1, 4, -1]),
    np.array([[3, 1, 0], [-1, -1, -1], [0, 0, 2]]),
    {"CORTEX_RIGHT": 9},
    _AFFINE,
    (4, 4, 4),
)


@pytest.mark.parametrize(
    "axis",
    [
        BrainAxis.from_vertices("fsaverage", {"CORTEX_RIGHT": [4, 0]}, {"CORTEX_RIGHT": 10242}),
        _GRAYORDINATES,
        _GRAYORDINATES.restrict([0, 2]),
        BrainAxis.from_nodes(["b", "a", "ü"], "parcels"),
        BrainAxis.from_nodes(["b", "a", "ü"]).restrict([2, 0]),
    ],
    ids=["surface", "grayordinates", "volume", "nodes", "some nodes"],
)
def test_an_axis_comes_back(tmp_path, axis):
    other = {"other/vertex": np.zeros(1)}
    path = write_arrays(tmp_path / "axis.safetensors", axis_to_arrays("own", axis) | other)
    again = axis_from("own", json.loads(json.dumps(axis_to_json(axis))), read_arrays(path))
    assert again == axis
    assert (again.space, again.nodes, again.names) == (axis.space, axis.nodes, axis.names)
