"""What the MS-HBM can be built from; importing it needs no torch."""

from __future__ import annotations

from collections.abc import Sequence

from neuroparcel.errors import OptionError

LEVELS = ("population", "subject", "session")
L_NORMAL, VON_MISES_FISHER = EMISSIONS = ("l-normal", "von-mises-fisher")
SHARED, BY_NETWORK, BY_SESSION = KAPPAS = ("shared", "network", "session")


def check_levels(levels: Sequence[str]) -> tuple[str, ...]:
    """The levels as a tuple.

    Raises
    ------
    OptionError
        If one is unknown or repeated, they are not in order, or there is none.
    """
    chosen = (levels,) if isinstance(levels, str) else tuple(levels)
    for level in chosen:
        check_choice("level", level, LEVELS)
    if not chosen or chosen != tuple(level for level in LEVELS if level in chosen):
        raise OptionError(
            f"the levels are ({', '.join(chosen)}).",
            f"Choose one or more of {', '.join(LEVELS)}, in this order, each once.",
        )
    return chosen


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    """Raise OptionError if a value is none of the choices."""
    if value not in choices:
        raise OptionError(f"unknown {name} '{value}'.", f"Choose one of {', '.join(choices)}.")
