"""Names in the order a reader expects, and some of many in a message."""

from __future__ import annotations

import re
from collections.abc import Sequence

_N_NAMED = 3


def natural(name: str) -> list[tuple[int, str]]:
    """Sort key by which ses-2 comes before ses-10."""
    parts = re.findall(r"\d+|\D+", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def name_some(names: Sequence[str]) -> str:
    """Join the first few of many names.

    Examples
    --------
    >>> name_some(["a", "b", "c", "d"])
    'a, b, c, ...'
    """
    shown = ", ".join(names[:_N_NAMED])
    return shown + (", ..." if len(names) > _N_NAMED else "")
