"""The table of networks: exact shares, and targets that tell networks apart."""

from __future__ import annotations

import numpy as np

from neuroparcel.report.networks import top_targets
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
