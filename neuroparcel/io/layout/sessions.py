"""Which sessions of the recordings found are used, and what counts as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from neuroparcel.errors import LayoutError
from neuroparcel.io.layout.naming import natural
from neuroparcel.io.layout.recordings import Recording


def choose_sessions(recordings: Sequence[Recording], sessions: str) -> list[Recording]:
    """Keep or make sessions.

    Parameters
    ----------
    recordings : sequence of Recording
        All that were found.
    sessions : str
        ``"day"``: as they are; ``"run"``: each run becomes a session; otherwise the names of
        those to keep, separated by commas, with or without ``ses-``.

    Returns
    -------
    list of Recording

    Raises
    ------
    LayoutError
        If a name is unknown, or a subject is left with nothing.
    """
    if sessions == "day":
        return list(recordings)
    if sessions == "run":
        return [replace(r, session=f"{r.session}_{r.run}") for r in recordings]
    kept = [name.strip() for name in sessions.split(",") if name.strip()]
    known = {r.session for r in recordings}
    labels = {_label(name) for name in known}
    unknown = [name for name in kept if _label(name) not in labels]
    if unknown or not kept:
        raise LayoutError(
            f"No recording is of session {', '.join(unknown) or sessions!r}.",
            f"The sessions are {', '.join(sorted(known, key=natural))}; or use 'day' or 'run'.",
        )
    wanted = {_label(name) for name in kept}
    chosen = [r for r in recordings if _label(r.session) in wanted]
    left = {r.subject for r in chosen}
    lost = [r.subject for r in recordings if r.subject not in left]
    if lost:
        raise LayoutError(
            f"Subject {lost[0]} has none of the sessions {', '.join(kept)}.",
            "Take it off the list, or keep more sessions.",
        )
    return chosen


def _label(session: str) -> str:
    return session.removeprefix("ses-")
