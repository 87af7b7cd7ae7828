"""What makes a model pyramidal (ADAVI, section 2.1), and what to do when it is not."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from neuroparcel.errors import NotPyramidalError
from neuroparcel.graph.model_graph import ModelGraph, Plate, Site
from neuroparcel.graph.trace import Model, TracedSite, model_parameters

_TIP_LATENT = (
    "If the others are latents that may be given a value, name the data: "
    "analyse(model, observed='...')."
)


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
        If plates collide or leave gaps between their dimensions, a latent shares
        the observed site's innermost plate, is discrete, has a support that moves,
        depends on the observed site or is observed itself, or there is no latent.
    """
    base = next(site for site in sites if site.name == observed)
    latents = [site for site in sites if site.name != observed]
    if not latents:
        raise NotPyramidalError(
            f"the model has no latent site beside '{observed}'.",
            "There is nothing to infer: give the unknowns priors with pyro.sample.",
        )
    _check_one_observed([observed, *(site.name for site in latents if _is_data(site, base))])
    _check_plates(base)
    for site in latents:
        _check_latent(site, base, parents)
        _check_stack(site, base, latents)
    rank = {name: i for i, (name, _, _) in enumerate(base.plates)}
    return ModelGraph(
        latents=tuple(_site(site, rank, parents) for site in latents),
        observed=_site(base, rank, parents),
        plates=tuple(Plate(n, d, s, arguments.get(n)) for n, d, s in base.plates),
    )


def find_observed(sites: Sequence[TracedSite], model: Model) -> str:
    """Name of the observed site: it has data, or takes it from an argument that defaults to None.

    Where no argument is seen to reach a site, a site that is named like one will do.
    """
    with_data = [site for site in sites if site.observed or site.fed]
    candidates = [site.name for site in with_data]
    levels = {len(site.plates) for site in with_data}
    _check_one_observed(candidates, _TIP_LATENT if len(levels) > 1 else "")
    optional = {p.name for p in model_parameters(model) if p.default is None}
    named = candidates or [site.name for site in sites if site.name in optional]
    if len(named) == 1:
        return named[0]
    names = ", ".join(named or (site.name for site in sites))
    raise NotPyramidalError(
        f"cannot tell which of the sites {names} is observed.",
        "Name it: analyse(model, observed='...'), or call the observed site like the "
        "argument that takes its data.",
    )


def _is_data(site: TracedSite, base: TracedSite) -> bool:
    """A latent may take a value from an argument too, but none stands beside the data."""
    return site.observed or (site.fed and site.plates == base.plates)


def _check_one_observed(names: Sequence[str], tip: str = "") -> None:
    if len(names) > 1:
        raise NotPyramidalError(
            f"the model observes {len(names)} sites: {', '.join(names)}.",
            "A pyramid has one observed site: join them into one event, or model one at a time. "
            + tip,
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


def _check_stack(site: TracedSite, base: TracedSite, latents: Sequence[TracedSite]) -> None:
    """The plates of a latent are the outer part of the observed site's, and not all of it."""
    outer = base.plates[len(base.plates) - len(site.plates) :]
    if site.plates != outer:
        raise NotPyramidalError(
            f"plates collide at site '{site.name}': it stands in ({_names(site)}), which is no "
            f"outer part of the stack of '{base.name}' ({_names(base)}).",
            _way_out(site, base, latents),
        )
    if len(site.plates) == len(base.plates):
        raise NotPyramidalError(
            f"the latent site '{site.name}' stands in the innermost plate "
            f"'{base.plates[0][0]}' of the observed site '{base.name}'.",
            "Marginalise it, or add a plate of repeated observations below it.",
        )


def _way_out(site: TracedSite, base: TracedSite, latents: Sequence[TracedSite]) -> str:
    """What to do about a stack of plates that is no outer part of the observed site's."""
    foreign = [name for name in _plate_set(site) if name not in _plate_set(base)]
    if foreign:
        return (
            f"'{base.name}' is not in the plate '{foreign[0]}': make it a dimension of the event "
            "instead, with .expand([...]).to_event(1)."
        )
    stacks = sorted((_plate_set(s) for s in (*latents, base)), key=len)
    if all(small <= large for small, large in pairwise(stacks)):
        return (
            "The plates are nested, but their dimensions are not: give the innermost plate "
            "dim=-1, the next dim=-2, and the outermost the most negative one."
        )
    return "In a pyramid, a site inside a plate is inside every larger plate too."


def _plate_set(site: TracedSite) -> frozenset[str]:
    return frozenset(name for name, _, _ in site.plates)


def _names(site: TracedSite) -> str:
    return ", ".join(name for name, _, _ in reversed(site.plates))


def _check_latent(site: TracedSite, base: TracedSite, parents: dict[str, tuple[str, ...]]) -> None:
    if site.discrete:
        raise NotPyramidalError(
            f"the latent site '{site.name}' is discrete ({site.distribution}).",
            "Marginalise it, for example into a mixture distribution of the observed site.",
        )
    if base.name in parents.get(site.name, ()):
        raise NotPyramidalError(
            f"the latent site '{site.name}' depends on the observed site '{base.name}'.",
            "In a pyramid the data come last: no site is drawn from them.",
        )
    if site.moving:
        raise NotPyramidalError(
            f"the support of site '{site.name}' ({site.distribution}) differs {site.moving}.",
            "A site needs one support: draw it from (0, 1) or the positive numbers, and "
            "shift and scale the draw.",
        )


def _site(site: TracedSite, rank: dict[str, int], parents: dict[str, tuple[str, ...]]) -> Site:
    hierarchy = min((rank[name] for name, _, _ in site.plates), default=len(rank))
    return Site(site.name, hierarchy, site.event_shape, site.support, parents.get(site.name, ()))
