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
_N_SETS = 8  # simulated data sets, each with orders of its own
# Sums in another order differ by some 1e-7 of their terms, which cancel: a term is taken
# to be at most 100 times larger than 1 or its share of the sum. A covariate moves a density
# by about 1.
_TOLERANCE = 1e-5
_NUDGE = 5e-7  # relative; four roundings in single precision
_N_NUDGES = 10


def check_exchangeable(template: ModelTemplate) -> None:
    """See that no density changes when members of a plate change places.

    In simulated data sets the members of each plate in turn are reordered, the data
    and every latent inside together, in another way in each member of the plates around.

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
        before = template.log_prob(latents, data)
        slack = _slack(before, template.log_prob(_nudged(latents), data), graph)
        for rank, plate in enumerate(graph.plates):
            after = template.log_prob(*_reordered(latents, data, graph, rank))
            changed = [name for name in before if _moved(before[name], after[name], slack[name])]
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
    """Latents and data with the members of one plate in other orders."""
    axis = graph.n_plates - rank  # after the batch the outermost plate comes first
    order = _orders(tuple(data.mask.shape[: axis + 1]))
    inside = {site.name for site in graph.latents if site.hierarchy <= rank}
    moved = {
        name: _taken(value, order) if name in inside else value for name, value in latents.items()
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
    return {name: value * (1 + _NUDGE * torch.randn_like(value)) for name, value in latents.items()}


def _slack(
    before: Mapping[str, Tensor], nudged: Mapping[str, Tensor], graph: ModelGraph
) -> dict[str, Tensor]:
    """What rounding may change: in the sum, and in a density as narrow as the latents are coarse.

    A nudge that leaves the support says nothing of rounding.
    """
    slack = {}
    for name, value in before.items():
        site = graph.site(name)
        n_terms = graph.n_ground(site) * site.event_size
        rounding = (nudged[name] - value).abs().nan_to_num(0.0, 0.0, 0.0)
        slack[name] = _TOLERANCE * (value.abs() + n_terms) + _N_NUDGES * rounding
    return slack


def _moved(before: Tensor, after: Tensor, slack: Tensor) -> bool:
    same = (before == after) | (before.isnan() & after.isnan())
    return bool((~same & ~((before - after).abs() <= slack)).any())
