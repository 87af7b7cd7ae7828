"""Statements of a Pyro model that its analysis would misread or silently drop.

A pyramid is the product of the densities of its sites over vectorised plates.
Whatever adds to that density, scales it or hides a part of it is refused where
it stands, with the name of the site.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any, TypeAlias

from pyro.distributions import Delta, ImproperUniform, Unit
from pyro.poutine.messenger import Messenger
from pyro.poutine.subsample_messenger import _Subsample

from neuroparcel.distributions.supports import innermost
from neuroparcel.errors import NotPyramidalError

Message: TypeAlias = dict[str, Any]  # as Pyro's effect handlers pass it


class Refusals(Messenger):
    """A context in which a Pyro model stops at the first statement that no pyramid has.

    Raises
    ------
    NotPyramidalError
        For a name used twice, sequential or subsampled plates, ``pyro.factor``,
        ``pyro.param``, point masses, improper priors, scaled or masked sites.
    """

    def __init__(self) -> None:
        super().__init__()
        self._names: set[str] = set()

    def _pyro_sample(self, msg: Message) -> None:
        self._check_name(msg)
        if not isinstance(msg["fn"], _Subsample) and not is_deterministic(msg):
            for check in _CHECKS:
                check(msg)

    def _pyro_param(self, msg: Message) -> None:
        raise NotPyramidalError(
            f"the model has the parameter '{msg['name']}' (pyro.param), which nothing would train.",
            "Give it a prior with pyro.sample, or write its value as a constant.",
        )

    def _check_name(self, msg: Message) -> None:
        name = msg["name"]
        if name in self._names:
            raise NotPyramidalError(
                f"the name '{name}' is used twice.",
                "Give each site its own name; make a plate once (rows = pyro.plate(...)) and "
                "enter it as often as needed (with rows:).",
            )
        self._names.add(name)


def is_deterministic(msg: Message) -> bool:
    """Whether the site only records a value (``pyro.deterministic``)."""
    return bool(msg["infer"].get("_deterministic", False))


def site_of(error: Exception) -> str:
    """Name of the site at which Pyro's handlers stopped; empty for the model's own lines."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        message = frame.f_locals.get("msg")
        if frame.f_code.co_name == "apply_stack" and message and message["type"] == "sample":
            return str(message["name"])
    return ""


def is_unexpandable(error: Exception) -> bool:
    """Whether torch says that a distribution has no ``expand`` of its own."""
    return isinstance(error, NotImplementedError) and ".expand()" in str(error)


def unexpandable(error: Exception) -> NotPyramidalError:
    """What to say then: LKJ of Pyro is the usual case."""
    site = site_of(error)
    reason = str(error).partition("\n")[0].rstrip(".")
    return NotPyramidalError(
        f"the distribution of site '{site}' cannot be repeated over plates and data sets: "
        f"{reason}.",
        "Give its class an .expand method, or use another one (for LKJ, use LKJCholesky).",
    )


def _check_plates(msg: Message) -> None:
    for frame in msg["cond_indep_stack"]:
        if not frame.vectorized:
            raise NotPyramidalError(
                f"site '{msg['name']}' stands in the sequential plate '{frame.name}'.",
                "Use the plate as a context manager (with pyro.plate(...):) instead of a for loop.",
            )
        if frame.full_size != frame.size:
            raise NotPyramidalError(
                f"site '{msg['name']}' stands in the plate '{frame.name}', which draws "
                f"{frame.size} of its {frame.full_size} elements.",
                "Leave subsample_size and subsample out: training takes its own subsets.",
            )


def _check_distribution(msg: Message) -> None:
    name, base = msg["name"], innermost(msg["fn"])
    if isinstance(base, Unit):
        raise NotPyramidalError(
            f"the model has the factor '{name}' (pyro.factor), which cannot be simulated.",
            "Write it as the density of a site: pyro.sample with a distribution.",
        )
    if isinstance(base, Delta):
        raise NotPyramidalError(
            f"site '{name}' is a point mass (Delta), which has no density.",
            "Use pyro.deterministic, or write the value as it is.",
        )
    if isinstance(base, ImproperUniform):
        raise NotPyramidalError(
            f"site '{name}' has an improper prior (ImproperUniform), which cannot be drawn from.",
            "Give it a proper prior, for example a wide Normal or a Uniform with bounds.",
        )


def _check_weight(msg: Message) -> None:
    if isinstance(msg["scale"], float) and msg["scale"] == 1.0:
        return
    raise NotPyramidalError(
        f"the density of site '{msg['name']}' is scaled (poutine.scale).",
        "Take the scale out: a pyramid's density is the product over its sites.",
    )


def _check_mask(msg: Message) -> None:
    if msg["mask"] is not None:
        raise NotPyramidalError(
            f"site '{msg['name']}' is masked (poutine.mask or obs_mask).",
            "Write the model for complete data, and say in the mask of the Observation "
            "what is missing.",
        )


_CHECKS: tuple[Callable[[Message], None], ...] = (
    _check_plates,
    _check_distribution,
    _check_weight,
    _check_mask,
)
