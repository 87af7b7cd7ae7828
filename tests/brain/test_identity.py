"""Networks keep the names and colours of a reference, whatever their order."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from neuroparcel.brain.atlas import Atlas, Label
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.identity import PROFILES, Identity, Reference, identify
from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.errors import ConnectomeError, SpaceError

N_VERTICES = 60
AXIS = BrainAxis.from_vertices(
    "fsLR", {"CORTEX_LEFT": np.arange(N_VERTICES)}, {"CORTEX_LEFT": N_VERTICES}
)
RED, GREEN, BLUE = ((1.0, 0.0, 0.0, 1.0), (0.0, 1.0, 0.0, 1.0), (0.0, 0.0, 1.0, 1.0))
THIRDS = np.repeat([1, 2, 3], 20)


@pytest.fixture
def reference() -> Reference:
    return Reference("mine", AXIS, THIRDS, ("red", "green", "blue"), (RED, GREEN, BLUE))


def soft(labels: np.ndarray, axis: BrainAxis = AXIS, n_networks: int = 3) -> SoftParcellation:
    """A certain map, which has no data where the label is 0."""
    rows = np.eye(n_networks + 1, dtype=np.float32)[labels][:, 1:]
    rows[labels == 0] = 1 / n_networks
    names = tuple(f"Network{number}" for number in range(1, n_networks + 1))
    return SoftParcellation(axis, names, rows, labels > 0)


def test_a_permuted_map_gets_the_names_and_colours_back(reference):
    found = identify(soft(np.array([0, 3, 1, 2])[THIRDS]), reference)
    assert found.networks == ("green", "blue", "red")
    assert found.colours == (GREEN, BLUE, RED)
    assert found.scores == (1.0, 1.0, 1.0)


def test_a_network_without_a_partner_is_called_so_and_has_a_colour_of_its_own(reference):
    labels = np.where(np.arange(N_VERTICES) % 20 < 2, 4, THIRDS)
    found = identify(soft(labels, n_networks=4), reference)
    assert found.networks == ("red", "green", "blue", "Unmatched1")
    assert found.scores[3] is None
    assert found.colours[3] not in (RED, GREEN, BLUE)
    assert found.describe() == (
        "3 of 4 networks are named after mine (Dice coefficients 0.95 to 0.95); no partner of 0.2 "
        "or more is left for Unmatched1 (most like red, 0.15)"
    )


def test_the_name_of_an_unmatched_network_is_not_one_of_the_reference(reference):
    earlier = replace(reference, networks=("Unmatched1", "green", "blue"))
    labels = np.where(np.arange(N_VERTICES) % 20 < 2, 4, THIRDS)
    found = identify(soft(labels, n_networks=4), earlier)
    assert found.networks == ("Unmatched1", "green", "blue", "Unmatched2")


def test_a_partner_that_overlaps_too_little_gives_no_name(reference):
    labels = np.tile([1, 2, 3], 20)  # a third of each network in each of the reference's
    few = replace(reference, labels=np.where(np.arange(N_VERTICES) < 5, 1, 2), networks=("a", "b"))
    few = replace(few, colours=(RED, GREEN))
    found = identify(soft(labels), few)
    # "a" has 5 vertices, of which a network of 20 has two: 2 * 2 / 25.
    assert found.networks.count("b") == 1
    assert "a" not in found.networks


def test_profiles_that_only_share_what_all_share_give_no_name(reference):
    rng = np.random.default_rng(3)
    shared = 5 * rng.uniform(size=40)
    earlier = replace(
        reference,
        profiles=shared + rng.normal(size=(3, 40)),
        targets=tuple(map(str, range(40))),
    )
    others = shared + rng.normal(size=(3, 40))
    found = identify(soft(THIRDS), earlier, PROFILES, others)
    assert found.networks == ("Unmatched1", "Unmatched2", "Unmatched3")


def test_vertices_without_data_do_not_count(reference):
    labels = THIRDS.copy()
    labels[:15] = 0
    assert identify(soft(labels), reference).scores[0] == 1.0


def test_a_region_is_matched_where_it_lies(reference):
    part = np.arange(30, 60)
    found = identify(soft(THIRDS[part] - 1, AXIS.restrict(part), 2), reference)
    assert found.networks == ("green", "blue")


def test_profiles_match_where_maps_do_not(reference):
    rng = np.random.default_rng(0)
    profiles = rng.normal(size=(3, 30))
    earlier = replace(reference, profiles=profiles, targets=tuple(map(str, range(30))))
    ours = profiles[[2, 0, 1]] + 0.3 * rng.normal(size=(3, 30))
    found = identify(soft(THIRDS), earlier, PROFILES, ours)
    assert found.networks == ("blue", "red", "green")
    assert all(score is not None and 0.8 < score < 1 for score in found.scores)


def test_another_mesh_is_refused(reference):
    other = BrainAxis.from_vertices("fsLR", {"CORTEX_LEFT": [1, 2]}, {"CORTEX_LEFT": 99})
    with pytest.raises(SpaceError, match="The reference mine lies elsewhere than the region: COR"):
        identify(soft(np.array([1, 2]), other), reference)


def test_a_reference_without_labels_in_the_region_is_refused(reference):
    right = BrainAxis.from_vertices("fsLR", {"CORTEX_RIGHT": [1, 2]}, {"CORTEX_RIGHT": 60})
    with pytest.raises(SpaceError, match="The reference mine has no labels in the region"):
        identify(soft(np.array([1, 2]), right), reference)


def test_a_reference_with_one_name_twice_is_refused(reference):
    with pytest.raises(ConnectomeError, match="mine has 2 networks that are called 'red'"):
        replace(reference, networks=("red", "red", "blue"))


def test_an_atlas_is_a_reference():
    labels = (Label(7, "b", GREEN), Label(3, "a", RED), Label(9, "nowhere", BLUE))
    keys = np.array([3, 0, 7, 7])
    reference = Reference.of_atlas(Atlas("two", AXIS.restrict([0, 1, 2, 3]), keys, labels))
    assert reference.networks == ("b", "a")
    assert reference.colours == (GREEN, RED)
    assert reference.labels.tolist() == [2, 0, 1, 1]


def test_json_gives_the_same_back(reference):
    found = identify(soft(np.where(THIRDS == 3, 0, THIRDS)), reference)
    assert Identity.from_json(json.loads(json.dumps(found.to_json()))) == found
