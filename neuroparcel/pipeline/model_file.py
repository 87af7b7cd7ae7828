"""The file ``model.json`` of a saved model, and where a run has its model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neuroparcel.errors import FileFormatError, NeuroparcelError
from neuroparcel.io.files import parsing, read_json
from neuroparcel.io.fingerprints import take_stamp

CONFIG_FILE, ANATOMY_FILE = "model.json", "anatomy.safetensors"
MODEL_TIP = "Put it back, or run neuroparcel fit again with --overwrite."


def find_model(results: Path, options: Mapping[str, Any]) -> Path | None:
    """The folder of the model that a run has, or was inferred with; None if it is gone.

    Parameters
    ----------
    results : Path
        Of the run.
    options : mapping
        Of the run: ``infer`` names there the model that it used.
    """
    folders = [results / "model"]
    if options.get("model"):
        given = Path(str(options["model"]))
        folders += [given, given / "model"]
    return next((folder for folder in folders if (folder / CONFIG_FILE).is_file()), None)


def read_config(
    folder: Path, tip: str = MODEL_TIP, kind: type[NeuroparcelError] = FileFormatError
) -> dict[str, Any]:
    """What ``model.json`` of a model's folder holds, of whatever format.

    Raises
    ------
    FileFormatError
        Or another ``kind``, if the file is missing or damaged.
    """
    return read_json(folder / CONFIG_FILE, tip, kind)


def model_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of a model."""
    files = (folder / CONFIG_FILE, *sorted(folder.glob("*.safetensors")))
    return {file.name: take_stamp(file).content for file in files}


def family_name(folder: Path) -> str:
    """Name of the family that a model was trained with.

    Raises
    ------
    FileFormatError
        If the file is missing or damaged.
    """
    config = read_config(folder)
    with parsing(folder / CONFIG_FILE, MODEL_TIP):
        return str(config["family"]["name"])
