"""The folder of one stability analysis: when it may be written to, and what its record says."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuroparcel.atomic import ASIDE
from neuroparcel.brain.stability import StabilityReport
from neuroparcel.errors import OutputError
from neuroparcel.io.files import read_json, write_json
from neuroparcel.io.writers.stability import STABILITY_FILE, write_record
from neuroparcel.pipeline.output_place import check_writable, listed_files, remove_files
from neuroparcel.pipeline.results import FIGURES
from neuroparcel.pipeline.run_folder import RUN_FILE
from neuroparcel.pipeline.stability_blocks import BlockFolder
from neuroparcel.pipeline.stability_options import StabilityOptions
from neuroparcel.versions import versions

COMMAND = "stability"

_BLOCKS = ".blocks"
_AGAIN = "Run again with --overwrite."
_OURS = (  # what a killed run may have written without listing it
    "*_stat-stability_*",
    "*_stat-variance_*",
    "*_stat-icc_*",
    "*seg-neuroparcel_*desc-*",
    "desc-*_similarity.*",
    "stability.safetensors",
    f"**/{ASIDE}*",
)


@dataclass(frozen=True)
class StabilityFolder:
    """A folder that this analysis may write to.

    Attributes
    ----------
    path : Path
    resume : bool
        Whether blocks that are there are of this analysis, if their study is the same.
    """

    path: Path
    resume: bool

    @property
    def record_file(self) -> Path:
        """What tells of the analysis."""
        return self.path / STABILITY_FILE

    def blocks(self, study: str) -> BlockFolder:
        """Where unfinished work is kept."""
        return BlockFolder(self.path / _BLOCKS, study)

    def begin(self, record: Mapping[str, Any]) -> BlockFolder:
        """Note that an analysis has begun, or go on with one; gives the folder of its blocks.

        Tasks of a job array may begin at the same time: each writes the same record, whole.

        Raises
        ------
        OutputError
            If what is there is of another analysis.
        """
        study = str(record["study"])
        if self.record_file.is_file():
            if not self.resume:
                self._clear()
            elif self._read().get("study") != study:
                raise OutputError(
                    f"{self.path} was begun with other results, recordings or participants.",
                    "Give a new --output, or --overwrite.",
                )
        if not self.record_file.is_file():
            write_json(self.record_file, {"status": "running", **_head(), **record})
        return self.blocks(study)

    def finish(self, report: StabilityReport, record: Mapping[str, Any], files: list[Path]) -> Path:
        """Note that the analysis is complete; unfinished work is taken away."""
        path = write_record(self.path, report, {**_head(), **record}, files)
        self.blocks(str(record["study"])).remove()
        return path

    def check_options(self, options: StabilityOptions) -> None:
        """Refuse to go on with an analysis that was begun with other options."""
        earlier = self._read().get("options")
        earlier = earlier if isinstance(earlier, dict) else {}
        changed = [
            name for name, value in options.of_blocks().items() if earlier.get(name) != value
        ]
        if changed:
            words = ", ".join(f"--{_OPTION.get(name, name)}" for name in changed)
            raise OutputError(
                f"{self.path} was begun with other options ({words}).",
                "Resume with the same options, or --overwrite.",
            )

    @property
    def is_complete(self) -> bool:
        """Whether a finished analysis lies here."""
        return self._read().get("status") == "complete"

    def _read(self) -> dict[str, Any]:
        return read_json(self.record_file, _AGAIN, OutputError)

    def _clear(self) -> None:
        """Remove what an earlier analysis wrote here, finished or killed, and nothing else."""
        ours = [file for pattern in _OURS for file in self.path.glob(pattern)]
        names = [str(file.relative_to(self.path)) for file in ours]
        names += listed_files(self.record_file)
        self.record_file.unlink()
        remove_files(self.path, names)
        with suppress(OSError):  # it is not there, or holds what is not ours
            (self.path / FIGURES).rmdir()
        self.blocks("").remove()


_OPTION = {"sizes": "size"}  # what is called otherwise on the command line


def open_folder(options: StabilityOptions) -> StabilityFolder:
    """Check that an analysis may write to its folder; nothing is written yet.

    Raises
    ------
    OutputError
        If the path is a file, or holds another analysis, a run, or files of something else, or
        cannot be written to.
    """
    path = options.folder
    folder = StabilityFolder(path, resume=options.resume or options.is_task)
    if path.exists() and not path.is_dir():
        raise OutputError(f"{path} is a file, not a folder.", "Give another --output.")
    if (path / RUN_FILE).exists():
        raise OutputError(
            f"{path} holds a run of neuroparcel, which a stability analysis would mix with.",
            "Give a folder of its own as --output.",
        )
    present = [] if not path.exists() else [p.name for p in path.iterdir()]
    if STABILITY_FILE in present:
        if not options.overwrite:
            _check_unfinished(folder, options)
    elif not options.overwrite and any(not name.startswith(ASIDE) for name in present):
        raise OutputError(
            f"{path} is not empty and holds no stability analysis of neuroparcel.",
            "Give a new folder, or --overwrite to write beside what is there.",
        )
    check_writable(path)
    return folder


def _check_unfinished(folder: StabilityFolder, options: StabilityOptions) -> None:
    if folder.is_complete:
        nothing = "; there is nothing to resume" if folder.resume else ""
        raise OutputError(
            f"{folder.path} holds a finished stability analysis{nothing}.",
            "Give a new --output, or --overwrite.",
        )
    if not folder.resume:
        raise OutputError(
            f"{folder.path} holds an unfinished stability analysis.",
            "Go on with --resume, or --overwrite it.",
        )
    folder.check_options(options)


def _head() -> dict[str, Any]:
    return {"command": COMMAND, "versions": versions()}
