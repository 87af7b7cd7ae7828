"""Whether two maps agree more than one of them does with random rotations of the other.

A rotation keeps how smooth a map is and how large its networks are, and breaks what it has to do
with the other map. Both hemispheres turn together, the right one as the mirror image of the left.

The medial wall turns too, and has no labels. Vertices that it lands on, and the medial wall
itself, are left out of that rotation, as the authors' own program does (NaN, and correlations of
complete pairs). Each rotation is thus compared on somewhat fewer vertices than the maps are.

References
----------
A. F. Alexander-Bloch et al. (2018), On testing for spatial correspondence between maps of human
brain structure and function, NeuroImage 178, 540-551; program github.com/spin-test/spin-test.
R. Vos de Wael et al. (2020), BrainSpace: a toolbox for the analysis of macroscale gradients in
neuroimaging and connectomics datasets, Communications Biology 3, 103.
B. Phipson and G. K. Smyth (2010), Permutation p-values should never be zero, Statistical
Applications in Genetics and Molecular Biology 9, section 3, for p = (1 + b) / (1 + m).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.comparison import NetworkMap, Pairs, match_by_scores
from neuroparcel.brain.contingency import adjusted_rand_of, contingency, dice_of
from neuroparcel.brain.label_maps import adjusted_rands, contingencies
from neuroparcel.errors import OptionError, SpaceError
from neuroparcel.io.meshes import Hemisphere, load_cortex_axis, load_mesh
from neuroparcel.types import FloatArray, IntArray

LEAST_COVERED = 0.75
"""Share of a hemisphere's mesh that both maps must label. The fs_LR cortex has 91 % of it; the
less of the sphere a map covers, the fewer vertices meet after a rotation, and what is compared
then is the shape of the region."""

_HEMISPHERES: dict[str, Hemisphere] = {"CORTEX_LEFT": "left", "CORTEX_RIGHT": "right"}
_AT_ONCE = 50  # rotations in memory: 26 MB for the two hemispheres of fs_LR 32k

Spheres = Mapping[str, FloatArray]
"""Points of the mesh of each hemisphere on a sphere, (mesh vertex, 3), left before right."""


@dataclass(frozen=True, eq=False)
class SpinTest:
    """What rotations of the second map say.

    Attributes
    ----------
    n_spins : int
    seed : int
    adjusted_rand_null : (spin,) array of float
        Adjusted Rand index of the first map with each rotation of the second.
    adjusted_rand_p : float
    dice_p : (pair,) array of float
        Of the first network of each pair with its match.
    n_compared : float
        Vertices with a label in both, mean over the rotations.
    """

    n_spins: int
    seed: int
    adjusted_rand_null: FloatArray
    adjusted_rand_p: float
    dice_p: FloatArray
    n_compared: float


@dataclass(frozen=True, eq=False)
class SpinAgreement:
    """Whether some maps agree with a reference more than with random rotations of it.

    Attributes
    ----------
    n_spins : int
    seed : int
    adjusted_rand : float
        Mean over the maps of their adjusted Rand index with the reference.
    adjusted_rand_null : (spin,) array of float
        The same with each rotation of the reference.
    p : float
    """

    n_spins: int
    seed: int
    adjusted_rand: float
    adjusted_rand_null: FloatArray
    p: float


def load_spheres(first: NetworkMap, second: NetworkMap) -> dict[str, FloatArray]:
    """Spheres of the hemispheres that two maps of the fs_LR 32k cortex share.

    Raises
    ------
    SpaceError
        If they lie elsewhere.
    """
    meshes = load_cortex_axis().mesh_size
    both = (first, second)
    shared = [
        name for name in _HEMISPHERES if all(_labelled(one.axis, one.labels, name) for one in both)
    ]
    for one in both:
        sizes = {name: one.axis.mesh_size.get(name) for name in shared}
        if not shared or any(size != meshes[name] for name, size in sizes.items()):
            raise SpaceError(
                f"A spin test needs maps of the fs_LR 32k cortex, and {one.name} is none.",
                "Leave --spins away.",
            )
    return {name: load_mesh("sphere", _HEMISPHERES[name])[0] for name in shared}


def spin_test(
    first: NetworkMap,
    second: NetworkMap,
    pairs: Pairs,
    spheres: Spheres,
    *,
    n_spins: int,
    seed: int,
    rematch: bool,
    progress: Callable[[int, int], None] | None = None,
) -> SpinTest:
    """Compare the agreement of two maps with that of random rotations of the second.

    p = (1 + rotations that agree at least as well as the maps do) / (1 + rotations).

    Parameters
    ----------
    first, second : NetworkMap
        Each on all of its own rows.
    pairs : Pairs
        Networks that are matched.
    spheres : Spheres
        Of the hemispheres to compare.
    n_spins, seed : int
    rematch : bool
        Match networks anew after each rotation. Needed where they were matched by the overlap
        that is tested: the best of many partners overlaps more than a given one.
    progress : callable, optional
        Called with the number of rotations done and in all.

    Returns
    -------
    SpinTest

    Raises
    ------
    OptionError
        If BrainSpace is not installed.
    SpaceError
        If a map covers too little of a hemisphere.
    """
    for one_map in (first, second):
        _check_covered(one_map.name, one_map.axis, one_map.labels, spheres)
    one, other = (_on_meshes(one_map.axis, one_map.labels, spheres) for one_map in (first, second))
    size = (first.n_networks, second.n_networks)
    i, j = np.array(pairs, dtype=np.int64).reshape(-1, 2).T

    def rated(turned: IntArray) -> tuple[float, FloatArray, int]:
        counts = contingency(one, turned, *size)
        index = adjusted_rand_of(counts)
        dice = dice_of(counts)
        matched = _dice_of_matches(dice)[i] if rematch else dice[i, j]
        return (0.0 if index is None else index), matched, int(counts.sum())

    index, dice, _ = rated(other)
    null = [rated(turned) for turned in _turned(other, spheres, n_spins, seed, progress)]
    indices, dices = np.array([n[0] for n in null]), np.array([n[1] for n in null])
    return SpinTest(
        n_spins,
        seed,
        indices,
        float(_p_value(indices, index)),
        _p_value(dices, dice),
        float(np.mean([n[2] for n in null])),
    )


def spin_agreement(
    maps: IntArray,
    reference: NetworkMap,
    spheres: Spheres,
    *,
    n_spins: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> SpinAgreement:
    """Compare the mean agreement of some maps with a reference with that of its rotations.

    All maps meet the same rotations. A map that neither it nor the reference divides agrees by 0.

    Parameters
    ----------
    maps : (map, vertex) array of int
        Labels on the rows of the reference, from 1; 0 for none.
    reference : NetworkMap
        The map that is rotated.
    spheres : Spheres
        Of the hemispheres to compare, see :func:`load_spheres`.
    n_spins, seed : int
    progress : callable, optional
        Called with the number of rotations done and in all.

    Returns
    -------
    SpinAgreement

    Raises
    ------
    OptionError
        If BrainSpace is not installed.
    SpaceError
        If a map covers too little of a hemisphere.
    """
    axis = reference.axis
    _check_covered(reference.name, axis, reference.labels, spheres)
    for number, labels in enumerate(maps, start=1):
        name = f"map {number} of {len(maps)} compared with {reference.name}"
        _check_covered(name, axis, labels, spheres)
    ours = np.stack([_on_meshes(axis, labels, spheres) for labels in maps])
    other = _on_meshes(axis, reference.labels, spheres)
    n_networks = int(max(ours.max(), other.max()))

    def mean_index(turned: IntArray) -> float:
        indices = adjusted_rands(contingencies(ours, turned, n_networks))
        return float(np.nan_to_num(indices).mean())

    found = mean_index(other)
    null = [mean_index(turned) for turned in _turned(other, spheres, n_spins, seed, progress)]
    return SpinAgreement(
        n_spins, seed, found, np.array(null), float(_p_value(np.array(null), found))
    )


def _turned(
    labels: IntArray,
    spheres: Spheres,
    n_spins: int,
    seed: int,
    progress: Callable[[int, int], None] | None,
) -> Iterator[IntArray]:
    """A map on the whole meshes after each rotation."""
    for done, rotation in enumerate(_rotations(spheres, n_spins, seed), start=1):
        yield labels[rotation]
        if progress is not None:
            progress(done, n_spins)


def _dice_of_matches(dice: FloatArray) -> FloatArray:
    """Dice of each network of the first map with its best partner, 0 without one; (network,)."""
    found = np.zeros(len(dice))
    for i, j in match_by_scores(dice):
        found[i] = dice[i, j]
    return found


def _p_value(null: FloatArray, found: float | FloatArray) -> FloatArray:
    return np.asarray((1 + (null >= found).sum(axis=0)) / (1 + len(null)))


def _rotations(spheres: Spheres, n_spins: int, seed: int) -> Iterator[IntArray]:
    """For each rotation, which vertex comes to lie where each vertex is; all hemispheres joined."""
    spins = _brainspace()
    from sklearn.utils import check_random_state

    points = list(spheres.values())
    state = check_random_state(seed)  # goes on from one portion to the next
    for start in range(0, n_spins, _AT_ONCE):
        portion = spins(n_rep=min(_AT_ONCE, n_spins - start), random_state=state)
        portion.fit(*points)
        if len(points) == 1:
            yield from portion.spin_lh_
        else:
            yield from np.hstack([portion.spin_lh_, portion.spin_rh_ + len(points[0])])


def _brainspace() -> Any:
    """BrainSpace's generator of rotations; it brings VTK along, and takes seconds to import."""
    try:
        from brainspace.null_models import SpinPermutations
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError)  # else VTK lacks a library of the system
        why = "is not installed" if missing else f"cannot be imported ({error})"
        raise OptionError(
            f"--spins needs the library BrainSpace, which {why}.",
            "pip install 'neuroparcel[spin]'",
        ) from error
    return SpinPermutations


def _check_covered(name: str, axis: BrainAxis, labels: IntArray, spheres: Spheres) -> None:
    for structure, points in spheres.items():
        covered = _labelled(axis, labels, structure) / len(points)
        if covered < LEAST_COVERED:
            side = structure.replace("_", " ").lower()
            raise SpaceError(
                f"A spin test needs whole hemispheres: {name} covers "
                f"{100 * covered:.0f} % of the sphere of {side}.",
                "Leave --spins away for regions.",
            )


def _labelled(axis: BrainAxis, labels: IntArray, structure: str) -> int:
    """Vertices of a hemisphere that have a label."""
    return int((labels[axis.rows_in(structure)] > 0).sum())


def _on_meshes(axis: BrainAxis, labels: IntArray, spheres: Spheres) -> IntArray:
    """Labels on the whole meshes of the hemispheres, joined; 0 where there are none."""
    return np.concatenate([axis.expand(labels, name, fill=0) for name in spheres])
