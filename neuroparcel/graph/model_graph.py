"""The descriptors of a pyramidal model (ADAVI, appendix A), as data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from textwrap import wrap

from torch.distributions import constraints

from neuroparcel.distributions.links import Link, find_bijection

_LINE = 98  # characters of a line of the table
_MIN_PARENTS = 20


@dataclass(frozen=True)
class Plate:
    """A repeated structure: independent draws from one conditional distribution.

    Attributes
    ----------
    name : str
        Name of the ``pyro.plate``.
    dim : int
        Its dimension, negative; -1 is the innermost plate, P0.
    size : int
        Cardinality at the analysis (``Card``); other sizes are data.
    argument : str or None
        The integer argument of the model that sets the size, found by probing;
        None if the size is fixed.
    """

    name: str
    dim: int
    size: int
    argument: str | None = None


@dataclass(frozen=True)
class Site:
    """One random variable of the template.

    Attributes
    ----------
    name : str
    hierarchy : int
        0 for the observed site, ``h`` for a site in all plates of rank ``h`` and
        above, the number of plates for a site outside every plate (``Hier``).
    event_shape : tuple of int
        Shape of one ground variable (``Shape``).
    support : constraints.Constraint
        Where it lives; gives the ``Link``.
    parents : tuple of str
        Sites that its distribution depends on directly.
    """

    name: str
    hierarchy: int
    event_shape: tuple[int, ...]
    support: constraints.Constraint
    parents: tuple[str, ...] = ()

    @property
    def event_size(self) -> int:
        """Number of entries of one event."""
        return math.prod(self.event_shape)

    @property
    def link_name(self) -> str:
        """Name of the link; "none" for the observed site of, say, counts."""
        bijection = find_bijection(self.support)
        return "none" if bijection is None else bijection.name

    def link(self) -> Link:
        """Bijection of unbounded coordinates onto this site's events."""
        return Link(self.support, self.event_shape, self.name)


@dataclass(frozen=True)
class ModelGraph:
    """Sites and plates of a pyramidal model; latents in the order of generation.

    Attributes
    ----------
    latents : tuple of Site
    observed : Site
    plates : tuple of Plate
        From the innermost, P0, outwards.
    """

    latents: tuple[Site, ...]
    observed: Site
    plates: tuple[Plate, ...]

    @property
    def n_plates(self) -> int:
        """Depth of the pyramid."""
        return len(self.plates)

    @property
    def sizes(self) -> dict[str, int]:
        """Cardinality of each plate at the analysis."""
        return {plate.name: plate.size for plate in self.plates}

    def site(self, name: str) -> Site:
        """The latent or observed site of this name; KeyError if there is none."""
        return {site.name: site for site in (*self.latents, self.observed)}[name]

    def plate_shape(self, site: Site, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """Batch shape of a site, outermost plate first, for given plate sizes."""
        return tuple(sizes[plate.name] for plate in reversed(self.plates[site.hierarchy :]))

    def n_ground(self, site: Site) -> int:
        """Number of ground variables of a site at the analysis: the product of ``Card``."""
        return math.prod(self.plate_shape(site, self.sizes))

    def __str__(self) -> str:
        """The descriptors of ADAVI, eq. A.1, as two tables: plates, and sites."""
        plates = [("", "plate", "Card", "set by")]
        plates += [
            (f"P{rank}", plate.name, str(plate.size), plate.argument or "(fixed)")
            for rank, plate in reversed(list(enumerate(self.plates)))
        ]
        return "\n".join([*_table(plates, right={2}), "", *self._site_table()])

    def _site_table(self) -> list[str]:
        """Parents stand last, where a long list of them goes on in the next lines."""
        rows = [("site", "Hier", "Shape", "ground", "Link")]
        parents = ["parents"]
        for site in (*self.latents, self.observed):
            name = f"{site.name} (observed)" if site is self.observed else site.name
            n_ground = str(self.n_ground(site))
            rows.append(
                (name, str(site.hierarchy), str(site.event_shape), n_ground, site.link_name)
            )
            parents.append(", ".join(site.parents) or "-")
        table = _table(rows, right={1, 3})
        width = max(len(line) for line in table)
        lines = []
        for line, names in zip(table, parents, strict=True):
            room = max(_LINE - width - 2, _MIN_PARENTS)
            first, *more = wrap(names, room, break_long_words=False, break_on_hyphens=False)
            lines.append(f"{line:<{width}}  {first}")
            lines += [" " * (width + 2) + part for part in more]
        return lines


def _table(rows: Sequence[Sequence[str]], right: Set[int]) -> list[str]:
    """Lines of a table with aligned columns; those in ``right`` to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines
