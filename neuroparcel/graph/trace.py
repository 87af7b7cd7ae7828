"""A Pyro callable, run a few times, becomes a list of sites and plates."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pyro
import torch
from pyro import poutine
from pyro.infer.inspect import TrackProvenance
from pyro.ops.provenance import get_provenance
from pyro.poutine.subsample_messenger import _Subsample
from torch import Tensor, nn
from torch.distributions import constraints

from neuroparcel.distributions.supports import VaryingSupportError, ground_support
from neuroparcel.errors import NotPyramidalError
from neuroparcel.graph.messengers import Given
from neuroparcel.graph.refusals import (
    Refusals,
    is_deterministic,
    is_unexpandable,
    unexpandable,
)

Model = Callable[..., Any]

_N_RUNS = 8  # a branch taken half of the time is missed once in 128 analyses


@dataclass(frozen=True)
class TracedSite:
    """What one run of the model says of one site.

    Attributes
    ----------
    name : str
    plates : tuple of (name, dim, size)
        Innermost first.
    event_shape : tuple of int
    support : constraints.Constraint
        Of one ground variable.
    discrete, observed : bool
    distribution : str
        Name of its class.
    moving : str
        Why the support is not one and the same, such as "between runs"; else empty.
    fed : bool
        Whether an argument that defaults to None gives its value.
    """

    name: str
    plates: tuple[tuple[str, int, int], ...]
    event_shape: tuple[int, ...]
    support: constraints.Constraint
    discrete: bool
    observed: bool
    distribution: str
    moving: str = ""
    fed: bool = False


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch's generators set to ``seed`` inside, and put back as they were outside."""
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def trace_sites(model: Model, seed: int = 0, **arguments: Any) -> tuple[TracedSite, ...]:
    """Sites of one run of ``model(**arguments)``, in the order of generation.

    Raises
    ------
    NotPyramidalError
        At the first statement that the analysis would misread or drop.
    """
    with (
        seeded(seed),
        torch.no_grad(),
        pyro.validation_enabled(True),
        Refusals(),
        poutine.trace() as tracer,  # as a context it leaves the messages of errors alone
    ):
        try:
            model(**arguments)
        except NotImplementedError as error:
            if is_unexpandable(error):
                raise unexpandable(error) from error
            raise
    return tuple(_traced(node) for node in _random_nodes(tracer.trace.nodes))


def stable_sites(model: Model) -> tuple[TracedSite, ...]:
    """Sites that several runs agree on.

    Raises
    ------
    NotPyramidalError
        If the model needs arguments, or its sites, plates or shapes depend on what
        was sampled.
    """
    _check_arguments(model)
    first, *others = (trace_sites(model, seed=seed) for seed in range(_N_RUNS))
    for other in others:
        changed = _changes(first, other)
        if changed:
            raise NotPyramidalError(
                f"runs of the model differ in {', '.join(changed)}.",
                "Control flow that depends on sampled values cannot be analysed: "
                "write the model with a fixed structure.",
            )
    fed = fed_sites(model)
    return tuple(
        replace(_with_all_supports(runs), fed=runs[0].name in fed)
        for runs in zip(first, *others, strict=True)
    )


def fed_sites(model: Model) -> frozenset[str]:
    """Sites that take their values from arguments with the default None.

    Each such argument is given values that sites have drawn, the last first, until
    it turns a site into an observed one.
    """
    with seeded(0):
        nodes = _trace(model)
    drawn = [node["value"] for node in reversed(nodes) if not node["is_observed"]]
    found: set[str] = set()
    for parameter in model_parameters(model):
        if parameter.default is None:
            attempts = (_observed_with(model, parameter.name, value) for value in drawn)
            found |= next((sites for sites in attempts if sites), set())
    return frozenset(found) - {node["name"] for node in nodes if node["is_observed"]}


