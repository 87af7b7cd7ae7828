"""Which content a file has, found out once and trusted while its size and time stay."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuroparcel.errors import FileFormatError
from neuroparcel.io.formats import split_variable
from neuroparcel.io.formats.gifti_arrays import external_files
from neuroparcel.io.layout import Recording

NUMBERS_VERSION = 1
"""Of the code that makes a session's numbers; part of every block's key.

Raise it whenever the same files and the same recipe give other numbers than before: after a
change of the readers, the cleaning, the averaging over targets or the correlation, or of a
library's default that they rely on. Stores then make their sessions anew.
"""

_DIGEST = "sha256"  # 1.3 GB/s where the processor has instructions for it; blake2b 0.7


@dataclass(frozen=True)
class Stamp:
    """Size and time of change of a file, and the digest of its content at that time."""

    size: int
    mtime_ns: int
    content: str

    def fits(self, path: Path) -> bool:
        """Whether a file is there with this size and time of change; reads nothing."""
        try:
            return self._looks_like(path.stat())
        except OSError:
            return False

    def _looks_like(self, found: os.stat_result) -> bool:
        return (found.st_size, found.st_mtime_ns) == (self.size, self.mtime_ns)


def take_stamp(path: Path, known: Stamp | None = None) -> Stamp:
    """Stamp a file; its content is read unless size and time are those of a known stamp.

    Reading takes about 0.8 s a GB of SHA-256 on a processor with instructions for it, 2 s
    without, and one pass over the disk. The memory needed does not depend on the size.

    Parameters
    ----------
    path : pathlib.Path
    known : Stamp, optional
        What it was when last seen.

    Raises
    ------
    FileFormatError
        If the file is missing or unreadable.
    """
    found = _stat(path)
    if known is not None and known._looks_like(found):
        return known
    try:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, _DIGEST).hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error
    return Stamp(found.st_size, found.st_mtime_ns, content)


def input_files(recordings: Sequence[Recording]) -> tuple[Path, ...]:
    """Every file that recordings are made of: data, masks, censoring and confounds."""
    return tuple(path for recording in recordings for _, path in _parts(recording))


def data_files(recordings: Sequence[Recording]) -> tuple[str, ...]:
    """The data of recordings as absolute paths, with the variable where one is chosen."""
    return tuple(str(path.absolute()) for recording in recordings for path in recording.paths)


def cell_key(
    recordings: Sequence[Recording], stamps: Mapping[str, Stamp], settings: Sequence[Any]
) -> str:
    """Digest of a session's content and of how it is treated, 32 hexadecimal digits.

    Parameters
    ----------
    recordings : sequence of Recording
        The runs of one session of one subject.
    stamps : mapping of str to Stamp
        Those of all :func:`input_files`.
    settings : sequence
        Whatever else the result depends on, as JSON values.

    Notes
    -----
    Where a file lies does not matter. Whose it is does, since the record and the warnings that
    are kept with the result name subject and session.
    """
    runs = [
        [recording.run, [[role, stamps[str(path)].content] for role, path in _parts(recording)]]
        for recording in recordings
    ]
    whose = [recordings[0].subject, recordings[0].session]
    content = [NUMBERS_VERSION, *whose, runs, list(settings)]
    return hashlib.blake2b(json.dumps(content).encode(), digest_size=16).hexdigest()


def _parts(recording: Recording) -> list[tuple[str, Path]]:
    """The files of a recording with their roles; data and confounds may have others beside."""
    parts = [_file_and_variable(path) for path in recording.paths]
    for _, path in tuple(parts):
        if path.name.lower().endswith(".gii"):
            parts += [("external", external) for external in external_files(path)]
    beside = {
        "mask": recording.mask,
        "censor": recording.censor,
        "confounds": recording.confounds,
    }
    parts += [(role, path) for role, path in beside.items() if path is not None]
    if recording.confounds is not None:
        sidecar = recording.confounds.with_suffix(".json")
        parts += [("sidecar", sidecar)] if sidecar.is_file() else []
    return [(role, Path(path).absolute()) for role, path in parts]  # links stay as they are


def _file_and_variable(path: Path) -> tuple[str, Path]:
    """A file of data; its role tells the variable chosen in it, since that changes the result."""
    file, variable = split_variable(path)
    return "data" if variable is None else f"data:{variable}", file


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> FileFormatError:
    if isinstance(error, FileNotFoundError):
        return FileFormatError(f"{path} does not exist.", "Check the path.")
    return FileFormatError(
        f"{path} cannot be read ({error.strerror or error}).", "Check its permissions with ls -l."
    )
