"""``--config FILE``: options from a file."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from .options import OTHER, Command, Option, option


def config(command: Command) -> Command:
    """Declare a file that gives options; what the command line gives wins."""
    return option(
        "--config",
        section=OTHER,
        type=click.Path(path_type=Path),
        metavar="FILE",
        is_eager=True,
        expose_value=False,
        callback=_use_config,
        help="TOML or JSON file of options, such as networks = 3. The command line wins.",
    )(command)


def _use_config(ctx: click.Context, _parameter: click.Parameter, path: Path | None) -> None:
    """Let a file give the defaults of the options that follow."""
    if path is None:
        return
    known = {p.name for p in ctx.command.params if isinstance(p, Option) and p.expose_value}
    values = {str(key).replace("-", "_"): value for key, value in _read_config(path).items()}
    unknown = [key for key in values if key not in known]
    if unknown:
        raise click.UsageError(
            f"{path} gives the unknown option {unknown[0]!r}. The options of "
            f"'{ctx.command_path}' are {', '.join(sorted(filter(None, known)))}.",
            ctx,
        )
    given = {key: value for key, value in values.items() if value is not None}
    ctx.default_map = {**(ctx.default_map or {}), **given}


def _read_config(path: Path) -> Mapping[str, Any]:
    readers: dict[str, Callable[[str], Any]] = {".toml": tomllib.loads, ".json": json.loads}
    if path.suffix not in readers:
        raise click.UsageError(f"{path} is neither a .toml nor a .json file.")
    try:
        content = readers[path.suffix](path.read_text(encoding="utf-8"))
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise click.UsageError(f"{path} is not valid {path.suffix[1:].upper()}: {error}") from error
    if not isinstance(content, dict):
        raise click.UsageError(f"{path} should hold option names and their values.")
    return content
