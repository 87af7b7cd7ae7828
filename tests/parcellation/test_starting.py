"""Networks start from the clusters that the model makes most of."""

from __future__ import annotations

import torch

from neuroparcel.graph.observation import Observation
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.parcellation.starting import best_start

CENTRES = torch.tensor([[-4.0, 0.0], [4.0, 0.0], [0.0, 6.0]])
# One anchor for two clouds, and two for one.
POOR = torch.tensor([[0.0, 0.0], [-0.5, 6.0], [0.5, 6.0]])


def clouds() -> Observation:
    """Three subjects, two sessions, 90 vertices in three clouds; one session is missing."""
    generator = torch.Generator().manual_seed(0)
    noise = 0.7 * torch.randn(1, 3, 2, 90, 2, generator=generator)
    mask = torch.ones(noise.shape[:-1], dtype=torch.bool)
    mask[0, 0, 1] = False
    return Observation(CENTRES.repeat_interleave(30, 0) + noise, mask)


def model() -> MSHBM:
    return MSHBM(9 * torch.eye(2), 3)


def test_the_better_start_is_taken_wherever_it_stands():
    assert best_start(clouds(), model(), [POOR, CENTRES]) is CENTRES
    assert best_start(clouds(), model(), [CENTRES, POOR]) is CENTRES


def test_of_equal_starts_the_first_is_taken():
    again = CENTRES[[2, 0, 1]]
    assert best_start(clouds(), model(), [again, CENTRES]) is again


def test_a_single_start_is_not_tried(monkeypatch):
    monkeypatch.setattr("neuroparcel.parcellation.starting.fit_reference", None)
    assert best_start(clouds(), model(), [POOR]) is POOR


def test_a_part_of_many_vertices_is_enough(monkeypatch):
    monkeypatch.setattr("neuroparcel.parcellation.starting._MOST_PROFILES", 100)
    assert best_start(clouds(), model(), [POOR, CENTRES]) is CENTRES
