"""What a training run trains on, in plain values, so that only the same run is resumed."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.distributions.transforms import Transform
from torch.distributions.utils import lazy_property

from neuroparcel.errors import CheckpointError
from neuroparcel.graph.description import describe as describe_graph
from neuroparcel.graph.description import differences
from neuroparcel.graph.observation import Observation
from neuroparcel.graph.template import ModelTemplate
from neuroparcel.inference.data import Batch, TrainingStream

_N_SHOWN = 3  # differences in a message


def fingerprint(
    template: ModelTemplate, stream: TrainingStream, validation: Batch | None
) -> dict[str, Any]:
    """Model, stream and validation data as JSON values; where they lie does not count.

    Observed data count by their digest. A stream that is no dataclass counts by its
    class alone.
    """
    return {
        "model": describe_graph(template.graph),
        "stream": describe(stream),
        "validation": describe(validation),
    }


def refuse_others(path: Path, saved: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Only a run with this schedule, seed and fingerprint may go on from a checkpoint.

    Parameters
    ----------
    path : Path
        For the message.
    saved, own : mapping
        ``schedule``, ``seed``, and under ``run`` the :func:`fingerprint`.

    Raises
    ------
    CheckpointError
        With the first differences.
    """
    if saved.get("schedule") != own["schedule"] or saved.get("seed") != own["seed"]:
        raise CheckpointError(
            f"{path} was written by a run with another schedule or seed.",
            "Resume with the options of that run, or start over without resume (--overwrite).",
        )
    if "run" not in saved:
        raise CheckpointError(
            f"{path} was written by an earlier version, or is no training checkpoint.",
            "Start over without resume (--overwrite).",
        )
    changed = _changes(saved["run"], own["run"])
    if changed:
        raise CheckpointError(
            f"{path} was written by a run with another model or other training data: "
            f"{'; '.join(changed[:_N_SHOWN])}.",
            "Resume with those of that run, or start over without resume (--overwrite).",
        )


def describe(value: Any) -> Any:
    """A value as JSON; arrays as a digest, other objects by their class.

    Examples
    --------
    >>> from neuroparcel.inference.data import PlateRanges
    >>> describe(PlateRanges(((1, 6), (20, 80)), 4000))["bounds"]
    [[1, 6], [20, 80]]
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Observation):
        return value.digest()
    if isinstance(value, ModelTemplate):
        return describe_graph(value.graph)
    if isinstance(value, Tensor | np.ndarray):
        return _digest(torch.as_tensor(value))
    if isinstance(value, Mapping):
        return {str(key): describe(value[key]) for key in sorted(value)}
    if isinstance(value, Sequence):
        return [describe(entry) for entry in value]
    return {"class": type(value).__qualname__, **describe(_members(value))}


def _members(value: Any) -> dict[str, Any]:
    """The parts of an object that say what it is."""
    if is_dataclass(value):
        return {f.name: getattr(value, f.name) for f in fields(value) if f.name != "device"}
    if isinstance(value, Distribution):
        return {name: v for name, v in vars(value).items() if not _is_cache(type(value), name)}
    if isinstance(value, Transform):
        return {name: v for name, v in vars(value).items() if not name.startswith("_")}
    return {}


def _is_cache(cls: type, name: str) -> bool:
    """Parameters that torch computes from others when they are first asked for."""
    return isinstance(inspect.getattr_static(cls, name, None), lazy_property)


def _digest(tensor: Tensor) -> str:
    values = tensor.detach().cpu().contiguous()
    sha = hashlib.sha256(f"{values.dtype} {tuple(values.shape)}".encode())
    sha.update(values.reshape(-1).view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()[:16]


def _flat(value: Any, name: str) -> dict[str, Any]:
    """Nested mappings as one, under dotted names."""
    if not isinstance(value, Mapping):
        return {name: value}
    parts = [_flat(entry, f"{name}.{key}") for key, entry in value.items()]
    return {key: entry for part in parts for key, entry in part.items()}


def _changes(saved: Mapping[str, Any], own: Mapping[str, Any]) -> list[str]:
    """In a few words each."""
    found = differences(saved["model"], own["model"])
    for part in ("stream", "validation"):
        before, after = (_flat(run[part], part) for run in (saved, own))
        names = [*before, *(name for name in after if name not in before)]
        found += [
            f"{name} changed from {before.get(name)} to {after.get(name)}"
            for name in names
            if before.get(name) != after.get(name)
        ]
    return found
