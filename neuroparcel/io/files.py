"""Text, JSON and named arrays, each written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neuroparcel.atomic import atomic_path
from neuroparcel.errors import FileFormatError

__all__ = ["atomic_path", "read_arrays", "write_arrays", "write_json", "write_text"]


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write a text file in UTF-8, whole or not at all."""
    with atomic_path(Path(path)) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Path(path)


def write_json(path: str | os.PathLike[str], content: Any) -> Path:
    """Write JSON, indented, whole or not at all; paths become strings, numpy scalars numbers."""
    return write_text(path, json.dumps(content, indent=2, default=_plain) + "\n")


def write_arrays(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray]) -> Path:
    """Write named arrays as safetensors, whole or not at all.

    Parameters
    ----------
    path : path-like
        Ends in ``.safetensors``.
    arrays : mapping of str to array
        Numeric or bool arrays.
    """
    from safetensors.numpy import save_file

    with atomic_path(Path(path)) as temporary:
        save_file({name: np.ascontiguousarray(a) for name, a in arrays.items()}, temporary)
    return Path(path)


def read_arrays(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read the arrays that :func:`write_arrays` wrote.

    Raises
    ------
    FileFormatError
        If the file is missing or no safetensors file.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except FileNotFoundError as error:
        raise FileFormatError(f"{path} does not exist.") from error
    except SafetensorError as error:
        raise FileFormatError(f"{path} is not a safetensors file ({error}).") from error


def _plain(value: object) -> object:
    """What JSON has no form for: numpy scalars and arrays, and paths."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON.")
