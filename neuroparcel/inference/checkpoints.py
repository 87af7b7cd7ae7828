"""Tensors and JSON in one safetensors file: nothing executes on load."""

from __future__ import annotations

import hashlib
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
    """Write tensors with a JSON header and a digest over both, aside and then renamed."""
    stored = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    header = json.dumps(dict(meta))
    metadata = {"json": header, "sha256": digest(stored, header)}
    with atomic_path(path) as aside:
        save_file(stored, str(aside), metadata=metadata)


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what :func:`save_tensors` wrote.

    Raises
    ------
    CheckpointError
        If the file is missing, truncated, changed or of another kind.
    """
    if not path.is_file():
        raise CheckpointError(f"no saved model at {path}.", "Give the folder that a fit wrote.")
    try:
        with safe_open(str(path), framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise _damaged(path, str(error)) from error
    if not {"json", "sha256"} <= set(metadata):
        raise _damaged(path, "it has no digest")
    if metadata["sha256"] != digest(tensors, metadata["json"]):
        raise _damaged(path, "its content does not match its digest")
    return tensors, json.loads(metadata["json"])


def digest(tensors: Mapping[str, Tensor], header: str) -> str:
    """SHA-256 of a JSON header and of the names, types, shapes and bytes of tensors.

    It finds damage, not deceit: whoever changes a file on purpose can write a
    new digest. Nothing in the file is ever executed either way.
    """
    found = hashlib.sha256(json.dumps(header).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        found.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def _damaged(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        f"{path} is damaged or changed since it was written, or neuroparcel never wrote it "
        f"({reason}).",
        "Copy the file again, or run the fit again.",
    )


def load_weights(module: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Put saved tensors into a module.

    Raises
    ------
    CheckpointError
        If names, shapes or types differ; the message shows the first differences.
    """
    own = module.state_dict()
    differing = [
        name for name in own if name not in tensors or _kind(own[name]) != _kind(tensors[name])
    ]
    extra = [name for name in tensors if name not in own]
    if differing or extra:
        raise CheckpointError(
            f"{path} holds another model: {', '.join((differing + extra)[:5])} differ.",
            "Load it with the model, regions and sizes that it was trained with.",
        )
    module.load_state_dict(dict(tensors))


def _kind(tensor: Tensor) -> tuple[torch.Size, torch.dtype]:
    return tensor.shape, tensor.dtype


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
