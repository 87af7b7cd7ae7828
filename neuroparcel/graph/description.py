"""What a model is, in words and numbers that outlive the process: for files and messages."""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from types import FunctionType, MethodType
from typing import Any

import numpy as np
from torch import Tensor
from torch.distributions import constraints

from neuroparcel.graph.model_graph import ModelGraph, Plate, Site
from neuroparcel.graph.trace import Model

_DIGITS = 6  # of a bound or constant: what single precision can be trusted with


def describe(graph: ModelGraph) -> dict[str, Any]:
    """A graph as plain JSON values.

    The size of a plate that an argument sets is data, so it is not told.

    Returns
    -------
    dict
        ``plates``: name, dim, size (None if an argument sets it), argument.
        ``sites``, latents in the order of generation, then the observed one: name,
        hierarchy, event_shape, support, parents, observed.
    """
    return {
        "plates": [_describe_plate(plate) for plate in graph.plates],
        "sites": [
            _describe_site(site, observed=site is graph.observed)
            for site in (*graph.latents, graph.observed)
        ],
    }


def differences(saved: Mapping[str, Any], own: Mapping[str, Any]) -> list[str]:
    """How one description differs from a saved one, a line each; empty if they agree.

    Examples
    --------
    >>> from neuroparcel.graph import analyse
    >>> from neuroparcel.models.toys import gaussian_random_effects
    >>> own = describe(analyse(gaussian_random_effects).graph)
    >>> saved = {**own, "plates": [{**own["plates"][0], "size": 7}, own["plates"][1]]}
    >>> differences(saved, own)
    ["plate 'point': size changed from 7 to whatever an argument says"]
    """
    plates = _compare("plate", saved["plates"], own["plates"], ("dim", "size"))
    keys = ("hierarchy", "event_shape", "support", "parents", "observed")
    return plates + _compare("site", saved["sites"], own["sites"], keys)


def source_hash(model: Model) -> str | None:
    """SHA-256 of the source of a model, and of the plain constants that it names.

    Comments, docstrings and layout do not count. Of a callable object it is the
    source of its class and the object's own numbers, words and arrays. Functions
    that the model calls are not looked into.

    Returns
    -------
    str or None
        None where there is no source, as in an interactive session.
    """
    try:
        text = "\n".join(_parts(model))
    except (OSError, TypeError, SyntaxError):
        return None  # no file, a builtin, or a lambda whose lines are no statement
    return hashlib.sha256(text.encode()).hexdigest()


def _describe_plate(plate: Plate) -> dict[str, Any]:
    size = plate.size if plate.argument is None else None
    return {"name": plate.name, "dim": plate.dim, "size": size, "argument": plate.argument}


def _describe_site(site: Site, observed: bool) -> dict[str, Any]:
    return {
        "name": site.name,
        "hierarchy": site.hierarchy,
        "event_shape": list(site.event_shape),
        "support": _support(site.support),
        "parents": list(site.parents),
        "observed": observed,
    }


def _support(support: constraints.Constraint) -> str:
    """Name and bounds of a constraint; event dimensions are told by the event's shape."""
    if isinstance(support, constraints.independent):
        return _support(support.base_constraint)
    name = type(support).__name__.lstrip("_")
    bounds = {key: _bound(value) for key, value in sorted(vars(support).items())}
    inside = ", ".join(f"{key}={value}" for key, value in bounds.items() if value is not None)
    return f"{name}({inside})" if inside else name


def _bound(value: Any) -> str | None:
    """Of an array that repeats one number over plates, whose sizes do not count, the number."""
    if isinstance(value, constraints.Constraint):
        return _support(value)
    if isinstance(value, Tensor) and bool((value == value.reshape(-1)[0]).all()):
        return _constant(float(value.reshape(-1)[0]))
    return _constant(value)


def _compare(
    kind: str,
    saved: Sequence[Mapping[str, Any]],
    own: Sequence[Mapping[str, Any]],
    keys: Sequence[str],
) -> list[str]:
    before, after = ({entry["name"]: entry for entry in entries} for entries in (saved, own))
    lines = [f"{kind} '{name}' was removed" for name in before if name not in after]
    lines += [f"{kind} '{name}' was added" for name in after if name not in before]
    common = [name for name in before if name in after]
    lines += [
        f"{kind} '{name}': {key.replace('_', ' ')} changed "
        f"from {_word(key, before[name][key])} to {_word(key, after[name][key])}"
        for name in common
        for key in keys
        if before[name][key] != after[name][key]
    ]
    order = [name for name in after if name in before]
    if order != common:
        lines.append(f"the order of {kind}s changed from {_list(common)} to {_list(order)}")
    return lines


def _word(key: str, value: Any) -> str:
    if value is None:
        return "whatever an argument says"
    if key == "event_shape":
        return f"({_list(value)})"
    if isinstance(value, list):
        return _list(value) or "none"
    return str(value)


def _list(values: Sequence[Any]) -> str:
    return ", ".join(map(str, values))


def _parts(model: Model) -> Iterator[str]:
    """Code and constants, in an order that does not depend on the process."""
    if isinstance(model, functools.partial):
        yield from _parts(model.func)
        yield from _constants({"args": model.args, **model.keywords})
    elif isinstance(model, MethodType):
        yield from _parts(model.__func__)
        yield from _constants(vars(model.__self__))
    elif isinstance(model, FunctionType):
        yield _code(model)
        yield from _constants(_named(inspect.unwrap(model)))
    else:
        yield _code(type(model))
        for member in vars(type(model)).values():
            if isinstance(member, FunctionType):
                yield from _constants(_named(member))
        yield from _constants(vars(model))


def _code(source: Any) -> str:
    """Source without comments, docstrings and layout."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(source)))
    for node in ast.walk(tree):
        documented = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if documented and ast.get_docstring(node) is not None:  # type: ignore[arg-type]
            node.body = node.body[1:] or [ast.Pass()]  # type: ignore[attr-defined]
    return ast.unparse(tree)


def _named(function: Any) -> dict[str, Any]:
    """Globals and outer variables that a function names."""
    found = inspect.getclosurevars(function)
    return {**found.globals, **found.nonlocals}


def _constants(values: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(values):
        value = _constant(values[name])
        if value is not None:
            yield f"{name} = {value}"


def _constant(value: Any) -> str | None:
    """A number, word or array in words; None for anything else."""
    if isinstance(value, Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        return f"{value.shape} {[_constant(entry) for entry in value.reshape(-1).tolist()]}"
    if isinstance(value, bool | str):
        return repr(value)
    if isinstance(value, int | float):
        return f"{value:.{_DIGITS}g}"
    if isinstance(value, tuple | list):
        entries = [_constant(entry) for entry in value]
        return None if None in entries else f"[{_list(entries)}]"
    return None
