"""Whether a model can be evaluated for many data sets and draws at once.

Training runs the Pyro function once for a whole batch: every tensor has
dimensions for the draws and the data sets to the left of its plates. A model
that counts dimensions from the left (``w[0]``), sums over all of them
(``w.sum()``) or asks for numbers (``float(z)``) is fine alone and wrong there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuroparcel.errors import NotPyramidalError
from neuroparcel.graph.exchangeability import check_exchangeable
from neuroparcel.graph.observation import Observation
from neuroparcel.graph.refusals import is_unexpandable, site_of, unexpandable
from neuroparcel.graph.trace import seeded

if TYPE_CHECKING:
    from neuroparcel.graph.template import ModelTemplate

_N_DRAWS, _N_SETS = 2, 3
_WATCHED = ((0, 0), (_N_DRAWS - 1, _N_SETS - 1))
_TIP = (
    "Write dimensions from the right (w[..., 0], w.sum(-1)), keep tensors as tensors, and let "
    "shapes broadcast to the left."
)
_TIPS = (
    (
        r"Boolean value of Tensor",
        "A Python 'if' on a sampled value takes one branch for all data sets: choose "
        "elementwise with torch.where(condition, a, b).",
    ),
    (r"[Ss]hape|\bsizes?\b|dimension|broadcast|[Ss]calar|\bindex", _TIP),
)


def check_batches(template: ModelTemplate) -> None:
    """Evaluate a few draws and data sets at once and see that they leave one another alone.

    The density of one draw of one data set must stay the same when all the
    others are exchanged for new ones. Of a model that passes, the members of each
    plate are made to change places (:func:`check_exchangeable`).

    Parameters
    ----------
    template : ModelTemplate

    Raises
    ------
    NotPyramidalError
        If the model fails on a batch, or a site's density depends on its neighbours there,
        or on the order within a plate.
    """
    _check_neighbours(template)
    check_exchangeable(template)


def _check_neighbours(template: ModelTemplate) -> None:
    try:
        with seeded(0), torch.no_grad():
            latents, data = _simulated(template)
            others, other_data = _simulated(template)
            before = template.log_prob(latents, data)
            for place in _WATCHED:
                mixed = _exchanged(latents, others, place)
                after = template.log_prob(mixed, _data_at(data, other_data, place[1]))
                _compare(before, after, place)
    except NotPyramidalError:
        raise
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise _translated(error) from error


def _translated(error: Exception) -> NotPyramidalError:
    """The error with the site that was drawn, if one was, and a tip, if one is known."""
    if is_unexpandable(error):
        return unexpandable(error)
    reason = str(error).partition("\n")[0].rstrip(".")
    site = site_of(error)
    place = f" (site '{site}')" if site else ""
    tip = next((tip for pattern, tip in _TIPS if re.search(pattern, reason)), "")
    return NotPyramidalError(
        f"the model cannot be evaluated for several data sets at once{place}: {reason}.", tip
    )


def _simulated(template: ModelTemplate) -> tuple[dict[str, Tensor], Observation]:
    """Latents (draw, batch, *plates, *event) and data (batch, *plates, *event)."""
    sizes = tuple(plate.size for plate in reversed(template.graph.plates))
    runs = [template.simulate(sizes, _N_SETS) for _ in range(_N_DRAWS)]
    names = runs[0][0]
    return {name: torch.stack([latents[name] for latents, _ in runs]) for name in names}, runs[0][1]


def _exchanged(
    latents: Mapping[str, Tensor], others: Mapping[str, Tensor], place: tuple[int, int]
) -> dict[str, Tensor]:
    """The other latents everywhere but at one draw of one data set."""
    mixed = {name: value.clone() for name, value in others.items()}
    for name, value in mixed.items():
        value[place] = latents[name][place]
    return mixed


def _data_at(data: Observation, others: Observation, row: int) -> Observation:
    values = others.values.clone()
    values[row] = data.values[row]
    return Observation(values, others.mask)


def _compare(
    before: Mapping[str, Tensor], after: Mapping[str, Tensor], place: tuple[int, int]
) -> None:
    for name, value in before.items():
        expected = (_N_DRAWS, _N_SETS)
        if tuple(value.shape) != expected:
            raise NotPyramidalError(
                f"the density of site '{name}' has the shape {tuple(value.shape)} for a batch of "
                f"{expected}.",
                _TIP,
            )
        if not torch.allclose(
            value[place], after[name][place], rtol=1e-4, atol=1e-4, equal_nan=True
        ):
            raise NotPyramidalError(
                f"the density of site '{name}' in one data set depends on the other data sets "
                "that are evaluated with it.",
                _TIP,
            )
