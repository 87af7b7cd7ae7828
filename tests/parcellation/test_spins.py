"""Spin tests on small spheres: right for equal maps, for unrelated ones, and at the medial wall."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.colours import network_colours
from neuroparcel.brain.comparison import NetworkMap, match_by_overlap
from neuroparcel.brain.contingency import adjusted_rand
from neuroparcel.brain.icosphere import icosphere
from neuroparcel.errors import OptionError, SpaceError
from neuroparcel.parcellation import spins
from neuroparcel.parcellation.spins import SpinTest, load_spheres, spin_agreement, spin_test

LEFT, RIGHT = "CORTEX_LEFT", "CORTEX_RIGHT"
POINTS = icosphere(6)  # 362
N = len(POINTS)


@pytest.fixture
def brainspace() -> None:
    """The library, which is optional."""
    pytest.importorskip("brainspace.null_models")


def on_sphere(labels: np.ndarray, structures: tuple[str, ...] = (LEFT,)) -> NetworkMap:
    """Labels on whole spheres, 0 on a medial wall; hemispheres one after the other."""
    axis = BrainAxis.from_vertices(
        "toy", dict.fromkeys(structures, np.arange(N)), dict.fromkeys(structures, N)
    )
    n = int(labels.max())
    return NetworkMap("A", axis, tuple(map(str, range(n))), network_colours(n), labels)


def smooth(rng: np.random.Generator, n_networks: int = 4) -> np.ndarray:
    """Labels of random patches: the largest of some random smooth fields."""
    waves = rng.normal(size=(n_networks, 12, 3))
    phases = rng.uniform(0, 2 * np.pi, (n_networks, 12))
    fields = np.cos(POINTS @ waves.transpose(0, 2, 1) + phases[:, None]).sum(axis=-1)
    return fields.argmax(axis=0) + 1


def run(
    first: NetworkMap, second: NetworkMap, n_spins: int = 19, seed: int = 0, rematch: bool = True
) -> SpinTest:
    spheres = dict.fromkeys(first.axis.structures, POINTS)
    pairs = match_by_overlap(first, second)
    return spin_test(first, second, pairs, spheres, n_spins=n_spins, seed=seed, rematch=rematch)


def spun_strangers(n_maps: int, *, rematch: bool = True) -> list[SpinTest]:
    rng = np.random.default_rng(0)
    maps = [on_sphere(smooth(rng)) for _ in range(2 * n_maps)]
    return [run(*maps[2 * k : 2 * k + 2], seed=k, rematch=rematch) for k in range(n_maps)]


def distance_from_uniform(p_values: np.ndarray) -> float:
    """Largest distance of their distribution from that of 1/20, 2/20, ..., 1."""
    levels = np.arange(1, 21) / 20
    return float(np.abs((p_values[:, None] <= levels + 1e-9).mean(axis=0) - levels).max())


def test_unrelated_maps_have_uniform_p_values(brainspace):
    """Kolmogorov and Smirnov's bound for 40 values is 0.26 at 1 %."""
    found = spun_strangers(40)
    p_values = np.array([one.adjusted_rand_p for one in found])
    assert distance_from_uniform(p_values) < 0.26
    assert distance_from_uniform(np.array([one.dice_p[0] for one in found])) < 0.26


def test_partners_chosen_by_their_overlap_seem_too_alike_unless_chosen_anew(brainspace):
    """The mean of p over the pairs, a half for strangers; of 15 maps with four pairs each."""
    anew, kept = (
        np.mean([one.dice_p.mean() for one in spun_strangers(15, rematch=rematch)])
        for rematch in (True, False)
    )
    assert kept < 0.4
    assert anew == pytest.approx(0.5, abs=0.1)


def test_vertices_shuffled_one_by_one_would_find_what_is_not_there(monkeypatch):
    """What smoothness alone does, and why maps are rotated as a whole."""

    def shuffles(spheres, n_spins: int, seed: int) -> Iterator[np.ndarray]:
        rng = np.random.default_rng(seed)
        return iter([rng.permutation(N) for _ in range(n_spins)])

    monkeypatch.setattr(spins, "_rotations", shuffles)
    p_values = np.array([one.adjusted_rand_p for one in spun_strangers(15)])
    assert distance_from_uniform(p_values) > 0.4


def test_equal_maps_have_the_smallest_p_value(brainspace):
    one = on_sphere(smooth(np.random.default_rng(3)))
    found = run(one, one, n_spins=99)
    assert found.adjusted_rand_p == 0.01
    np.testing.assert_array_equal(found.dice_p, 0.01)
    assert found.adjusted_rand_null.shape == (99,)


def test_vertices_that_meet_the_medial_wall_are_left_out(brainspace):
    """A cap of a tenth of the sphere: each of two vertices has a label with probability 0.9."""
    labels = smooth(np.random.default_rng(4))
    labels[POINTS[:, 0] > 0.8] = 0
    share = (labels > 0).mean()
    one = on_sphere(labels)
    found = run(one, one, n_spins=60)
    assert found.n_compared == pytest.approx(N * share**2, rel=0.01)
    assert found.adjusted_rand_p == pytest.approx(1 / 61)


