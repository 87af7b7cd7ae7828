"""The descriptors of a pyramidal model (ADAVI, appendix A), as data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from torch.distributions import constraints

from neuroparcel.distributions.links import Link


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

    def __str__(self) -> str:
        names = " > ".join(f"{p.name}[{p.size}]" for p in reversed(self.plates))
        rows = [("site", "hierarchy", "event", "support", "parents")]
        rows += [
            (s.name, str(s.hierarchy), str(s.event_shape), _support_name(s), ", ".join(s.parents))
            for s in (*self.latents, self.observed)
        ]
        widths = [max(len(row[i]) for row in rows) for i in range(5)]
        table = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)) for r in rows]
        return "\n".join([f"plates: {names}", *(line.rstrip() for line in table)])


def _support_name(site: Site) -> str:
    support = site.support
    while isinstance(support, constraints.independent):
        support = support.base_constraint
    return str(support).replace("()", "")
