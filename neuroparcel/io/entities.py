"""Names of subjects and sessions as labels in BIDS file names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from neuroparcel.errors import LayoutError, NeuroparcelError

_NOT_IN_LABEL = re.compile(r"[^0-9a-zA-Z]")
_NO_NAME = re.compile(r"[/\\]|\.\.")  # a folder, or the way out of one


def entity(name: str) -> str:
    """BIDS label of a subject or session: its letters and digits, without ``sub-`` or ``ses-``.

    Examples
    --------
    >>> entity("sub-01"), entity("REST1_LR")
    ('01', 'REST1LR')
    """
    return _NOT_IN_LABEL.sub("", re.sub(r"^(sub|ses)-", "", name))


def check_names(
    kind: Literal["subject", "session"],
    names: Sequence[str],
    error: type[NeuroparcelError] = LayoutError,
) -> None:
    """Refuse names that cannot tell files apart.

    Parameters
    ----------
    kind : {"subject", "session"}
        What the names stand for.
    names : sequence of str
        Different names.
    error : type of NeuroparcelError, default LayoutError
        What to raise.

    Raises
    ------
    NeuroparcelError
        If a name holds a path separator or ``..``, has no letter or digit, or two names have
        the same BIDS label.
    """
    taken: dict[str, str] = {}
    for name in names:
        label = entity(name)
        if _NO_NAME.search(name):
            raise error(
                f"The {kind} name {name!r} holds a path separator or '..'.",
                "Rename it; names of folders and files are made from it.",
            )
        if not label:
            raise error(f"The {kind} name {name!r} has no letter or digit.", "Rename it.")
        if label in taken:
            raise error(
                f"The {kind}s {taken[label]!r} and {name!r} would share the file name "
                f"{kind[:3]}-{label}.",
                "Rename one; BIDS names hold letters and digits only.",
            )
        taken[label] = name
