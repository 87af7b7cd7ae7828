"""What a cohort without a second subject, or without repeated sessions, cannot tell."""

from __future__ import annotations

from collections.abc import Sequence

from neuroparcel.types import BoolArray


def replication_warnings(present: BoolArray, levels: Sequence[str]) -> tuple[str, ...]:
    """Warn of levels of a model that a training cohort does not repeat.

    Parameters
    ----------
    present : (subject, session) array of bool
        Which sessions there are.
    levels : sequence of str
        The model's, such as ``("population", "subject", "session")``.
    """
    warnings = []
    if present.any(axis=1).sum() == 1:
        warnings.append(
            "the cohort is one subject: how far subjects differ cannot be learnt from it, so the "
            "model is no guide to other subjects; give two or more, better ten"
        )
    elif present.sum(axis=1).max() == 1 and {"subject", "session"} <= set(levels):
        warnings.append(
            "no subject has two sessions: what differs between sessions cannot be told from what "
            "differs between subjects, and shares are assumed; give repeated sessions, or --levels "
            "population,subject"
        )
    return tuple(warnings)
