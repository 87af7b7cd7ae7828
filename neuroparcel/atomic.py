"""Files appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ASIDE = ".neuroparcel-partial-"
"""How the names of unfinished files begin."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    r"""A temporary path beside ``path`` that takes its name once the block succeeds.

    The temporary file keeps the suffixes, which many writers decide by, and is
    removed if the block raises, a KeyboardInterrupt included.

    Examples
    --------
    >>> with atomic_path(Path("labels.tsv")) as aside:  # doctest: +SKIP
    ...     aside.write_text("vertex\tlabel\n")
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=ASIDE, suffix="".join(path.suffixes), dir=path.parent)
    os.close(handle)
    aside = Path(name)
    try:
        yield aside
        aside.chmod(0o666 & ~_umask())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
