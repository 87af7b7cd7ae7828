"""A trained posterior as one file: tensors and JSON, bound to the model it was trained for."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neuroparcel.errors import CheckpointError, OptionError, OutputError
from neuroparcel.families.base import VariationalFamily
from neuroparcel.graph.description import describe, differences, source_hash
from neuroparcel.graph.template import ModelTemplate
from neuroparcel.graph.trace import seeded
from neuroparcel.inference.checkpoints import load_tensors, load_weights, save_tensors
from neuroparcel.inference.posterior import AmortizedPosterior
from neuroparcel.inference.stages import TrainingHistory
from neuroparcel.inference.variational import build_family
from neuroparcel.versions import versions

_KIND, _FORMAT = "neuroparcel posterior", 1


def save_posterior(
    path: Path, posterior: AmortizedPosterior, history: TrainingHistory | None = None
) -> None:
    """Write a trained posterior: weights, family, history, and what model they are for.

    The model's code is not in the file, only a description of its graph and a hash
    of its source: give the model again to load it.

    Parameters
    ----------
    path : Path
        A ``.safetensors`` file; it appears whole or not at all.
    posterior : AmortizedPosterior
    history : TrainingHistory, optional
        By default the posterior's own.
    """
    if Path(path).is_dir():
        raise OutputError(f"{path} is a folder.", "Name a file, such as posterior.safetensors.")
    history = history or posterior.history
    meta = {
        "kind": _KIND,
        "format": _FORMAT,
        "versions": versions(),
        "graph": describe(posterior.template.graph),
        "source_hash": source_hash(posterior.template.model),
        "family": {"name": posterior.family.name, "settings": posterior.family.settings()},
        "history": None if history is None else _history_json(history),
    }
    save_tensors(Path(path), posterior.family.state_dict(), meta)


def load_posterior(
    path: Path, template: ModelTemplate, device: torch.device | str = "cpu"
) -> AmortizedPosterior:
    """Read a posterior that :func:`save_posterior` wrote; nothing in the file is executed.

    Parameters
    ----------
    path : Path
    template : ModelTemplate
        Of the model that the posterior was trained for.
    device : torch.device or str, default="cpu"

    Returns
    -------
    AmortizedPosterior
        With its history.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, of another kind or format, or of a model with
        another graph; the message shows the differences.

    Warns
    -----
    UserWarning
        If the graph is the same, but the model's source is not, or cannot be told.
    """
    path = Path(path)
    tensors, meta = load_tensors(path)
    _check_kind(path, meta)
    _check_graph(path, meta["graph"], describe(template.graph))
    _warn_of_other_source(path, meta, source_hash(template.model))
    family = _build(path, meta["family"], template, tensors)
    return AmortizedPosterior(template, family.to(device).eval(), _history(meta["history"]))


def _check_kind(path: Path, meta: Mapping[str, Any]) -> None:
    if meta.get("kind") != _KIND:
        raise CheckpointError(
            f"{path} is a file of neuroparcel, but holds no posterior.",
            "Give a file that save_posterior wrote.",
        )
    if meta.get("format") != _FORMAT:
        raise CheckpointError(
            f"{path} has the format {meta.get('format')}; this version reads {_FORMAT}.",
            f"It was written by neuroparcel {meta['versions']['neuroparcel']}: use that version.",
        )


def _check_graph(path: Path, saved: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    found = differences(saved, own)
    if found:
        raise CheckpointError(
            f"{path} was trained for a model with another graph. From that model to this one:\n"
            + "".join(f"  {line}\n" for line in found),
            "Load it with the model that it was trained for, or train again.",
        )


def _warn_of_other_source(path: Path, meta: Mapping[str, Any], own: str | None) -> None:
    saved = meta["source_hash"]
    if saved is not None and saved == own:
        return
    if saved is None or own is None:
        unknown = "saved" if saved is None else "present"
        reason = f"the source of the {unknown} model is not known, so it may have changed"
    else:
        reason = f"the model's source has changed, from hash {saved[:12]} to {own[:12]}"
    warnings.warn(
        f"{path}: the graph fits, but {reason}: a constant or a distribution may be another "
        "than the posterior was trained for. Train again, or check its calibration.",
        stacklevel=3,
    )


def _build(
    path: Path, saved: Mapping[str, Any], template: ModelTemplate, weights: Mapping[str, Tensor]
) -> VariationalFamily:
    try:
        with seeded(0):  # initial weights, that the saved ones replace
            family = build_family(saved["name"], template, saved["settings"])
    except (OptionError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path} holds a family '{saved['name']}' that this version cannot build ({error}).",
            "Use the version of neuroparcel that wrote it, or train again.",
        ) from error
    floats = [tensor.dtype for tensor in weights.values() if tensor.is_floating_point()]
    family = family.to(floats[0]) if floats else family
    load_weights(family, weights, path)
    return family


def _history_json(history: TrainingHistory) -> dict[str, Any]:
    return {
        name: column.tolist() if isinstance(column, np.ndarray) else list(column)
        for name, column in vars(history).items()
    }


def _history(saved: Mapping[str, Any] | None) -> TrainingHistory | None:
    if saved is None:
        return None
    return TrainingHistory(
        step=np.asarray(saved["step"], dtype=int),
        stage=tuple(saved["stage"]),
        objective=tuple(saved["objective"]),
        loss=np.asarray(saved["loss"], dtype=float),
        validation_step=np.asarray(saved["validation_step"], dtype=int),
        validation_loss=np.asarray(saved["validation_loss"], dtype=float),
    )
