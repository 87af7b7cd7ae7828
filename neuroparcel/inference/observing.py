"""From what a user has at hand to an observation that fits the model."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from neuroparcel.errors import DataError
from neuroparcel.graph.observation import Observation
from neuroparcel.graph.template import ModelTemplate

Data = Tensor | np.ndarray | Observation


def observe(template: ModelTemplate, data: Data, like: Tensor) -> Observation:
    """Data sets that fit the model, in the dtype and on the device of ``like``.

    Parameters
    ----------
    template : ModelTemplate
    data : Tensor or ndarray, shape (*plates, *event), or Observation
        Outermost plate first. NaN marks what is missing.

    Raises
    ------
    DataError
        If depth, event, a fixed plate size or a value does not fit; or there is no data.
    """
    site = template.graph.observed
    expected = (template.graph.n_plates, site.event_shape)
    if not isinstance(data, Observation):
        values = _tensor(data, site.name).to(like)
        n_plates = values.dim() - len(site.event_shape)
        if n_plates < 1:
            raise _shape_error(site.name, expected, tuple(values.shape))
        data = Observation.single(values, len(site.event_shape))
    came = (len(data.plate_sizes), tuple(data.values.shape[data.mask.dim() :]))
    if came != expected:
        raise _shape_error(site.name, expected, tuple(data.values.shape[1:]))
    if 0 in data.plate_sizes or data.batch_size == 0:
        raise DataError(
            f"the data of '{site.name}' are empty: plates of sizes {data.plate_sizes}.",
            "Give at least one member of each plate.",
        )
    template.arguments(data.plate_sizes)
    values = data.values.to(like)
    if not bool(torch.isfinite(values).all()):
        raise DataError(
            f"the data of '{site.name}' hold values that are infinite, or not numbers where the "
            "mask says data.",
            "Mark what is missing: NaN in a plain tensor, the mask of an Observation.",
        )
    return Observation(values, data.mask.to(like.device))


def _tensor(data: Data, name: str) -> Tensor:
    try:
        return torch.as_tensor(data)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            f"the data of '{name}' are a {type(data).__name__}, not an array of numbers.",
            "Give a tensor or an array of shape (*plates, *event).",
        ) from error


def _shape_error(
    name: str, expected: tuple[int, tuple[int, ...]], came: tuple[int, ...]
) -> DataError:
    n_plates, event = expected
    return DataError(
        f"'{name}' stands in {n_plates} plate(s) with events of shape {event}; the data have the "
        f"shape {came}.",
        "Give data of shape (*plates, *event), outermost plate first.",
    )
