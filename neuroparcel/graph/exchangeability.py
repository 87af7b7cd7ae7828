r"""Whether the members of each plate can change places.

A plate stands for draws that nothing but their values tells apart: in the same order
or in another, they have the same density. An amortized posterior builds on that, for
its encoder forgets the order within a plate. Constants that run along a plate
(a covariate, the age of each subject) break it, and no later step would notice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuroparcel.errors import NotPyramidalError
from neuroparcel.graph.observation import Observation
from neuroparcel.graph.trace import seeded

if TYPE_CHECKING:
    from neuroparcel.graph.model_graph import ModelGraph, Plate
    from neuroparcel.graph.template import ModelTemplate

_SEED = 0
_N_SETS = 16  # simulated data sets, each with orders of its own
# Sums in another order differ by some 1e-7 of their terms, which cancel: a term is taken
# to be at most 100 times larger than 1 or its share of the sum. A covariate moves a density
# by about 1.
_TOLERANCE = 1e-5
# Relative; far above the 6e-8 of single precision: after 5e-7, sums of 30 squares were
# still rounded in the same way.
_NUDGE = 1e-4
_N_NUDGES = 16
# Rounding gives a mean change beyond 10 of its standard errors once in 2e7 times: Student's
# t with 15 degrees of freedom.
_N_ERRORS = 10


def check_exchangeable(template: ModelTemplate) -> None:
    """See that no density changes when members of a plate change places.

    In simulated data sets the members of each plate in turn are reordered, the data
    and every latent inside together, in another way in each member of the plates around.

    A density can be narrower than single precision is fine: a profile at 500 with the
    spread 0.003 has one that rounding moves by thousands. So each data set is evaluated
    at several latents close by. What runs along a plate changes the density by nearly
    the same at all of them, rounding by something else at each.

    Parameters
    ----------
    template : ModelTemplate
        Of a model that can be evaluated in batches.

    Raises
    ------
    NotPyramidalError
        If the summed density of a site changes; the message names site and plate.
    """
    graph = template.graph
    sizes = tuple(_size(plate) for plate in reversed(graph.plates))
    with seeded(_SEED), torch.no_grad():
        latents, data = template.simulate(sizes, _N_SETS)
        latents = _nudged(latents)
        before = template.log_prob(latents, data)
        tolerance = _tolerance(before, graph)
        for rank, plate in enumerate(graph.plates):
            after = template.log_prob(*_reordered(latents, data, graph, rank))
            changed = [
                name for name in before if _moved(before[name], after[name], tolerance[name])
            ]
            if changed:
                raise _not_exchangeable(changed[0], plate)


def _not_exchangeable(site: str, plate: Plate) -> NotPyramidalError:
    return NotPyramidalError(
        f"the members of plate '{plate.name}' are not exchangeable: the density of site "
        f"'{site}' changes when they change places, so something runs along the plate.",
        "Make the axis that it runs along (covariates, times, constants of each member) a part "
        "of the event with .to_event(1), or append the covariates to the observed event.",
    )


def _size(plate: Plate) -> int:
    """As at the analysis; two where one member could not change places and the size is free."""
    return max(plate.size, 2) if plate.argument is not None else plate.size


def _reordered(
    latents: Mapping[str, Tensor], data: Observation, graph: ModelGraph, rank: int
) -> tuple[dict[str, Tensor], Observation]:
    """Latents and data with the members of one plate in other orders, alike in all draws."""
    axis = graph.n_plates - rank  # after the batch the outermost plate comes first
    order = _orders(tuple(data.mask.shape[: axis + 1]))
    inside = {site.name for site in graph.latents if site.hierarchy <= rank}
    moved = {
        name: _taken(value, order.expand(len(value), *order.shape)) if name in inside else value
        for name, value in latents.items()
    }
    return moved, replace(data, values=_taken(data.values, order))


def _orders(shape: tuple[int, ...]) -> Tensor:
    """Orders of the last axis, at random; in every other data set a shift.

    A shift is never the order that was, which the random one of two members often is.
    """
    order = torch.rand(shape).argsort(-1)
    order[::2] = torch.arange(shape[-1]).roll(1)
    return order


def _taken(value: Tensor, order: Tensor) -> Tensor:
    axis = order.dim() - 1
    index = order.reshape(*order.shape, *(1,) * (value.dim() - order.dim()))
    return value.gather(axis, index.expand(value.shape))


def _nudged(latents: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Latents (draw, batch, *plates, *event): as they are, then close by."""
    nudged = {}
    for name, value in latents.items():
        noise = torch.randn(_N_NUDGES, *value.shape, dtype=value.dtype)
        noise[0] = 0.0
        nudged[name] = value * (1 + _NUDGE * noise)
    return nudged


def _tolerance(before: Mapping[str, Tensor], graph: ModelGraph) -> dict[str, Tensor]:
    """What another order of a sum may change, for each data set."""
    sites = {name: graph.site(name) for name in before}
    return {
        name: _TOLERANCE * (value[0].abs() + graph.n_ground(sites[name]) * sites[name].event_size)
        for name, value in before.items()
    }


def _moved(before: Tensor, after: Tensor, tolerance: Tensor) -> bool:
    """Whether densities (draw, batch) differ by more than their sums' and the draws' rounding."""
    same = (before == after) | (before.isnan() & after.isnan())
    change = torch.where(same, 0.0, after - before)
    error = change.std(0) / _N_NUDGES**0.5
    return bool((~(change.mean(0).abs() <= tolerance + _N_ERRORS * error)).any())
