"""The folder of one run: what it holds, and when it may be written to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from neuroparcel.atomic import ASIDE
from neuroparcel.brain.atlas import Region
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import OutputError
from neuroparcel.io.files import parsing, read_json, write_json
from neuroparcel.pipeline.options import FitOptions, InferOptions
from neuroparcel.pipeline.output_place import check_writable, listed_files, remove_files
from neuroparcel.versions import versions

RUN_FILE = "run.json"
REPORT_FILE = "report.html"
_AGAIN = "Run again with --overwrite."
_OBJECTS = {
    "options",
    "versions",
    "inputs",
    "verdict",
    "heldout_nats_per_vertex",
    "agreement",
    "prior_only",
    "region",
    "recipe",
}
_OBJECTS_IF_ANY = {"labels", "reduction", "identity", "refinement"}  # these may be null
_OURS = (
    "**/*seg-neuroparcel_*",
    "parcellation.safetensors",
    "desc-population_similarity.tsv",
    "figures/*.png",
    "figures/*.svg",
    "figures/*.pdf",
    REPORT_FILE,
    "model/*.safetensors",
    f"**/{ASIDE}*",
)


@dataclass(frozen=True)
class RunFolder:
    """A results folder that this run may write to.

    Attributes
    ----------
    path : Path
    command : str
        ``fit`` or ``infer``.
    options : mapping
        Resolved options, as plain JSON values.
    resume : bool
    """

    path: Path
    command: str
    options: Mapping[str, Any]
    resume: bool

    @property
    def checkpoint(self) -> Path:
        """Where an unfinished training is kept."""
        return self.path / ".training.safetensors"

    def begin(self, inputs: Mapping[str, Any]) -> None:
        """Note that a run has begun; its files are complete once :meth:`finish` was called."""
        if (self.path / RUN_FILE).is_file():
            self._clear()
        self._write("running", {"inputs": inputs})

    def finish(self, files: Iterable[Path], content: Mapping[str, Any]) -> Path:
        """Note that the run is complete, with what it found and wrote."""
        self._forget_training()
        names = sorted(str(file.relative_to(self.path)) for file in files)
        self._write("complete", {**content, "files": names})
        return self.path / RUN_FILE

    def _forget_training(self) -> None:
        """Remove what is kept of unfinished trainings, of which a run may have two."""
        for file in self.path.glob(f"{self.checkpoint.stem}*{self.checkpoint.suffix}"):
            file.unlink()

    def _write(self, status: str, content: Mapping[str, Any]) -> None:
        head = {
            "status": status,
            "command": self.command,
            "options": dict(self.options),
            "versions": versions(),
        }
        write_json(self.path / RUN_FILE, {**head, **content})

    def _clear(self) -> None:
        """Remove what an earlier run wrote here, finished or killed, and nothing else."""
        ours = [file for pattern in _OURS for file in self.path.glob(pattern)]
        names = [str(file.relative_to(self.path)) for file in ours]
        remove_files(self.path, [*names, *listed_files(self.path / RUN_FILE)])
        if not self.resume:
            self._forget_training()
        for folder in sorted(self.path.glob("sub-*/**/"), reverse=True):
            is_own = folder.resolve() == self.path.resolve() / folder.relative_to(self.path)
            if is_own and not any(folder.iterdir()):
                folder.rmdir()


def open_run(options: FitOptions | InferOptions, command: str) -> RunFolder:
    """Check that a run may write to a folder; nothing is written yet.

    Raises
    ------
    OutputError
        If the path is a file, or holds another run, or files of something else, or cannot be
        written to.
    """
    path, overwrite = options.output, options.overwrite
    folder = RunFolder(path, command, options.fingerprint(), options.resume)
    if path.exists() and not path.is_dir():
        raise OutputError(f"{path} is a file, not a folder.", "Give another --output.")
    present = sorted(p.name for p in path.iterdir()) if path.exists() else []
    if RUN_FILE not in present:
        if present and not overwrite:
            raise OutputError(
                f"{path} is not empty and holds no run of neuroparcel.",
                "Give a new folder, or --overwrite to write beside what is there.",
            )
        check_writable(path)
        return replace(folder, resume=False)
    if not overwrite:
        folder = _resumed(folder)
    check_writable(path)
    return folder


def read_run(path: Path) -> dict[str, Any]:
    """The record of a run.

    Raises
    ------
    OutputError
        If the folder holds none, or a damaged one.
    """
    file = path / RUN_FILE
    if not file.exists():
        tip = "Give the --output folder of neuroparcel fit or infer."
        raise OutputError(f"{path} holds no run of neuroparcel (no {RUN_FILE}).", tip)
    run = read_json(file, _AGAIN, OutputError)
    wrong = [name for name, entry in run.items() if not _is_sound(name, entry)]
    if wrong:
        raise OutputError(f"{file} is damaged ({', '.join(wrong)}).", _AGAIN)
    return run


def _is_sound(name: str, entry: object) -> bool:
    """Whether an entry of a record is of the type that those who read it rely on."""
    if name in _OBJECTS or (name in _OBJECTS_IF_ANY and entry is not None):
        return isinstance(entry, dict)
    return name not in ("files", "warnings") or isinstance(entry, list)


def read_finished_run(path: Path) -> dict[str, Any]:
    """The record of a run that was completed; OutputError otherwise."""
    run = read_run(path)
    if run.get("status") != "complete":
        raise OutputError(
            f"{path} holds an unfinished run.", "Go on with neuroparcel fit ... --resume."
        )
    return run


def run_region(path: Path, run: Mapping[str, Any], axis: BrainAxis) -> Region:
    """The region that a run's record tells of, on the axis of its parcellations.

    Raises
    ------
    OutputError
        If the record says nothing of it, or what does not fit the axis.
    """
    with parsing(path / RUN_FILE, _AGAIN, OutputError):
        region = run["region"]
        labels = np.asarray(region["label_of_vertex"], dtype=np.str_)
        return Region(str(region["name"]), axis, tuple(region["labels"]), labels)


def _resumed(folder: RunFolder) -> RunFolder:
    run = read_run(folder.path)
    if run.get("status") == "complete":
        nothing = "; there is nothing to resume" if folder.resume else ""
        raise OutputError(
            f"{folder.path} holds a finished run{nothing}.", "Give a new --output, or --overwrite."
        )
    if not folder.resume:
        raise OutputError(
            f"{folder.path} holds an unfinished run.", "Go on with --resume, or --overwrite it."
        )
    same = run.get("command") == folder.command
    earlier = run.get("options", {})
    changed = [k for k, v in folder.options.items() if earlier.get(k) != v]
    if not same or changed:
        raise OutputError(
            f"{folder.path} was begun with other options ({', '.join(changed) or 'command'}).",
            "Resume with the same options, or --overwrite.",
        )
    return folder
