"""Dead networks are found, dropped, or cut out of the widest of the others."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.errors import TrainingError
from neuroparcel.graph.observation import Observation
from neuroparcel.parcellation.dead_networks import reseeded, without
from neuroparcel.parcellation.observations import nearest_anchor
from neuroparcel.parcellation.replication import replication_warnings
from neuroparcel.parcellation.verdict import NetworkUse

CENTRES = torch.tensor([[-6.0, 0.0], [0.0, 0.0], [6.0, 0.0]])


def three_clouds():
    """Two subjects, two sessions, 60 vertices in three clouds of unit spread."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, 2, 2, 60, 2, generator=generator)
    values = CENTRES.repeat_interleave(20, 0) + noise
    mask = torch.ones(values.shape[:-1], dtype=torch.bool)
    mask[0, 0, 1, :30] = False
    return Observation(torch.where(mask.unsqueeze(-1), values, torch.nan), mask)


def test_anchors_of_the_others_stay():
    torch.testing.assert_close(without(CENTRES, (1,)), CENTRES[[0, 2]])


def test_one_network_does_not_divide_a_region():
    with pytest.raises(TrainingError, match=r"2 of 3 networks win no vertex.*fewer --networks"):
        without(CENTRES, (0, 2))


@pytest.mark.parametrize("dead", [(0,), (2,)])
def test_the_network_of_two_clouds_is_cut_between_them(dead):
    """The living ones: a cloud of its own, and one anchor between two clouds."""
    data = three_clouds()
    between = (CENTRES[0] + CENTRES[1]) / 2
    anchors = torch.stack([torch.full((2,), 99.0), between, CENTRES[2]])
    if dead == (2,):
        anchors = anchors.flip(0)
    before = anchors.clone()
    found = reseeded(data, anchors, dead)
    torch.testing.assert_close(anchors, before)
    assert (found != anchors).any(-1).sum() == 2
    labels = nearest_anchor(Observation(data.values.nan_to_num(), data.mask), found.numpy())[1]
    assert all(len(set(cloud.ravel().tolist())) == 1 for cloud in np.split(labels, 3, axis=-1))
    assert len(set(labels.ravel().tolist())) == 3


def test_two_dead_networks_are_cut_one_after_the_other():
    data = three_clouds()
    anchors = torch.cat([CENTRES.mean(0, keepdim=True), torch.full((2, 2), 99.0)])
    found = reseeded(data, anchors, (1, 2))
    labels = nearest_anchor(Observation(data.values.nan_to_num(), data.mask), found.numpy())
    assert set(np.unique(labels)) == {0, 1, 2, 3}


LEVELS = ("population", "subject", "session")


@pytest.mark.parametrize(
    ("present", "levels", "words"),
    [
        ([[1, 1], [1, 0]], LEVELS, []),
        ([[1, 1], [0, 0]], LEVELS, ["one subject", "no guide to other subjects"]),
        ([[1, 0], [0, 1]], LEVELS, ["no subject has two sessions", "--levels population,subject"]),
        ([[1], [1]], ("population", "subject"), []),
        ([[1]], ("session",), ["one subject"]),
    ],
)
def test_what_is_not_repeated_is_said(present, levels, words):
    said = replication_warnings(np.array(present, bool), levels)
    assert len(said) == bool(words)
    assert all(word in said[0] for word in words)


def test_of_many_networks_small_ones_are_not_dead():
    """Of twenty, an equal share is 5 %: 0.8 % is few, 0.4 % is next to nothing."""
    sizes = np.array([8, 4] + 18 * [55])
    soft = np.repeat(np.eye(20, dtype=np.float32), sizes, axis=0)
    rows = np.arange(len(soft))
    use = NetworkUse()
    use.add(
        SoftParcellation(
            BrainAxis.from_vertices("toy", {"CORTEX_LEFT": rows}, {"CORTEX_LEFT": len(rows)}),
            tuple(f"Network{number}" for number in range(1, 21)),
            soft,
        )
    )
    assert use.dead == ("Network2",)
