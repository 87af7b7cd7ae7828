"""The table of networks: exact shares, and targets that tell networks apart."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.report.networks import network_rows, top_targets
from neuroparcel.report.run import NetworkProfiles


def test_targets_that_all_networks_share_say_nothing():
    values = np.array([[9.0, 9.0], [1.0, 3.0], [3.0, 2.5], [0.0, 0.0]])
    found = top_targets(NetworkProfiles(("mean", "right", "left", "none"), values))
    assert [targets[0] for targets in found] == ["left", "right"]
    assert found[0] == ("left", "mean", "none", "right")


def test_only_a_few_targets_are_named():
    values = np.arange(40.0).reshape(20, 2)
    values[:, 1] = 0
    (first, _) = top_targets(NetworkProfiles(tuple(map(str, range(20))), values))
    assert first == ("19", "18", "17", "16", "15")


def test_vertices_without_data_count_in_no_share():
    axis = BrainAxis.from_vertices("fsLR", {"CORTEX_LEFT": np.arange(5)}, {"CORTEX_LEFT": 5})
    rows = np.array([[1, 0], [1, 0], [1, 0], [0, 1], [0.5, 0.5]], dtype=np.float32)
    data = np.array([True, True, False, True, True])
    identity = {"scores": [0.7, None], "nearest": [["A", 0.7], ["C", 0.4]]}
    run = SimpleNamespace(
        population=SoftParcellation(axis, ("A", "Unmatched1"), rows, data),
        record={"identity": identity},
        profiles=None,
    )
    first, second = network_rows(run)
    assert (first.n_vertices, second.n_vertices) == (3, 1)
    assert (first.share, second.share) == (0.75, 0.25)
    assert first.certainty == pytest.approx(2 / 3)
    assert (first.score, second.score, second.nearest) == (0.7, None, ("C", 0.4))
