"""A Pyro callable, run a few times, becomes a list of sites and plates."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyro
import torch
from pyro import poutine
from pyro.infer.inspect import get_dependencies
from pyro.poutine.subsample_messenger import _Subsample
from torch.distributions import constraints

from neuroparcel.errors import NotPyramidalError

Model = Callable[..., Any]

_N_RUNS = 8  # a branch taken half of the time is missed once in 128 analyses


@dataclass(frozen=True)
class TracedSite:
    """What one run of the model says of one site."""

    name: str
    plates: tuple[tuple[str, int, int], ...]  # (name, dim, size), innermost first
    event_shape: tuple[int, ...]
    support: constraints.Constraint
    discrete: bool
    observed: bool
    distribution: str


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch's generators set to ``seed`` inside, and put back as they were outside."""
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def trace_sites(model: Model, seed: int = 0, **arguments: Any) -> tuple[TracedSite, ...]:
    """Sites of one run of ``model(**arguments)``, in the order of generation."""
    with seeded(seed), torch.no_grad(), pyro.validation_enabled(True):
        trace = poutine.trace(model).get_trace(**arguments)
    nodes = [node for node in trace.nodes.values() if _is_random(node)]
    return tuple(_traced(node) for node in nodes)


def stable_sites(model: Model) -> tuple[TracedSite, ...]:
    """Sites that several runs agree on.

    Raises
    ------
    NotPyramidalError
        If the sites, plates or shapes depend on what was sampled.
    """
    first, *others = (trace_sites(model, seed=seed) for seed in range(_N_RUNS))
    for other in others:
        if [_structure(site) for site in first] != [_structure(site) for site in other]:
            names = sorted({s.name for s in first} ^ {s.name for s in other})
            raise NotPyramidalError(
                f"runs of the model differ in {', '.join(names) or 'the shapes of their sites'}.",
                "Control flow that depends on sampled values cannot be analysed: "
                "write the model with a fixed structure.",
            )
    return first


def direct_parents(model: Model, names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """For each site the sites that its distribution depends on directly."""
    with seeded(0), torch.no_grad():
        found = get_dependencies(model)["prior_dependencies"]
    return {
        name: tuple(parent for parent in names if parent in found.get(name, {}) and parent != name)
        for name in names
    }


def plate_arguments(model: Model) -> dict[str, str]:
    """Plate name -> the integer argument of the model that sets its size.

    Each integer default is raised by one in turn; the plate that grows by one
    belongs to it.
    """
    sizes = _plate_sizes(trace_sites(model))
    found: dict[str, str] = {}
    for argument, default in integer_arguments(model).items():
        try:
            changed = _plate_sizes(trace_sites(model, **{argument: default + 1}))
        except (RuntimeError, ValueError, TypeError, IndexError):
            continue  # an integer that is no plate size may be tied to other shapes
        grown = [name for name in sizes if changed.get(name) == sizes[name] + 1]
        if len(grown) == 1:
            found.setdefault(grown[0], argument)
    return found


def integer_arguments(model: Model) -> dict[str, int]:
    """Arguments of the model with an integer default."""
    parameters = inspect.signature(model).parameters.values()
    return {p.name: p.default for p in parameters if type(p.default) is int}


def _structure(site: TracedSite) -> tuple[object, ...]:
    return site.name, site.plates, site.event_shape, site.distribution


def _is_random(node: dict[str, Any]) -> bool:
    return node["type"] == "sample" and not isinstance(node["fn"], _Subsample)


def _traced(node: dict[str, Any]) -> TracedSite:
    fn, name = node["fn"], node["name"]
    frames = node["cond_indep_stack"]
    sequential = [frame.name for frame in frames if not frame.vectorized]
    if sequential:
        raise NotPyramidalError(
            f"site '{name}' stands in the sequential plate '{sequential[0]}'.",
            "Use the plate as a context manager (with pyro.plate(...):) instead of a for loop.",
        )
    plates = sorted(((f.name, f.dim, f.size) for f in frames), key=lambda p: -p[1])
    return TracedSite(
        name=name,
        plates=tuple(plates),
        event_shape=tuple(fn.event_shape),
        support=fn.support,
        discrete=bool(fn.support.is_discrete),
        observed=bool(node["is_observed"]),
        distribution=type(fn).__name__,
    )


def _plate_sizes(sites: tuple[TracedSite, ...]) -> dict[str, int]:
    return {name: size for site in sites for name, _, size in site.plates}
