"""Text, JSON and named arrays, each written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from neuroparcel.atomic import atomic_path
from neuroparcel.errors import FileFormatError, NeuroparcelError

__all__ = [
    "atomic_path",
    "parsing",
    "read_arrays",
    "read_json",
    "write_arrays",
    "write_json",
    "write_text",
]


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write a text file in UTF-8, whole or not at all."""
    with atomic_path(Path(path)) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Path(path)


def write_json(path: str | os.PathLike[str], content: Any) -> Path:
    """Write JSON, indented, whole or not at all; paths become strings, numpy scalars numbers."""
    return write_text(path, json.dumps(content, indent=2, default=_plain) + "\n")


@contextmanager
def parsing(
    path: str | os.PathLike[str], tip: str, kind: type[NeuroparcelError] = FileFormatError
) -> Iterator[None]:
    """Say of a file whose content is used in this block that it is damaged, if it is.

    For files that neuroparcel wrote: whatever is missing or of another type in them is damage.
    Keep the block to what reads the content.

    Parameters
    ----------
    path : path-like
        The file, for the message.
    tip : str
        How to mend it.
    kind : type
        The error that is raised; those of this kind pass as they are.
    """
    try:
        yield
    except FileFormatError as error:  # such as of the arrays beside it: it names its file
        raise kind(error.message, error.tip or tip) from error
    except kind:
        raise
    except NeuroparcelError as error:
        raise kind(f"{path} is damaged: {error.message}", tip) from error
    except OSError as error:
        raise kind(f"{path} cannot be read ({error.strerror or error}).", tip) from error
    except KeyError as error:
        raise kind(f"{path} is damaged (no {error}).", tip) from error
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise kind(f"{path} is damaged ({reason}).", tip) from error


def read_json(
    path: str | os.PathLike[str], tip: str = "", kind: type[NeuroparcelError] = FileFormatError
) -> dict[str, Any]:
    """Read a JSON object that :func:`write_json` wrote.

    Parameters
    ----------
    path : path-like
    tip : str
        How to mend a file that cannot be read.
    kind : type
        The error that is raised then.

    Raises
    ------
    FileFormatError
        If the file is missing, no JSON, or holds something else than an object.
    """
    with parsing(path, tip, kind):
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise kind(f"{path} is damaged (it is no JSON object).", tip)
    return content


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