def test_hemispheres_do_not_mix(brainspace):
    """Whatever the rotation, left stays left: the maps are equal after each of them."""
    sides = on_sphere(np.repeat([1, 2], N), (LEFT, RIGHT))
    found = run(sides, sides)
    np.testing.assert_array_equal(found.adjusted_rand_null, 1)
    assert found.adjusted_rand_p == 1


def test_the_right_hemisphere_turns_as_the_mirror_image_of_the_left(brainspace):
    """On an icosphere, which is symmetric, mirrored maps stay mirrored."""
    mirrored = POINTS * [-1, 1, 1]
    nearest = np.linalg.norm(POINTS[:, None] - mirrored, axis=-1).argmin(axis=0)
    for rotation in spins._rotations({LEFT: POINTS, RIGHT: POINTS}, 3, 0):
        left, right = rotation[:N], rotation[N:] - N
        assert (nearest[left[nearest]] == right).mean() > 0.99  # but for ties


def test_the_same_seed_gives_the_same_spins_in_any_portions(brainspace, monkeypatch):
    one, other = (on_sphere(smooth(np.random.default_rng(seed))) for seed in (5, 6))
    expected = run(one, other).adjusted_rand_null
    monkeypatch.setattr(spins, "_AT_ONCE", 7)
    np.testing.assert_array_equal(run(one, other).adjusted_rand_null, expected)
    assert (run(one, other, seed=1).adjusted_rand_null != expected).any()


def test_many_maps_meet_the_same_rotations_as_one(brainspace):
    """Maps of other numbers of networks, and the reference's medial wall, in two hemispheres."""
    rng = np.random.default_rng(7)
    reference, *maps = (np.concatenate([smooth(rng, n), smooth(rng, n)]) for n in (4, 4, 3, 5))
    reference[rng.permutation(2 * N)[:60]] = 0
    maps[0][: N // 2] = reference[: N // 2]
    other = on_sphere(reference, (LEFT, RIGHT))
    one_by_one = [run(on_sphere(labels, (LEFT, RIGHT)), other) for labels in maps]
    calls: list[tuple[int, int]] = []
    found = spin_agreement(
        np.array(maps),
        other,
        dict.fromkeys((LEFT, RIGHT), POINTS),
        n_spins=19,
        seed=0,
        progress=lambda done, of: calls.append((done, of)),
    )
    null = np.mean([one.adjusted_rand_null for one in one_by_one], axis=0)
    np.testing.assert_allclose(found.adjusted_rand_null, null)
    agreed = [adjusted_rand(labels, reference) for labels in maps]
    assert found.adjusted_rand == pytest.approx(np.mean(agreed))
    assert found.p == (1 + (null >= found.adjusted_rand).sum()) / 20
    assert calls == [(done, 19) for done in range(1, 20)]


def test_maps_that_are_like_the_reference_agree_more_than_by_chance(brainspace):
    """Each with a third of its labels changed at random; maps that all have one label with none."""
    rng = np.random.default_rng(8)
    labels = smooth(rng)
    changed = np.where(rng.random((3, N)) < 1 / 3, rng.integers(1, 5, (3, N)), labels)
    sphere = {LEFT: POINTS}
    found = spin_agreement(changed, on_sphere(labels), sphere, n_spins=49, seed=0)
    assert found.p == 1 / 50
    undivided = np.ones((2, N), int)
    found = spin_agreement(undivided, on_sphere(undivided[0]), sphere, n_spins=5, seed=0)
    assert (found.adjusted_rand, found.p) == (0, 1)


def test_of_many_maps_the_one_that_is_too_small_is_named():
    maps = np.ones((3, N), int)
    maps[1, POINTS[:, 2] < 0.5] = 0
    with pytest.raises(SpaceError, match="hemispheres: map 2 of 3 compared with A covers 2"):
        spin_agreement(maps, on_sphere(maps[0]), {LEFT: POINTS}, n_spins=5, seed=0)
    with pytest.raises(SpaceError, match="whole hemispheres: A covers 2"):
        spin_agreement(maps, on_sphere(maps[1]), {LEFT: POINTS}, n_spins=5, seed=0)


def test_a_region_is_too_small():
    labels = np.where(POINTS[:, 2] > 0.5, 1, 0)
    with pytest.raises(
        SpaceError, match=r"whole hemispheres: A covers 2\d % of the .* cortex left"
    ):
        run(on_sphere(labels), on_sphere(labels))


def test_other_meshes_have_no_sphere():
    one = on_sphere(smooth(np.random.default_rng(0)))
    with pytest.raises(SpaceError, match="needs maps of the fs_LR 32k cortex, and A is none"):
        load_spheres(one, one)


@pytest.mark.parametrize(
    ("module", "why"),
    [
        (None, "is not installed"),
        (ModuleType("brainspace.null_models"), r"cannot be imported \(.*SpinPermutations"),
    ],
    ids=["missing", "broken"],
)
def test_without_brainspace_the_extra_is_named(monkeypatch, module, why):
    monkeypatch.setitem(sys.modules, "brainspace.null_models", module)
    one = on_sphere(smooth(np.random.default_rng(0)))
    with pytest.raises(OptionError, match=rf"BrainSpace, which {why}.*'neuroparcel\[spin\]'"):
        run(one, one)