def direct_parents(model: Model, names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """For each site the sites that its distribution depends on directly."""
    with seeded(0), torch.no_grad(), pyro.validation_enabled(False):
        found: Mapping[str, Set[str]]
        try:
            found = _provenance(model)
        except (RuntimeError, ValueError, TypeError, IndexError):
            # Pyro cannot follow its marks through some samplers, such as the Multinomial's.
            found = _influences(model)
    return {
        name: tuple(parent for parent in names if parent in found[name] and parent != name)
        for name in names
    }


def _provenance(model: Model) -> dict[str, frozenset[str]]:
    """For each site the sites whose marks arrive in its density."""
    with TrackProvenance():
        nodes = _trace(model)
    return {node["name"]: get_provenance(node["fn"].log_prob(node["value"])) for node in nodes}


def _influences(model: Model) -> dict[str, set[str]]:
    """For each site the sites that change its density when they take another value."""
    found: dict[str, set[str]] = defaultdict(set)
    for _ in range(_N_RUNS):  # a value may have no effect in a part of its range
        nodes = _trace(model)
        values = {node["name"]: node["value"] for node in nodes}
        before = _densities(model, values, values)
        for node in nodes:
            after = _densities(model, {**values, node["name"]: node["fn"]()}, values)
            for name in after:
                if not torch.equal(before[name].nan_to_num(), after[name].nan_to_num()):
                    found[name].add(node["name"])
    return found


def _densities(
    model: Model, given: Mapping[str, Tensor], at: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Log densities at some values, of distributions that others have led to."""
    with Given(given):
        nodes = _trace(model)
    return {node["name"]: node["fn"].log_prob(at[node["name"]]) for node in nodes}


def _trace(model: Model) -> list[dict[str, Any]]:
    with torch.no_grad(), poutine.trace() as tracer:
        model()
    return _random_nodes(tracer.trace.nodes)


def _observed_with(model: Model, argument: str, value: Tensor) -> set[str]:
    """Sites that have data once an argument has this value; none if the model fails on it."""
    given: dict[str, Any] = {argument: value}
    try:
        sites = trace_sites(model, **given)
    except Exception:  # what is no data argument may do anything with a tensor
        return set()
    return {site.name for site in sites if site.observed}


def plate_arguments(model: Model) -> dict[str, str]:
    """Plate name -> the integer argument of the model that sets its size.

    Each integer default is raised by one in turn; the plate that grows by one
    belongs to it.

    Raises
    ------
    NotPyramidalError
        If one argument sets the sizes of several plates.
    """
    sizes = _plate_sizes(trace_sites(model))
    found: dict[str, str] = {}
    for argument, default in integer_arguments(model).items():
        try:
            changed = _plate_sizes(trace_sites(model, **{argument: default + 1}))
        except (RuntimeError, ValueError, TypeError, IndexError):
            continue  # an integer that is no plate size may be tied to other shapes
        grown = [name for name in sizes if changed.get(name) == sizes[name] + 1]
        if len(grown) > 1:
            raise NotPyramidalError(
                f"the argument '{argument}' sets the sizes of {len(grown)} plates: "
                f"{', '.join(grown)}.",
                "Give each plate an integer argument of its own: their sizes vary independently.",
            )
        if grown:
            found.setdefault(grown[0], argument)
    return found


def model_parameters(model: Model) -> tuple[inspect.Parameter, ...]:
    """Parameters of the call; of ``forward`` for a torch or Pyro module."""
    function = model.forward if isinstance(model, nn.Module) else model
    return tuple(inspect.signature(function).parameters.values())


def integer_arguments(model: Model) -> dict[str, int]:
    """Arguments of the model with an integer default."""
    return {p.name: p.default for p in model_parameters(model) if type(p.default) is int}


def _check_arguments(model: Model) -> None:
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    required = [
        p.name for p in model_parameters(model) if p.default is p.empty and p.kind not in variadic
    ]
    if required:
        raise NotPyramidalError(
            f"the model cannot be called without {', '.join(required)}.",
            "Give data arguments the default None, plate sizes a small integer, and fix the "
            "rest with functools.partial.",
        )


def _random_nodes(nodes: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        node
        for node in nodes.values()
        if node["type"] == "sample"
        and not isinstance(node["fn"], _Subsample)
        and not is_deterministic(node)
    ]


def _traced(node: dict[str, Any]) -> TracedSite:
    fn = node["fn"]
    plates = sorted(
        ((f.name, f.dim, f.size) for f in node["cond_indep_stack"]), key=lambda p: -p[1]
    )
    support, moving = _support(fn)
    return TracedSite(
        name=node["name"],
        plates=tuple(plates),
        event_shape=tuple(fn.event_shape),
        support=support,
        discrete=support is not constraints.dependent and bool(support.is_discrete),
        observed=bool(node["is_observed"]),
        distribution=type(fn).__name__,
        moving=moving,
    )


def _support(fn: pyro.distributions.TorchDistribution) -> tuple[constraints.Constraint, str]:
    try:
        return ground_support(fn), ""
    except VaryingSupportError:
        return constraints.dependent, "within its plates"


def _with_all_supports(runs: Sequence[TracedSite]) -> TracedSite:
    """The site of the first run, marked if its support is another one in a later run."""
    first = runs[0]
    if all(repr(site.support) == repr(first.support) for site in runs):
        return first
    return replace(first, moving="between runs of the model")


def _changes(first: Sequence[TracedSite], other: Sequence[TracedSite]) -> list[str]:
    """What two runs do not agree on, in words."""
    before, after = ({site.name: _structure(site) for site in run} for run in (first, other))
    appearing = sorted(before.keys() ^ after.keys())
    reshaped = [name for name in before if name in after and before[name] != after[name]]
    changes = [*appearing, *(f"plates, shape or distribution of '{name}'" for name in reshaped)]
    return changes or ([] if list(before) == list(after) else ["the order of their sites"])


def _structure(site: TracedSite) -> tuple[object, ...]:
    return site.plates, site.event_shape, site.distribution


def _plate_sizes(sites: tuple[TracedSite, ...]) -> dict[str, int]:
    return {name: size for site in sites for name, _, size in site.plates}
