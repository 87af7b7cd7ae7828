"""Pairs of files, one a hemisphere, by their names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, TypeAlias

Side: TypeAlias = Literal["L", "R"]

# hemi-L (BIDS), lh. and rh_ (FreeSurfer, CBIG), .L. (HCP).
_SIDE = re.compile(
    r"(?P<before>(?:^|[._-])hemi-|(?:^|[._])(?=[lr]h[._])|\.(?=[LR]\.))"
    r"(?P<side>L|R|lh|rh|left|right)(?=[._])"
)
_BRACES = re.compile(r"\{(?P<one>[^{},]*),(?P<other>[^{},]*)\}")


def split_hemisphere(name: str) -> tuple[Side | None, str]:
    """Hemisphere that a file name tells, and the name with its hemisphere left open.

    Examples
    --------
    >>> split_hemisphere("sub-1_hemi-R_bold.func.gii")
    ('R', 'sub-1_hemi-*_bold.func.gii')
    >>> split_hemisphere("lh.run1.func.gii"), split_hemisphere("run1.dtseries.nii")
    (('L', '*.run1.func.gii'), (None, 'run1.dtseries.nii'))
    """
    match = _SIDE.search(name)
    if match is None:
        return None, name
    side: Side = "L" if match["side"].lower().startswith("l") else "R"
    return side, f"{name[: match.start('side')]}*{name[match.end() :]}"


def expand_braces(path: str) -> tuple[str, ...]:
    """The paths that braces stand for, the left hemisphere first; one if there are none.

    Examples
    --------
    >>> expand_braces("{rh,lh}.run1.func.gii")
    ('lh.run1.func.gii', 'rh.run1.func.gii')
    """
    match = _BRACES.search(path)
    if match is None:
        return (path,)
    pair = [path[: match.start()] + match[word] + path[match.end() :] for word in ("one", "other")]
    return tuple(sorted(pair, key=lambda name: split_hemisphere(Path(name).name)[0] or ""))
