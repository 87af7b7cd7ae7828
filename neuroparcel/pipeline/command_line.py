"""The command line that makes a run again, from what the run has recorded."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from neuroparcel.pipeline.options import FitOptions, InferOptions

_OPTIONS: dict[str, type[FitOptions] | type[InferOptions]] = {
    "fit": FitOptions,
    "infer": InferOptions,
}
_STORE = "connectome"  # recorded among the inputs, where it is the only one


def command_line(record: Mapping[str, Any], output: Path) -> str:
    """The command line of a run, with the options that differ from their defaults.

    Parameters
    ----------
    record : mapping
        The run's ``run.json``.
    output : Path
        Its folder; the command writes into a new one beside it.

    Returns
    -------
    str
        Quoted for a shell. Options that change no result (``--jobs``, ``--figures``, ...) are
        not in it.
    """
    words = ["neuroparcel", str(record["command"])]
    for name, value in {**record["options"], **_store(record)}.items():
        if value != _default(record["command"], name):
            words += _words(name, value)
    return shlex.join([*words, "--output", f"{output}-again"])


def _default(command: str, name: str) -> Any:
    """What an option is if it is not given; nothing equals the default of an unknown one."""
    for field in fields(_OPTIONS[command]):
        if field.name == name and field.default is not MISSING:
            return field.default
    return MISSING


def _words(name: str, value: Any) -> list[str]:
    option = "--" + name.replace("_", "-")
    if value is True:
        return [option]
    if value is None or value is False:
        return []  # the default of an option that this version no longer has
    if isinstance(value, list):
        return [option, ",".join(map(str, value))]
    return [option, str(value)]


def _store(record: Mapping[str, Any]) -> dict[str, str]:
    """The connectome store, where it alone gave the cohort."""
    stores = [path for path, about in record["inputs"].items() if about.get(_STORE)]
    return {_STORE: stores[0]} if stores else {}
