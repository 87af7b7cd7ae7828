"""What makes a model pyramidal (ADAVI, section 2.1), and what to do when it is not."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from neuroparcel.errors import NotPyramidalError
from neuroparcel.graph.model_graph import ModelGraph, Plate, Site
from neuroparcel.graph.trace import TracedSite


def build_pyramid(
    sites: Sequence[TracedSite],
    observed: str,
    parents: dict[str, tuple[str, ...]],
    arguments: dict[str, str],
) -> ModelGraph:
    """Check the pyramid and name its hierarchies.

    Raises
    ------
    NotPyramidalError
        If plates collide, a latent shares the observed site's innermost plate,
        a latent is discrete, or the plates' dimensions leave gaps.
    """
    base = next(site for site in sites if site.name == observed)
    latents = [site for site in sites if site.name != observed]
    _check_plates(base)
    rank = {name: i for i, (name, _, _) in enumerate(base.plates)}
    for site in latents:
        _check_latent(site, base)
    return ModelGraph(
        latents=tuple(_site(site, rank, parents) for site in latents),
        observed=_site(base, rank, parents),
        plates=tuple(Plate(n, d, s, arguments.get(n)) for n, d, s in base.plates),
    )


def find_observed(sites: Sequence[TracedSite], model: Callable[..., Any]) -> str:
    """Name of the observed site: given data, or named like an argument that defaults to None."""
    given = [site.name for site in sites if site.observed]
    if len(given) > 1:
        raise NotPyramidalError(
            f"the model observes {len(given)} sites: {', '.join(given)}.",
            "A pyramid has one observed site: join them into one event, or model one at a time.",
        )
    optional = {p.name for p in inspect.signature(model).parameters.values() if p.default is None}
    named = [site.name for site in sites if site.name in optional]
    if len(given or named) == 1:
        return (given or named)[0]
    raise NotPyramidalError(
        f"cannot tell which of the sites {', '.join(s.name for s in sites)} is observed.",
        "Name it: analyse(model, observed='...'), or call the observed site like the "
        "argument that takes its data.",
    )


def _check_plates(base: TracedSite) -> None:
    if not base.plates:
        raise NotPyramidalError(
            f"the observed site '{base.name}' stands in no plate.",
            "Put its independent observations into a pyro.plate.",
        )
    dims = [dim for _, dim, _ in base.plates]
    if dims != list(range(-1, -len(dims) - 1, -1)):
        names = ", ".join(f"{name} (dim {dim})" for name, dim, _ in base.plates)
        raise NotPyramidalError(
            f"the plates of '{base.name}' leave gaps between dimensions: {names}.",
            "Give the innermost plate dim=-1, the next dim=-2, and so on.",
        )


def _check_latent(site: TracedSite, base: TracedSite) -> None:
    if site.discrete:
        raise NotPyramidalError(
            f"the latent site '{site.name}' is discrete ({site.distribution}).",
            "Marginalise it, for example into a mixture distribution of the observed site.",
        )
    outer = base.plates[len(base.plates) - len(site.plates) :]
    if site.plates != outer:
        own = ", ".join(name for name, _, _ in site.plates)
        all_plates = ", ".join(name for name, _, _ in reversed(base.plates))
        raise NotPyramidalError(
            f"plates collide at site '{site.name}': it stands in ({own}), which is no outer "
            f"part of the stack of '{base.name}' ({all_plates}).",
            "In a pyramid, a site inside a plate is inside every larger plate too.",
        )
    if len(site.plates) == len(base.plates):
        raise NotPyramidalError(
            f"the latent site '{site.name}' stands in the innermost plate "
            f"'{base.plates[0][0]}' of the observed site '{base.name}'.",
            "Marginalise it, or add a plate of repeated observations below it.",
        )


def _site(site: TracedSite, rank: dict[str, int], parents: dict[str, tuple[str, ...]]) -> Site:
    hierarchy = min((rank[name] for name, _, _ in site.plates), default=len(rank))
    return Site(site.name, hierarchy, site.event_shape, site.support, parents.get(site.name, ()))
