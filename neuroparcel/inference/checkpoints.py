"""Tensors and JSON in one safetensors file: nothing executes on load."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from neuroparcel.atomic import atomic_path
from neuroparcel.errors import CheckpointError


def save_tensors(path: Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Write tensors with a JSON header, aside and then renamed."""
    stored = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    with atomic_path(path) as aside:
        save_file(stored, str(aside), metadata={"json": json.dumps(dict(meta))})


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what :func:`save_tensors` wrote.

    Raises
    ------
    CheckpointError
        If the file is missing, truncated or of another kind.
    """
    if not path.is_file():
        raise CheckpointError(f"no saved model at {path}.", "Give the folder that a fit wrote.")
    try:
        with safe_open(str(path), framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            meta = json.loads((file.metadata() or {})["json"])
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise CheckpointError(
            f"{path} is damaged or was not written by neuroparcel ({error}).",
            "Run the fit again, or copy the file again.",
        ) from error
    return tensors, meta


def load_weights(module: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Put saved tensors into a module.

    Raises
    ------
    CheckpointError
        If names or shapes differ; the message shows the first differences.
    """
    own = module.state_dict()
    differing = [
        name for name in own if name not in tensors or own[name].shape != tensors[name].shape
    ]
    extra = [name for name in tensors if name not in own]
    if differing or extra:
        raise CheckpointError(
            f"{path} holds another model: {', '.join((differing + extra)[:5])} differ.",
            "Load it with the model, regions and sizes that it was trained with.",
        )
    module.load_state_dict(dict(tensors))


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Adam's moments as named tensors, by the order of its parameters."""
    state = optimiser.state_dict()["state"]
    return {
        f"{i}.{key}": torch.as_tensor(v) for i, entry in state.items() for key, v in entry.items()
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Undo :func:`optimiser_tensors`."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = tensor
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})
