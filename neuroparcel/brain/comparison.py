"""Two maps of networks side by side: which network is which, and how far they agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from neuroparcel.brain.atlas import Atlas
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.colours import Colour, colours_apart
from neuroparcel.brain.contingency import adjusted_rand_of, contingency, dice_of, information
from neuroparcel.brain.matching import best_pairs
from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.errors import AtlasError, SpaceError
from neuroparcel.types import BoolArray, FloatArray, IntArray

Pairs: TypeAlias = tuple[tuple[int, int], ...]
"""Networks of two maps that belong together, one to one: their positions from 0."""

_UNKNOWN = "unknown"  # space of a file that does not tell it


@dataclass(frozen=True, eq=False)
class NetworkMap:
    """The networks of a stretch of brain, from a fit or an atlas.

    Parameters
    ----------
    name : str
        What messages call it: a folder, a file, or an atlas.
    axis : BrainAxis
        Its rows.
    networks : tuple of str
        One name a network.
    colours : tuple of Colour
        One a network.
    labels : (vertex,) array of int
        From 1; 0 without data.
    probabilities : (vertex, network) array of float32, optional
        Of a soft map; a hard one is certain of its labels.

    Raises
    ------
    AtlasError
        If two networks have the same name.
    """

    name: str
    axis: BrainAxis
    networks: tuple[str, ...]
    colours: tuple[Colour, ...]
    labels: IntArray
    probabilities: FloatArray | None = None

    def __post_init__(self) -> None:
        name, n_times = Counter(self.networks).most_common(1)[0] if self.networks else ("", 0)
        if n_times > 1:
            raise AtlasError(
                f"{self.name} has {n_times} labels called {name!r}, "
                "so that they cannot be told apart.",
                "Give each label a name of its own.",
            )

    @classmethod
    def of_parcellation(cls, name: str, soft: SoftParcellation) -> NetworkMap:
        """The map of a parcellation where it was found from data."""
        labels = np.where(soft.has_data, soft.labels, 0)
        return cls(name, soft.axis, soft.networks, soft.colours, labels, soft.probabilities)

    @classmethod
    def of_atlas(cls, atlas: Atlas) -> NetworkMap:
        """The map of an atlas; its networks are numbered by their place in the label table."""
        number_of = {label.key: number for number, label in enumerate(atlas.labels, start=1)}
        keys, place = np.unique(atlas.keys, return_inverse=True)
        labels = np.array([number_of.get(int(key), 0) for key in keys])[place]
        names = tuple(label.name for label in atlas.labels)
        colours = tuple(label.rgba for label in atlas.labels)
        return cls(atlas.name, atlas.axis, names, colours, labels)

    @property
    def n_networks(self) -> int:
        """Number of networks."""
        return len(self.networks)

    def share(self, network: int) -> FloatArray:
        """Probability of one network by its position, shape (vertex,)."""
        if self.probabilities is None:
            return np.asarray(self.labels == network + 1, dtype=np.float32)
        return self.probabilities[:, network]

    def restrict(self, rows: IntArray | BoolArray) -> NetworkMap:
        """The map on some of its rows."""
        soft = self.probabilities
        return replace(
            self,
            axis=self.axis.restrict(rows),
            labels=self.labels[rows],
            probabilities=None if soft is None else soft[rows],
        )


@dataclass(frozen=True)
class Agreement:
    """How far two maps agree.

    Attributes
    ----------
    n_vertices : int
        With a label in both.
    adjusted_rand, normalised_mutual_information : float, optional
        1 for maps that divide the vertices alike. None where neither map divides them.
        Mutual information is divided by the arithmetic mean of the two entropies.
    variation_of_information : float, optional
        In nats; 0 for maps that divide the vertices alike. None without vertices.
    mean_dice : float, optional
        Over the matched networks that have a vertex in either map.
    overlap : float, optional
        Mean over the vertices of the sum over matched networks of the smaller of the two
        probabilities, see :func:`difference`; of hard maps the share of vertices whose labels
        are matched.
    """

    n_vertices: int
    adjusted_rand: float | None
    normalised_mutual_information: float | None
    variation_of_information: float | None
    mean_dice: float | None
    overlap: float | None


@dataclass(frozen=True)
class NetworkAgreement:
    """Two matched networks, or one that has no match.

    Attributes
    ----------
    first, second : str, optional
        Names; None if the other network has no match.
    n_first, n_second, n_shared : int
        Vertices of each, and of both, where both maps have a label.
    dice : float, optional
        None without a match, or without a vertex in either map.
    """

    first: str | None
    second: str | None
    n_first: int
    n_second: int
    n_shared: int
    dice: float | None


def align(first: NetworkMap, second: NetworkMap) -> tuple[NetworkMap, NetworkMap]:
    """Two maps on the places where both have a label, in the order of the first.

    Raises
    ------
    SpaceError
        If they lie on different meshes, volumes or nodes, or have no such place.
    """
    structures = [name for name in first.axis.structures if name in second.axis.structures]
    _check_meshes(first, second, structures)
    ours = first.restrict((first.labels > 0) & np.isin(first.axis.structure, structures))
    theirs = second.restrict((second.labels > 0) & np.isin(second.axis.structure, structures))
    rows = _common_rows(ours, theirs)
    if not (rows >= 0).any():
        raise SpaceError(
            f"{first.name} and {second.name} have labels at no common "
            f"{'place' if structures else 'structure'}.",
            f"The first has {_places(first)}, the second {_places(second)}.",
        )
    return ours.restrict(rows >= 0), theirs.restrict(rows[rows >= 0])


def match_by_scores(scores: FloatArray) -> Pairs:
    """Pair networks one to one so that the sum of the scores is largest; each above 0.

    Parameters
    ----------
    scores : (first network, second network) array of float
        Such as Dice coefficients, or correlations of profiles.
    """
    rows, columns = best_pairs(scores)
    chosen = scores[rows, columns] > 0
    return tuple(zip(rows[chosen].tolist(), columns[chosen].tolist(), strict=True))


def match_by_overlap(first: NetworkMap, second: NetworkMap) -> Pairs:
    """Pair the networks of two aligned maps so that the sum of their Dice coefficients is largest.

    Networks that share no vertex stay alone.
    """
    return match_by_scores(dice_of(_counts(first, second)))


def match_by_names(first: Sequence[str], second: Sequence[str]) -> Pairs:
    """Pair networks of the same name."""
    return tuple((i, second.index(name)) for i, name in enumerate(first) if name in second)


def measure(first: NetworkMap, second: NetworkMap, pairs: Pairs) -> Agreement:
    """How far two maps on the same rows agree, where both have a label.

    Parameters
    ----------
    first, second : NetworkMap
        Aligned, or subjects of aligned maps on the same rows.
    pairs : Pairs
        Networks that are matched.
    """
    counts = _counts(first, second)
    both = (first.labels > 0) & (second.labels > 0)
    told = information(counts)
    dice = [row.dice for row in network_agreement(first, second, pairs) if row.dice is not None]
    return Agreement(
        int(counts.sum()),
        adjusted_rand_of(counts),
        None if told is None else told.normalised,
        None if told is None else told.variation,
        float(np.mean(dice)) if dice else None,
        1 - float(difference(first, second, pairs)[both].mean()) if both.any() else None,
    )


def network_agreement(
    first: NetworkMap, second: NetworkMap, pairs: Pairs
) -> tuple[NetworkAgreement, ...]:
    """Each network of two aligned maps: the matched ones in the order of the first, then others."""
    counts = _counts(first, second)
    n_first, n_second, dice = counts.sum(axis=1), counts.sum(axis=0), dice_of(counts)
    rows = [
        NetworkAgreement(
            first.networks[i],
            second.networks[j],
            int(n_first[i]),
            int(n_second[j]),
            int(counts[i, j]),
            float(dice[i, j]) if n_first[i] + n_second[j] else None,
        )
        for i, j in pairs
    ]
    alone_first, alone_second = unmatched(first, second, pairs)
    rows += [
        NetworkAgreement(first.networks[i], None, int(n_first[i]), 0, 0, None) for i in alone_first
    ]
    rows += [
        NetworkAgreement(None, second.networks[j], 0, int(n_second[j]), 0, None)
        for j in alone_second
    ]
    return tuple(rows)


def unmatched(first: NetworkMap, second: NetworkMap, pairs: Pairs) -> tuple[list[int], list[int]]:
    """Positions of the networks of each map that have no match."""
    ours, theirs = {i for i, _ in pairs}, {j for _, j in pairs}
    return (
        [i for i in range(first.n_networks) if i not in ours],
        [j for j in range(second.n_networks) if j not in theirs],
    )


def difference(first: NetworkMap, second: NetworkMap, pairs: Pairs) -> FloatArray:
    """Total variation distance of the probabilities of two aligned maps at each vertex.

    Half the sum of |p_k - q_k| over all networks k, where the two of a pair count as one and q
    is 0 for a network that the second map lacks. It is 1 less the overlap, sum_k min(p_k, q_k): 0
    where the maps are equal, 1 where no matched network has a probability in both.

    Returns
    -------
    (vertex,) array of float32
        In [0, 1].
    """
    apart = np.zeros(len(first.axis), dtype=np.float64)
    for i, j in pairs:
        apart += np.abs(first.share(i) - second.share(j))
    alone_first, alone_second = unmatched(first, second, pairs)
    for i in alone_first:
        apart += first.share(i)
    for j in alone_second:
        apart += second.share(j)
    return np.clip(apart / 2, 0, 1).astype(np.float32)


def matched_colours(first: NetworkMap, second: NetworkMap, pairs: Pairs) -> tuple[Colour, ...]:
    """Colours for the second map: those of its matches, and for the others unlike all in use.

    The largest network without a match chooses first.
    """
    colour_of = {j: first.colours[i] for i, j in pairs}
    sizes = np.bincount(second.labels, minlength=second.n_networks + 1)[1:]
    alone = sorted(unmatched(first, second, pairs)[1], key=lambda j: -sizes[j])
    colour_of |= dict(zip(alone, colours_apart(first.colours, len(alone)), strict=True))
    return tuple(colour_of[j] for j in range(second.n_networks))


def labels_differ(first: NetworkMap, second: NetworkMap, pairs: Pairs) -> BoolArray:
    """Where the labels of two aligned maps are not matched; shape (vertex,), bool."""
    partner = np.zeros(first.n_networks + 1, dtype=np.int64)
    for i, j in pairs:
        partner[i + 1] = j + 1
    return np.asarray(partner[first.labels] != second.labels)


def _counts(first: NetworkMap, second: NetworkMap) -> IntArray:
    return contingency(first.labels, second.labels, first.n_networks, second.n_networks)


def _common_rows(first: NetworkMap, second: NetworkMap) -> IntArray:
    """Rows of the second map at the places of the first, -1 where it lacks them."""
    rows = np.full(len(first.axis), -1)
    common = np.isin(first.axis.structure, second.axis.structures)
    try:
        rows[common] = second.axis.find(first.axis.restrict(common))
    except SpaceError as error:
        tip = error.tip or "Resample one to the grid of the other."
        raise SpaceError(f"{first.name} and {second.name}: {error.message}", tip) from error
    return rows


def _check_meshes(first: NetworkMap, second: NetworkMap, structures: Sequence[str]) -> None:
    """Refuse two meshes of different size, or of the same size in different spaces."""
    spaces = {first.axis.space, second.axis.space} - {_UNKNOWN}
    for name in structures:
        one, other = first.axis.mesh_size.get(name), second.axis.mesh_size.get(name)
        if one is None or other is None or first.axis.is_nodes or second.axis.is_nodes:
            continue
        if one != other or len(spaces) > 1:
            raise SpaceError(
                f"{first.name} lies on a mesh of {one:,} vertices ({first.axis.space}), and "
                f"{second.name} on one of {other:,} ({second.axis.space}).",
                "Resample one to the mesh of the other, such as with wb_command -label-resample.",
            )


def _places(shown: NetworkMap) -> str:
    """Where a map has labels, in a few words."""
    axis = shown.axis.restrict(shown.labels > 0)
    if axis.is_nodes:
        return f"{len(axis)} nodes"
    where = ", ".join(name.replace("_", " ").lower() for name in axis.structures)
    return f"{len(axis):,} {axis.rows_are} of {where}" if len(axis) else "none"
