"""What networks are called and how they are coloured, after a reference that outlives a fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuroparcel.brain.atlas import BACKGROUND_KEY, Atlas
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.colours import Colour, colours_apart, network_colours
from neuroparcel.brain.contingency import contingency, dice_of
from neuroparcel.brain.matching import best_pairs, profile_correlations
from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.errors import ConnectomeError, SpaceError
from neuroparcel.types import FloatArray, IntArray

OVERLAP, PROFILES = "overlap", "profiles"

SMALLEST = {OVERLAP: 0.2, PROFILES: 0.5}
"""The Dice coefficient and the correlation from which a network takes a name; our choice."""

_UNMATCHED = "Unmatched"
_MOST_NAMED = 5  # networks without a partner, in one line


@dataclass(frozen=True, eq=False)
class Reference:
    """Networks that have names and colours already: an atlas's, or an earlier fit's.

    Parameters
    ----------
    name : str
        What it is called, such as ``"yeo17"``, or its folder.
    axis : BrainAxis
    labels : (row,) array of int
        Network of each row, from 1; 0 for none.
    networks : tuple of str
    colours : tuple of Colour
    targets : tuple of str
        What `profiles` are over; none of an atlas.
    profiles : (network, target) array of float, optional

    Raises
    ------
    ConnectomeError
        If two networks have the same name.
    """

    name: str
    axis: BrainAxis
    labels: IntArray
    networks: tuple[str, ...]
    colours: tuple[Colour, ...]
    targets: tuple[str, ...] = ()
    profiles: FloatArray | None = None

    def __post_init__(self) -> None:
        name, n_times = Counter(self.networks).most_common(1)[0] if self.networks else ("", 0)
        if n_times > 1:
            raise ConnectomeError(
                f"The reference {self.name} has {n_times} networks that are called {name!r}.",
                "Give each of its labels a name of its own.",
            )

    @classmethod
    def of_atlas(cls, atlas: Atlas) -> Reference:
        """The labels of an atlas that have a row, in the order of its table."""
        labels = [label for label in atlas.labels if label.key in atlas.keys]
        number_of = {BACKGROUND_KEY: 0}
        number_of |= {label.key: number for number, label in enumerate(labels, start=1)}
        found, inverse = np.unique(atlas.keys, return_inverse=True)
        numbers = np.array([number_of[int(key)] for key in found])[inverse]
        names = tuple(label.name for label in labels)
        return cls(atlas.name, atlas.axis, numbers, names, tuple(label.rgba for label in labels))


@dataclass(frozen=True)
class Identity:
    """Names and colours of a fit's networks, in their order, and where they come from.

    Parameters
    ----------
    networks : tuple of str
    colours : tuple of Colour
    reference : str, optional
        Name of what they were matched with.
    match : {"overlap", "profiles"}, optional
        How.
    scores : tuple of float or None
        Dice coefficient, or correlation, of each network with its namesake; None if it has none.
    nearest : tuple of (str, float)
        What each network is most alike in the reference, whether free or taken, and how much.
    """

    networks: tuple[str, ...]
    colours: tuple[Colour, ...]
    reference: str | None = None
    match: str | None = None
    scores: tuple[float | None, ...] = ()
    nearest: tuple[tuple[str, float], ...] = ()

    @classmethod
    def numbered(cls, n_networks: int) -> Identity:
        """Names and colours by number, without a reference."""
        names = tuple(f"Network{number + 1}" for number in range(n_networks))
        return cls(names, network_colours(n_networks))

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Identity:
        """Read what :meth:`to_json` made."""
        colours: list[Colour] = [(r, g, b, a) for r, g, b, a in content["colours"]]
        return cls(
            tuple(content["networks"]),
            tuple(colours),
            content["reference"],
            content["match"],
            tuple(content["scores"]),
            tuple((name, score) for name, score in content["nearest"]),
        )

    def to_json(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return {
            "networks": list(self.networks),
            "colours": [list(colour) for colour in self.colours],
            "reference": self.reference,
            "match": self.match,
            "scores": list(self.scores),
            "nearest": [list(pair) for pair in self.nearest],
        }

    def describe(self) -> str | None:
        """One line on the match; None without a reference."""
        if self.reference is None or self.match is None:
            return None
        found = [score for score in self.scores if score is not None]
        what = {OVERLAP: "Dice coefficients", PROFILES: "correlations"}[self.match]
        text = f"{len(found)} of {len(self.networks)} networks are named after {self.reference}"
        if found:
            text += f" ({what} {min(found):.2f} to {max(found):.2f})"
        alone = [
            f"{network} (most like {name}, {score:.2f})"
            for network, own, (name, score) in zip(
                self.networks, self.scores, self.nearest, strict=True
            )
            if own is None
        ]
        if alone:
            text += f"; no partner of {SMALLEST[self.match]:.1f} or more is left for "
            text += ", ".join(alone[:_MOST_NAMED]) + (", ..." if len(alone) > _MOST_NAMED else "")
        return text


def identify(
    population: SoftParcellation,
    reference: Reference,
    match: str = OVERLAP,
    profiles: FloatArray | None = None,
) -> Identity:
    """Name networks after those of a reference that they are most alike, one to one.

    Networks without a partner that is alike enough (:data:`SMALLEST`) are called
    ``Unmatched1`` and so on, and have colours that the reference does not use.

    Parameters
    ----------
    population : SoftParcellation
        The networks' map; vertices with data count, where the reference has a label.
    reference : Reference
    match : {"overlap", "profiles"}
        Alike by the Dice coefficient of the maps, or by the correlation of the profiles.
    profiles : (network, target) array of float, optional
        Over the targets of the reference, to match by profiles.

    Raises
    ------
    SpaceError
        If the reference has no row in common with the map.
    """
    if match == PROFILES:
        assert profiles is not None
        assert reference.profiles is not None  # both checked when the options were read
        scores = profile_correlations(profiles, reference.profiles)
    else:
        ours = np.where(population.has_data, population.labels, 0)
        theirs = labels_on(reference, population.axis)
        counts = contingency(ours, theirs, population.n_networks, len(reference.networks))
        scores = dice_of(counts)
    rows, columns = best_pairs(scores, SMALLEST[match])
    partner = dict(zip(rows.tolist(), columns.tolist(), strict=True))
    return _named(reference, match, partner, scores)


def labels_on(reference: Reference, axis: BrainAxis) -> IntArray:
    """Labels of a reference on the rows of another axis, 0 where it has none; (row,).

    Raises
    ------
    SpaceError
        If the two lie on other meshes, grids or nodes, or have no row in common.
    """
    shared = [name for name in axis.structures if name in reference.axis.structures]
    rows = np.full(len(axis), -1)
    for name in shared:
        place = axis.rows_in(name)
        try:
            rows[place] = reference.axis.find(axis.restrict(place))
        except SpaceError as error:
            raise SpaceError(
                f"The reference {reference.name} lies elsewhere than the region: {error.message}",
                "Give a reference on the same mesh, grid or nodes.",
            ) from error
    labels = np.where(rows >= 0, reference.labels[rows], 0)
    if not labels.any():
        raise SpaceError(
            f"The reference {reference.name} has no labels in the region.",
            "Give a reference that covers it.",
        )
    return labels


def _named(
    reference: Reference, match: str, partner: Mapping[int, int], scores: FloatArray
) -> Identity:
    n_networks = len(scores)
    spare = iter(_spare_names(reference.networks, n_networks))
    other = iter(colours_apart(reference.colours, n_networks - len(partner)))
    names, colours = [], []
    for row in range(n_networks):
        if row in partner:
            names.append(reference.networks[partner[row]])
            colours.append(reference.colours[partner[row]])
        else:
            names.append(next(spare))
            colours.append(next(other))
    of_pair = [
        float(scores[row, partner[row]]) if row in partner else None for row in range(len(scores))
    ]
    nearest = [(reference.networks[row.argmax()], float(row.max())) for row in scores]
    return Identity(
        tuple(names), tuple(colours), reference.name, match, tuple(of_pair), tuple(nearest)
    )


def _spare_names(taken: Sequence[str], n: int) -> list[str]:
    numbers = (f"{_UNMATCHED}{number}" for number in range(1, n + len(taken) + 1))
    return [name for name in numbers if name not in taken][:n]
